//! How a target is read, and what was seen.

use crate::clock::Instant;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::domain::Transport;

/// How a target is read.
pub trait Source: Send + Sync + 'static {
    /// Reads one workspace.
    fn one(&self, id: String, deadline: Instant) -> BoxFuture<'static, Look>;
    /// Reads all workspaces.
    fn all(&self, deadline: Instant) -> BoxFuture<'static, ListLook>;
}

/// One look at one workspace.
#[derive(Clone, Debug)]
pub struct Look {
    /// What was seen.
    pub seen: Seen,
    /// What the rate-limit headers said.
    pub pace: Pace,
}

/// One look at all workspaces.
#[derive(Clone, Debug)]
pub struct ListLook {
    /// By id; or why there is no list.
    pub rows: Result<HashMap<String, Arc<Value>>, Seen>,
    /// What the rate-limit headers said.
    pub pace: Pace,
}

/// What was seen of a workspace.
#[derive(Clone, Debug)]
pub enum Seen {
    /// Its record.
    Record(Arc<Value>),
    /// 404 or 410.
    Gone {
        /// The status.
        status: u16,
        /// What the platform says.
        text: String,
    },
    /// 401 or 403: ends a wait.
    Refused {
        /// The status.
        status: u16,
        /// What the platform says.
        text: String,
    },
    /// 5xx, 429, garbage: does not end a wait.
    Unavailable {
        /// The real error.
        text: String,
    },
    /// No answer at all: does not end a wait, but a minute of nothing else does.
    Transport {
        /// Its kind.
        kind: Transport,
        /// The whole chain of causes.
        text: String,
    },
}

/// What the rate-limit headers said of a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Requests that the server allows in a minute.
    pub limit: Option<u32>,
    /// How many are left.
    pub remaining: Option<u32>,
    /// An obeyed Retry-After, already in our time.
    pub retry_after: Option<Duration>,
}

impl Pace {
    /// The least time between reads: none while more than half of the budget is left.
    pub fn interval(self) -> Duration {
        match (self.limit, self.remaining) {
            (Some(limit), Some(remaining)) if limit > 0 && remaining * 2 < limit => {
                // Reads take at most half of what the server allows; the rest is for mutations.
                Duration::from_secs(60) * 2 / limit
            }
            _ => Duration::ZERO,
        }
    }
}

/// What a watcher sees: the newest look.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// `None` before the first look.
    pub look: Option<Arc<Seen>>,
    /// When it began: what it saw is not older than this.
    pub at: Option<Instant>,
    /// The look was made because an event came.
    pub woken: bool,
}

impl View {
    /// Whether there was a look.
    pub fn is_some(&self) -> bool {
        self.look.is_some()
    }

    /// What was seen.
    pub fn seen(&self) -> Option<&Seen> {
        self.look.as_deref()
    }

    /// The record, if one was seen.
    pub fn record(&self) -> Option<&Value> {
        match self.seen() {
            Some(Seen::Record(record)) => Some(record),
            _ => None,
        }
    }

    /// Why no whole answer came, if none did.
    pub fn transport(&self) -> Option<Transport> {
        match self.seen() {
            Some(Seen::Transport { kind, .. }) => Some(*kind),
            _ => None,
        }
    }

    /// Why nothing useful was seen.
    pub fn error(&self) -> Option<String> {
        match self.seen() {
            Some(Seen::Unavailable { text } | Seen::Transport { text, .. }) => Some(text.clone()),
            _ => None,
        }
    }
}
