//! What was gathered about a failure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
