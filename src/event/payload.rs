//! What the events are. All times are milliseconds; `ms` is monotonic since the run's start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evidence::Evidence;
use super::owned::{Disturbed, Intent, Left, Owned, Released};
use super::planned::Planned;
use super::run::{CancelReason, Drifted, Fixed, Part, RunFinished, RunStarted, TargetIdentity};
use super::seen::{EnvObservation, Exchange, Observation};
use super::step::{StepFinished, StepStarted, StepWaiting};
use super::symptoms::Symptoms;
use super::verdict::{Diagnosis, ScenarioFinished};

/// Version of the log's format; files of one version rebuild their reports byte for byte.
pub(crate) const SCHEMA: u32 = 2;

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// From 0, without gaps.
    pub seq: u64,
    /// Wall clock, RFC 3339 with milliseconds.
    pub at: String,
    /// Monotonic, since the run's start.
    pub ms: u64,
    /// What happened.
    pub event: EventKind,
}

/// What happened. The name of the variant is the kind on disk; readers count kinds they do not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run's identity; always the first event.
    RunStarted(Box<RunStarted>),
    /// The target as it was found, when the run's identity had to be written before it was there.
    TargetFound(Box<TargetIdentity>),
    /// Something that a profile brings up or down changed.
    Part(Box<Part>),
    /// What will run and what is skipped; once.
    Planned(Planned),
    /// A scenario's body begins.
    ScenarioStarted {
        /// Instance name, for example `runtimes[runtime=codex]`.
        scenario: String,
    },
    /// A step begins.
    StepStarted(StepStarted),
    /// What a step's wait last saw changed, or the wait takes longer than usual.
    StepWaiting(StepWaiting),
    /// A request and what came of it.
    Exchange(Box<Exchange>),
    /// A workspace's state changed as far as we can see; never one a poll.
    Observed(Observation),
    /// The environment of an instance.
    EnvObserved(EnvObservation),
    /// A resource is about to be asked for; written before the request leaves.
    Intent(Intent),
    /// The resource is there and has an id.
    Owned(Owned),
    /// Something is about to be asked for that may bring an instance of the resource; written before the request
    /// leaves (since version 2 of the log).
    Disturbed(Disturbed),
    /// A resource is verified to be gone.
    Released(Released),
    /// A resource could not be removed.
    Left(Left),
    /// A value that a step named for later steps (redacted).
    Captured {
        /// Which scenario.
        scenario: String,
        /// Which step.
        step: String,
        /// The name.
        name: String,
        /// The value.
        value: Value,
    },
    /// A step ended.
    StepFinished(StepFinished),
    /// What was gathered about a failure, before clean-up.
    Evidence(Box<Evidence>),
    /// How a step failed: what the search for the cause begins with.
    Failed(Box<Symptoms>),
    /// Why a scenario failed.
    Diagnosed(Box<Diagnosis>),
    /// A scenario ended.
    ScenarioFinished(Box<ScenarioFinished>),
    /// Clean-up begins.
    CleanupStarted {
        /// How many resources are still owned.
        resources: usize,
    },
    /// Clean-up ended.
    CleanupFinished {
        /// Removed by us as planned.
        removed: usize,
        /// Left by the platform, removed by us: a warning.
        left_by_platform: usize,
        /// Still there.
        leaks: usize,
        /// How long it took.
        took_ms: u64,
    },
    /// Somebody asked what everything is waiting for (SIGUSR1).
    DumpRequested,
    /// The run is being cancelled; reasons only get worse.
    CancelBegan {
        /// Why.
        reason: CancelReason,
    },
    /// Something a person should know that is no verdict.
    Warning {
        /// The scenario it belongs to, if one.
        scenario: Option<String>,
        /// One line.
        text: String,
    },
    /// A red that `--state` remembered is mended.
    Fixed(Fixed),
    /// The server's contract differs from what was expected.
    Drifted(Box<Drifted>),
    /// The last event of a complete log.
    RunFinished(RunFinished),
}

impl EventKind {
    /// The kinds on disk.
    pub const NAMES: [&'static str; 29] = [
        "run_started",
        "target_found",
        "part",
        "planned",
        "scenario_started",
        "step_started",
        "step_waiting",
        "exchange",
        "observed",
        "env_observed",
        "intent",
        "owned",
        "disturbed",
        "released",
        "left",
        "captured",
        "step_finished",
        "evidence",
        "failed",
        "diagnosed",
        "scenario_finished",
        "cleanup_started",
        "cleanup_finished",
        "dump_requested",
        "cancel_began",
        "warning",
        "fixed",
        "drifted",
        "run_finished",
    ];
}
