//! What a run says of itself, of its target, and of its end.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::verdict::Verdict;
use crate::behaviour::Drift;
use crate::domain::answers::Answers;
use crate::domain::{ExitCode, InputSource};

/// A behaviour of the server that is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drifted {
    /// Which, and what was expected.
    pub drift: Drift,
    /// The scenario whose step saw it; `None`: a probe.
    pub scenario: Option<String>,
    /// The step.
    pub step: Option<String>,
    /// What was seen, in one line.
    pub text: String,
    /// It turns no run red.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub advisory: bool,
    /// Since when earlier runs saw it, or who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// No earlier run saw it, or it was gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
}

/// Why a run is being cancelled, from mild to severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// As many reds as somebody wanted to see.
    EnoughReds,
    /// The run took longer than somebody allowed.
    Overtime,
    /// The target was given up: nothing but transport errors for a minute, an engine that does not answer, a part of a
    /// profile that ended.
    TargetDead,
    /// The log or a report cannot be written.
    CannotWrite,
    /// TERM.
    Terminated,
    /// INT.
    Interrupted,
    /// A second INT.
    SecondInterrupt,
}

/// Who ran what against what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStarted {
    /// `SCHEMA`.
    pub schema: u32,
    /// Version of this tool.
    pub tool_version: String,
    /// Unique; the folder's name.
    pub run: String,
    /// The command line's selection, as typed.
    pub selection: Vec<String>,
    /// CI facts when there are any: `system`, `run`, `job`, `commit`, `url`.
    pub ci: BTreeMap<String, String>,
    /// The machine's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The target as it was found; `None` when it could not be reached.
    pub target: Option<TargetIdentity>,
    /// Why the target could not be reached.
    pub target_error: Option<String>,
    /// Path or `<built-in>` and sha256 of the catalogue.
    pub catalogue: SourceHash,
    /// The profile, if one was used.
    pub profile: Option<SourceHash>,
    /// Every scenario file that takes part, whole.
    pub scenarios: Vec<ScenarioSource>,
    /// Fragments that they may use, whole; `scenario` is the fragment's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fragments: Vec<ScenarioSource>,
    /// Every resolved input with where it came from.
    pub inputs: Vec<ResolvedInput>,
    /// What the run was asked for: `jobs`, `target`, `seed`, … (`session::RunSettings`).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, Value>,
    /// The same, as words: only logs of version 0.1 before `settings` hold it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, String>,
}

impl RunStarted {
    /// What the run was asked for, as words that a person would type.
    pub fn asked(&self) -> BTreeMap<String, String> {
        let word = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let words = items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned));
                words.collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        let own = self.settings.iter().map(|(name, value)| (name.clone(), word(value)));
        self.flags.iter().map(|(name, value)| (name.clone(), value.clone())).chain(own).collect()
    }
}

/// A file and its hash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceHash {
    /// Path, or `<built-in>/…`.
    pub name: String,
    /// Lower-case hex.
    pub sha256: String,
}

/// A scenario file, whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioSource {
    /// The scenario's name.
    pub scenario: String,
    /// The file.
    pub file: SourceHash,
    /// Its text.
    pub text: String,
}

/// The target as it was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetIdentity {
    /// `embedded`, `live`, `docker`, `saas`.
    pub kind: String,
    /// Where it answers.
    pub base_url: String,
    /// `GET /buildinfo`.
    pub buildinfo: Option<Value>,
    /// `GET /org/identity`.
    pub org: Option<Value>,
    /// How many times faster than ours its clock runs.
    pub time_scale: f64,
    /// What it offers.
    pub capabilities: Vec<String>,
    /// What it does not offer, and why: `env: no container engine and no inspection route`.
    pub lacks: BTreeMap<String, String>,
    /// Its edition, how well it fits, and what differs: `mid-august, 11 of 12; differs: billing-route (on)`.
    #[serde(default)]
    pub contract: String,
    /// What its agents can answer; earlier versions did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// TLS certificates are not verified.
    pub insecure: bool,
}

/// A service or the server of a profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The service's name, or `server`.
    pub part: String,
    /// What became of it.
    pub state: PartState,
    /// One line: where it answers, how it ended.
    pub text: String,
    /// The end of its log, when it went wrong.
    pub lines: Vec<String>,
    /// How long that took.
    pub took_ms: u64,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It was there already.
    Given,
    /// It can be used.
    #[default]
    Ready,
    /// It could not be started, or was not ready in time.
    Failed,
    /// It ended while it was needed.
    Died,
    /// It was stopped.
    Stopped,
}

impl PartState {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            PartState::Given => "given",
            PartState::Ready => "ready",
            PartState::Failed => "failed",
            PartState::Died => "died",
            PartState::Stopped => "stopped",
        }
    }
}

/// An input's value and where it came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedInput {
    /// The scenario instance.
    pub scenario: String,
    /// The input.
    pub name: String,
    /// Its value; a placeholder for a secret.
    pub value: String,
    /// Who said it.
    pub source: InputSource,
}

/// A red that is gone: its scenario passed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fixed {
    /// Stable identity of the red.
    pub fingerprint: String,
    /// Which scenario.
    pub scenario: String,
    /// Since when, and in how many runs it was seen.
    pub told: String,
}

/// The run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFinished {
    /// What the process exits with.
    pub exit: ExitCode,
    /// Its number.
    pub code: u8,
    /// One line: why this code.
    pub reason: String,
    /// How many scenarios ended how.
    pub counts: BTreeMap<Verdict, usize>,
    /// Of those, advisory ones that would have been red.
    pub advisory_reds: usize,
    /// What is left, in words.
    pub left: Vec<String>,
    /// Wall time.
    pub took_ms: u64,
}
