//! Requests that change something are never dropped half-way.
//!
//! They run in a tracked task that outlives its step: cancelling the step drops only the handle.

use std::future::Future;

use tokio_util::task::TaskTracker;

/// The mutations of one scenario.
#[derive(Clone, Debug, Default)]
pub struct Mutations {
    tracker: TaskTracker,
}

impl Mutations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a bounded future to its end, whatever happens to the caller.
    ///
    /// # Errors
    /// It panicked: a failure of the harness.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Panicked> {
        self.tracker.spawn(work).await.map_err(Panicked::of)
    }

    /// Waits until every mutation has its answer. Each is bounded, so this is.
    pub async fn settled(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }
}

/// A task of this tool that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Panicked(String);

impl Panicked {
    /// Why a task could not be joined.
    pub fn of(error: tokio::task::JoinError) -> Self {
        Panicked(match error.try_into_panic() {
            Ok(panic) => panic_text(&*panic),
            Err(error) => error.to_string(),
        })
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    format!("a task of the harness panicked: {text}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_dropped_caller_does_not_drop_the_mutation() {
        let mutations = Mutations::new();
        let done = Arc::new(AtomicBool::new(false));
        let (go, gate) = tokio::sync::oneshot::channel::<()>();
        let flag = Arc::clone(&done);
        let call = mutations.run(async move {
            let _ = gate.await;
            flag.store(true, Ordering::SeqCst);
        });
        {
            let mut call = Box::pin(call);
            assert!(futures_util::poll!(&mut call).is_pending());
        }
        assert!(!done.load(Ordering::SeqCst));
        go.send(()).unwrap();
        mutations.settled().await;
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_harness() {
        let error = Mutations::new().run(async { panic!("boom") }).await;
        assert_eq!(error.unwrap_err().to_string(), "a task of the harness panicked: boom");
    }
}
