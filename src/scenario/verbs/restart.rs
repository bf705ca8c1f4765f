//! `restart:` restarts a workspace.

use schemars::JsonSchema;
use serde::Deserialize;

use super::edge::{Common, Edge, HasCommon, Request};
use super::spec::{Group, Help, Holds, Names};
use crate::scenario::check::Check;
use crate::scenario::raw::values::{Answered, AnyValue, Auth, Text};
use crate::scenario::raw::words::WorkspaceName;
use crate::yaml::Node;

/// `restart:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Restart")]
pub(crate) struct RawRestart {
    /// Which workspace.
    #[schemars(required, with = "WorkspaceName")]
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

impl HasCommon for RawRestart {
    fn common(&self) -> Common<'_> {
        Common { workspace: self.workspace.as_ref(), auth: self.auth.as_ref(), expect: self.expect.as_ref() }
    }
}

/// `restart:`, a lifecycle request.
#[derive(Clone, Debug)]
pub struct Restart(pub Edge);

impl Request for Restart {
    const HELP: Help = Help {
        keyword: "restart",
        group: Group::Lifecycle,
        meaning: "Restarts a workspace; answer and row. Short form: the workspace.",
        example: "- restart: ws",
        names: Names::None,
        holds: Holds::Nothing,
    };
    const EDGE: bool = true;
    type Raw = RawRestart;

    fn made(check: &mut Check<'_>, raw: &RawRestart, edge: Edge) -> Self {
        Restart(Edge { reset: raw.reset.unwrap_or_default(), body: check.values(raw.body.as_ref()), ..edge })
    }

    fn edge(&self) -> &Edge {
        &self.0
    }
}
