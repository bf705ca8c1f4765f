//! The A2A queue (contract §7.5).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::Instant;
use crate::reference::clock::wall;

/// Finished items that one workspace keeps for questions about them.
const FINISHED_KEPT: usize = 200;
/// Items that wait at most, per workspace.
const WAITING_MAX: usize = 1_000;
/// What is said of an item that made room for its successor.
const SUPERSEDED: &str = "superseded: expired before drain; replaced by a fresh enqueue";
/// After this many attempts an item is failed.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Queued,
    Dispatched,
    Completed,
    Failed,
    Dropped,
}

impl Standing {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Standing::Queued => "queued",
            Standing::Dispatched => "dispatched",
            Standing::Completed => "completed",
            Standing::Failed => "failed",
            Standing::Dropped => "dropped",
        }
    }

    fn waits(self) -> bool {
        matches!(self, Standing::Queued | Standing::Dispatched)
    }
}

/// One item.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub id: Uuid,
    pub caller: Option<Uuid>,
    pub message_id: Option<String>,
    pub body: Bytes,
    pub priority: u32,
    pub standing: Standing,
    pub attempts: u32,
    pub last_error: Option<String>,
    pub enqueued_at: String,
    pub enqueued: Instant,
    pub dispatched_at: Option<String>,
    pub completed_at: Option<String>,
    pub expires_at: Option<String>,
    /// Contract time after which it is not sent any more.
    pub expires_in: Option<Duration>,
    pub response: Option<Value>,
}

impl Item {
    /// A new item of a task.
    pub(crate) fn new(caller: Option<Uuid>, message_id: Option<String>, body: Bytes) -> Item {
        Item {
            id: crate::chance::uuid(),
            caller,
            message_id,
            body,
            priority: 50,
            standing: Standing::Queued,
            attempts: 0,
            last_error: None,
            enqueued_at: wall(),
            enqueued: Instant::now(),
            dispatched_at: None,
            completed_at: None,
            expires_at: None,
            expires_in: None,
            response: None,
        }
    }

    /// Whether its time is over.
    fn expired(&self, age: impl Fn(Instant) -> Duration) -> bool {
        self.expires_in.is_some_and(|limit| age(self.enqueued) > limit)
    }

    /// As the status route shows it.
    pub(crate) fn show(&self, workspace: Uuid) -> Value {
        let mut map = Map::new();
        for (key, value) in [
            ("queue_id", Some(json!(self.id))),
            ("workspace_id", Some(json!(workspace))),
            ("status", Some(json!(self.standing.as_str()))),
            ("priority", Some(json!(self.priority))),
            ("attempts", Some(json!(self.attempts))),
            ("enqueued_at", Some(json!(self.enqueued_at))),
            ("last_error", self.last_error.as_ref().map(|v| json!(v))),
            ("dispatched_at", self.dispatched_at.as_ref().map(|v| json!(v))),
            ("completed_at", self.completed_at.as_ref().map(|v| json!(v))),
            ("expires_at", self.expires_at.as_ref().map(|v| json!(v))),
            ("response_body", self.response.clone().filter(|_| self.standing == Standing::Completed)),
        ] {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        }
        Value::Object(map)
    }
}

/// All queues.
#[derive(Default)]
pub(crate) struct Queue {
    items: BTreeMap<Uuid, VecDeque<Item>>,
}

impl Queue {
    /// Puts an item in, or finds the one with the same message id that still waits.
    /// The id and how many wait; `None` when the queue is full.
    /// One whose time is over makes room for it.
    pub(crate) fn enqueue(
        &mut self,
        workspace: Uuid,
        item: Item,
        age: impl Fn(Instant) -> Duration,
    ) -> Option<(Uuid, usize)> {
        let items = self.items.entry(workspace).or_default();
        let mut same = None;
        for old in items.iter_mut().filter(|i| i.standing.waits() && i.message_id.is_some()) {
            if old.message_id != item.message_id {
                continue;
            }
            if old.standing == Standing::Queued && old.expired(&age) {
                old.standing = Standing::Dropped;
                old.last_error = Some(SUPERSEDED.to_owned());
            } else {
                same = Some(old.id);
            }
        }
        let depth = items.iter().filter(|i| i.standing == Standing::Queued).count();
        if let Some(id) = same {
            return Some((id, depth));
        }
        if depth >= WAITING_MAX {
            return None;
        }
        let id = item.id;
        items.push_back(item);
        let finished = items.iter().filter(|i| !i.standing.waits()).count();
        if finished > FINISHED_KEPT
            && let Some(oldest) = items.iter().position(|i| !i.standing.waits())
        {
            items.remove(oldest);
        }
        Some((id, depth + 1))
    }

    /// The next item to send, marked dispatched. Those whose time is over are passed over and stay as they are.
    pub(crate) fn take(&mut self, workspace: Uuid, age: impl Fn(Instant) -> Duration) -> Option<Item> {
        let items = self.items.get_mut(&workspace)?;
        let next = items
            .iter_mut()
            .filter(|i| i.standing == Standing::Queued && !i.expired(&age))
            .max_by_key(|i| (i.priority, std::cmp::Reverse(i.enqueued)))?;
        next.standing = Standing::Dispatched;
        next.attempts += 1;
        next.dispatched_at = Some(wall());
        Some(next.clone())
    }

    /// Changes an item.
    pub(crate) fn update(&mut self, workspace: Uuid, id: Uuid, change: impl FnOnce(&mut Item)) {
        if let Some(item) =
            self.items.get_mut(&workspace).and_then(|items| items.iter_mut().find(|i| i.id == id))
        {
            change(item);
        }
    }

    /// An item, and whose queue it is in.
    pub(crate) fn find(&self, id: Uuid) -> Option<(Uuid, &Item)> {
        self.items.iter().find_map(|(owner, items)| Some((*owner, items.iter().find(|i| i.id == id)?)))
    }

    /// Drops what has waited longer; how many.
    pub(crate) fn drop_stale(&mut self, workspace: Option<Uuid>, stale: impl Fn(Instant) -> bool) -> usize {
        let mut dropped = 0;
        for (owner, items) in &mut self.items {
            if workspace.is_none_or(|id| id == *owner) {
                for item in items.iter_mut().filter(|i| i.standing == Standing::Queued && stale(i.enqueued)) {
                    item.standing = Standing::Dropped;
                    dropped += 1;
                }
            }
        }
        dropped
    }

    pub(crate) fn forget(&mut self, workspace: Uuid) {
        self.items.remove(&workspace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(message: &str) -> Item {
        Item::new(None, Some(message.to_owned()), Bytes::new())
    }

    fn young(_: Instant) -> Duration {
        Duration::ZERO
    }

    #[test]
    fn a_message_waits_once_and_goes_out_in_order() {
        let (mut queue, id) = (Queue::default(), crate::chance::uuid());
        let (first, _) = queue.enqueue(id, item("a"), young).unwrap();
        assert_eq!(queue.enqueue(id, item("a"), young).map(|(again, _)| again), Some(first));
        queue.enqueue(id, item("b"), young).unwrap();
        assert_eq!(queue.take(id, young).map(|i| i.id), Some(first));
        assert_eq!(queue.take(id, young).and_then(|i| i.message_id).as_deref(), Some("b"));
        assert!(queue.take(id, young).is_none());
        queue.update(id, first, |i| i.standing = Standing::Completed);
        assert_ne!(queue.enqueue(id, item("a"), young).map(|(again, _)| again), Some(first));
    }

    #[test]
    fn what_expired_stays_until_its_successor_and_finished_items_are_bounded() {
        let (mut queue, id) = (Queue::default(), crate::chance::uuid());
        let brief = || Item { expires_in: Some(Duration::from_secs(1)), ..item("old") };
        let (old, _) = queue.enqueue(id, brief(), young).unwrap();
        let late = |_: Instant| Duration::from_secs(2);
        assert!(queue.take(id, late).is_none());
        assert_eq!(queue.find(old).map(|(owner, i)| (owner, i.standing)), Some((id, Standing::Queued)));
        let (new, depth) = queue.enqueue(id, item("old"), late).unwrap();
        assert_eq!((new == old, depth), (false, 1));
        let (_, gone) = queue.find(old).unwrap();
        assert_eq!((gone.standing, gone.last_error.as_deref()), (Standing::Dropped, Some(SUPERSEDED)));
        // What expired is dropped with the rest.
        queue.enqueue(id, Item { message_id: Some("b".to_owned()), ..brief() }, young).unwrap();
        assert_eq!(queue.drop_stale(Some(id), |_| true), 2);
        for n in 0..FINISHED_KEPT * 3 {
            let (next, _) = queue.enqueue(id, item(&n.to_string()), young).unwrap();
            queue.update(id, next, |i| i.standing = Standing::Completed);
        }
        assert!(queue.items[&id].len() <= FINISHED_KEPT + 2);
    }
}
