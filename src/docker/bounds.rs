//! Nobody waits for an engine for ever: every call has a bound, and ends at once when the engine was given up.

use std::time::Duration;

use bollard::errors::Error;

use super::{Engine, EngineError, ErrorKind};
use crate::domain::time;

/// Whether it answers at all.
pub(super) const PING: Duration = Duration::from_secs(10);
/// What only looks, its whole answer included.
pub(super) const LOOK: Duration = Duration::from_secs(15);
/// What changes something: a busy engine takes its time over that.
pub(super) const CHANGE: Duration = Duration::from_secs(30);

impl Engine {
    /// From now on every call fails at once: it has been silent for too long.
    pub fn give_up(&self) {
        self.gone.cancel();
    }

    /// A call of the engine, to the end of its answer.
    pub(super) async fn within<T>(
        &self,
        bound: Duration,
        doing: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        let silent = |why: &str| {
            EngineError::new(ErrorKind::NotRunning, format!("cannot {doing}: {why}"))
                .check(format!("does the engine at {} work? `docker info` tells", self.endpoint))
        };
        tokio::select! {
            biased;
            () = self.gone.cancelled() => Err(silent("the container engine does not answer any more")),
            done = crate::clock::timeout(bound, call) => match done {
                Ok(done) => done.map_err(|e| self.error(doing, &e)),
                Err(_) => Err(silent(&format!("no answer of the engine within {}", time::show(bound)))),
            },
        }
    }

    pub(super) async fn look<T>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        self.within(LOOK, doing, call).await
    }

    pub(super) async fn change<T>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        self.within(CHANGE, doing, call).await
    }
}
