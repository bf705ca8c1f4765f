//! `delete:` deletes a workspace.

use schemars::JsonSchema;
use serde::Deserialize;

use super::edge::{Common, Edge, HasCommon, Request};
use super::spec::{Group, Help, Holds, Names};
use crate::scenario::check::Check;
use crate::scenario::raw::values::{Answered, Auth, Text};
use crate::scenario::raw::words::WorkspaceName;
use crate::yaml::Node;

/// `delete:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Delete")]
pub(crate) struct RawDelete {
    /// Which workspace.
    #[schemars(required, with = "WorkspaceName")]
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

impl HasCommon for RawDelete {
    fn common(&self) -> Common<'_> {
        Common { workspace: self.workspace.as_ref(), auth: self.auth.as_ref(), expect: self.expect.as_ref() }
    }
}

/// `delete:`, a lifecycle request.
#[derive(Clone, Debug)]
pub struct Delete(pub Edge);

impl Request for Delete {
    const HELP: Help = Help {
        keyword: "delete",
        group: Group::Lifecycle,
        meaning: "Deletes a workspace; answer, row, and that its instance ended where instances are shown. Short form: the workspace.",
        example: "- delete: { workspace: ws, purge: true }",
        names: Names::None,
        holds: Holds::Nothing,
    };
    const EDGE: bool = false;
    type Raw = RawDelete;

    fn made(_: &mut Check<'_>, raw: &RawDelete, edge: Edge) -> Self {
        Delete(Edge { purge: raw.purge.unwrap_or_default(), ..edge })
    }

    fn edge(&self) -> &Edge {
        &self.0
    }
}
