//! `lifecycle man`: one page a command, with its exit codes and examples.

use std::fs;

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Shell;
use super::args::{Cli, ManArgs};
use super::failure::CliError;
use crate::domain::ExitCode;
use crate::source::did_you_mean;

/// What is typed, and what it is for.
type Example = (&'static str, &'static str);

/// By command; the program's own first.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            ("lifecycle run local-provision", "run one shipped scenario on the embedded platform"),
            ("lifecycle explain last", "say why the last run was red"),
        ],
    ),
    (
        "run",
        &[
            ("lifecycle run", "everything that the embedded platform can do"),
            ("lifecycle run '@local and not @slow' --fail-fast", "by tags, up to the first red"),
            ("lifecycle run e2e/mine.yaml 'mine[runtime=codex]'", "one instance of one's own file"),
            ("lifecycle run --profile local --ci --junit junit.xml", "a lane of CI"),
            ("lifecycle run --rerun-failed last", "what did not pass, again"),
        ],
    ),
    ("list", &[("lifecycle list '@restart'", "scenarios with a tag")]),
    ("plan", &[("lifecycle plan local-provision", "model, secrets, steps and the longest it may take")]),
    ("check", &[("lifecycle check .", "every YAML file below this folder")]),
    (
        "model",
        &[
            ("lifecycle model resolve --runtime claude-code", "only the slug, for a script"),
            (
                "lifecycle model explain --runtime codex",
                "which rule chose it, and what the container will hold",
            ),
        ],
    ),
    (
        "mechanisms",
        &[
            ("lifecycle mechanisms show projection-missing", "what a cause needs, rules out, and its fix"),
            ("lifecycle mechanisms test --against runs", "what each names in recorded runs"),
        ],
    ),
    (
        "behaviours",
        &[
            ("lifecycle behaviours list", "what a server may do one way or the other"),
            ("lifecycle behaviours probe --base-url URL", "what this server does"),
        ],
    ),
    (
        "explain",
        &[
            ("lifecycle explain last", "the last run"),
            ("lifecycle explain artifact.zip", "what a forge hands out"),
        ],
    ),
    (
        "replay",
        &[("lifecycle replay last", "decisions and causes again, from the log, with today's scenarios")],
    ),
    ("diff", &[("lifecycle diff GREEN last", "where a red run parts first from a green one")]),
    (
        "history",
        &[(
            "lifecycle history local-provision",
            "rates, flake bound and durations of the runs that are kept",
        )],
    ),
    ("gate", &[("lifecycle gate local-provision", "promote, hold or demote, with the arithmetic")]),
    (
        "serve",
        &[
            ("lifecycle serve platform --time-scale 40", "the reference platform, for scripts of one's own"),
            ("lifecycle serve provider --key KEY", "a model provider that takes this key"),
        ],
    ),
    (
        "schema",
        &[
            ("lifecycle schema > scenario.schema.json", "for an editor"),
            ("lifecycle schema events", "one line of a run's log"),
        ],
    ),
    ("help", &[("lifecycle help scenario::duration", "what an error code means and what to do")]),
    (
        "reproduce",
        &[
            ("lifecycle reproduce last", "one red of each mechanism again, here, by its fault"),
            ("lifecycle reproduce last --all", "every red"),
        ],
    ),
    ("report", &[("lifecycle report last --all reports", "all reports of the last run")]),
    ("export", &[("lifecycle export last -o red.zip", "one file to hand on")]),
    ("runs", &[("lifecycle runs --format json", "for a script")]),
    (
        "state",
        &[
            ("lifecycle state list --state state.json", "reds that a cron remembers"),
            ("lifecycle state known --issue '#12' --until 2027-01-31", "the same as a list for --known"),
        ],
    ),
    ("diagnose", &[("lifecycle diagnose ID --base-url URL", "everything about a live workspace")]),
    (
        "sweep",
        &[
            ("lifecycle sweep --dry-run", "what dead runs left"),
            ("lifecycle sweep --forget", "close the ledgers of servers that are gone"),
        ],
    ),
    (
        "drift",
        &[
            ("lifecycle drift last", "where a server's contract differs from its edition"),
            ("lifecycle drift last --accept", "write what was seen to lifecycle.contract.yaml"),
        ],
    ),
    ("doctor", &[("lifecycle doctor", "what this machine can and what is missing")]),
    ("init", &[("lifecycle init", "a project file, a first scenario, a workflow")]),
    (
        "completions",
        &[("lifecycle completions bash > /etc/bash_completion.d/lifecycle", "for every shell of a machine")],
    ),
    ("man", &[("lifecycle man --all /usr/local/share/man/man1", "install the pages")]),
];

/// What a code means for commands that run no scenario; the others are as in [`ExitCode::meaning`].
const OTHERWISE: &[(&str, ExitCode, &str)] = &[
    ("check", ExitCode::BadInput, "a file has errors"),
    ("diff", ExitCode::Failed, "the runs differ in more than time"),
    (
        "replay",
        ExitCode::Failed,
        "a step ends otherwise, or asks what was never recorded; a red is named otherwise",
    ),
    ("gate", ExitCode::Failed, "a scenario is to be demoted"),
    ("reproduce", ExitCode::Failed, "a mechanism was tried and did not come out again"),
    (
        "reproduce",
        ExitCode::BadInput,
        "there is no red, or of none is a fault known that makes its mechanism",
    ),
    ("behaviours", ExitCode::Failed, "the server differs from its edition"),
    ("doctor", ExitCode::Environment, "this machine cannot run scenarios"),
    ("sweep", ExitCode::Leak, "something could not be removed"),
];

/// Commands that run scenarios end with every code.
const RUNS: [&str; 2] = ["", "run"];

/// Prints a page, or writes all.
pub(crate) fn run(args: &ManArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut program = Cli::command();
    program.build();
    if let Some(folder) = &args.all {
        fs::create_dir_all(folder)?;
        for (words, command) in all(&program) {
            fs::write(folder.join(format!("{}.1", title(&words))), page(command, &words)?)?;
        }
        shell.printer.note(&format!("written to {}", folder.display()))?;
        return Ok(ExitCode::Passed);
    }
    let typed: Vec<&str> = args.command.iter().flat_map(|word| word.split(' ')).collect();
    let pages = all(&program);
    let Some((words, command)) = pages.iter().find(|(words, _)| *words == typed) else {
        let names: Vec<String> =
            pages.iter().map(|(words, _)| words.join(" ")).filter(|name| !name.is_empty()).collect();
        let typed = typed.join(" ");
        let hint = did_you_mean(&typed, names.iter().map(String::as_str));
        return Err(CliError::new(ExitCode::BadInput, format!("there is no command `{typed}`")).next(hint));
    };
    shell.printer.data(page(command, words)?.trim_end())?;
    Ok(ExitCode::Passed)
}

/// The program and each command that is shown, with the words that are typed for it.
fn all(program: &clap::Command) -> Vec<(Vec<&str>, &clap::Command)> {
    let mut found = vec![(Vec::new(), program)];
    let mut at = 0;
    while let Some((words, command)) = found.get(at).cloned() {
        for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
            found.push(([words.as_slice(), &[inner.get_name()]].concat(), inner));
        }
        at += 1;
    }
    found
}

fn title(words: &[&str]) -> String {
    ["lifecycle"].into_iter().chain(words.iter().copied()).collect::<Vec<_>>().join("-")
}

fn page(command: &clap::Command, words: &[&str]) -> std::io::Result<String> {
    let name = words.first().copied().unwrap_or_default();
    let mut text = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    Man::new(command.clone()).title(title(words)).source(format!("lifecycle {version}")).render(&mut text)?;
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    let mut codes = ExitCode::PRECEDENCE;
    codes.sort_by_key(|code| code.code());
    for code in codes {
        let own = OTHERWISE.iter().find(|(of, otherwise, _)| *of == name && *otherwise == code);
        let always = matches!(code, ExitCode::Passed | ExitCode::BadInput | ExitCode::Environment);
        if own.is_none() && !always && !RUNS.contains(&name) {
            continue;
        }
        more.control("TP", []);
        more.text([bold(code.code().to_string())]);
        more.text([roman(match (own, code) {
            (Some((.., meaning)), _) => meaning,
            (None, ExitCode::Passed) if !RUNS.contains(&name) => "done",
            (None, code) => code.meaning(),
        })]);
    }
    // Of a command's own commands, those that are theirs.
    let whole = [&["lifecycle"], words].concat().join(" ");
    let of = |line: &str| words.len() < 2 || line.starts_with(&whole);
    let examples = EXAMPLES.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, examples)| examples);
    let mut examples = examples.iter().filter(|(line, _)| of(line)).peekable();
    if examples.peek().is_some() {
        more.control("SH", ["EXAMPLES"]);
        for (line, what) in examples {
            more.control("TP", []);
            more.text([bold(*line)]);
            more.text([roman(*what)]);
        }
    }
    more.control("SH", ["FILES"]);
    for (file, what) in [
        ("lifecycle.yaml", "the project file, found upwards"),
        ("runs/RUN/events.jsonl", "the log of a run, from which every report is made"),
    ] {
        more.control("TP", []);
        more.text([bold(file)]);
        more.text([roman(what)]);
    }
    more.to_writer(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_that_a_page_names_is_there() {
        let mut program = Cli::command();
        program.build();
        let pages = all(&program);
        let titles: Vec<String> = pages.iter().map(|(words, _)| title(words)).collect();
        for (words, command) in &pages {
            let text = page(command, words).unwrap().replace("\\-", "-");
            assert!(text.contains(".SH \"EXIT STATUS\""), "{words:?}");
            for named in text.split_whitespace().filter_map(|word| word.strip_suffix("(1)")) {
                assert!(titles.iter().any(|title| title == named), "{words:?} names {named}(1)");
            }
        }
        for (name, ..) in OTHERWISE {
            assert!(titles.contains(&format!("lifecycle-{name}")), "{name}");
        }
    }

    #[test]
    fn every_command_that_is_shown_has_examples_that_are_understood() {
        let program = Cli::command();
        for command in program.get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = command.get_name();
            let (_, examples) = EXAMPLES
                .iter()
                .find(|(of, _)| *of == name)
                .unwrap_or_else(|| panic!("`{name}` has no example"));
            assert!(!examples.is_empty(), "{name}");
        }
        for (line, _) in EXAMPLES.iter().flat_map(|(_, examples)| *examples) {
            let line = line.split(" > ").next().unwrap_or_default().replace('\'', "\u{1}");
            // Quoted words stay whole.
            let words = line.split('\u{1}').enumerate().flat_map(|(i, part)| match i % 2 {
                1 => vec![part.to_owned()],
                _ => part.split_whitespace().map(str::to_owned).collect(),
            });
            let parsed = Cli::command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}
