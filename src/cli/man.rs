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
        "explain",
        &[
            ("lifecycle explain last", "the last run"),
            ("lifecycle explain artifact.zip", "what a forge hands out"),
        ],
    ),
    ("reproduce", &[("lifecycle reproduce last", "the reds again, here, by their faults")]),
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

/// Prints a page, or writes all.
pub(crate) fn run(args: &ManArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut program = Cli::command();
    program.build();
    if let Some(folder) = &args.all {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("lifecycle.1"), page(&program, "")?)?;
        for command in program.get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = command.get_name();
            fs::write(folder.join(format!("lifecycle-{name}.1")), page(command, name)?)?;
        }
        shell.printer.note(&format!("written to {}", folder.display()))?;
        return Ok(ExitCode::Passed);
    }
    let text = match &args.command {
        None => page(&program, "")?,
        Some(name) => {
            let command = program.find_subcommand(name).ok_or_else(|| {
                let names = program.get_subcommands().map(clap::Command::get_name);
                CliError::new(ExitCode::BadInput, format!("there is no command `{name}`"))
                    .next(did_you_mean(name, names))
            })?;
            page(command, name)?
        }
    };
    shell.printer.data(text.trim_end())?;
    Ok(ExitCode::Passed)
}

fn page(command: &clap::Command, name: &str) -> std::io::Result<String> {
    let title = if name.is_empty() { "lifecycle".to_owned() } else { format!("lifecycle-{name}") };
    let mut text = Vec::new();
    Man::new(command.clone()).title(title).render(&mut text)?;
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    let mut codes = ExitCode::PRECEDENCE;
    codes.sort_by_key(|code| code.code());
    for code in codes {
        more.control("TP", []);
        more.text([bold(code.code().to_string())]);
        more.text([roman(code.meaning())]);
    }
    if let Some((_, examples)) = EXAMPLES.iter().find(|(of, _)| *of == name) {
        more.control("SH", ["EXAMPLES"]);
        for (line, what) in *examples {
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
    fn every_command_that_is_shown_has_examples_that_are_understood() {
        let program = Cli::command();
        for command in program.get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = command.get_name();
            if [
                "help",
                "serve",
                "model",
                "mechanisms",
                "schema",
                "behaviours",
                "replay",
                "diff",
                "history",
                "gate",
            ]
            .contains(&name)
            {
                continue;
            }
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
