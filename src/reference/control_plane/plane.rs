//! What the parts of a control plane share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::options::Options;
use super::state::State;
use crate::reference::clock::Clock;
use crate::reference::outbound::Outbound;

/// A control plane at work.
pub(super) struct Plane {
    pub(super) options: Options,
    pub(super) base_url: String,
    pub(super) clock: Clock,
    pub(super) outbound: Outbound,
    pub(super) agents: Outbound,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) state: Mutex<State>,
}

impl Plane {
    /// The state. Never held across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work that outlives its request; it ends when the control plane stops.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let _ = stopping.run_until_cancelled_owned(work).await;
        });
    }
}
