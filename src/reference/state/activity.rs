//! Activity rows of one workspace, bounded (contract §7.2, §7.3).

use std::collections::VecDeque;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::Instant;
use crate::reference::clock::wall;

/// How many rows one workspace keeps.
const MAX_ROWS: usize = 1_000;
/// How many bytes of bodies one workspace keeps, about.
const MAX_BYTES: usize = 2 << 20;

/// A JSON body, kept as text: a parsed one takes several times the room.
#[derive(Clone, Debug)]
pub(crate) struct Body(Box<str>);

impl Body {
    pub(crate) fn new(value: &Value) -> Body {
        Body(value.to_string().into())
    }

    /// Parsed again.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// One row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub id: Uuid,
    pub seq: u64,
    pub kind: String,
    pub source: Option<Uuid>,
    pub target: Option<Uuid>,
    pub method: Option<String>,
    pub summary: Option<String>,
    pub duration_ms: Option<i64>,
    pub status: String,
    pub error_detail: Option<String>,
    pub created_at: String,
    /// When it was written; clocks reckon with it.
    pub at: Option<Instant>,
    pub request_body: Option<Body>,
    pub response_body: Option<Body>,
    pub message_id: Option<String>,
    pub size: usize,
}

impl Row {
    /// A row of this type, now, status `ok`.
    pub(crate) fn new(kind: &str) -> Row {
        Row {
            id: crate::chance::uuid(),
            kind: kind.to_owned(),
            status: "ok".to_owned(),
            created_at: wall(),
            at: Some(Instant::now()),
            ..Row::default()
        }
    }

    /// As the route shows it.
    pub(crate) fn show(&self, workspace: Uuid) -> Value {
        let mut map = Map::new();
        for (key, value) in [
            ("id", json!(self.id)),
            ("workspace_id", json!(workspace)),
            ("activity_type", json!(self.kind)),
            ("source_id", json!(self.source)),
            ("target_id", json!(self.target)),
            ("method", json!(self.method)),
            ("summary", json!(self.summary)),
            ("duration_ms", json!(self.duration_ms)),
            ("status", json!(self.status)),
            ("error_detail", json!(self.error_detail)),
            ("created_at", json!(self.created_at)),
        ] {
            map.insert(key.to_owned(), value);
        }
        for (key, body) in [("request_body", &self.request_body), ("response_body", &self.response_body)] {
            if let Some(body) = body {
                map.insert(key.to_owned(), body.value());
            }
        }
        Value::Object(map)
    }

    /// About how many bytes it takes.
    fn measure(&self) -> usize {
        let body = |body: &Option<Body>| body.as_ref().map_or(0, |b| b.0.len());
        512 + body(&self.request_body) + body(&self.response_body)
    }
}

/// The rows of one workspace, oldest first.
#[derive(Default)]
pub(crate) struct Activities {
    rows: VecDeque<Row>,
    next: u64,
    bytes: usize,
}

/// A microsecond later, in the same form.
fn just_after(at: &str) -> String {
    let next = at
        .parse::<jiff::Timestamp>()
        .ok()
        .and_then(|at| at.checked_add(jiff::SignedDuration::from_micros(1)).ok());
    next.map_or_else(|| at.to_owned(), |at| format!("{at:.6}"))
}

impl Activities {
    /// Appends a row; the oldest ones go when there is no room.
    pub(crate) fn push(&mut self, mut row: Row) {
        self.next += 1;
        // No two rows of a database are of one moment; clocks of tests stand still.
        if let Some(last) = self.rows.back().filter(|last| last.created_at >= row.created_at) {
            row.created_at = just_after(&last.created_at);
        }
        row.seq = self.next;
        row.size = row.measure();
        self.bytes += row.size;
        self.rows.push_back(row);
        self.shrink(MAX_ROWS, MAX_BYTES);
    }

    /// Forgets rows that are too old.
    pub(crate) fn forget(&mut self, old: impl Fn(Instant) -> bool) {
        while self.rows.front().is_some_and(|row| row.at.is_some_and(&old)) {
            if let Some(row) = self.rows.pop_front() {
                self.bytes -= row.size;
            }
        }
    }

    /// When the newest row was written.
    pub(crate) fn newest(&self) -> Option<Instant> {
        self.rows.back().and_then(|row| row.at)
    }

    /// Keeps only a few rows, for a workspace that is gone.
    pub(crate) fn trim(&mut self) {
        self.shrink(50, MAX_BYTES / 8);
        self.rows.shrink_to_fit();
    }

    fn shrink(&mut self, rows: usize, bytes: usize) {
        while self.rows.len() > rows || (self.bytes > bytes && self.rows.len() > 1) {
            if let Some(old) = self.rows.pop_front() {
                self.bytes -= old.size;
            }
        }
    }

    /// The row of this message, newest first.
    pub(crate) fn update(&mut self, message_id: &str, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows.iter_mut().rev().find(|r| r.message_id.as_deref() == Some(message_id)) {
            change(row);
            let size = row.measure();
            self.bytes = self.bytes - row.size + size;
            row.size = size;
            self.shrink(MAX_ROWS, MAX_BYTES);
        }
    }

    /// All rows, oldest first.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.iter()
    }

    /// Where a cursor row stands.
    pub(crate) fn seq_of(&self, id: Uuid) -> Option<u64> {
        self.rows.iter().rev().find(|r| r.id == id).map(|r| r.seq)
    }

    /// Whether a message is already here (unique per workspace and message id).
    pub(crate) fn has_message(&self, message_id: &str) -> bool {
        self.rows.iter().rev().any(|r| r.message_id.as_deref() == Some(message_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_bytes_are_bounded() {
        let mut activities = Activities::default();
        for n in 0..MAX_ROWS * 2 {
            activities.push(Row { message_id: Some(n.to_string()), ..Row::new("a2a_receive") });
        }
        assert_eq!(activities.rows().count(), MAX_ROWS);
        assert!(!activities.has_message("0") && activities.has_message(&(MAX_ROWS * 2 - 1).to_string()));
        for _ in 0..20 {
            activities.push(Row {
                request_body: Some(Body::new(&json!("x".repeat(1 << 20)))),
                ..Row::new("agent_log")
            });
        }
        assert!(activities.bytes <= MAX_BYTES && activities.rows().count() <= 4, "{}", activities.bytes);
        activities.update("none", |_| unreachable!());
    }
}
