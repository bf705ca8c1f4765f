//! A step: its beginning, its wait, its end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::Transport;

/// A step begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepStarted {
    /// Which scenario.
    pub scenario: String,
    /// Which step.
    pub step: String,
    /// For people.
    pub name: String,
    /// The same with the values that it looks up; empty: it looks nothing up.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shown: String,
    /// The keyword.
    pub verb: String,
    /// Line in the file.
    pub line: usize,
    /// How long it may take.
    pub budget_ms: u64,
    /// Who said so: an input, a time in the file, the scenario's budget; empty: the verb's default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub limit: String,
    /// From 1; more under `retry`.
    pub attempt: u32,
}

/// What a wait last saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepWaiting {
    /// Which scenario.
    pub scenario: String,
    /// Which step.
    pub step: String,
    /// What is waited for.
    pub wants: String,
    /// What was seen last.
    pub last: String,
    /// Waited so far.
    pub waited_ms: u64,
    /// It takes longer than usual.
    pub slow: bool,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// As it should.
    #[default]
    Passed,
    /// The platform did something else.
    Failed,
    /// There was no evidence either way: not a pass.
    Inconclusive,
    /// `when` did not hold, or an earlier step failed.
    Skipped,
    /// The environment or the harness itself.
    Error,
    /// The run was cancelled.
    Cancelled,
}

/// A step ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepFinished {
    /// Which scenario.
    pub scenario: String,
    /// Which step.
    pub step: String,
    /// How.
    pub outcome: StepOutcome,
    /// One line: what was wanted and what was seen.
    pub message: String,
    /// More lines, for the failure block.
    pub details: Vec<String>,
    /// How long it took.
    pub took_ms: u64,
    /// Of a wait: what it cost and saw.
    pub wait: Option<WaitStats>,
    /// A milestone that was reached.
    pub milestone: Option<String>,
    /// Advisory: it failed and does not count.
    pub advisory: bool,
}

/// What a wait cost and saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaitStats {
    /// Looks at the platform that this wait shared in.
    pub polls: u64,
    /// How many of them failed in transport or with a 5xx or 429.
    pub errors: u64,
    /// The last such error.
    pub last_error: Option<String>,
    /// Its kind, when no whole answer came (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_kind: Option<Transport>,
    /// The longest run of looks that failed, one after another (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Away>,
    /// How it ended without its object (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<WaitEnd>,
    /// What proved the new instance (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofKind>,
    /// The longest time between two looks that succeeded.
    pub longest_gap_ms: u64,
    /// Woken early by the event stream.
    pub woken: u64,
    /// Nothing was seen, or nothing at the end: it says nothing about the platform.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blind: bool,
}

/// For how long a wait could not look; times are milliseconds since its begin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Away {
    /// When the first of these looks failed.
    pub from_ms: u64,
    /// When the last of them failed.
    pub to_ms: u64,
    /// How many there were.
    pub looks: u64,
    /// The first error.
    pub first: String,
    /// The last error.
    pub last: String,
}

/// How a wait ended without its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitEnd {
    /// The deadline passed.
    TimedOut,
    /// It could not come any more.
    Hopeless,
    /// The run was cancelled.
    Cancelled,
    /// The target has been dead for a minute.
    TargetDead,
}

/// What tells a new instance from the old one, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// Another container or start time.
    Instance,
    /// Another URL.
    Url,
    /// PROVISIONING, then ONLINE with a URL, on the stream.
    Stream,
    /// A smaller uptime.
    Uptime,
}
