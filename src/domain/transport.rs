//! Why no answer of the platform came, as kinds: the event log has them beside the text.

use serde::{Deserialize, Serialize};

/// Why no whole answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// The request itself cannot be sent: a bad URL, method or header.
    BadRequest,
    /// The name does not resolve.
    Dns,
    /// Nobody listens, or the network does not reach.
    Connect,
    /// The certificate or handshake failed.
    Tls,
    /// The connection broke while sending or before the answer.
    Reset,
    /// The answer began and was cut off.
    CutOff,
    /// The deadline passed.
    TimedOut,
    /// The body exceeded its budget.
    TooLarge,
    /// Something answered that is no HTTP, or not what was asked for.
    BadAnswer,
    /// The run was cancelled while the answer was waited for.
    Cancelled,
    /// Not sent: the server had not answered for so long that it was given up.
    GivenUp,
    /// A task of this tool panicked while it asked.
    Panicked,
}

/// Why a whole answer is not the platform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Elsewhere {
    /// 502, 503 or 504 without the platform's own `{"error": …}`.
    Gateway,
    /// 3xx: the platform sends none.
    Redirect,
    /// It says that it is JSON and is none.
    Garbled,
    /// A page for people.
    Html,
    /// Nothing, where JSON is due.
    Empty,
    /// Something else than JSON, where JSON is due.
    NoJson,
}
