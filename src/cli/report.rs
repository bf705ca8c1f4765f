//! `lifecycle report`: builds reports again, from the log alone.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Shell;
use super::args::{ReportArgs, ReportFiles};
use super::failure::CliError;
use crate::domain::ExitCode;
use crate::event::RunFinished;
use crate::output::CiLog;
use crate::redact::Redactor;
use crate::report::{Console, FileKind, RunState, open, write_all};
use crate::session::recorded;

/// Builds reports.
pub(crate) fn run(args: &ReportArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let (path, state) = recorded::read(&args.run, shell)?;
    let fail = |e: &dyn std::fmt::Display| CliError::new(ExitCode::Environment, e.to_string());
    let files = report_files(&args.files);
    distinct(&files)?;
    if let Some(folder) = &args.all {
        write_all(&state, folder, &FileKind::ALL).map_err(|e| fail(&e))?;
        shell.printer.note(&format!("written to {}", folder.display()))?;
    }
    if !files.is_empty() {
        open(&files).and_then(|open| open.write(&state)).map_err(|e| fail(&e))?;
    }
    for (_, file) in &files {
        shell.printer.note(&format!("written: {}", file.display()))?;
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
        (FileKind::Metrics, &args.metrics),
    ]
    .into_iter()
    .filter_map(|(kind, path)| Some((kind, path.clone()?)))
    .collect()
}

/// Each report has a file of its own.
fn distinct(files: &[(FileKind, PathBuf)]) -> Result<(), CliError> {
    let place = |path: &Path| {
        let absolute = || std::path::absolute(path).map(|p| p.components().collect::<PathBuf>());
        path.canonicalize().or_else(|_| absolute()).unwrap_or_else(|_| path.to_owned())
    };
    for (i, (kind, path)) in files.iter().enumerate() {
        let here = place(path);
        if here == Path::new("/dev/null") {
            continue;
        }
        if let Some((other, _)) = files[..i].iter().find(|(_, p)| place(p) == here) {
            let (other, kind) = (other.file_name(), kind.file_name());
            let text = format!("two reports would be written to `{}`: {other} and {kind}", path.display());
            return Err(CliError::new(ExitCode::BadInput, text).next("give each a path of its own"));
        }
    }
    Ok(())
}

/// Does a run. When it ends before its reports are open, they say why: nobody reads an earlier run's.
pub(crate) fn or_say_why(
    args: &ReportFiles,
    shell: &Shell,
    run: impl FnOnce() -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    let files = report_files(args);
    distinct(&files)?;
    let before: Vec<Option<Seen>> = files.iter().map(|(_, path)| seen(path)).collect();
    let result = run();
    if let Err(error) = &result {
        tell_forge(error, shell);
        let untouched = files.into_iter().zip(before).filter(|((_, path), seen_before)| {
            let other_than_a_file = path.as_os_str() == "-" || path.exists() && !path.is_file();
            !other_than_a_file && seen(path) == *seen_before
        });
        let untouched: Vec<(FileKind, PathBuf)> = untouched.map(|(file, _)| file).collect();
        // A path that cannot be written to may be the very error that is told.
        let _ = open(&untouched).and_then(|open| open.write(&never_began(error, shell)));
    }
    result
}

/// A run that did not begin is told where a forge's job is looked at: the reporters of one that did begin have done so.
fn tell_forge(error: &CliError, shell: &Shell) {
    let began = !matches!(error.code, ExitCode::BadInput | ExitCode::Locked);
    if began || !shell.printer.is_ci() || shell.printer.ci_log() == CiLog::Plain {
        return;
    }
    let redacted: Vec<String> = error
        .annotations(&shell.env.workspace())
        .iter()
        .map(|line| shell.printer.redactor().text(line).into_owned())
        .collect();
    // What cannot be written there is on the terminal.
    let _ = shell.printer.talk_with_commands(&redacted.join("\n"));
    let file = |name: &str, kind| shell.env.get(name).map(|path| (kind, PathBuf::from(path)));
    let files: Vec<(FileKind, PathBuf)> =
        [file("GITHUB_STEP_SUMMARY", FileKind::StepSummary), file("GITHUB_OUTPUT", FileKind::StepOutputs)]
            .into_iter()
            .flatten()
            .collect();
    let _ = open(&files).and_then(|open| open.write(&never_began(error, shell)));
}

type Seen = (SystemTime, u64);

/// What changes when a file is opened for a report.
fn seen(path: &Path) -> Option<Seen> {
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// A run that ended before it had a log.
fn never_began(error: &CliError, shell: &Shell) -> RunState {
    let redactor = Redactor::new();
    for (name, value) in shell.env.secrets() {
        redactor.register(name, value);
    }
    let mut state = RunState::default();
    state.started_at = crate::clock::wall().to_string();
    state.identity.tool_version = env!("CARGO_PKG_VERSION").to_owned();
    state.identity.run = "that did not begin".to_owned();
    state.finished = Some(RunFinished {
        exit: error.code,
        code: error.code.code(),
        reason: redactor.text(&error.whole()).into_owned(),
        counts: std::collections::BTreeMap::new(),
        advisory_reds: 0,
        left: Vec::new(),
        took_ms: 0,
    });
    state
}
