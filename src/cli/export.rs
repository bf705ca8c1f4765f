//! `lifecycle export`: a run as one file, redacted, with its reports.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::args::ExportArgs;
use super::failure::CliError;
use super::{Shell, format};
use crate::domain::ExitCode;
use crate::redact::Redactor;
use crate::report::FileKind;
use crate::session::archive::LOG;
use crate::session::recorded;

/// Writes the file.
pub(crate) fn run(args: &ExportArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let fail = |e: &dyn std::fmt::Display| CliError::new(ExitCode::Environment, e.to_string());
    let read = recorded::open(&args.run, shell)?;
    let state = recorded::state(read.folder())?;
    let target = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.zip", state.identity.run)));
    // The log was redacted when it was written; what this environment knows besides is taken out too.
    let redactor = Redactor::new();
    for (name, value) in shell.env.secrets() {
        redactor.register(name, value);
    }
    let file = File::options()
        .write(true)
        .create_new(!args.force)
        .create(args.force)
        .truncate(args.force)
        .open(&target)
        .map_err(|e| {
            CliError::new(ExitCode::Environment, format!("cannot write {}: {e}", target.display()))
                .next("--output FILE writes elsewhere, --force replaces a file")
        })?;
    let mut zip = ZipWriter::new(file);
    let options = SimpleFileOptions::default();
    zip.start_file(LOG, options).map_err(|e| fail(&e))?;
    let log = log_of(read.folder());
    let mut lines = BufReader::new(File::open(&log)?);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        zip.write_all(redactor.text(&line).as_bytes())?;
        line.clear();
    }
    for kind in FileKind::ALL {
        let text = kind.render(&state).map_err(|e| fail(&e))?;
        zip.start_file(kind.file_name(), options).map_err(|e| fail(&e))?;
        zip.write_all(redactor.text(&text).as_bytes())?;
    }
    zip.finish().map_err(|e| fail(&e))?;
    let shown = target.display().to_string();
    if args.format.is_json() {
        format::print(shell, &serde_json::json!({ "run": state.identity.run, "file": shown }))?;
    } else {
        shell.printer.data(&shown)?;
        shell.printer.note(&format!("read it anywhere: lifecycle explain {shown}"))?;
    }
    Ok(ExitCode::Passed)
}

/// A run is named by its folder, or by the log itself.
fn log_of(run: &Path) -> PathBuf {
    if run.is_dir() { run.join(LOG) } else { run.to_owned() }
}
