//! File reports: opened before the run, written at its end, the same bytes from the log alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use super::state::RunState;
use super::{html, json, junit, markdown, outputs};

/// What can go wrong with reports.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The system refused.
    #[error("cannot {doing} {}: {error}", path.display())]
    Io {
        /// The verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// The terminal cannot be written to.
    #[error("cannot write to the terminal: {0}")]
    Terminal(#[from] io::Error),
    /// A report could not be put into its form.
    #[error("cannot make the {kind} report: {error}")]
    Render {
        /// Which report.
        kind: &'static str,
        /// The writer's word.
        error: String,
    },
    /// A reporter's task ended before its time.
    #[error("the reporter stopped: {0}")]
    Stopped(String),
}

/// Kinds of file reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `junit.xml`.
    Junit,
    /// `report.json`.
    Json,
    /// `report.html`.
    Html,
    /// `report.md`.
    Markdown,
    /// The forge's job summary; appended to, because other steps write there too.
    StepSummary,
    /// What later steps of a forge's job read (`GITHUB_OUTPUT`); appended to as well.
    StepOutputs,
    /// Metrics in Prometheus' text format; whoever collects them sees the old file or the new one, whole.
    Metrics,
}

impl FileKind {
    /// Those that a folder gets.
    pub const ALL: [FileKind; 4] = [FileKind::Junit, FileKind::Json, FileKind::Html, FileKind::Markdown];

    /// Its name in a folder.
    pub fn file_name(self) -> &'static str {
        match self {
            FileKind::Junit => "junit.xml",
            FileKind::Json => "report.json",
            FileKind::Html => "report.html",
            FileKind::Markdown | FileKind::StepSummary => "report.md",
            FileKind::StepOutputs => "outputs.txt",
            FileKind::Metrics => "metrics.prom",
        }
    }

    /// The report's text, from the state and nothing else.
    ///
    /// # Errors
    /// [`ReportError::Render`]; none is known that a state can cause.
    pub fn render(self, state: &RunState) -> Result<String, ReportError> {
        match self {
            FileKind::Junit => {
                junit::render(state).map_err(|e| ReportError::Render { kind: "JUnit", error: e.to_string() })
            }
            FileKind::Json => {
                json::render(state).map_err(|e| ReportError::Render { kind: "JSON", error: e.to_string() })
            }
            FileKind::Html => Ok(html::render(state)),
            FileKind::Markdown | FileKind::StepSummary => Ok(markdown::render(state)),
            FileKind::StepOutputs => Ok(outputs::step_outputs(state)),
            FileKind::Metrics => Ok(outputs::prometheus(state)),
        }
    }
}

/// Files that are open and wait for the end of a run.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles {
    files: Vec<(FileKind, PathBuf, File)>,
}

/// Opens every file before the run, so that a bad path fails in second 0. Missing folders are made;
/// `-` is what the data of a command go to.
///
/// # Errors
/// The first path that cannot be written to.
pub(crate) fn open(paths: &[(FileKind, PathBuf)]) -> Result<OpenFiles, ReportError> {
    let mut open = OpenFiles::default();
    for (kind, named) in paths {
        let is_stdout = named.as_os_str() == "-";
        let path = if is_stdout { Path::new("/dev/stdout") } else { named.as_path() };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| io_error("make the folder", folder, e))?;
        }
        // Somebody else's lines may stand there already.
        let append = is_stdout || matches!(kind, FileKind::StepSummary | FileKind::StepOutputs);
        let beside = (*kind == FileKind::Metrics && !is_stdout && !path.is_dir()).then(|| new_beside(path));
        let written = beside.as_deref().unwrap_or(path);
        let file = OpenOptions::new()
            .create(true)
            .append(append)
            .write(true)
            .truncate(!append)
            .open(written)
            .map_err(|e| io_error("open", path, e))?;
        open.files.push((*kind, path.to_owned(), file));
    }
    Ok(open)
}

impl OpenFiles {
    /// Writes every file; the first error is kept, the others are written all the same.
    ///
    /// # Errors
    /// The first one.
    pub(crate) fn write(self, state: &RunState) -> Result<(), ReportError> {
        let mut first = None;
        for (kind, path, mut file) in self.files {
            let written = kind.render(state).and_then(|mut text| {
                if kind == FileKind::Metrics && new_beside(&path).exists() {
                    text.push_str(&outputs::last_success(&text, &replaced(&path)));
                }
                let whole = file.write_all(text.as_bytes()).and_then(|()| file.flush());
                let put = whole.and_then(|()| match kind {
                    FileKind::Metrics if new_beside(&path).exists() => {
                        std::fs::rename(new_beside(&path), &path)
                    }
                    _ => Ok(()),
                });
                put.map_err(|e| io_error("write", &path, e))
            });
            if let Err(error) = written {
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }
}

/// The beginning of a file that is going to be replaced; empty where there is none.
fn replaced(path: &Path) -> String {
    const MOST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes));
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// A file that is put in the place of another one once it is whole.
fn new_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Writes reports under their own names into a folder.
///
/// # Errors
/// As [`open`] and [`OpenFiles::write`].
pub(crate) fn write_all(state: &RunState, folder: &Path, which: &[FileKind]) -> Result<(), ReportError> {
    let paths: Vec<_> = which.iter().map(|kind| (*kind, folder.join(kind.file_name()))).collect();
    open(&paths)?.write(state)
}

fn io_error(doing: &'static str, path: &Path, error: io::Error) -> ReportError {
    ReportError::Io { doing, path: path.to_owned(), error }
}
