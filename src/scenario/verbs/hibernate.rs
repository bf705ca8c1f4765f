//! `hibernate:` hibernates a workspace.

use schemars::JsonSchema;
use serde::Deserialize;

use super::edge::{Common, Edge, HasCommon, Request};
use super::spec::{Group, Help, Holds, Names};
use crate::scenario::check::Check;
use crate::scenario::raw::values::{Answered, Auth, Text};
use crate::scenario::raw::words::WorkspaceName;
use crate::yaml::Node;

/// `hibernate:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hibernate")]
pub(crate) struct RawHibernate {
    /// Which workspace.
    #[schemars(required, with = "WorkspaceName")]
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

impl HasCommon for RawHibernate {
    fn common(&self) -> Common<'_> {
        Common { workspace: self.workspace.as_ref(), auth: self.auth.as_ref(), expect: self.expect.as_ref() }
    }
}

/// `hibernate:`, a lifecycle request.
#[derive(Clone, Debug)]
pub struct Hibernate(pub Edge);

impl Request for Hibernate {
    const HELP: Help = Help {
        keyword: "hibernate",
        group: Group::Lifecycle,
        meaning: "Hibernates a workspace; answer, row, and that its instance ended where instances are shown. Short form: the workspace.",
        example: "- hibernate: { workspace: ws, force: true }",
        names: Names::None,
        holds: Holds::Nothing,
    };
    const EDGE: bool = true;
    type Raw = RawHibernate;

    fn made(_: &mut Check<'_>, raw: &RawHibernate, edge: Edge) -> Self {
        Hibernate(Edge { force: raw.force.unwrap_or_default(), ..edge })
    }

    fn edge(&self) -> &Edge {
        &self.0
    }
}
