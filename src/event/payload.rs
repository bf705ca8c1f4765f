//! What the events say. All times are milliseconds; `ms` is monotonic since the run's start.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Symptoms;
use crate::behaviour::Drift;
use crate::domain::{Elsewhere, ExitCode, InputSource, Status, Transport};

/// Version of the log's format; files of one version rebuild their reports byte for byte.
pub const SCHEMA: u32 = 2;

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
    /// [`SCHEMA`].
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

/// What will run and what is skipped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    /// In the order of their names.
    pub scenarios: Vec<PlannedScenario>,
}

/// One scenario instance of the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedScenario {
    /// Instance name.
    pub scenario: String,
    /// The file.
    pub file: String,
    /// One line.
    pub summary: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Shown, never turns the run red.
    pub advisory: bool,
    /// Why it does not run here.
    pub skip: Option<String>,
    /// The failure that is expected, with issue and expiry.
    pub expects_failure: Option<ExpectedFailure>,
    /// All steps, in order, nested ones too.
    pub steps: Vec<PlannedStep>,
    /// Bound of the body.
    pub budget_ms: u64,
}

/// An expected failure as the plan shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedFailure {
    /// Where it is tracked.
    pub issue: String,
    /// Why.
    pub reason: String,
    /// Only this mechanism counts.
    pub mechanism: Option<String>,
    /// Last day.
    pub until: String,
}

/// One step of the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStep {
    /// `3`, `4.parallel.2`.
    pub step: String,
    /// For people.
    pub name: String,
    /// The keyword.
    pub verb: String,
    /// Line in the file.
    pub line: usize,
    /// That file, when it is not the scenario's: a fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A step begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepStarted {
    /// Which scenario.
    pub scenario: String,
    /// Which step.
    pub step: String,
    /// For people.
    pub name: String,
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

/// A request and what came of it; bodies are redacted, then cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Which scenario; `None` for probes and clean-up.
    pub scenario: Option<String>,
    /// Which step; for clean-up `cleanup`, for evidence `evidence`.
    pub step: String,
    /// From 1 within the step.
    pub attempt: u32,
    /// What it was for, in a few words.
    pub purpose: String,
    /// Upper case.
    pub method: String,
    /// Whole.
    pub url: String,
    /// What was sent.
    pub request: Option<Body>,
    /// Whose bearer was sent: `admin`, `workspace ws`, `none`.
    pub identity: String,
    /// The status, when an answer came.
    pub status: Option<u16>,
    /// Headers that matter.
    pub headers: BTreeMap<String, String>,
    /// What came back.
    pub response: Option<Body>,
    /// Why none came: the whole chain of causes.
    pub error: Option<String>,
    /// The same as a kind (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<Transport>,
    /// The answer is not the platform's (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
    /// When it was sent.
    pub started_ms: u64,
    /// How long it took.
    pub took_ms: u64,
}

/// A body as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Body {
    /// The JSON, if it is JSON and was not cut.
    pub json: Option<Value>,
    /// The text, if it is none or was cut.
    pub text: Option<String>,
    /// Its whole size.
    pub bytes: u64,
}

/// What can be seen of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// Which scenario owns it.
    pub scenario: String,
    /// Its name in the scenario.
    pub workspace: String,
    /// Its id.
    pub id: String,
    /// Its status; `None` when it is absent.
    pub status: Option<Status>,
    /// Its URL.
    pub url: String,
    /// Its uptime.
    pub uptime_seconds: Option<i64>,
    /// `poll`, `list`, `event`.
    pub via: String,
    /// Sequence number of the edge it belongs to, from 0 (create).
    pub edge: u32,
}

/// The environment of one instance: never a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnvObservation {
    /// Which scenario.
    pub scenario: String,
    /// Its name in the scenario.
    pub workspace: String,
    /// Its id.
    pub id: String,
    /// Which instance.
    pub instance: String,
    /// Which edge it came from: `create`, `restart`, …
    pub edge: String,
    /// Every variable that rules speak of or that is set.
    pub vars: Vec<EnvVar>,
}

/// One variable of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Whether it is set at all.
    pub set: bool,
    /// What it is in words: `equals secret MINIMAX_API_KEY`, a literal that no secret is in, `empty`.
    pub value: String,
    /// The secret whose value it has (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// HMAC under a key that is never written: equal values have equal ones within a run.
    pub hmac: Option<String>,
    /// What the rules expect, when they speak of it.
    pub expected: Option<String>,
    /// Which rule.
    pub rule: Option<String>,
    /// Whether it is as expected.
    pub ok: Option<bool>,
    /// The secret whose value the rules want it to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants_secret: Option<String>,
}

/// A resource is about to be asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// Unique in the run.
    pub resource: String,
    /// `workspace`, `global-secret`, `server`, `container`, …
    pub kind: String,
    /// The unique name by which it can be found again.
    pub name: String,
    /// Who wants it; `None` for the run's root.
    pub scenario: Option<String>,
    /// Where.
    pub base_url: String,
    /// The organisation's id, on SaaS.
    pub org: Option<String>,
    /// *Name* of the credential that can remove it.
    pub credential: String,
    /// The platform makes its instances (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
    /// Few bits of an HMAC over the address, under the credential: who sweeps sends it nowhere else (since version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// For a server: its process.
    pub pid: Option<u32>,
    /// For a server: when that process started, as the system tells (clock ticks).
    pub pid_started: Option<u64>,
}

/// The resource is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Owned {
    /// The intent's.
    pub resource: String,
    /// The platform's id.
    pub id: String,
    /// Its name as the platform stores it (it may have renamed it).
    pub name: String,
}

/// An instance of a resource may come up, now or a little later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disturbed {
    /// The intent's.
    pub resource: String,
}

/// A resource is verified to be gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    /// The intent's.
    pub resource: String,
    /// `scenario`, `clean-up`, `sweep`, `never made`.
    pub by: String,
    /// The platform said it was gone, and it was not (contract L1, L2): removed by us.
    pub left_by_platform: Option<String>,
}

/// A resource could not be removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// The intent's.
    pub resource: String,
    /// `workspace`, …
    pub kind: String,
    /// Its id, if known.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Why it is still there.
    pub reason: String,
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

/// What was gathered about a failure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Which scenario.
    pub scenario: String,
    /// Which step failed.
    pub step: String,
    /// The target workspace's id, when there is one.
    pub workspace: Option<String>,
    /// Each gatherer's finding or why it found none, in order.
    pub parts: Vec<EvidencePart>,
}

/// Where evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// The stored row.
    Record,
    /// The activity log.
    Activity,
    /// The platform's stored events.
    Events,
    /// The instance's environment.
    Environment,
    /// The engine of containers.
    Container,
    /// The billing mode.
    Billing,
    /// What was sent at create.
    Sent,
    /// Everybody else on the server.
    Neighbours,
    /// The control plane behind the server.
    ControlPlane,
    /// Whether the server answers.
    Server,
    /// The instance's own log.
    AgentLog,
    /// The server's log.
    ServerLog,
    /// What the server printed.
    ServerOutput,
}

impl EvidenceSource {
    /// As reports and mechanisms call it.
    pub fn name(self) -> &'static str {
        match self {
            EvidenceSource::Record => "record",
            EvidenceSource::Activity => "activity",
            EvidenceSource::Events => "events",
            EvidenceSource::Environment => "environment",
            EvidenceSource::Container => "container",
            EvidenceSource::Billing => "billing",
            EvidenceSource::Sent => "sent",
            EvidenceSource::Neighbours => "neighbours",
            EvidenceSource::ControlPlane => "control plane",
            EvidenceSource::Server => "server",
            EvidenceSource::AgentLog => "agent log",
            EvidenceSource::ServerLog => "server log",
            EvidenceSource::ServerOutput => "server output",
        }
    }
}

/// One gatherer's finding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidencePart {
    /// The same as a kind (since version 2 of the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<EvidenceSource>,
    /// `record`, `timeline`, `activity`, `events`, `environment`, `sent`, `neighbours`, `server`, …
    pub name: String,
    /// For people.
    pub title: String,
    /// Short lines for the console.
    pub lines: Vec<String>,
    /// The whole of it.
    pub data: Value,
    /// Why it could not be had.
    pub error: Option<String>,
    /// How long it took.
    pub took_ms: u64,
}

/// The class of a cause; each maps to one exit code.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The platform.
    Product,
    /// How it was asked: scenario, inputs, workflow.
    Config,
    /// Machine, network, unreachable server.
    Infra,
    /// A model provider or proxy.
    Provider,
    /// This tool.
    Harness,
    /// Nobody knows yet.
    #[default]
    Unclassified,
}

impl Class {
    /// The code that a required red of this class gives.
    pub fn exit(self) -> ExitCode {
        match self {
            Class::Product | Class::Config | Class::Unclassified => ExitCode::Failed,
            Class::Infra | Class::Harness => ExitCode::Environment,
            Class::Provider => ExitCode::DependencyDown,
        }
    }
}

/// Why a scenario failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// Which scenario.
    pub scenario: String,
    /// Name in the catalogue of mechanisms, or `unclassified`.
    pub mechanism: String,
    /// One sentence.
    pub summary: String,
    /// Its class.
    pub class: Class,
    /// Quoted evidence.
    pub evidence: Vec<String>,
    /// What it rules out.
    pub rules_out: Vec<String>,
    /// What a fix looks like.
    pub fix_shape: String,
    /// The responsible part.
    pub part: String,
    /// A known issue.
    pub issue: Option<String>,
    /// Stable identity of this red: scenario, step name or verb and subject, mechanism, key field.
    pub fingerprint: String,
    /// The same as earlier versions wrote it, with the step's number; lists and states that hold it still match.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub former_fingerprint: String,
    /// For `unclassified`: the nearest mechanisms and what they lacked.
    pub nearest: Vec<String>,
    /// What holds as well, and is not the cause or not the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_seen: Vec<AlsoSeen>,
}

/// A mechanism whose evidence is there and that is not what a failure is named after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlsoSeen {
    /// Its name in the catalogue.
    pub mechanism: String,
    /// One sentence.
    pub summary: String,
    /// It could have made this failure too: a second cause. Otherwise it only holds.
    pub explains: bool,
    /// The first of its evidence.
    pub evidence: Vec<String>,
}

/// How a scenario ended.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All steps passed at the first try.
    #[default]
    Passed,
    /// A step passed only at a later try.
    Flaky,
    /// Failed as expected, by the expected mechanism.
    ExpectedFailure,
    /// Did not run here; the reason says why.
    Skipped,
    /// A required step failed.
    Failed,
    /// Neither proven nor refuted: red.
    Inconclusive,
    /// An expected failure passed: red.
    UnexpectedPass,
    /// The environment or the harness itself.
    Error,
    /// The run was cancelled before it ended.
    Cancelled,
}

impl Verdict {
    /// All verdicts, in the order in which summaries count them.
    pub const ALL: [Verdict; 9] = [
        Verdict::Passed,
        Verdict::Flaky,
        Verdict::ExpectedFailure,
        Verdict::Skipped,
        Verdict::Failed,
        Verdict::Inconclusive,
        Verdict::UnexpectedPass,
        Verdict::Error,
        Verdict::Cancelled,
    ];

    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Flaky => "flaky",
            Verdict::ExpectedFailure => "failed as expected",
            Verdict::Skipped => "skipped",
            Verdict::Failed => "failed",
            Verdict::Inconclusive => "inconclusive",
            Verdict::UnexpectedPass => "passed unexpectedly",
            Verdict::Error => "error",
            Verdict::Cancelled => "cancelled",
        }
    }

    /// Whether a required scenario with this verdict turns the run red.
    pub fn is_red(self) -> bool {
        matches!(self, Verdict::Failed | Verdict::Inconclusive | Verdict::UnexpectedPass | Verdict::Error)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scenario ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioFinished {
    /// Which.
    pub scenario: String,
    /// How.
    pub verdict: Verdict,
    /// Shown, never turns the run red.
    pub advisory: bool,
    /// Of a red.
    pub class: Option<Class>,
    /// Why, in one line: the failed step's message, the skip's reason, the expected failure's issue.
    pub reason: String,
    /// The step that decided.
    pub step: Option<String>,
    /// A red that `--known` names, or that `--state` remembers: its issue and until when, or since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// A red that no run before had that used the same `--state`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
    /// Of a new red that an earlier run saw and that was fixed in between: its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_back: Option<String>,
    /// Another attempt after a red one: its scenario counts once, by its first attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
    /// Milestones that were reached.
    pub milestones: Vec<String>,
    /// Milestones that were declared and not reached.
    pub missing_milestones: Vec<String>,
    /// Wall time of the body, without clean-up.
    pub took_ms: u64,
    /// The platform's own time: sum of the transitions that were waited for.
    pub platform_ms: u64,
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
