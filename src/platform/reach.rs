//! Whether a server can still be reached: shared by all that asks it, so that one that is gone is waited for once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Instant;

/// Since when a server has given no answer of its own, for reads and for changes apart: one that answers reads may
/// refuse every delete.
#[derive(Debug)]
pub struct Reach {
    limit: Duration,
    reads: Mutex<Option<Instant>>,
    changes: Mutex<Option<Instant>>,
}

impl Reach {
    /// A server that is given up after so long.
    pub fn new(limit: Duration) -> Self {
        Reach { limit, reads: Mutex::default(), changes: Mutex::default() }
    }

    /// It was asked, and answered or not.
    pub fn asked(&self, method: &str, began: Instant, answered: bool) {
        let mut since = self.since(method);
        if answered {
            *since = None;
        } else {
            since.get_or_insert(began);
        }
    }

    /// For how long it may still be silent; nothing when it was given up.
    pub fn left(&self, method: &str) -> Duration {
        self.limit.saturating_sub(self.silent_for(method))
    }

    /// For how long it has been silent: one that answers no read is asked for no change either.
    pub fn silent_for(&self, method: &str) -> Duration {
        let silent = |method: &str| self.since(method).map(|since| since.elapsed()).unwrap_or_default();
        silent("GET").max(silent(method))
    }

    fn since(&self, method: &str) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let which = if method == "GET" { &self.reads } else { &self.changes };
        which.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_answers_no_read_is_given_up_for_changes_too() {
        let reach = Reach::new(Duration::from_secs(30));
        let start = Instant::now();
        reach.asked("GET", start, false);
        crate::clock::sleep(Duration::from_secs(20)).await;
        reach.asked("DELETE", Instant::now(), false);
        assert_eq!(reach.left("DELETE"), Duration::from_secs(10));
        // Reads are answered again: only changes are not.
        reach.asked("GET", Instant::now(), true);
        crate::clock::sleep(Duration::from_secs(30)).await;
        assert_eq!(reach.left("GET"), Duration::from_secs(30));
        assert!(reach.left("DELETE").is_zero());
        reach.asked("DELETE", Instant::now(), true);
        assert_eq!(reach.left("DELETE"), Duration::from_secs(30));
    }
}
