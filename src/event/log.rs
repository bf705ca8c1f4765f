//! Writing the log. Redaction happens here, before an event exists for anybody.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::payload::{Event, EventKind, SCHEMA};
use crate::clock::{self, Instant};
use crate::domain::time;
use crate::redact::Redactor;

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
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
    /// Secrets could not be kept out of it.
    #[error("redaction does not work: nothing can be written to {}", path.display())]
    Redaction {
        /// The file.
        path: PathBuf,
    },
    /// A line in the middle is no event.
    #[error("{}:{line}: not an event: {error}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What the parser says.
        error: String,
    },
    /// A newer tool wrote it.
    #[error("{} has log schema {schema}, this version reads up to {}", path.display(), SCHEMA)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u32,
    },
}

impl LogError {
    pub(super) fn io(doing: &'static str, path: &Path, error: io::Error) -> Self {
        LogError::Io { doing, path: path.to_owned(), error }
    }
}

/// The log of a run that goes on: appends, numbers, redacts, and hands events to the reporters.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    started: Instant,
    path: PathBuf,
    redactor: Redactor,
    broken: CancellationToken,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    seq: u64,
    error: Option<LogError>,
    listeners: Vec<mpsc::UnboundedSender<Arc<Event>>>,
    ended: bool,
}

impl Log {
    /// Creates `events.jsonl` in a folder that exists.
    ///
    /// # Errors
    /// The file cannot be created; a run that cannot write its log does not start.
    pub fn create(folder: &Path, redactor: Redactor) -> Result<Log, LogError> {
        let path = folder.join("events.jsonl");
        if redactor.is_broken() {
            return Err(LogError::Redaction { path });
        }
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .map_err(|e| LogError::io("create", &path, e))?;
        Ok(Log::over(file, path, 0, redactor))
    }

    /// Opens the log of a run that ended, to say what became of its resources. A torn last line is closed.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn reopen(folder: &Path, redactor: Redactor) -> Result<Log, LogError> {
        let path = folder.join("events.jsonl");
        let text = std::fs::read(&path).map_err(|e| LogError::io("read", &path, e))?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let seq = text.iter().filter(|b| **b == b'\n').count() as u64;
        let file = OpenOptions::new().append(true).open(&path).map_err(|e| LogError::io("open", &path, e))?;
        file.set_len(whole as u64).map_err(|e| LogError::io("mend", &path, e))?;
        Ok(Log::over(file, path, seq, redactor))
    }

    fn over(file: File, path: PathBuf, seq: u64, redactor: Redactor) -> Log {
        Log {
            shared: Arc::new(Shared {
                started: Instant::now(),
                path,
                redactor,
                broken: CancellationToken::new(),
                inner: Mutex::new(Inner { file, seq, error: None, listeners: Vec::new(), ended: false }),
            }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// What keeps secrets out of it.
    pub fn redactor(&self) -> &Redactor {
        &self.shared.redactor
    }

    /// Milliseconds since the run's start.
    pub fn ms(&self) -> u64 {
        time::ms(self.shared.started.elapsed())
    }

    /// A receiver of every event from now on.
    pub fn listen(&self) -> mpsc::UnboundedReceiver<Arc<Event>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().listeners.push(sender);
        receiver
    }

    /// Cancelled once a line could not be written.
    pub fn broken(&self) -> CancellationToken {
        self.shared.broken.clone()
    }

    /// The first error of writing, once.
    pub fn take_error(&self) -> Option<LogError> {
        self.lock().error.take()
    }

    /// Appends one event. The line is handed to the system before this returns, so an intent is on
    /// disk (not necessarily fsynced) before its request leaves.
    ///
    /// The end of the run is the last line: what a request that was never dropped brings home later is not filed.
    pub fn emit(&self, event: EventKind) {
        let mut inner = self.lock();
        if inner.ended {
            return;
        }
        inner.ended = matches!(event, EventKind::RunFinished(_));
        let event = Event { seq: inner.seq, at: format!("{:.3}", clock::wall()), ms: self.ms(), event };
        inner.seq += 1;
        if self.shared.redactor.is_broken() {
            // Nothing is shown of any text by now; the run ends, and its clean-up goes by what it has in memory.
            self.fail(&mut inner, LogError::Redaction { path: self.shared.path.clone() });
        }
        let (event, mut line) = match self.redacted(event) {
            Ok(both) => both,
            Err(error) => {
                let error = io::Error::new(io::ErrorKind::InvalidData, error);
                return self.fail(&mut inner, LogError::io("write", &self.shared.path, error));
            }
        };
        line.push('\n');
        if let Err(error) = inner.file.write_all(line.as_bytes()) {
            self.fail(&mut inner, LogError::io("write", &self.shared.path, error));
        }
        let event = Arc::new(event);
        inner.listeners.retain(|listener| listener.send(Arc::clone(&event)).is_ok());
    }

    /// Ends all listeners' streams.
    pub fn close(&self) {
        self.lock().listeners.clear();
    }

    fn redacted(&self, event: Event) -> serde_json::Result<(Event, String)> {
        let mut value = serde_json::to_value(&event)?;
        if self.shared.redactor.value(&mut value) {
            let line = serde_json::to_string(&value)?;
            Ok((serde_json::from_value(value)?, line))
        } else {
            Ok((event, serde_json::to_string(&value)?))
        }
    }

    fn fail(&self, inner: &mut Inner, error: LogError) {
        inner.error.get_or_insert(error);
        self.shared.broken.cancel();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{EventKind, LogReader, RunFinished};
    use super::*;
    use crate::domain::ExitCode;

    #[test]
    fn a_secret_never_reaches_the_file_or_a_listener() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), Redactor::new()).unwrap();
        log.redactor().register("MINIMAX_API_KEY", "sk-planted-123456");
        let mut listener = log.listen();
        log.emit(EventKind::Warning { scenario: None, text: "the key is sk-planted-123456!".into() });
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert!(!text.contains("planted"), "{text}");
        assert!(text.contains("<redacted:MINIMAX_API_KEY>"), "{text}");
        let event = listener.try_recv().unwrap();
        assert_eq!(
            event.event,
            EventKind::Warning { scenario: None, text: "the key is <redacted:MINIMAX_API_KEY>!".into() }
        );
    }

    #[test]
    fn nothing_is_filed_after_the_end_but_by_who_opens_the_log_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), Redactor::new()).unwrap();
        log.emit(EventKind::RunFinished(RunFinished {
            exit: ExitCode::Passed,
            code: 0,
            reason: String::new(),
            counts: BTreeMap::new(),
            advisory_reds: 0,
            left: Vec::new(),
            took_ms: 1,
        }));
        log.emit(EventKind::DumpRequested);
        Log::reopen(folder.path(), Redactor::new()).unwrap().emit(EventKind::DumpRequested);
        let text = std::fs::read_to_string(log.path()).unwrap();
        let kinds: Vec<bool> = text.lines().map(|line| line.contains("run_finished")).collect();
        assert_eq!(kinds, [true, false]);
    }

    #[test]
    fn a_torn_last_line_and_unknown_kinds_are_survived_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), Redactor::new()).unwrap();
        log.emit(EventKind::DumpRequested);
        let mut file = OpenOptions::new().append(true).open(log.path()).unwrap();
        file.write_all(
            b"{\"seq\":1,\"at\":\"\",\"ms\":1,\"event\":{\"from_tomorrow\":{\"x\":1}}}\n{\"seq\":2,\"at",
        )
        .unwrap();
        let mut reader = LogReader::open(folder.path()).unwrap();
        assert!(matches!(reader.next().unwrap().unwrap().event, EventKind::DumpRequested));
        assert!(reader.next().unwrap().is_none());
        assert_eq!(reader.summary.unknown.get("from_tomorrow"), Some(&1));
        assert!(reader.summary.torn && !reader.summary.complete);
        assert_eq!(reader.summary.remarks().len(), 3);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_left_out_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), Redactor::new()).unwrap();
        log.emit(EventKind::DumpRequested);
        let mut file = OpenOptions::new().append(true).open(log.path()).unwrap();
        file.write_all(b"\0\0\0\n{\"seq\":\n").unwrap();
        log.emit(EventKind::DumpRequested);
        let mut reader = LogReader::open(folder.path()).unwrap();
        while reader.next().unwrap().is_some() {}
        assert_eq!(reader.summary.events, 2);
        let bad = reader.summary.bad.clone().unwrap();
        assert_eq!((bad.count, bad.first), (2, 2));
        assert!(reader.summary.remarks()[1].contains("the first is 2"), "{:?}", reader.summary.remarks());
    }

    #[test]
    fn a_file_that_begins_with_something_else_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("events.jsonl"), "{}\n{}\n").unwrap();
        let error = LogReader::open(folder.path()).unwrap().next().unwrap_err().to_string();
        assert!(error.contains("events.jsonl:1: not an event"), "{error}");
    }
}
