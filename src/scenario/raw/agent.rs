//! Verbs that speak as an agent or to one.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Answered, AnyValue, Auth, Text, TextMap};
use crate::scenario::decode::Spanned;
use crate::scenario::model::{Envelope, Part};
use crate::yaml::Node;

/// `register:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Register")]
pub struct RawRegister {
    /// An existing workspace.
    pub workspace: Option<Text>,
    /// Instead of `workspace`: a fresh id is registered under this name.
    pub r#as: Option<Text>,
    /// `push` or `poll`.
    pub delivery_mode: Option<Text>,
    /// The agent's endpoint.
    pub url: Option<Text>,
    /// The agent card; a minimal one when absent.
    #[schemars(with = "Option<AnyValue>")]
    pub card: Option<Node>,
    /// Whose credentials; the workspace's own when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// Further fields of the request, as they are; they win over the verb's own.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub body: Option<Node>,
    /// What must hold of the answer; status 200 when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `heartbeat:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Heartbeat")]
pub struct RawHeartbeat {
    /// Whose.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// Fields of the heartbeat: `error_rate`, `sample_error`, `active_tasks`, `runtime_state`, …
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub body: Option<Node>,
    /// Keep beating at this pace in the background.
    pub every: Option<Text>,
    /// Stop a background heartbeat.
    pub stop: Option<Spanned<bool>>,
    /// Whose credentials; the workspace's own when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// What must hold of the answer; status 200 when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `a2a:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "A2a")]
pub struct RawA2a {
    /// To which workspace.
    #[schemars(required)]
    pub to: Option<Text>,
    /// `known-answer`, `{known: WOKE}` or `{text: …}`.
    #[schemars(required, with = "AnyValue")]
    pub say: Option<Node>,
    /// The workspace that speaks; the canvas when absent.
    pub from: Option<Text>,
    /// Whose credentials; admin when absent, `from`'s own with `from`.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// `full` JSON-RPC (default) or `bare` `{method, params}`.
    pub envelope: Option<Envelope>,
    /// The discriminator of a message part: `kind` (default) or `type`.
    pub part: Option<Part>,
    /// JSON-RPC id and message id; random when absent.
    pub message_id: Option<Text>,
    /// The JSON-RPC method; `message/send` when absent.
    pub method: Option<Text>,
    /// Further fields of `params`.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub params: Option<Node>,
    /// Extra headers.
    #[schemars(with = "Option<TextMap>")]
    pub headers: Option<Node>,
    /// `answer` (default), `queued`, `ignored`, `{error: -32601}`, or tests of the reply's text.
    #[schemars(with = "Option<AnyValue>")]
    pub reply: Option<Node>,
    /// Names the reply's text for later steps.
    pub capture: Option<Text>,
    /// What must hold of the HTTP answer; then no reply is judged unless `reply` says so.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
    /// The deadline; may stand beside the verb instead.
    pub within: Option<Text>,
}

/// `inbox:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Inbox")]
pub struct RawInbox {
    /// Whose.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// Only after this cursor.
    pub since: Option<Text>,
    /// Waits for this many messages; 1 when absent.
    pub at_least: Option<Spanned<usize>>,
    /// Exactly these texts, oldest first.
    #[schemars(with = "Option<Vec<Text>>")]
    pub texts: Option<Node>,
    /// Names the last message's id for later steps.
    pub cursor: Option<Text>,
    /// What must hold of the HTTP answer, instead of messages.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
    /// The deadline; may stand beside the verb instead.
    pub within: Option<Text>,
}
