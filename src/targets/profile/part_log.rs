//! What a part prints: redacted, kept in the run's folder in bounded size, its end in memory.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;
use tokio::sync::watch;

use crate::docker::lines::Lines;
use crate::redact::Redactor;

/// Lines that are kept in memory, the newest.
const KEPT: usize = 200;
/// A line is shown no longer than this.
const WIDEST: usize = 2_000;
/// So large may a file be; then it is put aside, over the one before it.
const FILE: u64 = 8 << 20;

/// What ended is read to its end within this.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(1);

/// The log of one part; clones share it.
#[derive(Clone)]
pub struct PartLog {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for PartLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartLog({})", self.inner.path.display())
    }
}

struct Inner {
    path: PathBuf,
    redactor: Redactor,
    state: Mutex<State>,
    /// Counts lines.
    grown: watch::Sender<u64>,
    /// Streams that are still read.
    open: watch::Sender<usize>,
}

struct State {
    file: Option<File>,
    written: u64,
    tail: VecDeque<String>,
    wanted: Vec<(Regex, bool)>,
}

impl PartLog {
    /// `<folder>/<part>.log`.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(folder: &Path, part: &str, wanted: Vec<Regex>, redactor: &Redactor) -> io::Result<PartLog> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{part}.log"));
        let file = Some(File::create(&path)?);
        let wanted = wanted.into_iter().map(|expression| (expression, false)).collect();
        let state = State { file, written: 0, tail: VecDeque::new(), wanted };
        let (grown, open) = (watch::channel(0).0, watch::channel(0).0);
        let (redactor, state) = (redactor.clone(), Mutex::new(state));
        Ok(PartLog { inner: Arc::new(Inner { path, redactor, state, grown, open }) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The last lines, oldest first.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let state = self.state();
        let skip = state.tail.len().saturating_sub(lines);
        state.tail.iter().skip(skip).cloned().collect()
    }

    /// Forgets which lines were seen: what a command before the start printed says nothing about the start.
    pub fn forget(&self) {
        for (_, seen) in &mut self.state().wanted {
            *seen = false;
        }
    }

    /// Whether a line matched the expression of this number.
    pub fn matched(&self, number: usize) -> bool {
        self.state().wanted.get(number).is_some_and(|(_, seen)| *seen)
    }

    /// Changes with every line.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.inner.grown.subscribe()
    }

    /// Lines that are whole and redacted.
    pub fn add(&self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.state().add(line, &self.inner.path);
            self.inner.grown.send_modify(|n| *n += 1);
        }
    }

    /// Reads a stream of a process to its end, on a thread of its own.
    pub fn follow(&self, mut stream: impl Read + Send + 'static) {
        let log = self.clone();
        log.inner.open.send_modify(|n| *n += 1);
        std::thread::spawn(move || {
            let mut lines = Lines::default();
            let mut buffer = vec![0; 16 << 10];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => {
                        log.add(lines.push(&buffer[..n], &log.inner.redactor));
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            log.add(lines.finish(&log.inner.redactor));
            log.inner.open.send_modify(|n| *n -= 1);
        });
    }

    /// Waits until the last words of what ended are read; somebody who outlives it may hold its streams.
    pub async fn drained(&self) {
        let mut open = self.inner.open.subscribe();
        let all = open.wait_for(|open| *open == 0);
        // What is not read by then is in the file later.
        let _ = crate::clock::timeout(LAST_WORDS, all).await;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, line: String, path: &Path) {
        for (expression, seen) in &mut self.wanted {
            *seen = *seen || expression.is_match(&line);
        }
        if self.written > FILE {
            // A log that cannot be put aside is cut: the run goes on.
            let _ = fs::rename(path, path.with_extension("old.log"));
            (self.file, self.written) = (File::create(path).ok(), 0);
        }
        if let Some(file) = &mut self.file {
            self.written += line.len() as u64 + 1;
            if writeln!(file, "{line}").is_err() {
                self.file = None;
            }
        }
        if self.tail.len() == KEPT {
            self.tail.pop_front();
        }
        let cut = line.char_indices().nth(WIDEST).map_or(line.len(), |(at, _)| at);
        self.tail.push_back(line[..cut].to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_bounded_redacted_and_searched() {
        let folder = tempfile::tempdir().unwrap();
        let redactor = Redactor::new();
        redactor.register("ADMIN_TOKEN", "planted-secret-1");
        let wanted = vec![Regex::new("^ready on \\d+$").unwrap(), Regex::new("never").unwrap()];
        let log = PartLog::create(folder.path(), "server", wanted, &redactor).unwrap();
        let mut grown = log.grown();
        let line = "x".repeat(1_000);
        let mut text = "token planted-secret-1\nready on 8080\n".to_owned();
        (0..20_000).for_each(|n| text.push_str(&format!("{n} {line}\n")));
        text.push_str("the end");
        log.follow(io::Cursor::new(text.into_bytes()));
        while log.tail(1) != ["the end"] {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(grown.changed()).unwrap();
        }
        assert!(log.matched(0) && !log.matched(1));
        assert_eq!(log.tail(1_000).len(), KEPT);
        let mut size = 0;
        for file in fs::read_dir(folder.path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!text.contains("planted"));
            size += text.len() as u64;
        }
        assert!(size < 2 * FILE + 10_000, "{size}");
    }
}
