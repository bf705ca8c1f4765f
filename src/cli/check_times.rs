//! Jobs and steps of CI workflows that end before what they run may.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use clap::Parser as _;
use regex::Regex;

use super::Shell;
use super::args::{Cli, Command, LibraryArgs, RunArgs};
use crate::domain::time;
use crate::runner::plan::{self, Instance};
use crate::session::at_most::at_most;
use crate::session::library::Library;
use crate::session::{Env, RunSettings, SessionError, organisation, profile};
use crate::source::{Problem, SourceFile};
use crate::targets::TargetFacts;
use crate::yaml::{self, Aliases, Kind, Node, Reading};

/// What `lifecycle run` would run, typed like this: how long it may take with clean-up, its organisation included.
/// `None` when something of it is not known here: a name, a file, a value.
fn worst_case(args: &RunArgs, shell: &Shell) -> Option<Duration> {
    let asked = args.settings(shell).ok()?.0;
    // What an earlier run was is in its log, elsewhere.
    if asked.again.is_some() {
        return None;
    }
    let library = Library::load_meant(&asked.library, &asked.selection, asked.profile.as_deref()).ok()?;
    let chosen = asked.profile.as_deref().map(|wanted| profile::choose(wanted, &asked.library, shell));
    let chosen = chosen.transpose().ok()?;
    let choice = match &chosen {
        Some(chosen) => chosen.scenarios(&library, &asked.selection).ok()?,
        None => library.chosen().ok()?,
    };
    let sources = profile::sources(&asked.inputs, chosen.as_ref(), shell);
    let able = TargetFacts::everything();
    let instances = plan::plan(&choice.scenarios, &choice.only, &sources, &able, 1).ok()?;
    Some(at_most(&instances, &asked) + around(&asked, chosen.as_ref(), &shell.env).ok()?)
}

/// What the organisation of a run, or what its profile starts, adds before and after.
pub(super) fn around(
    asked: &RunSettings,
    chosen: Option<&profile::Chosen>,
    env: &Env,
) -> Result<Duration, SessionError> {
    // What a profile names is its own target, whatever the environment says.
    match chosen {
        Some(chosen) if !chosen.profile.makes_organisation => Ok(chosen.profile.up_and_down()),
        _ => organisation::around(&asked.target, chosen.is_some(), env),
    }
}

/// All of a plan at once, or as many as a run takes by itself.
pub(super) fn of_plan(instances: &[Instance]) -> Duration {
    at_most(instances, &RunSettings::default())
}

/// Warnings for what a workflow types of this program: a line that cannot run, and each `timeout-minutes` that is shorter
/// than what its job or step runs.
pub(super) fn check(file: &SourceFile, args: &LibraryArgs, shell: &Shell) -> Vec<Problem> {
    if !file.text.contains("lifecycle") {
        return Vec::new();
    }
    let reading = Reading {
        code: "yaml",
        max_nodes: 100_000,
        max_aliases: 1_000,
        max_bytes: 1 << 20,
        aliases: Aliases::Defined,
    };
    let mut told_elsewhere = Vec::new();
    let Some(root) = yaml::parse(file, &reading, &mut told_elsewhere) else { return Vec::new() };
    let mut problems = Vec::new();
    for (name, job) in root.get("jobs").map(Node::entries).unwrap_or_default() {
        let mut of_job = Vec::new();
        for step in job.get("steps").map(Node::items).unwrap_or_default() {
            let env = environment([&root, job, step]);
            if !is_elsewhere(&root, job, step) {
                let wrong = |typed: &Typed| Some((typed.words.join(" "), typed.mistake(&env, args, shell)?));
                problems.extend(commands(step).iter().filter_map(wrong).map(|(words, why)| {
                    Problem::warning("check::run-line", format!("`{words}` cannot run: {why}"))
                        .at(file, step.span, "this step")
                        .hint("run this line in a shell: it lists what is valid")
                }));
            }
            let runs = commands(step).into_iter().filter_map(|typed| typed.of(&env, args, shell));
            let of_step: Vec<(String, Duration)> = runs.collect();
            problems.extend(too_short(file, step, "this step", &of_step));
            of_job.extend(of_step);
        }
        problems.extend(too_short(file, job, &format!("the job `{}`", name.text), &of_job));
    }
    problems
}

/// Whether a step runs in another folder than the repository's: there are other files.
fn is_elsewhere(root: &Node, job: &Node, step: &Node) -> bool {
    let folder = |node: &Node| node.get("working-directory").is_some();
    let by_default = |node: &Node| node.get("defaults").and_then(|all| all.get("run")).is_some_and(folder);
    let moves = |word: &str| matches!(word, "cd" | "pushd");
    let run = step.get("run").and_then(Node::text).unwrap_or_default();
    folder(step)
        || step.get("with").is_some_and(folder)
        || by_default(job)
        || by_default(root)
        || run.split_whitespace().any(moves)
}

/// The limit of a job or a step, when what it runs may take longer.
fn too_short(file: &SourceFile, node: &Node, what: &str, runs: &[(String, Duration)]) -> Option<Problem> {
    let limit = node.get("timeout-minutes")?;
    let Kind::Number(minutes, _) = &limit.kind else { return None };
    let given = Duration::from_secs(minutes.as_u64()?.saturating_mul(60));
    let worst = runs.iter().map(|(_, worst)| *worst).fold(Duration::ZERO, Duration::saturating_add);
    if worst <= given {
        return None;
    }
    let runs: Vec<String> =
        runs.iter().map(|(typed, worst)| format!("`{typed}` up to {}", time::show(*worst))).collect();
    let text =
        format!("{what} ends after {}, and may take with clean-up: {}", time::show(given), runs.join(", "));
    let minutes = worst.as_secs().div_ceil(60);
    Some(
        Problem::warning("check::timeout-too-short", text)
            .at(file, limit.span, "a run that is cut off here leaves what it made to a sweep")
            .hint(format!("timeout-minutes: {minutes}, or shorter deadlines of the inputs")),
    )
}

/// What is written out of the environment of a step; what a forge fills in is not known here.
fn environment<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (key, value) in
        nodes.into_iter().flat_map(|node| node.get("env").map(Node::entries).unwrap_or_default())
    {
        match value.scalar().filter(|text| !text.contains("${{")) {
            Some(text) => env.insert(key.text.clone(), text.to_owned()),
            None => env.remove(&key.text),
        };
    }
    env
}

/// A call of this program, and the variables that stand before it.
#[derive(Debug, PartialEq)]
struct Typed {
    before: Vec<(String, String)>,
    words: Vec<String>,
}

impl Typed {
    /// What was typed and how long that may take; `None` when it is no run, or one that cannot be known here.
    fn of(
        &self,
        env: &BTreeMap<String, String>,
        args: &LibraryArgs,
        shell: &Shell,
    ) -> Option<(String, Duration)> {
        let Ok(Cli { command: Command::Run(mut run), .. }) = Cli::try_parse_from(&self.words) else {
            return None;
        };
        run.library.scenarios = run.library.scenarios.or_else(|| args.scenarios.clone());
        let worst = worst_case(&run, &self.there(env, shell))?;
        Some((self.words.join(" "), worst))
    }

    fn there(&self, env: &BTreeMap<String, String>, shell: &Shell) -> Shell {
        let env = env.iter().map(|(name, value)| (name.clone(), value.clone()));
        let env = Env::of(env.chain(self.before.iter().cloned()).collect());
        Shell { env, project: None, preset: None, ..shell.clone() }
    }

    /// Why it cannot run, as far as its words alone decide that: a flag, a value, a name, a tag.
    fn mistake(&self, env: &BTreeMap<String, String>, args: &LibraryArgs, shell: &Shell) -> Option<String> {
        let unknown = |word: &String| word.contains(['$', '`']) || word.contains("EXPRESSION");
        if self.words.iter().any(unknown) {
            return None;
        }
        let mut run = match Cli::try_parse_from(&self.words) {
            Ok(Cli { command: Command::Run(run), .. }) => run,
            Ok(_) => return None,
            Err(error) if error.use_stderr() => {
                let text = error.to_string();
                let said: Vec<&str> =
                    text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
                return Some(said.join(" ").trim_start_matches("error: ").to_owned());
            }
            Err(_) => return None,
        };
        // Files may be made by a step before, and a project is that of the folder where it runs.
        let is_path = |word: &String| word.contains('/') || word.ends_with(".yaml") || word.ends_with(".yml");
        let own =
            run.library.scenarios.is_some() || run.selection.iter().any(is_path) || shell.project.is_some();
        if own {
            return None;
        }
        run.library.scenarios = args.scenarios.clone();
        let asked = run.settings(&self.there(env, shell)).ok()?.0;
        if asked.again.is_some() || asked.profile.is_some() {
            return None;
        }
        let library = Library::load_meant(&asked.library, &asked.selection, None).ok()?;
        let planned = library.chosen().and_then(|choice| {
            let sources = profile::sources(&asked.inputs, None, shell);
            let able = TargetFacts::everything();
            plan::plan(&choice.scenarios, &choice.only, &sources, &able, 1)
                .map(drop)
                .map_err(SessionError::Problems)
        });
        match planned {
            Err(SessionError::Problems(problems)) => problems.first().map(|problem| problem.message.clone()),
            _ => None,
        }
    }
}

/// The calls of this program that a step makes: by the shell, or by the action that is ours.
fn commands(step: &Node) -> Vec<Typed> {
    let uses = step.get("uses").and_then(Node::text).unwrap_or_default();
    let uses = uses.split('@').next().unwrap_or_default();
    if uses.ends_with("actions/lifecycle") {
        let args =
            step.get("with").and_then(|with| with.get("args")).and_then(Node::text).unwrap_or_default();
        let words = ["lifecycle", "run"].into_iter().chain(args.split_whitespace());
        return vec![Typed { before: Vec::new(), words: words.map(str::to_owned).collect() }];
    }
    step.get("run").and_then(Node::text).map(typed).unwrap_or_default()
}

static EXPRESSION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{\{.*?\}\}").ok());

/// Of a shell's text; an expression of the forge is one word, whatever stands in it.
fn typed(run: &str) -> Vec<Typed> {
    let run = run.replace("\\\n", " ");
    let run = match EXPRESSION.as_ref() {
        Some(expression) => expression.replace_all(&run, "EXPRESSION").into_owned(),
        None => run,
    };
    let mut found = Vec::new();
    for line in run.lines() {
        for command in shlex::split(line).unwrap_or_default().split(|word| is_operator(word)) {
            found.extend(call(command));
        }
    }
    found
}

fn call(words: &[String]) -> Option<Typed> {
    let program = words.iter().position(|word| word.rsplit('/').next() == Some("lifecycle"))?;
    let (before, own) = words.split_at(program);
    let runs_it = |word: &String| RUNS_IT.contains(&word.as_str()) || word.contains('=');
    // A word of another program, or a look whether this one is there.
    if own.len() < 2 || !before.iter().all(runs_it) {
        return None;
    }
    let assigned = before.iter().filter_map(|word| word.split_once('='));
    let before = assigned.filter(|(_, value)| !value.contains(['$', '`']) && *value != "EXPRESSION");
    let before = before.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // What is written behind a `>` or a `;` is the shell's.
    let end = own.iter().position(|word| word.contains('>') || word.ends_with(';')).unwrap_or(own.len());
    let mut words: Vec<String> = own.iter().take(end).cloned().collect();
    if let Some(last) =
        own.get(end).and_then(|word| word.strip_suffix(';')).filter(|word| !word.contains('>'))
    {
        words.push(last.to_owned());
    }
    "lifecycle".clone_into(words.first_mut()?);
    Some(Typed { before, words })
}

/// What may stand before a program that is run.
const RUNS_IT: [&str; 10] = ["if", "!", "then", "do", "else", "time", "exec", "sudo", "nice", "env"];

fn is_operator(word: &str) -> bool {
    matches!(word, "&&" | "||" | "|" | "&" | ";" | "then" | "do")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_run_is_found_in_its_text() {
        for (text, words) in [
            ("lifecycle run --target saas", Some("lifecycle run --target saas")),
            ("./target/debug/lifecycle run a \\\n  --jobs 2 || true", Some("lifecycle run a --jobs 2")),
            ("if lifecycle -q run 'a[b=1]'; then", Some("lifecycle -q run a[b=1]")),
            ("lifecycle run a > out.txt 2>&1", Some("lifecycle run a")),
            (
                "lifecycle run ${{ matrix.what }} -i x=${{ a || 'b' }}",
                Some("lifecycle run EXPRESSION -i x=EXPRESSION"),
            ),
            ("cd lifecycle-dir && echo run", None),
            ("E2E=1 sudo lifecycle run a", Some("lifecycle run a")),
            ("echo lifecycle is installed", None),
            ("command -v lifecycle", None),
            ("cp target/release/lifecycle /usr/local/bin/", None),
            ("test -x ./lifecycle && echo yes", None),
            ("git clone https://forge.example/lifecycle", None),
            ("echo \"unclosed", None),
        ] {
            let found = typed(text);
            assert_eq!(found.first().map(|typed| typed.words.join(" ")).as_deref(), words, "{text}");
        }
        let assigned = typed("E2E_PROVISION_TIMEOUT_SECS=60 X=$Y lifecycle run a");
        assert_eq!(assigned[0].before, [("E2E_PROVISION_TIMEOUT_SECS".to_owned(), "60".to_owned())]);
    }
}
