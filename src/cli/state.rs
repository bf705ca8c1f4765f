//! `lifecycle state`: what a cron's state file remembers.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::failure::CliError;
use super::format::FormatArgs;
use super::{Shell, format, table};
use crate::domain::ExitCode;
use crate::run::state_file::{Holder, StateFile};
use crate::scenario::remembered::{Life, Red, Remembered};
use crate::session::{SessionError, files};
use crate::source::did_you_mean;

/// What a state file remembers: list, forget, known
#[derive(Args, Debug)]
pub(crate) struct StateArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StateCommand,
    /// The state file [default: that of lifecycle.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// What can be done with it.
#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Show the reds that it remembers
    List {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Forget reds: the next run that sees one of them calls it new
    Forget {
        /// Fingerprints, as `list` shows them
        #[arg(required = true, value_name = "FINGERPRINT")]
        fingerprints: Vec<String>,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Print them as a list for --known
    Known {
        /// Where they are worked on
        #[arg(long, value_name = "ISSUE")]
        issue: String,
        /// The last day on which they are known, YYYY-MM-DD
        #[arg(long, value_name = "DAY")]
        until: String,
        #[command(flatten)]
        format: FormatArgs,
    },
}

/// Runs the command.
pub(crate) fn run(args: &StateArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let file = file(args, shell)?;
    match &args.command {
        StateCommand::List { format } => list(&read(&file, shell)?, *format, shell)?,
        StateCommand::Known { issue, until, format } => {
            let remembered = read(&file, shell)?;
            let reds = remembered.reds().filter(|red| red.life() != Life::Fixed);
            if format.is_json() {
                let known = reds.map(|red| json!({ "red": red.fingerprint, "issue": issue, "until": until }));
                format::print(shell, &known.collect::<Vec<_>>())?;
                return Ok(ExitCode::Passed);
            }
            let mut any = false;
            for red in reds {
                any = true;
                // JSON strings are YAML strings, whatever is in them.
                let [red, issue, until] = [&red.fingerprint, issue, until].map(|text| json!(text));
                shell.printer.data(&format!("- {{ red: {red}, issue: {issue}, until: {until} }}"))?;
            }
            if !any {
                // Nothing at all would be no list.
                shell.printer.data("[]")?;
            }
        }
        StateCommand::Forget { fingerprints, format } => {
            let holder = Holder {
                run: "lifecycle state forget".to_owned(),
                pid: std::process::id(),
                since: crate::clock::wall().to_string(),
            };
            let mut state = StateFile::open(&file, &holder, &files::text).map_err(SessionError::from)?;
            for fingerprint in fingerprints {
                if !state.remembered.forget(fingerprint) {
                    let names: Vec<&str> =
                        state.remembered.reds().map(|red| red.fingerprint.as_str()).collect();
                    let text = format!("the state does not hold `{fingerprint}`; nothing was forgotten");
                    return Err(
                        CliError::new(ExitCode::BadInput, text).next(did_you_mean(fingerprint, names))
                    );
                }
            }
            state.write().map_err(SessionError::from)?;
            match format.is_json() {
                true => format::print(shell, &json!({ "forgotten": fingerprints }))?,
                false => shell.printer.note(&format!("forgot {}", fingerprints.join(", ")))?,
            }
        }
    }
    Ok(ExitCode::Passed)
}

/// One red for machines.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    red: &'a Red,
    state: Life,
}

fn list(remembered: &Remembered, shape: FormatArgs, shell: &Shell) -> Result<(), CliError> {
    if shape.is_json() {
        let rows: Vec<Row> = remembered.reds().map(|red| Row { red, state: red.life() }).collect();
        return format::print(shell, &rows);
    }
    let rows: Vec<Vec<String>> = remembered
        .reds()
        .map(|red| {
            let runs = red.count.to_string();
            let life = red.life().as_str().to_owned();
            vec![red.fingerprint.clone(), life, runs, red.first_seen.clone(), red.last_run.clone()]
        })
        .collect();
    if rows.is_empty() {
        return Ok(shell.printer.note("no red is remembered")?);
    }
    Ok(shell.printer.data(&table::drawn(shell, &["RED", "STATE", "RUNS", "SINCE", "LAST RUN"], &rows))?)
}

/// The file that is named, or that of the project.
fn file(args: &StateArgs, shell: &Shell) -> Result<PathBuf, CliError> {
    let mut asked = crate::session::RunSettings { state: args.state.clone(), ..Default::default() };
    if let Some(preset) = shell.preset()? {
        preset.fill(&mut asked);
    }
    asked.state.ok_or_else(|| {
        CliError::new(ExitCode::BadInput, "which state file?")
            .next("--state FILE, or `state: FILE` in lifecycle.yaml")
    })
}

fn read(file: &std::path::Path, shell: &Shell) -> Result<Remembered, CliError> {
    // Before the first run of a cron there is none.
    if !file.try_exists().unwrap_or(true) {
        shell.printer.note(&format!("{} is not there yet", file.display()))?;
        return Ok(Remembered::default());
    }
    let source = files::read(file)?;
    Remembered::parse(&source.text)
        .map_err(|why| CliError::new(ExitCode::BadInput, format!("cannot use {}: {why}", file.display())))
}
