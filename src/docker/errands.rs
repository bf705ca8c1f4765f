//! What is made for a moment, and removed while nobody waits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;

/// Removals on their way, and what could not be removed.
#[derive(Default)]
pub(super) struct Errands {
    pub(super) tasks: TaskTracker,
    left: Mutex<Vec<String>>,
}

impl Errands {
    pub(super) fn left(&self) -> MutexGuard<'_, Vec<String>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
