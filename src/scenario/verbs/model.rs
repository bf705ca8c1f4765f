//! `model:` changes the model.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, Text};
use crate::scenario::raw::words::WorkspaceName;
use crate::scenario::template::Template;
use crate::source::Span;
use crate::yaml::Node;

/// `model:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Model")]
pub(crate) struct RawModel {
    /// Whose.
    #[schemars(required, with = "WorkspaceName")]
    pub workspace: Option<Text>,
    /// The slug; an empty text clears it.
    #[schemars(required)]
    pub set: Option<Text>,
    /// What must hold of the answer; status 200 and the stored value when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `model:` as a verb: `PUT /workspaces/:id/model`.
#[derive(Clone, Debug)]
pub struct ModelChange {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// The slug; an empty one clears.
    pub set: Template,
    /// Status 200 and the stored value when absent.
    pub answer: Answer,
}

impl VerbSpec for ModelChange {
    const HELP: Help = Help {
        keyword: "model",
        group: Group::Settings,
        meaning: "Changes the model; the platform restarts the workspace by itself.",
        example: "- model: { workspace: ws, set: MiniMax-M2.7 }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawModel>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawModel = check.read(node);
        let workspace = check.subject(raw.workspace.as_ref(), "model", span);
        let hint = "for example `model: {workspace: ws, set: MiniMax-M2.7}`";
        let set = check.required(raw.set.as_ref(), "model", "set", span, hint);
        let set = check.template(&set);
        check.edge(Some(&workspace.name));
        Some(ModelChange { workspace, set, answer: check.answer(raw.expect.as_ref()) })
    }

    fn title(&self) -> String {
        format!("model of {}", self.workspace.name)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.answer)
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        vec![&self.workspace]
    }
}
