//! What a decision comes to, and why one cannot be taken again.

use crate::event::StepOutcome;

/// Why a decision cannot be taken again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// A body was too long for the log.
    #[error("the log holds only the beginning of the answer to `{purpose}` ({bytes} bytes)")]
    Cut {
        /// What the request was for.
        purpose: String,
        /// The whole size.
        bytes: u64,
    },
    /// The text of a JSON body is not kept as it came.
    #[error("the log holds the answer to `{0}` as JSON, not its text")]
    Text(String),
    /// Only some headers are kept.
    #[error("the log does not hold the header {0}")]
    Header(String),
    /// What a lookup finds.
    #[error("the log does not hold the value of `${{{0}}}`")]
    Value(String),
    /// What decides was secret.
    #[error("what decides is redacted in the log")]
    Redacted,
    /// A step draws a random value.
    #[error("it compares with a random value")]
    Random,
    /// Events of the platform's stream.
    #[error("events of the platform's stream are not in the log")]
    Stream,
    /// Values of environments.
    #[error("values of an environment are never written down")]
    Environment,
    /// What the engine shows.
    #[error("what the container engine showed is not in the log")]
    Engine,
    /// Looks of a wait.
    #[error("the log holds of a wait only the changes that it saw, and they do not decide")]
    Looks,
    /// Nothing was sent.
    #[error("no request for `{0}` is in the log, and the step did not end by an answer")]
    Unsent(String),
    /// The workspace is not in the log.
    #[error("the log does not say which workspace `{0}` is")]
    Unmade(String),
    /// What agents can answer.
    #[error("the log is of a version that did not keep what its agents can answer")]
    Answers,
}

/// What a decision comes to today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Now {
    /// The assertion holds.
    Holds,
    /// It does not.
    Fails(String),
    /// Today's step asks what was never recorded.
    Diverged(String),
    /// The log does not hold what is needed.
    Unjudged(Lack),
}

/// An assertion of a step, as it was decided and as it is decided now.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Instance name.
    pub scenario: String,
    /// Which step.
    pub step: String,
    /// From 1; more under `retry`.
    pub attempt: u32,
    /// Its verb.
    pub verb: String,
    /// How it ended then.
    pub then: StepOutcome,
    /// What it said then.
    pub said: String,
    /// How it ends now.
    pub now: Now,
}

impl Decision {
    /// Another end than then.
    pub fn changed(&self) -> bool {
        match self.now {
            Now::Holds => self.then != StepOutcome::Passed,
            Now::Fails(_) => self.then == StepOutcome::Passed,
            Now::Diverged(_) | Now::Unjudged(_) => false,
        }
    }
}
