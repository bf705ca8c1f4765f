//! `container:` acts on the container of a workspace.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::Text;
use crate::scenario::raw::words::{WorkspaceName, words};
use crate::source::Span;
use crate::yaml::Node;

const ACTIONS: [&str; 11] = [
    "kill",
    "stop",
    "start",
    "restart",
    "pause",
    "unpause",
    "disconnect",
    "connect",
    "remove",
    "remove_volume",
    "fill_volume",
];

/// `container:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Container")]
pub(crate) struct RawContainer {
    /// Whose.
    #[schemars(required, with = "WorkspaceName")]
    pub workspace: Option<Text>,
    /// `kill`, `stop`, `start`, `restart`, `pause`, `unpause`, `disconnect`, `connect`, `remove`, `remove_volume`
    /// (the container and its config volume), `fill_volume` (64 MiB into its workspace volume).
    #[schemars(required, with = "Action")]
    pub action: Option<Text>,
}

/// `container:` acts on the container of a workspace.
#[derive(Clone, Debug)]
pub struct ContainerVerb {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// `kill`, `stop`, `pause`, `unpause`, `disconnect`, `connect`, …
    pub action: String,
}

words! {
    /// What is done to a container.
    Action = json_schema!({ "enum": ACTIONS });
}

impl VerbSpec for ContainerVerb {
    const HELP: Help = Help {
        keyword: "container",
        group: Group::Outside,
        meaning: "Acts on the container of a workspace through the engine.",
        example: "- container: { workspace: ws, action: kill }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawContainer>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawContainer = check.read(node);
        let hint = "for example `container: {workspace: ws, action: kill}`";
        let name = check.required(raw.workspace.as_ref(), "container", "workspace", span, hint);
        let action = check.required(raw.action.as_ref(), "container", "action", span, hint);
        if !action.value.is_empty() {
            check.word(&action, &ACTIONS, "an action on containers");
        }
        let workspace = check.workspace(&name);
        check.edge(Some(&workspace.name));
        Some(ContainerVerb { workspace, action: action.value })
    }

    fn title(&self) -> String {
        format!("{} container of {}", self.action, self.workspace.name)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        vec![&self.workspace]
    }
}
