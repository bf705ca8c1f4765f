//! Reading a log: line by line, in bounded memory; a torn last line is survived and said.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::log::LogError;
use super::payload::{Event, EventKind, SCHEMA};
use super::seen::Exchange;
use crate::domain::{Elsewhere, Transport};

/// A line may not be longer than this; the writer cuts bodies far below it.
const MAX_LINE: usize = 64 << 20;

/// What a reader met besides events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Events that were understood.
    pub events: u64,
    /// Kinds of a newer version, with their numbers.
    pub unknown: BTreeMap<String, u64>,
    /// The last line was torn: the writer was killed while writing it.
    pub torn: bool,
    /// The log has its last event.
    pub complete: bool,
    /// Lines in the middle that are no events, and the first of them.
    pub bad: Option<BadLines>,
}

/// Lines that are no events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLines {
    /// How many.
    pub count: u64,
    /// The number of the first, from 1.
    pub first: u64,
    /// What the parser says of it.
    pub error: String,
}

impl ReadSummary {
    /// What a person should know about this log, one line each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.complete {
            remarks.push("the log has no end: the run was killed or is still running".to_owned());
        }
        if self.torn {
            remarks.push("the last line of the log is torn and was left out".to_owned());
        }
        if let Some(BadLines { count, first, error }) = &self.bad {
            remarks.push(format!(
                "{count} lines of the log are no events and were left out, the first is {first}: {error}"
            ));
        }
        for (kind, n) in &self.unknown {
            remarks.push(format!(
                "{n} events of unknown kind `{kind}` were left out (a newer version wrote them)"
            ));
        }
        remarks
    }
}

/// Reads events one by one.
pub(crate) struct LogReader {
    path: PathBuf,
    lines: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    bodies: bool,
    /// What was met so far.
    pub summary: ReadSummary,
}

/// An exchange without what makes it long; nothing is allocated for what is left out.
#[derive(Deserialize)]
struct BareEvent {
    seq: u64,
    at: String,
    ms: u64,
    event: BareKind,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum BareKind {
    Exchange(BareExchange),
}

#[derive(Deserialize)]
struct BareExchange {
    scenario: Option<String>,
    step: String,
    attempt: u32,
    purpose: String,
    method: String,
    url: String,
    identity: String,
    status: Option<u16>,
    error: Option<String>,
    error_kind: Option<Transport>,
    elsewhere: Option<Elsewhere>,
    started_ms: u64,
    took_ms: u64,
}

impl From<BareEvent> for Event {
    fn from(bare: BareEvent) -> Self {
        let BareKind::Exchange(e) = bare.event;
        let exchange = Exchange {
            scenario: e.scenario,
            step: e.step,
            attempt: e.attempt,
            purpose: e.purpose,
            method: e.method,
            url: e.url,
            identity: e.identity,
            status: e.status,
            error: e.error,
            error_kind: e.error_kind,
            elsewhere: e.elsewhere,
            started_ms: e.started_ms,
            took_ms: e.took_ms,
            ..Exchange::default()
        };
        Event { seq: bare.seq, at: bare.at, ms: bare.ms, event: EventKind::Exchange(Box::new(exchange)) }
    }
}

/// The outer shape, to tell an unknown kind from a broken line.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
}

impl LogReader {
    /// Opens `events.jsonl` of a run's folder, or the file itself.
    ///
    /// # Errors
    /// The path cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        let path = if path.is_dir() { path.join("events.jsonl") } else { path.to_owned() };
        let file = File::open(&path).map_err(|e| LogError::io("open", &path, e))?;
        Ok(LogReader {
            path,
            lines: BufReader::with_capacity(1 << 16, file),
            line: Vec::new(),
            number: 0,
            bodies: true,
            summary: ReadSummary::default(),
        })
    }

    /// Leaves out bodies and headers of exchanges: most of a log, and reports show none.
    #[must_use]
    pub(crate) fn without_bodies(mut self) -> Self {
        self.bodies = false;
        self
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// The first line is no event: this is no log.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, LogError> {
        loop {
            self.line.clear();
            let read = std::io::Read::take(&mut self.lines, MAX_LINE as u64)
                .read_until(b'\n', &mut self.line)
                .map_err(|e| LogError::io("read", &self.path, e))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.last() != Some(&b'\n') {
                self.summary.torn = true;
                return Ok(None);
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let bare = if self.bodies { None } else { bare_exchange(&self.line) };
            match bare.map_or_else(|| serde_json::from_slice::<Event>(&self.line), Ok) {
                Ok(event) => {
                    if let EventKind::RunStarted(started) = &event.event
                        && started.schema > SCHEMA
                    {
                        return Err(LogError::Newer { path: self.path.clone(), schema: started.schema });
                    }
                    self.summary.events += 1;
                    self.summary.complete = matches!(event.event, EventKind::RunFinished(_));
                    return Ok(Some(event));
                }
                Err(error) => match unknown_kind(&self.line) {
                    Some(kind) => *self.summary.unknown.entry(kind).or_default() += 1,
                    // One damaged line must not hide what the others say, above all what is still owned.
                    None if self.summary.events > 0 => {
                        let (first, error) = (self.number, error.to_string());
                        self.summary.bad.get_or_insert(BadLines { count: 0, first, error }).count += 1;
                    }
                    None => {
                        return Err(LogError::BadLine {
                            path: self.path.clone(),
                            line: self.number,
                            error: error.to_string(),
                        });
                    }
                },
            }
        }
    }
}

/// The line as an exchange without bodies, if it is an exchange.
fn bare_exchange(line: &[u8]) -> Option<Event> {
    const MARK: &[u8] = b"\"event\":{\"exchange\":";
    // Before the event there are only a number or two and the time.
    let head = &line[..line.len().min(200)];
    head.windows(MARK.len()).position(|window| window == MARK)?;
    serde_json::from_slice::<BareEvent>(line).ok().map(Event::from)
}

/// The kind of a line that is an event of a newer version, if it is one.
fn unknown_kind(line: &[u8]) -> Option<String> {
    let outer: Outer<'_> = serde_json::from_slice(line).ok()?;
    let text = outer.event.get().trim();
    let kind = match text.strip_prefix('{') {
        Some(rest) => rest.trim_start().strip_prefix('"')?.split('"').next()?,
        None => text.trim_matches('"'),
    };
    (!EventKind::NAMES.contains(&kind)).then(|| kind.to_owned())
}

/// Reads a whole log with a function for each event.
///
/// # Errors
/// As `LogReader::open` and `LogReader::next`.
pub fn read_events(path: &Path, mut each: impl FnMut(Event)) -> Result<ReadSummary, LogError> {
    let mut reader = LogReader::open(path)?;
    while let Some(event) = reader.next()? {
        each(event);
    }
    Ok(reader.summary)
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Log};
    use super::*;
    use crate::redact::Redactor;

    #[test]
    fn without_bodies_all_else_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), Redactor::new()).unwrap();
        let exchange = Exchange {
            scenario: Some("a".into()),
            step: "1".into(),
            attempt: 2,
            purpose: "create".into(),
            method: "POST".into(),
            url: "http://h/workspaces".into(),
            identity: "admin".into(),
            status: Some(201),
            error: Some("torn".into()),
            error_kind: Some(Transport::CutOff),
            elsewhere: Some(Elsewhere::Html),
            started_ms: 3,
            took_ms: 4,
            ..Exchange::default()
        };
        let body = Body { json: Some(serde_json::json!({ "a": [1, { "b": "c" }] })), text: None, bytes: 17 };
        log.emit(EventKind::Exchange(Box::new(Exchange {
            request: Some(body.clone()),
            response: Some(body),
            headers: [("x".to_owned(), "y".to_owned())].into(),
            ..exchange.clone()
        })));
        log.emit(EventKind::DumpRequested);
        let mut reader = LogReader::open(folder.path()).unwrap().without_bodies();
        let event = reader.next().unwrap().unwrap();
        assert_eq!(event.event, EventKind::Exchange(Box::new(exchange)));
        assert_eq!(event.seq, 0);
        assert_eq!(reader.next().unwrap().unwrap().event, EventKind::DumpRequested);
        assert_eq!(reader.summary.events, 2);
    }
}
