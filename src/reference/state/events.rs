//! Events: what streams carry and what `/events` keeps (contract §12).

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::reference::clock::{unix_ms, wall};

/// A stream's buffer; what does not fit is dropped.
const BUFFER: usize = 64;
/// How many stored events are kept over all workspaces.
const KEPT: usize = 10_000;
/// How many stored events one answer shows.
const SHOWN: usize = 100;

/// Whether an event is also a row of `structure_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Stored,
    StreamOnly,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub id: Uuid,
    pub kind: &'static str,
    pub workspace: Uuid,
    pub payload: Value,
    pub at_ms: i64,
    pub created_at: String,
}

impl Event {
    /// As a row of `/events`.
    pub(crate) fn row(&self) -> Value {
        json!({
            "id": self.id,
            "event_type": self.kind,
            "workspace_id": self.workspace,
            "payload": self.payload,
            "created_at": self.created_at,
        })
    }

    /// As the SSE stream carries it.
    pub(crate) fn sse(&self) -> Value {
        json!({ "type": self.kind, "timestamp": self.at_ms, "data": self.payload })
    }

    /// As the WebSocket carries it.
    pub(crate) fn frame(&self) -> Value {
        json!({
            "event": self.kind,
            "workspace_id": self.workspace,
            "timestamp": self.created_at,
            "payload": self.payload,
        })
    }
}

/// Which events a stream wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Of one workspace.
    Workspace(Uuid),
    /// All that this workspace may talk to.
    Caller(Uuid),
    /// All.
    All,
}

struct Subscriber {
    wants: Wants,
    sink: mpsc::Sender<Arc<Event>>,
}

/// Subscribers and the stored tail.
#[derive(Default)]
pub(crate) struct Events {
    subscribers: Vec<Subscriber>,
    stored: VecDeque<Arc<Event>>,
}

impl Events {
    /// A new stream; dropping the receiver ends it.
    pub(crate) fn subscribe(&mut self, wants: Wants) -> mpsc::Receiver<Arc<Event>> {
        let (sink, source) = mpsc::channel(BUFFER);
        self.subscribers.push(Subscriber { wants, sink });
        source
    }

    /// Sends an event to those who want it; `related` decides for [`Wants::Caller`].
    pub(crate) fn emit(
        &mut self,
        kind: &'static str,
        workspace: Uuid,
        payload: Value,
        keep: Keep,
        related: impl Fn(Uuid) -> bool,
    ) {
        let event = Arc::new(Event {
            id: crate::chance::uuid(),
            kind,
            workspace,
            payload,
            at_ms: unix_ms(),
            created_at: wall(),
        });
        self.subscribers.retain(|s| !s.sink.is_closed());
        for subscriber in &self.subscribers {
            let wanted = match subscriber.wants {
                Wants::All => true,
                Wants::Workspace(id) => id == workspace,
                Wants::Caller(id) => related(id),
            };
            if wanted {
                // A full buffer drops the event: the contract's overflow rule.
                let _ = subscriber.sink.try_send(Arc::clone(&event));
            }
        }
        if keep == Keep::Stored {
            self.stored.push_back(event);
            if self.stored.len() > KEPT {
                self.stored.pop_front();
            }
        }
    }

    /// Whether any stream is filtered by who may talk to whom.
    pub(crate) fn has_callers(&self) -> bool {
        self.subscribers.iter().any(|s| matches!(s.wants, Wants::Caller(_)))
    }

    /// The newest stored events, newest first.
    pub(crate) fn latest(&self, workspace: Option<Uuid>) -> Vec<Value> {
        self.stored
            .iter()
            .rev()
            .filter(|e| workspace.is_none_or(|id| e.workspace == id))
            .take(SHOWN)
            .map(|e| e.row())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_and_stored_events_come_newest_first() {
        let mut events = Events::default();
        let (a, b) = (crate::chance::uuid(), crate::chance::uuid());
        let mut all = events.subscribe(Wants::All);
        let mut one = events.subscribe(Wants::Workspace(a));
        for n in 0..100 {
            events.emit("X", a, json!({ "n": n }), Keep::Stored, |_| false);
        }
        events.emit("Y", b, json!({}), Keep::StreamOnly, |_| false);
        let count =
            |stream: &mut mpsc::Receiver<Arc<Event>>| std::iter::from_fn(|| stream.try_recv().ok()).count();
        assert_eq!((count(&mut all), count(&mut one)), (BUFFER, BUFFER));
        assert_eq!(events.latest(None).len(), SHOWN);
        assert_eq!(events.latest(Some(a))[0]["payload"]["n"], 99);
        assert!(events.latest(Some(b)).is_empty());
        drop(one);
        events.emit("Z", a, json!({}), Keep::StreamOnly, |_| false);
        assert_eq!(events.subscribers.len(), 1);
    }
}
