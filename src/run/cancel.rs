//! Why a run stops early; reasons only get worse.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::event::CancelReason;

/// Shared by everything that waits. The first reason stops steps; worse ones shorten clean-up.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    reason: Mutex<Option<CancelReason>>,
    steps: CancellationToken,
    cleanup: CancellationToken,
}

impl Cancel {
    /// Nothing is cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the reason; says whether it got worse.
    pub fn raise(&self, reason: CancelReason) -> bool {
        let mut held = self.inner.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let worse = held.is_none_or(|old| reason > old);
        if worse {
            *held = Some(reason);
        }
        self.inner.steps.cancel();
        worse
    }

    /// The worst reason so far.
    pub fn reason(&self) -> Option<CancelReason> {
        *self.inner.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops steps and waits.
    pub fn steps(&self) -> &CancellationToken {
        &self.inner.steps
    }

    /// Stops clean-up too.
    pub fn cleanup(&self) -> &CancellationToken {
        &self.inner.cleanup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_only_gets_worse_and_each_stops_the_steps() {
        use CancelReason::{EnoughReds, Interrupted, SecondInterrupt, TargetDead, Terminated};
        for (raised, worse, left) in [
            (vec![EnoughReds, Interrupted], vec![true, true], Interrupted),
            (vec![Interrupted, TargetDead], vec![true, false], Interrupted),
            (vec![Interrupted, Interrupted, SecondInterrupt], vec![true, false, true], SecondInterrupt),
            (vec![Terminated], vec![true], Terminated),
        ] {
            let cancel = Cancel::new();
            assert!(cancel.reason().is_none() && !cancel.steps().is_cancelled());
            let said: Vec<bool> = raised.iter().map(|reason| cancel.raise(*reason)).collect();
            assert_eq!(said, worse, "{raised:?}");
            assert_eq!(cancel.reason(), Some(left), "{raised:?}");
            // Only whoever ends the clean-up stops it too.
            assert!(cancel.steps().is_cancelled() && !cancel.cleanup().is_cancelled(), "{raised:?}");
        }
    }
}
