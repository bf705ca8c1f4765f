//! `lifecycle diff`: two runs side by side.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::CliError;
use super::format::FormatArgs;
use super::{Shell, format};
use crate::domain::ExitCode;
use crate::report::html;
use crate::report::run_diff::{Difference, Kind, Side, differences};
use crate::report::text::clean;
use crate::run::folder;

/// A screen has room for so many.
const SCREEN: usize = 18;

/// Which runs
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The first run: its folder, its id, a unique part of it, or `last`
    #[arg(value_name = "RUN")]
    pub left: String,
    /// The second one
    #[arg(value_name = "RUN")]
    pub right: String,
    /// Every difference, not only the first ones of each scenario
    #[arg(long)]
    pub full: bool,
    /// Also write one HTML file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Shows where they part; 1 when they do in more than time.
pub(crate) fn run(args: &DiffArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let side = |wanted: &str| {
        let path = folder::find(&shell.runs_dir, wanted)
            .map_err(|why| CliError::new(ExitCode::BadInput, why.to_string()))?;
        Side::read(&path).map_err(|e| CliError::new(ExitCode::Environment, e.to_string()))
    };
    let (left, right) = (side(&args.left)?, side(&args.right)?);
    let found = differences(&left, &right);
    let parts = found.iter().any(|one| one.kind != Kind::Time);
    if let Some(file) = &args.html {
        write(file, &html::diff(&left, &right, &found))?;
    }
    if args.format.is_json() {
        format::print(shell, &found.iter().map(row).collect::<Vec<_>>())?;
        return Ok(if parts { ExitCode::Failed } else { ExitCode::Passed });
    }
    shell.printer.data(&clean(&format!("1  {}  {}", left.run, left.target)))?;
    shell.printer.data(&clean(&format!("2  {}  {}", right.run, right.target)))?;
    let shown: Vec<&Difference> = if args.full { found.iter().collect() } else { first(&found) };
    for one in &shown {
        let step = one.step.as_ref().map(|step| format!(" step {step}")).unwrap_or_default();
        let line = format!("{:<9} {}{step}: {}", one.kind.as_str(), one.scenario, one.what);
        shell.printer.data(&crate::redact::excerpt_of_redacted(&clean(&line), 400))?;
    }
    let more = found.len() - shown.len();
    shell.printer.data(&match (found.is_empty(), more) {
        (true, _) => "no difference".to_owned(),
        (false, 0) => format!("{} differences (1 / 2)", found.len()),
        (false, _) => format!("{} differences (1 / 2), {more} of them not shown: --full", found.len()),
    })?;
    Ok(if parts { ExitCode::Failed } else { ExitCode::Passed })
}

/// Writes a page to look at.
pub(super) fn write(file: &Path, page: &str) -> Result<(), CliError> {
    std::fs::write(file, page)
        .map_err(|e| CliError::new(ExitCode::Environment, format!("cannot write {}: {e}", file.display())))
}

/// Of each scenario and kind the first; as many as a screen has room for.
fn first(found: &[Difference]) -> Vec<&Difference> {
    let mut seen: BTreeSet<(&str, Kind)> = BTreeSet::new();
    let mut shown = Vec::new();
    for one in found {
        if shown.len() < SCREEN && seen.insert((one.scenario.as_str(), one.kind)) {
            shown.push(one);
        }
    }
    shown
}

fn row(one: &Difference) -> serde_json::Value {
    serde_json::json!({ "scenario": one.scenario, "step": one.step, "kind": one.kind.as_str(), "what": one.what })
}
