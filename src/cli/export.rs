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
use crate::report::{FileKind, RunState, shell_word};
use crate::session::archive::LOG;
use crate::session::recorded;

/// Writes the file.
pub(crate) fn run(args: &ExportArgs, shell: &Shell) -> Result<ExitCode, CliError> {
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
    let written = match fill(&mut zip, read.folder(), &state, &redactor) {
        Ok(()) => zip.finish().map(|_| ()).map_err(Unwritten::from),
        Err(why) => {
            // Its destructor would try to finish the file, and print why it cannot.
            std::mem::forget(zip);
            Err(why)
        }
    };
    if let Err(why) = written {
        let _ = std::fs::remove_file(&target);
        return Err(CliError::new(
            ExitCode::Environment,
            format!("cannot write {}: {why}", target.display()),
        ));
    }
    let shown = target.display().to_string();
    if args.format.is_json() {
        format::print(shell, &serde_json::json!({ "run": state.identity.run, "file": shown }))?;
    } else {
        shell.printer.data(&shown)?;
        shell.printer.note(&format!("read it anywhere: lifecycle explain {}", shell_word(&shown)))?;
    }
    Ok(ExitCode::Passed)
}

/// Why the file is not whole.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Zip(#[from] zip::result::ZipError),
    #[error("{0}")]
    Report(String),
}

/// Log and reports.
fn fill(
    zip: &mut ZipWriter<File>,
    run: &Path,
    state: &RunState,
    redactor: &Redactor,
) -> Result<(), Unwritten> {
    let options = SimpleFileOptions::default();
    zip.start_file(LOG, options)?;
    let mut lines = BufReader::new(File::open(log_of(run))?);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        zip.write_all(redactor.text(&line).as_bytes())?;
        line.clear();
    }
    for kind in FileKind::ALL {
        let text = kind.render(state).map_err(|e| Unwritten::Report(e.to_string()))?;
        zip.start_file(kind.file_name(), options)?;
        zip.write_all(redactor.text(&text).as_bytes())?;
    }
    Ok(())
}

/// A run is named by its folder, or by the log itself.
fn log_of(run: &Path) -> PathBuf {
    if run.is_dir() { run.join(LOG) } else { run.to_owned() }
}
