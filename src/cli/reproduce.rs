//! `lifecycle reproduce`: a red again, here, with the fault that makes its mechanism.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
use crate::report::{RunState, shell_word};
use crate::run::folder::ASIDE;
use crate::scenario::without_round;
use crate::session::recorded::{self, Opened};
use crate::session::{Env, Ran, Recorded};

/// Where in its run, or in the runs folder, the runs of this command are kept: nobody asked for them by name, so that
/// they are never `last`, in no list and in no statistics.
fn aside(opened: &Opened, shell: &Shell) -> Shell {
    let own = |path: &Path| path.canonicalize().ok();
    let is_kept = opened.name.is_dir() && opened.name.parent().and_then(own) == own(&shell.runs_dir);
    let runs = if is_kept { &opened.name } else { &shell.runs_dir };
    // A job's outputs and summary tell of the job's own run.
    let mut vars = shell.env.vars().clone();
    vars.retain(|name, _| !matches!(name.as_str(), "GITHUB_OUTPUT" | "GITHUB_STEP_SUMMARY"));
    Shell { runs_dir: runs.join(ASIDE), env: Env::of(vars), ..shell.clone() }
}

/// Reproduces one red of each mechanism, or every one. A red that cannot be tried never makes the others look whole.
pub(crate) fn run(args: &ReproduceArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let opened = recorded::open(&args.run, shell)?;
    let state = recorded::state(opened.folder())?;
    let side = aside(&opened, shell);
    let (mut lines, mut codes, mut rows) = (Vec::new(), BTreeSet::new(), Vec::new());
    for red in state.to_reproduce(&chosen(&state, args.scenario.as_deref())?, args.all) {
        let name = without_round(red.scenario.name());
        let came = match red.scenario.diagnosis.as_ref().filter(|_| red.scenario.has_failure()) {
            Some(diagnosis) => one(&state, &opened.name, name, diagnosis, &side)?,
            None => Came::untried(format!("{name} was not red by a mechanism")),
        };
        if matches!(came.code, ExitCode::Interrupted | ExitCode::Terminated) {
            return Ok(came.code);
        }
        codes.insert(came.code);
        rows.push(json!({
            "scenario": name, "mechanism": red.mechanism, "reds": red.reds, "result": word(came.code),
            "fault": came.fault, "run": came.run.as_ref().map(|run| run.display().to_string()), "text": came.text,
        }));
        let reds = if red.reds == 1 { String::new() } else { format!(" ({} reds)", red.reds) };
        lines.push(format!("{:<15} {}{reds}{}", word(came.code), red.mechanism, came.text));
    }
    if lines.is_empty() {
        let text = format!("nothing is red in {}: there is nothing to reproduce", state.identity.run);
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    match args.format.is_json() {
        true => format::print(shell, &rows)?,
        false => shell.printer.data(&lines.join("\n"))?,
    }
    // Of a red that came out otherwise somebody must hear first; what no fault makes stands in its line.
    let order = [ExitCode::Failed, ExitCode::Passed];
    Ok(order.into_iter().find(|code| codes.contains(code)).unwrap_or(ExitCode::BadInput))
}

fn word(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Passed => "reproduced",
        ExitCode::BadInput => "cannot be tried",
        _ => "not reproduced",
    }
}

/// What became of one red.
struct Came {
    code: ExitCode,
    /// Goes on after the mechanism.
    text: String,
    fault: Option<&'static str>,
    run: Option<PathBuf>,
}

impl Came {
    fn untried(text: String) -> Came {
        Came { code: ExitCode::BadInput, text: format!(": {text}"), fault: None, run: None }
    }
}

/// Tries the faults of a mechanism until one of them makes it.
fn one(
    state: &RunState,
    typed: &Path,
    name: &str,
    diagnosis: &Diagnosis,
    shell: &Shell,
) -> Result<Came, CliError> {
    let mechanism = diagnosis.mechanism.as_str();
    let (mut said, mut last) = (Vec::new(), None);
    for fault in making(mechanism, name) {
        let recorded = Recorded::instance(state.clone(), name);
        let mut settings = arguments(state, name, fault)?.settings(shell)?.0;
        // What a cron remembers, keeps and reports is not about this.
        (settings.state, settings.known, settings.retries, settings.keep_runs) = (None, None, None, None);
        settings.reports.clear();
        let (code, folder) = match again(settings, &recorded, shell) {
            Ok(Ran { code, folder: Some(folder) }) => (code, folder),
            Ok(Ran { folder: None, .. }) => continue,
            Err(error) => {
                said.push(format!("the fault {} could not be tried: {}", fault.fault, error.text()));
                continue;
            }
        };
        let fault = fault.fault;
        if matches!(code, ExitCode::Interrupted | ExitCode::Terminated) {
            return Ok(Came { code, text: String::new(), fault: Some(fault), run: Some(folder) });
        }
        let now = recorded::state(&folder)?;
        let place = folder.display().to_string();
        match came_to(&now, name) {
            Ok(found) if found == mechanism => {
                let (then, now) = (step(state, name), step(&now, name));
                let at =
                    if then == now { String::new() } else { format!(" at step {now} instead of {then}") };
                let text = format!(" by fault {fault} on {name}{at}, log {place}");
                return Ok(Came { code: ExitCode::Passed, text, fault: Some(fault), run: Some(folder) });
            }
            Ok(other) => said.push(format!("with fault {fault} it is red by `{other}`, log {place}")),
            Err(how) => said.push(format!("with fault {fault} it {how}, log {place}")),
        }
        last = Some((fault, folder));
    }
    if said.is_empty() {
        let run = shell_word(&typed.display().to_string());
        return Ok(Came::untried(format!(
            "no fault is known that makes it; `lifecycle run --like {run} --target embedded {}` runs {name} again",
            shell_word(name)
        )));
    }
    let (fault, run) = last.unzip();
    Ok(Came { code: ExitCode::Failed, text: format!(" on {name}: {}", said.join("; ")), fault, run })
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
