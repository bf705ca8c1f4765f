//! What a run makes: written before it is asked for, until it is gone or told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
