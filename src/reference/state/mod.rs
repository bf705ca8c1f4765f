//! Everything the platform knows, behind one lock; transitions are methods and emit their events.

pub(super) mod activity;
pub(super) mod budget;
pub(super) mod events;
pub(super) mod kept;
pub(super) mod machine;
pub(super) mod queue;
pub(super) mod tokens;
pub(super) mod tree;
pub(super) mod workspace;

use std::collections::{BTreeMap, VecDeque};

use uuid::Uuid;

use crate::clock::Instant;
use crate::domain::Status;
use activity::Activities;
use events::Events;
use queue::Queue;
use tokens::{OrgToken, Tokens};
use workspace::{SecretRow, Workspace};

/// How many removed rows are kept readable; older ones are forgotten so that memory stays bounded.
const REMOVED_KEPT: usize = 5_000;

/// The whole state of one platform.
#[derive(Default)]
pub(super) struct State {
    workspaces: BTreeMap<Uuid, Workspace>,
    /// Rows that are not removed, in creation order.
    live: BTreeMap<u64, Uuid>,
    removed: VecDeque<Uuid>,
    next: u64,
    pub tokens: Tokens,
    pub org_tokens: Vec<OrgToken>,
    pub global_secrets: BTreeMap<String, SecretRow>,
    pub events: Events,
    pub activity: BTreeMap<Uuid, Activities>,
    pub queue: Queue,
    pub kept: BTreeMap<Uuid, kept::Kept>,
    pub approvals: Vec<Approval>,
    pub ticks: BTreeMap<&'static str, (String, Instant)>,
}

/// A gated action that waits for somebody.
#[derive(Clone, Debug)]
pub(super) struct Approval {
    pub id: Uuid,
    pub action: &'static str,
    /// What somebody said; `None`: nobody yet.
    pub approved: Option<bool>,
}

impl State {
    /// The row, removed ones included.
    pub(super) fn get(&self, id: Uuid) -> Option<&Workspace> {
        self.workspaces.get(&id)
    }

    /// The row, removed ones included.
    pub(super) fn get_mut(&mut self, id: Uuid) -> Option<&mut Workspace> {
        self.workspaces.get_mut(&id)
    }

    /// The row unless it is removed.
    pub(super) fn present(&self, id: Uuid) -> Option<&Workspace> {
        self.get(id).filter(|w| w.status != Status::Removed)
    }

    /// Rows that are not removed, in creation order.
    pub(super) fn live(&self) -> impl Iterator<Item = &Workspace> {
        self.live.values().filter_map(|id| self.workspaces.get(id))
    }

    /// Puts a new row at the end of the list.
    pub(super) fn insert(&mut self, mut workspace: Workspace) {
        self.next += 1;
        workspace.order = self.next;
        self.live.insert(workspace.order, workspace.id);
        self.workspaces.insert(workspace.id, workspace);
    }

    /// Writes a status; the only place that does, so that the list of live rows stays right.
    pub(super) fn set_status(&mut self, id: Uuid, status: Status) {
        let Some(workspace) = self.workspaces.get_mut(&id) else { return };
        workspace.updated = Instant::now();
        let was = std::mem::replace(&mut workspace.status, status);
        let order = workspace.order;
        match (was == Status::Removed, workspace.status == Status::Removed) {
            (false, true) => {
                self.live.remove(&order);
                self.removed.push_back(id);
                while self.removed.len() > REMOVED_KEPT {
                    if let Some(old) = self.removed.pop_front()
                        && self.workspaces.get(&old).is_some_and(|w| w.status == Status::Removed)
                    {
                        self.forget(old);
                    }
                }
            }
            (true, false) => {
                self.live.insert(order, id);
            }
            _ => {}
        }
    }

    /// Forgets a row and everything that hangs on it.
    pub(super) fn forget(&mut self, id: Uuid) {
        if let Some(workspace) = self.workspaces.remove(&id) {
            self.live.remove(&workspace.order);
        }
        self.activity.remove(&id);
        self.tokens.forget(id);
        self.queue.forget(id);
        self.kept.remove(&id);
    }
}

#[cfg(test)]
mod tests;
