//! `lifecycle drift`: where a run saw the server's contract differ, and what is accepted of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::CliError;
use super::format::FormatArgs;
use super::{Shell, format};
use crate::behaviour::overlay::{Accepted, FILE, Overlay};
use crate::behaviour::{self, Behaviour};
use crate::domain::ExitCode;
use crate::domain::words::count;
use crate::session::{files, recorded};

/// Show where a run saw the server's contract differ; --accept writes it into the overlay
#[derive(Args, Debug)]
pub(crate) struct DriftArgs {
    /// A run's folder, its id or a part of it, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Take it into the overlay: asserted from then on
    #[arg(long)]
    pub accept: bool,
    /// With --accept: only this behaviour
    #[arg(long, value_name = "NAME", requires = "accept")]
    pub only: Vec<String>,
    /// With --accept: why, for who reviews it
    #[arg(long, value_name = "TEXT", requires = "accept")]
    pub reason: Option<String>,
    /// The overlay [default: lifecycle.contract.yaml]
    #[arg(long, value_name = "FILE")]
    pub contract: Option<PathBuf>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &DriftArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let (_, state) = recorded::read(&args.run, shell)?;
    if args.format.is_json() {
        let list: Vec<_> = state
            .drifts
            .iter()
            .map(|(drift, seen)| {
                let scenarios: BTreeSet<_> = seen.iter().filter_map(|s| s.scenario.as_deref()).collect();
                serde_json::json!({ "class": "contract", "drift": drift, "scenarios": scenarios, "seen": seen })
            })
            .collect();
        format::print(shell, &list)?;
    } else if state.drifts.is_empty() {
        shell.printer.data("no drift")?;
    } else {
        for (drift, seen) in &state.drifts {
            let scenarios: BTreeSet<_> = seen.iter().filter_map(|s| s.scenario.as_deref()).collect();
            let first = seen.first().map(|s| s.text.clone()).unwrap_or_default();
            shell.printer.data(&format!(
                "{}\n  in {}; {first}",
                drift.line(),
                count(scenarios.len(), "scenario")
            ))?;
        }
    }
    if args.accept {
        accept(args, &state, shell)?;
    }
    Ok(ExitCode::Passed)
}

fn accept(args: &DriftArgs, state: &crate::report::RunState, shell: &Shell) -> Result<(), CliError> {
    let path = args.contract.clone().unwrap_or_else(|| FILE.into());
    let mut overlay = match path.is_file() {
        true => behaviour::overlay::read(&files::read(&path)?).map_err(CliError::problems)?,
        false => Overlay::default(),
    };
    let drifted: BTreeSet<Behaviour> = state.drifts.keys().map(|drift| drift.behaviour).collect();
    for name in &args.only {
        if !Behaviour::named(name).is_some_and(|b| drifted.contains(&b)) {
            let text = format!("`{name}` is not a drift of this run");
            return Err(CliError::new(ExitCode::BadInput, text).next("`lifecycle drift RUN` lists what is"));
        }
    }
    if drifted.is_empty() {
        return Err(CliError::new(ExitCode::BadInput, "this run saw no drift: there is nothing to accept"));
    }
    let date = crate::clock::wall().strftime("%Y-%m-%d").to_string();
    let reason = args.reason.clone().unwrap_or_else(|| format!("seen in {}", state.identity.run));
    for drift in state.drifts.keys() {
        if args.only.is_empty() || args.only.iter().any(|name| name == drift.behaviour.as_str()) {
            let row = Accepted {
                behaviour: drift.behaviour,
                value: !drift.expected,
                reason: reason.clone(),
                date: date.clone(),
            };
            overlay.accept(drift.edition, row);
        }
    }
    write(&path, &overlay.text())?;
    shell.printer.note(&format!("{} holds {} accepted behaviours", path.display(), overlay.rows.len()))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text)
        .map_err(|e| CliError::new(ExitCode::Environment, format!("cannot write {}: {e}", path.display())))
}
