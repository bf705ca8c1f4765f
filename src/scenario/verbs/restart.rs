//! `restart:` restarts a workspace.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::edge::Edge;
use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, AnyValue, Auth, NameOr, Text};
use crate::scenario::raw::words::WorkspaceName;
use crate::source::Span;
use crate::yaml::Node;

/// `restart:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Restart")]
pub struct RawRestart {
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

/// `restart:`, a lifecycle request.
#[derive(Clone, Debug)]
pub struct Restart(pub Edge);

impl VerbSpec for Restart {
    const HELP: Help = Help {
        keyword: "restart",
        group: Group::Lifecycle,
        meaning: "Restarts a workspace; answer and row. Short form: the workspace.",
        example: "- restart: ws",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<NameOr<RawRestart>>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw = match check.short(node) {
            Some(name) => RawRestart { workspace: Some(name), ..RawRestart::default() },
            None => check.read(node),
        };
        let workspace = check.subject(raw.workspace.as_ref(), "restart", span);
        check.edge(Some(&workspace.name));
        Some(Restart(Edge {
            reset: raw.reset.unwrap_or_default(),
            body: check.values(raw.body.as_ref()),
            identity: check.identity(raw.auth.as_ref()),
            answer: check.answer(raw.expect.as_ref()),
            ..Edge::of(workspace)
        }))
    }

    fn title(&self) -> String {
        format!("restart {}", self.0.workspace.name)
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
