//! A connection to an engine, and what everybody needs to know of it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bollard::Docker;
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::errands::Errands;

/// A connection to an engine; clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(super) docker: Docker,
    pub(super) endpoint: String,
    pub(super) errands: Arc<Errands>,
    pub(super) told: Arc<OnceLock<Told>>,
    /// It was given up.
    pub(super) gone: CancellationToken,
}

/// What an engine said of itself when it was asked, and everybody needs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) limits: bool,
    /// How far its clock is ahead of ours.
    pub(super) ahead: jiff::SignedDuration,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.endpoint)
    }
}

impl Engine {
    /// Where it is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether memory and CPU limits of containers work; asked for with [`Engine::about`].
    pub fn keeps_limits(&self) -> bool {
        self.told.get().is_none_or(|told| told.limits)
    }

    /// Now, by the engine's clock.
    pub(super) fn now(&self) -> jiff::Timestamp {
        let ahead = self.told.get().map(|told| told.ahead).unwrap_or_default();
        crate::clock::wall().saturating_add(ahead).unwrap_or_else(|_| crate::clock::wall())
    }

    pub(super) fn error(&self, doing: &str, error: &bollard::errors::Error) -> EngineError {
        super::error::of(&self.endpoint, doing, error)
    }
}
