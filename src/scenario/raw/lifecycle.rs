//! Verbs that make, move and watch workspaces.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Answered, AnyValue, Auth, OneOrMany, Text, TextMap};
use crate::domain::Status;
use crate::scenario::decode::Spanned;
use crate::yaml::Node;

/// `create:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Create")]
pub struct RawCreate {
    /// The name for later steps; may be left out when a refusal is expected.
    pub r#as: Option<Text>,
    /// The start of the workspace's name; a random tail is always added.
    pub name: Option<Text>,
    /// The runtime.
    pub runtime: Option<Text>,
    /// A template of the server.
    pub template: Option<Text>,
    /// A slug, `auto` (default: the model rules choose) or `none`.
    pub model: Option<Text>,
    /// `byok` or `platform`, for `model: auto`.
    pub llm_path: Option<Text>,
    /// `auto` (default: the first key that the environment has) or `none`.
    #[schemars(extend("enum" = ["auto", "none"]))]
    pub credentials: Option<Text>,
    /// Secrets sent with the request, beside the credentials.
    #[schemars(with = "Option<TextMap>")]
    pub secrets: Option<Node>,
    /// The agent lives elsewhere.
    pub external: Option<bool>,
    /// The endpoint of an external agent.
    pub url: Option<Text>,
    /// `push` or `poll`.
    pub delivery_mode: Option<Text>,
    /// A workspace of this scenario; the run's own root when absent.
    pub parent: Option<Text>,
    /// 1 to 4; 2 when absent.
    pub tier: Option<Spanned<u8>>,
    /// Free text.
    pub role: Option<Text>,
    /// Further fields of the request, as they are; they win over the verb's own.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub body: Option<Node>,
    /// A contradiction code (`C8`) that is sent on purpose.
    pub contradiction: Option<Text>,
    /// What must hold of the answer; status 201 when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `restart:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Restart")]
pub struct RawRestart {
    /// Which workspace.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// Also drop the session.
    pub reset: Option<bool>,
    /// Further fields of the request.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub body: Option<Node>,
    /// Whose credentials: `admin`, `none`, `{workspace: ws}`, `{bearer: …}`; the workspace's own when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// What must hold of the answer; response and stored row of a success when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `pause:` and `resume:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PauseOrResume")]
pub struct RawPause {
    /// Which workspace.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// Its descendants too.
    pub cascade: Option<bool>,
    /// Whose credentials; the workspace's own when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// What must hold of the answer; response and stored row of a success when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `hibernate:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hibernate")]
pub struct RawHibernate {
    /// Which workspace.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// Although it has tasks.
    pub force: Option<bool>,
    /// Whose credentials; the workspace's own when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// What must hold of the answer; response and stored row of a success when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `delete:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Delete")]
pub struct RawDelete {
    /// Which workspace.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// Remove the row too.
    pub purge: Option<bool>,
    /// Whose credentials; admin when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// What must hold of the answer; response and gone row of a success when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `wake:` and `terminate:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WakeOrTerminate")]
pub struct RawTarget {
    /// Which workspace.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// The deadline; may stand beside the verb instead.
    pub within: Option<Text>,
}

/// `await:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Await")]
pub struct RawAwait {
    /// Which workspace.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// The status that ends the wait; a list: any of them.
    #[schemars(required, with = "OneOrMany<Status>")]
    pub status: Option<Node>,
    /// The deadline; may stand beside the verb instead.
    pub within: Option<Text>,
    /// Ends when the status is none of `status` any more.
    pub leaves: Option<Spanned<bool>>,
    /// Only an instance that is new since the last edge counts.
    pub new_instance: Option<Spanned<bool>>,
    /// Also wants an address (default for managed workspaces that go online), or does not.
    pub url: Option<bool>,
    /// Status → how long at a stretch it is borne before it ends the wait.
    #[schemars(with = "Option<indexmap::IndexMap<Status, Text>>")]
    pub tolerate: Option<Node>,
    /// Statuses that end the wait at once as a failure.
    #[schemars(with = "Option<OneOrMany<Status>>")]
    pub never: Option<Node>,
}

/// `hold:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hold")]
pub struct RawHold {
    /// How long, in the platform's time.
    #[schemars(required)]
    pub r#for: Option<Text>,
    /// A workspace whose status must not change meanwhile.
    pub workspace: Option<Text>,
    /// The status that it must keep; a list: any of them.
    #[schemars(with = "Option<OneOrMany<Status>>")]
    pub status: Option<Node>,
}
