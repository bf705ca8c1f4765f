//! The workspace status, contract §4.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A workspace's status as the platform reports it (contract §4, enum `workspace_status`).
///
/// A status that this version does not know is kept as [`Status::Other`], never an error: a newer
/// server is not a broken one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Being provisioned; every create, restart and resume passes through it.
    Provisioning,
    /// The agent registered or sent a heartbeat.
    Online,
    /// The instance is gone.
    Offline,
    /// Online with errors, a wedged runtime, or a recent failed register.
    Degraded,
    /// Provisioning was aborted.
    Failed,
    /// Soft-deleted.
    Removed,
    /// Stopped on request.
    Paused,
    /// Stopped for being idle.
    Hibernated,
    /// On its way to hibernated.
    Hibernating,
    /// External, nobody registered or heartbeats ceased.
    AwaitingAgent,
    /// Something this version does not know.
    Other(String),
}

impl Status {
    /// All statuses of the contract, in its order.
    pub const KNOWN: [Status; 10] = [
        Status::Provisioning,
        Status::Online,
        Status::Offline,
        Status::Degraded,
        Status::Failed,
        Status::Removed,
        Status::Paused,
        Status::Hibernated,
        Status::AwaitingAgent,
        Status::Hibernating,
    ];

    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Status::Provisioning => "provisioning",
            Status::Online => "online",
            Status::Offline => "offline",
            Status::Degraded => "degraded",
            Status::Failed => "failed",
            Status::Removed => "removed",
            Status::Paused => "paused",
            Status::Hibernated => "hibernated",
            Status::Hibernating => "hibernating",
            Status::AwaitingAgent => "awaiting_agent",
            Status::Other(word) => word,
        }
    }

    /// Reads the word on the wire; unknown words are kept.
    pub fn from_wire(word: &str) -> Status {
        Self::parse_known(word).unwrap_or_else(|| Status::Other(word.to_owned()))
    }

    /// Reads a word that a person wrote: only the contract's own.
    pub fn parse_known(word: &str) -> Option<Status> {
        Self::KNOWN.into_iter().find(|s| s.as_str() == word)
    }

    /// Whether a managed workspace in this status is expected to have an instance that runs.
    pub fn is_live(&self) -> bool {
        matches!(self, Status::Provisioning | Status::Online | Status::Degraded)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Status::from_wire(&String::deserialize(d)?))
    }
}

impl JsonSchema for Status {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let words: Vec<String> = Status::KNOWN.iter().map(Status::to_string).collect();
        schemars::json_schema!({ "type": "string", "enum": words })
    }
}
