//! `pause:` pauses a workspace.

use schemars::JsonSchema;
use serde::Deserialize;

use super::edge::{Common, Edge, HasCommon, Request};
use super::spec::{Group, Help, Holds, Names};
use crate::scenario::check::Check;
use crate::scenario::raw::values::{Answered, Auth, Text};
use crate::scenario::raw::words::WorkspaceName;
use crate::yaml::Node;

/// `pause:` and `resume:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PauseOrResume")]
pub(crate) struct RawPause {
    /// Which workspace.
    #[schemars(required, with = "WorkspaceName")]
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

impl HasCommon for RawPause {
    fn common(&self) -> Common<'_> {
        Common { workspace: self.workspace.as_ref(), auth: self.auth.as_ref(), expect: self.expect.as_ref() }
    }
}

/// `pause:`, a lifecycle request.
#[derive(Clone, Debug)]
pub struct Pause(pub Edge);

impl Request for Pause {
    const HELP: Help = Help {
        keyword: "pause",
        group: Group::Lifecycle,
        meaning: "Pauses a workspace; answer, row, and that its instance ended where instances are shown. Short form: the workspace.",
        example: "- pause: ws",
        names: Names::None,
        holds: Holds::Nothing,
    };
    const EDGE: bool = true;
    type Raw = RawPause;

    fn made(_: &mut Check<'_>, raw: &RawPause, edge: Edge) -> Self {
        Pause(Edge { cascade: raw.cascade.unwrap_or_default(), ..edge })
    }

    fn edge(&self) -> &Edge {
        &self.0
    }
}
