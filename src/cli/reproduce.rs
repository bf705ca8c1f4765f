//! `lifecycle reproduce`: a red again, here, with the fault that makes its mechanism.

use std::collections::BTreeSet;

use clap::Parser as _;
use serde_json::json;

use super::args::{Cli, Command, ReproduceArgs, RunArgs};
use super::explain::chosen;
use super::failure::CliError;
use super::run::again;
use super::{Shell, format};
use crate::domain::ExitCode;
use crate::event::{Diagnosis, Verdict};
use crate::reference::fault_runs::{FaultRun, making};
use crate::report::RunState;
use crate::scenario::without_round;
use crate::session::recorded;
use crate::session::{Ran, Recorded};

/// Reproduces every red, or the one that is named. A red that cannot be tried never makes the others look whole.
pub(crate) fn run(args: &ReproduceArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let (_, state) = recorded::read(&args.run, shell)?;
    let mut tried = BTreeSet::new();
    let (mut lines, mut codes, mut rows) = (Vec::new(), BTreeSet::new(), Vec::new());
    for scenario in chosen(&state, args.scenario.as_deref())? {
        let name = without_round(scenario.name());
        let diagnosis = scenario.diagnosis.as_ref().filter(|_| scenario.has_failure());
        let mechanism = diagnosis.map_or("", |d| d.mechanism.as_str());
        if !tried.insert((name, mechanism)) {
            continue;
        }
        let (code, line) = match diagnosis {
            Some(diagnosis) => one(&state, name, diagnosis, shell)?,
            None => (ExitCode::BadInput, "it was not red by a mechanism".to_owned()),
        };
        if matches!(code, ExitCode::Interrupted | ExitCode::Terminated) {
            return Ok(code);
        }
        codes.insert(code);
        rows.push(json!({ "scenario": name, "mechanism": mechanism, "result": word(code), "text": line }));
        lines.push(format!("{:<15} {name}: {line}", word(code)));
    }
    if lines.is_empty() {
        let text = format!("nothing is red in {}: there is nothing to reproduce", state.identity.run);
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    match args.format.is_json() {
        true => format::print(shell, &rows)?,
        false => shell.printer.data(&lines.join("\n"))?,
    }
    // Of a red that came out otherwise somebody must hear first.
    let order = [ExitCode::Failed, ExitCode::BadInput];
    Ok(order.into_iter().find(|code| codes.contains(code)).unwrap_or(ExitCode::Passed))
}

fn word(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Passed => "reproduced",
        ExitCode::BadInput => "cannot be tried",
        _ => "not reproduced",
    }
}

/// Tries the faults of a mechanism until one of them makes it.
fn one(
    state: &RunState,
    name: &str,
    diagnosis: &Diagnosis,
    shell: &Shell,
) -> Result<(ExitCode, String), CliError> {
    let mechanism = diagnosis.mechanism.as_str();
    let mut said = Vec::new();
    for fault in making(mechanism, name) {
        let recorded = Recorded::instance(state.clone(), name);
        let mut settings = arguments(state, name, fault)?.settings(shell)?.0;
        // What a cron remembers is not about this.
        (settings.state, settings.known, settings.retries) = (None, None, None);
        let (code, folder) = match again(settings, &recorded, shell) {
            Ok(Ran { code, folder: Some(folder) }) => (code, folder),
            Ok(Ran { folder: None, .. }) => continue,
            Err(error) => {
                said.push(format!("the fault {} could not be tried: {}", fault.fault, error.text()));
                continue;
            }
        };
        if matches!(code, ExitCode::Interrupted | ExitCode::Terminated) {
            return Ok((code, String::new()));
        }
        let now = recorded::state(&folder)?;
        let (fault, place) = (fault.fault, folder.display());
        match came_to(&now, name) {
            Ok(found) if found == mechanism => {
                let (then, now) = (step(state, name), step(&now, name));
                let at =
                    if then == now { String::new() } else { format!(" at step {now} instead of {then}") };
                let text = format!("same mechanism `{mechanism}`{at} by the fault {fault}, in {place}");
                return Ok((ExitCode::Passed, text));
            }
            Ok(other) => said.push(format!(
                "with the fault {fault} it is red by `{other}`, not by `{mechanism}`, in {place}"
            )),
            Err(how) => said.push(format!("with the fault {fault} it {how}, in {place}")),
        }
    }
    match said.is_empty() {
        true => Ok((
            ExitCode::BadInput,
            format!(
                "no fault reproduces `{mechanism}`; try `lifecycle run --like {} --target embedded`",
                state.identity.run
            ),
        )),
        false => Ok((ExitCode::Failed, said.join("; "))),
    }
}

/// The step that decided.
fn step<'a>(state: &'a RunState, name: &str) -> &'a str {
    let own = state.reds().find(|s| without_round(s.name()) == name);
    own.and_then(|s| s.decisive_step()).map_or("?", |step| step.step.as_str())
}

/// What became of an instance that is not red by a mechanism.
#[derive(Debug, thiserror::Error)]
enum CameTo {
    #[error("did not run")]
    NotRun,
    #[error("was skipped ({0})")]
    Skipped(String),
    #[error("{0}")]
    Verdict(String),
    #[error("did not end")]
    NoEnd,
}

/// The mechanism of an instance, or what else became of it.
fn came_to<'a>(state: &'a RunState, name: &str) -> Result<&'a str, CameTo> {
    let Some(scenario) = state.scenarios.get(name) else { return Err(CameTo::NotRun) };
    match (&scenario.diagnosis, scenario.verdict()) {
        (Some(diagnosis), Some(verdict)) if verdict.is_red() || verdict == Verdict::ExpectedFailure => {
            Ok(&diagnosis.mechanism)
        }
        (_, Some(Verdict::Skipped)) => Err(CameTo::Skipped(scenario.reason().to_owned())),
        (_, Some(verdict)) => {
            Err(CameTo::Verdict(format!("{verdict} {}", scenario.reason()).trim_end().to_owned()))
        }
        (_, None) => Err(CameTo::NoEnd),
    }
}

/// What would be typed: the embedded platform, the fault, and of what makes it show in seconds the inputs that the
/// scenario has.
fn arguments(state: &RunState, name: &str, fault: &FaultRun) -> Result<RunArgs, CliError> {
    let has = |input: &str| {
        let own = |i: &&crate::event::ResolvedInput| without_round(&i.scenario) == name && i.name == input;
        state.identity.inputs.iter().any(|i| own(&i))
    };
    let mut line = vec!["lifecycle", "run", "--target", "embedded", "--fault", fault.fault];
    for pair in fault.flags.chunks(2) {
        match pair {
            ["-i", input] if !has(input.split('=').next().unwrap_or_default()) => {}
            pair => line.extend(pair),
        }
    }
    match Cli::try_parse_from(line).map(|cli| cli.command) {
        Ok(Command::Run(args)) => Ok(args),
        _ => Err(CliError::new(ExitCode::Environment, format!("the fault {} cannot be run", fault.fault))),
    }
}
