//! `hibernate:` hibernates a workspace.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::edge::Edge;
use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, Auth, NameOr, Text};
use crate::scenario::raw::words::WorkspaceName;
use crate::source::Span;
use crate::yaml::Node;

/// `hibernate:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hibernate")]
pub struct RawHibernate {
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

/// `hibernate:`, a lifecycle request.
#[derive(Clone, Debug)]
pub struct Hibernate(pub Edge);

impl VerbSpec for Hibernate {
    const HELP: Help = Help {
        keyword: "hibernate",
        group: Group::Lifecycle,
        meaning: "Hibernates a workspace; answer and row. Short form: the workspace.",
        example: "- hibernate: { workspace: ws, force: true }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<NameOr<RawHibernate>>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw = match check.short(node) {
            Some(name) => RawHibernate { workspace: Some(name), ..RawHibernate::default() },
            None => check.read(node),
        };
        let workspace = check.subject(raw.workspace.as_ref(), "hibernate", span);
        check.edge(Some(&workspace.name));
        Some(Hibernate(Edge {
            force: raw.force.unwrap_or_default(),
            identity: check.identity(raw.auth.as_ref()),
            answer: check.answer(raw.expect.as_ref()),
            ..Edge::of(workspace)
        }))
    }

    fn title(&self) -> String {
        format!("hibernate {}", self.0.workspace.name)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.0.answer)
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        vec![&self.0.workspace]
    }
}
