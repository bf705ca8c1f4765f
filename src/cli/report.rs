//! `lifecycle report`: builds reports again, from the log alone.

use std::path::PathBuf;

use super::Shell;
use super::args::{ReportArgs, ReportFiles};
use super::failure::CliError;
use crate::domain::ExitCode;
use crate::report::{CiLog, Console, FileKind, fold, open, write_all};
use crate::run::folder;

/// Builds reports.
pub(crate) fn run(args: &ReportArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let path =
        folder::find(&shell.runs_dir, &args.run).map_err(|why| CliError::new(ExitCode::BadInput, why))?;
    let fail = |e: &dyn std::fmt::Display| CliError::new(ExitCode::Environment, e.to_string());
    let state = fold(&path).map_err(|e| fail(&e))?;
    let files = report_files(&args.files);
    if let Some(folder) = &args.all {
        write_all(&state, folder, &FileKind::ALL).map_err(|e| fail(&e))?;
        shell.printer.note(&format!("written to {}", folder.display()))?;
    }
    for (_, file) in &files {
        shell.printer.note(&format!("written: {}", file.display()))?;
    }
    if !files.is_empty() {
        open(&files).and_then(|open| open.write(&state)).map_err(|e| fail(&e))?;
    }
    if files.is_empty() && args.all.is_none() {
        let mut console = Console::new(shell.printer.clone(), CiLog::Plain, &path);
        console.finish(&state).map_err(|e| fail(&e))?;
    }
    Ok(ExitCode::Passed)
}

/// The files that a person asked for.
pub(crate) fn report_files(args: &ReportFiles) -> Vec<(FileKind, PathBuf)> {
    [
        (FileKind::Junit, &args.junit),
        (FileKind::Json, &args.json),
        (FileKind::Html, &args.html),
        (FileKind::Markdown, &args.markdown),
    ]
    .into_iter()
    .filter_map(|(kind, path)| Some((kind, path.clone()?)))
    .collect()
}
