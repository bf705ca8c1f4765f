//! `lifecycle model`: the model rules alone, offline.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::format::FormatArgs;
use crate::domain::ExitCode;
use crate::models::allowlist::Allowlist;
use crate::models::auto::NoChoice;
use crate::models::catalogue::{Catalogue, lint};
use crate::models::diff::diff;
use crate::models::explain::{Question, explain, no_choice_text};
use crate::models::inputs::{Inputs, LLM_PATH, LlmPath, RUNTIME};
use crate::models::slug::Rules;
use crate::models::table;
use crate::source::{Problem, SourceFile, did_you_mean};

/// Models, providers and secrets, without a network
#[derive(Args, Debug)]
pub(crate) struct ModelArgs {
    /// What to ask.
    #[command(subcommand)]
    pub command: ModelCommand,
}

/// Questions about models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Print the model for a runtime, and nothing else
    Resolve(ChoiceArgs),
    /// Show which rule chose, which lost and why, what is sent when, what the container will hold
    Explain(ChoiceArgs),
    /// Show runtimes, providers, keys and models
    List(ListArgs),
    /// Compare two catalogues by their consequences
    Diff(DiffArgs),
}

/// Which model is asked for.
#[derive(Args, Debug)]
pub(crate) struct ChoiceArgs {
    /// The runtime [env: E2E_RUNTIME]
    #[arg(long, value_name = "NAME")]
    pub runtime: Option<String>,
    /// Who pays: byok or platform [env: E2E_LLM_PATH]
    #[arg(long, value_name = "PATH")]
    pub llm_path: Option<String>,
    /// An explicit model [env: E2E_MODEL_SLUG]
    #[arg(long, value_name = "MODEL")]
    pub slug: Option<String>,
    /// pinned: the decision table as scripts know it; auto: what the catalogue accepts
    #[arg(long, value_name = "RULES")]
    pub rules: Option<String>,
    /// Which files are used.
    #[command(flatten)]
    pub files: FileArgs,
    /// How the answer is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Which catalogue and manifest are used.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FileArgs {
    /// Use this catalogue instead of the shipped one (the platform's own file works)
    #[arg(long, value_name = "FILE")]
    pub providers: Option<PathBuf>,
    /// The server's manifest.json, for its runtime allowlist
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// What to list.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Only this runtime
    #[arg(long, value_name = "NAME")]
    pub runtime: Option<String>,
    /// Width of the table
    #[arg(long, value_name = "COLUMNS", default_value_t = 120)]
    pub width: u16,
    /// Which files are used.
    #[command(flatten)]
    pub files: FileArgs,
    /// How the answer is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// What to compare.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The old catalogue; `built-in` is the shipped one
    pub old: PathBuf,
    /// The new catalogue; `built-in` is the shipped one
    pub new: PathBuf,
    /// How the answer is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Reads a file; the caller's, so that this stays free of IO.
pub(crate) type Read<'a> = dyn Fn(&Path) -> std::io::Result<String> + 'a;

/// Answers a question. Data goes to `out`, talk to `err`; the error is IO on those two.
pub(crate) fn run(
    args: ModelArgs,
    env: &BTreeMap<String, String>,
    read: &Read<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let done = match &args.command {
        ModelCommand::Resolve(choice) => resolve(choice, env, read, out, err),
        ModelCommand::Explain(choice) => show(choice, env, read, out, err),
        ModelCommand::List(list) => list_models(list, read, out, err),
        ModelCommand::Diff(files) => compare(files, read, out, err),
    };
    match done {
        Ok(code) => Ok(code),
        Err(Stop::Problems(problems)) => {
            for problem in problems {
                write!(err, "{}", problem.draw(false, 100))?;
            }
            Ok(ExitCode::BadInput)
        }
        Err(Stop::Io(error)) => Err(error.into()),
    }
}

enum Stop {
    Problems(Vec<Problem>),
    Io(std::io::Error),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Stop::Io(error)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problems(vec![problem])
    }
}

/// A choice with everything looked up and checked.
struct Asked {
    catalogue: Catalogue,
    allowlist: Allowlist,
    runtime: String,
    path: LlmPath,
    inputs: Inputs,
    rules: Option<Rules>,
}

impl Asked {
    fn question(&self) -> Question<'_> {
        Question {
            catalogue: &self.catalogue,
            allowlist: &self.allowlist,
            runtime: &self.runtime,
            path: self.path,
            inputs: &self.inputs,
        }
    }
}

fn ask(
    args: &ChoiceArgs,
    env: &BTreeMap<String, String>,
    read: &Read<'_>,
    err: &mut dyn Write,
) -> Result<Asked, Stop> {
    let catalogue = catalogue(args.files.providers.as_deref(), read, err)?;
    let allowlist = match &args.files.manifest {
        Some(path) => Allowlist::from_manifest(&open(path, read)?).map_err(Stop::Problems)?,
        None => Allowlist::shipped(),
    };
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty()).cloned();
    let mut problems = Vec::new();
    let known: BTreeSet<&str> = catalogue
        .runtimes()
        .iter()
        .map(|runtime| runtime.name.as_str())
        .chain(allowlist.runtimes.iter().map(String::as_str))
        .collect();
    let runtime = match args.runtime.clone().or_else(|| set(RUNTIME)) {
        Some(runtime) if !known.contains(runtime.as_str()) => {
            problems.push(
                Problem::error("model::unknown-runtime", format!("no runtime is called `{runtime}`"))
                    .hint(did_you_mean(&runtime, known.iter().copied())),
            );
            runtime
        }
        Some(runtime) => runtime,
        None => {
            let names = known.iter().copied().collect::<Vec<_>>().join(", ");
            problems.push(
                Problem::error("model::no-runtime", "no runtime is given")
                    .hint(format!("use --runtime or {RUNTIME}; valid: {names}")),
            );
            String::new()
        }
    };
    let path = match args.llm_path.clone().or_else(|| set(LLM_PATH)) {
        Some(text) => text.parse::<LlmPath>().unwrap_or_else(|error| {
            problems.push(
                Problem::error("model::unknown-path", error.to_string())
                    .hint(did_you_mean(&text, ["byok", "platform"])),
            );
            LlmPath::Byok
        }),
        None => LlmPath::Byok,
    };
    let rules = args.rules.as_deref().map(|text| {
        text.parse::<Rules>().unwrap_or_else(|error| {
            problems.push(
                Problem::error("model::unknown-rules", error.to_string())
                    .hint(did_you_mean(text, Rules::NAMES)),
            );
            Rules::Pinned
        })
    });
    if !problems.is_empty() {
        return Err(Stop::Problems(problems));
    }
    let mut inputs = Inputs::from_env(&catalogue, env);
    inputs.slug = args.slug.clone().filter(|slug| !slug.is_empty()).or(inputs.slug);
    Ok(Asked { catalogue, allowlist, runtime, path, inputs, rules })
}

fn resolve(
    args: &ChoiceArgs,
    env: &BTreeMap<String, String>,
    read: &Read<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Stop> {
    let asked = ask(args, env, read, err)?;
    let question = asked.question();
    if args.format.is_json() {
        return resolved(&asked, asked.rules.unwrap_or(Rules::Pinned), out);
    }
    match asked.rules.unwrap_or(Rules::Pinned) {
        Rules::Pinned => {
            if let Some(difference) = question.difference() {
                writeln!(err, "warning: {difference}")?;
            }
            writeln!(out, "{}", question.pinned().slug)?;
            Ok(ExitCode::Passed)
        }
        Rules::Auto => match question.auto() {
            Ok(choice) => {
                writeln!(out, "{}", choice.model)?;
                Ok(ExitCode::Passed)
            }
            Err(none) => {
                writeln!(err, "error: {}", none.summary())?;
                Ok(code_of(&none))
            }
        },
    }
}

fn show(
    args: &ChoiceArgs,
    env: &BTreeMap<String, String>,
    read: &Read<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Stop> {
    let asked = ask(args, env, read, err)?;
    let question = asked.question();
    let rules = asked.rules.unwrap_or(Rules::Auto);
    if args.format.is_json() {
        return resolved(&asked, rules, out);
    }
    match explain(&question, rules) {
        Ok(explanation) => {
            write!(out, "{}", explanation.text())?;
            if let Some(difference) = question.difference() {
                writeln!(out, "\npinned and auto differ: {difference}")?;
            }
            Ok(ExitCode::Passed)
        }
        Err(none) => {
            write!(out, "{}", no_choice_text(&none))?;
            if let Some(difference) = question.difference() {
                writeln!(out, "\npinned and auto differ: {difference}")?;
            }
            Ok(code_of(&none))
        }
    }
}

/// The answer for a script: what was chosen and why; names of secrets, no value.
fn resolved(asked: &Asked, rules: Rules, out: &mut dyn Write) -> Result<ExitCode, Stop> {
    let question = asked.question();
    let mut answer = json!({
        "rules": rules, "runtime": asked.runtime, "llm_path": asked.path.as_str(),
        "difference": question.difference(),
    });
    let explained = explain(&question, rules);
    let code = match &explained {
        Ok(explanation) => {
            let provider = explanation.provider.as_ref();
            answer["model"] = json!(explanation.model);
            answer["provider"] = json!(provider.ok());
            answer["no_provider"] = json!(provider.err());
            answer["why"] = json!(explanation.why);
            answer["text"] = json!(explanation.text().lines().collect::<Vec<_>>());
            ExitCode::Passed
        }
        Err(none) => {
            answer["model"] = json!(null);
            answer["error"] = json!(none.summary());
            answer["text"] = json!(no_choice_text(none).lines().collect::<Vec<_>>());
            code_of(none)
        }
    };
    answer["exit"] = json!(code.code());
    document(&answer, out)?;
    Ok(code)
}

fn document(answer: &serde_json::Value, out: &mut dyn Write) -> Result<(), Stop> {
    Ok(writeln!(out, "{answer:#}")?)
}

fn code_of(none: &NoChoice) -> ExitCode {
    if none.not_configured { ExitCode::NotConfigured } else { ExitCode::BadInput }
}

fn list_models(
    args: &ListArgs,
    read: &Read<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Stop> {
    let catalogue = catalogue(args.files.providers.as_deref(), read, err)?;
    if let Some(name) = &args.runtime
        && catalogue.runtime(name).is_none()
    {
        let names = catalogue.runtimes().iter().map(|runtime| runtime.name.as_str());
        return Err(Problem::error(
            "model::unknown-runtime",
            format!("the catalogue has no runtime `{name}`"),
        )
        .hint(did_you_mean(name, names))
        .into());
    }
    let rows = table::rows(&catalogue, args.runtime.as_deref());
    if args.format.is_json() {
        document(&json!(rows), out)?;
        return Ok(ExitCode::Passed);
    }
    write!(out, "{}", table::render(&rows, args.width))?;
    Ok(ExitCode::Passed)
}

fn compare(
    args: &DiffArgs,
    read: &Read<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Stop> {
    let (old, new) = (either(&args.old, read, err)?, either(&args.new, read, err)?);
    let text = diff(&old, &new).text();
    if args.format.is_json() {
        document(&json!({ "lines": text.lines().collect::<Vec<_>>() }), out)?;
        return Ok(ExitCode::Passed);
    }
    write!(out, "{text}")?;
    Ok(ExitCode::Passed)
}

fn either(path: &Path, read: &Read<'_>, err: &mut dyn Write) -> Result<Catalogue, Stop> {
    let given = (path != Path::new("built-in")).then_some(path);
    catalogue(given, read, err)
}

/// A catalogue; what is only odd about a given one is said and changes nothing.
fn catalogue(path: Option<&Path>, read: &Read<'_>, err: &mut dyn Write) -> Result<Catalogue, Stop> {
    let Some(path) = path else { return Ok(Catalogue::built_in().clone()) };
    let catalogue = Catalogue::parse(&open(path, read)?).map_err(Stop::Problems)?;
    for problem in lint(&catalogue) {
        writeln!(err, "{}", problem.line())?;
    }
    Ok(catalogue)
}

fn open(path: &Path, read: &Read<'_>) -> Result<SourceFile, Stop> {
    let name = path.display().to_string();
    match read(path) {
        Ok(text) => Ok(SourceFile::new(name, text)),
        Err(error) => Err(Problem::error("model::unreadable", format!("cannot read {name}: {error}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        model: ModelArgs,
    }

    fn line(words: &str, env: &str) -> (u8, String, String) {
        let args =
            Line::try_parse_from(std::iter::once("model").chain(words.split_whitespace())).unwrap().model;
        let env: BTreeMap<String, String> = env
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let read = |path: &Path| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(args, &env, &read, &mut out, &mut err).unwrap();
        (code.code(), String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn resolve_prints_the_slug_and_nothing_else() {
        let (code, out, err) = line("resolve --runtime claude-code --llm-path byok", "E2E_MINIMAX_API_KEY=k");
        assert_eq!((code, out.as_str(), err.as_str()), (0, "MiniMax-M2.7\n", ""));
        let (code, out, err) = line("resolve", "E2E_RUNTIME=codex E2E_OPENAI_API_KEY=k");
        assert_eq!((code, out.as_str()), (0, "openai/gpt-4o\n"));
        assert!(
            err.starts_with("warning: `openai/gpt-4o` by pinned 8") && err.contains("`gpt-5.5`"),
            "{err}"
        );
        let (code, out, _) = line("resolve --rules auto", "E2E_RUNTIME=codex E2E_OPENAI_API_KEY=k");
        assert_eq!((code, out.as_str()), (0, "gpt-5.5\n"));
        assert_eq!(line("resolve --rules auto --runtime codex", "").0, 71);
        assert_eq!(line("resolve --rules auto --runtime codex --llm-path platform --slug sonnet", "").0, 2);
    }

    #[test]
    fn unknown_names_are_refused_with_the_valid_ones_nearest_first() {
        let (code, out, err) = line("resolve --runtime claude-cod --llm-path platfrom --rules autp", "");
        assert_eq!((code, out.as_str()), (2, ""));
        for part in ["did you mean `claude-code`?", "did you mean `platform`?", "did you mean `auto`?"] {
            assert!(err.contains(part), "{part} is missing in {err}");
        }
        assert_eq!(line("resolve", "").0, 2);
        assert!(line("list --runtime codx", "").2.contains("did you mean `codex`?"));
        assert!(line("list --providers nowhere.yaml", "").2.contains("cannot read nowhere.yaml"));
    }

    #[test]
    fn explain_shows_rules_secrets_and_environment() {
        let (code, out, _) =
            line("explain --runtime claude-code", "E2E_MINIMAX_API_KEY=hush-hush E2E_OPENAI_API_KEY=hush");
        assert_eq!(code, 0);
        for part in [
            "MINIMAX_API_KEY from E2E_MINIMAX_API_KEY",
            "fired",
            "E2E_OPENAI_API_KEY",
            "the value of secret MINIMAX_API_KEY  [contract §8.5: copy]",
            "https://api.minimax.io/anthropic",
        ] {
            assert!(out.contains(part), "{part} is missing in\n{out}");
        }
        assert!(!out.contains("hush"), "a value leaks");
        let env = "E2E_LLM_PATH=platform E2E_MODEL_SLUG=MiniMax-M2";
        let (code, out, _) = line("explain --rules pinned --runtime claude-code", env);
        assert_eq!(code, 0);
        for part in ["C1 error", "422 MISSING_BYOK_CREDENTIAL at create", "pinned and auto differ"] {
            assert!(out.contains(part), "{part} is missing in\n{out}");
        }
        let (code, out, _) = line("explain --runtime codex --llm-path platform --slug sonnet", "");
        assert_eq!(code, 2);
        assert!(out.starts_with("no usable model"));
    }

    #[test]
    fn list_and_diff_take_the_platforms_files() {
        let (code, out, err) = line("list --providers fixtures/catalogues/mid-august.yaml", "");
        assert_eq!(code, 0);
        assert!(out.contains("byok-minimax") && err.contains("catalogue::unreachable"), "{err}");
        let (code, out, _) = line("diff built-in fixtures/catalogues/mid-august.yaml", "");
        assert_eq!(code, 0);
        assert!(out.contains("THE PAYER FLIPS"));
        assert_eq!(line("diff built-in Cargo.toml", "").0, 2);
    }
}
