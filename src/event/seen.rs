//! What was asked of a server, and what was seen there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Elsewhere, Status, Transport};

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
