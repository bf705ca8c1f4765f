//! The event log: the one truth of a run. Everything anybody reads is a projection of it.

mod evidence;
mod log;
mod owned;
mod payload;
mod planned;
mod read;
mod run;
mod seen;
mod step;
mod symptoms;
mod verdict;

pub(crate) use evidence::{Evidence, EvidencePart, EvidenceSource};
pub use log::Log;
pub(crate) use log::LogError;
pub(crate) use owned::{Disturbed, Intent, Left, Owned, Released};
pub(crate) use payload::SCHEMA;
pub use payload::{Event, EventKind};
pub(crate) use planned::{ExpectedFailure, Planned, PlannedScenario, PlannedStep};
pub(crate) use read::LogReader;
pub use read::read_events;
pub use run::{CancelReason, RunFinished};
pub(crate) use run::{
    Drifted, Fixed, Part, PartState, ResolvedInput, RunStarted, ScenarioSource, SourceHash, TargetIdentity,
};
pub(crate) use seen::{Body, EnvObservation, EnvVar, Exchange, Observation};
pub(crate) use step::{
    Away, ProofKind, StepFinished, StepOutcome, StepStarted, StepWaiting, WaitEnd, WaitStats,
};
pub(crate) use symptoms::{Ended, InboxProblem, Kind, Red, Subject, Symptoms, Wait};
pub(crate) use verdict::{AlsoSeen, UNCLASSIFIED, cause_of};
pub use verdict::{Class, Diagnosis, ScenarioFinished, Verdict};
