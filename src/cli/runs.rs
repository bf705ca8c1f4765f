//! `lifecycle runs`: what ran, how it ended, and why.

use std::collections::BTreeMap;

use serde_json::json;

use super::args::RunsArgs;
use super::failure::CliError;
use super::{Shell, format, table};
use crate::domain::{ExitCode, time};
use crate::report::RunState;
use crate::run::folder;
use crate::session::recorded;

/// Shows the newest runs, newest first.
pub(crate) fn run(args: &RunsArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    if shell.runs_dir.is_file() {
        let text = format!("{} is a file, not a folder of runs", shell.runs_dir.display());
        return Err(
            CliError::new(ExitCode::BadInput, text).next("`lifecycle explain FILE` reads a packed run")
        );
    }
    let folders = folder::list(&shell.runs_dir);
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    for path in folders.iter().rev().take(args.limit) {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let state = match recorded::state(path) {
            Ok(state) => state,
            Err(error) => {
                shell.printer.talk(&format!("{name}: {error}"))?;
                continue;
            }
        };
        let totals = state.totals();
        let took = std::time::Duration::from_millis(state.took_ms());
        let exit = state.finished.as_ref().map(|f| f.code);
        let ended = match exit {
            Some(code) => code.to_string(),
            None if folder::is_live(path) => "runs".to_owned(),
            None => "no end".to_owned(),
        };
        documents.push(json!({
            "run": name, "folder": path.display().to_string(), "started_at": state.started_at,
            "took_ms": state.took_ms(), "exit": exit, "reason": state.finished.as_ref().map(|f| &f.reason),
            "verdicts": totals.counted().map(|(verdict, n)| (verdict.to_string(), n)).collect::<BTreeMap<_, _>>(),
            "causes": causes(&state), "left": state.left().len(),
            "target": state.identity.target.as_ref().map(|t| &t.kind),
        }));
        let causes: Vec<String> = causes(&state)
            .into_iter()
            .map(|(cause, n)| if n == 1 { cause } else { format!("{cause} ×{n}") })
            .collect();
        rows.push(vec![name, ended, time::show(took), totals.line(), causes.join(", ")]);
    }
    if args.format.is_json() {
        format::print(shell, &documents)?;
        return Ok(ExitCode::Passed);
    }
    if rows.is_empty() {
        shell.printer.note(&format!("there is no run in {}", shell.runs_dir.display()))?;
        return Ok(ExitCode::Passed);
    }
    shell.printer.data(&table::drawn(shell, &["RUN", "EXIT", "TOOK", "VERDICTS", "CAUSES"], &rows))?;
    if folders.len() > args.limit {
        shell.printer.note(&format!("{} older: --limit N shows more", folders.len() - args.limit))?;
    }
    Ok(ExitCode::Passed)
}

/// How many reds each cause made.
fn causes(state: &RunState) -> BTreeMap<String, usize> {
    let mut causes = BTreeMap::new();
    for red in state.reds() {
        let cause = red.diagnosis.as_ref().map_or("unclassified", |d| d.mechanism.as_str());
        *causes.entry(cause.to_owned()).or_default() += 1;
    }
    causes
}
