//! One question of evidence: how long it may take, and why there is no answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Instant;
use crate::http::{Request, Transport};
use crate::platform::ask::{Asker, Outcome};
use crate::platform::{policy, record};
use crate::runner::context::{ScenarioContext, StepRun};

/// One gatherer may not take longer; all run at once.
pub(super) const EACH: Duration = policy::EVIDENCE.within;
/// Of the time that a gatherer has, so much is kept for saying what was found.
pub(super) const KEPT: Duration = Duration::from_millis(500);

/// Why a piece of evidence is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum EvidenceError {
    /// The server refused.
    #[error("{status}: {said}")]
    Answer {
        /// By this status.
        status: u16,
        /// In its words.
        said: String,
    },
    /// No whole answer came.
    #[error("{text}")]
    Transport {
        /// Of this kind.
        kind: Transport,
        /// The chain of causes.
        text: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl EvidenceError {
    pub(super) fn other(why: impl std::fmt::Display) -> Self {
        EvidenceError::Other(why.to_string())
    }

    /// The server says that there is no such workspace.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, EvidenceError::Answer { status: 404 | 410, .. })
    }
}

/// Lines for people, and data for mechanisms.
pub(super) struct Found {
    pub lines: Vec<String>,
    pub data: Value,
}

/// Evidence is gathered when the body's waits may be cancelled already, so it sends by itself.
pub(super) async fn get(
    context: &ScenarioContext,
    purpose: &str,
    request: Request,
) -> Result<Value, EvidenceError> {
    let step = StepRun::new("evidence", Instant::now() + EACH - KEPT);
    let asker = Asker::new(&context.run.api, Arc::new(context.unkept(&step)), step.deadline);
    match asker.ask(purpose, request, &policy::EVIDENCE).await {
        Outcome::Answer(answer) if answer.is_success() => {
            answer.json.ok_or_else(|| EvidenceError::other("an answer that is no JSON"))
        }
        Outcome::Answer(answer) | Outcome::Elsewhere(answer, _) | Outcome::Limited(answer) => {
            Err(EvidenceError::Answer {
                status: answer.status,
                said: record::error(answer.json.as_ref()).unwrap_or_else(|| answer.excerpt()),
            })
        }
        Outcome::Silent(error) => Err(EvidenceError::Transport { kind: error.kind, text: error.text }),
        Outcome::Cancelled => Err(EvidenceError::other("the run was cancelled")),
    }
}
