//! `foreach:` runs steps for each item.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::Foreach;
use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{StepList, Text};
use crate::scenario::raw::words::{NewName, SomeTexts};
use crate::source::Span;
use crate::yaml::Node;

/// `foreach:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Foreach")]
pub(super) struct RawForeach {
    /// The items.
    #[schemars(required, with = "SomeTexts")]
    pub r#in: Option<Node>,
    /// The name of an item inside the steps.
    #[schemars(required, with = "NewName")]
    pub r#as: Option<Text>,
    /// The steps, one after another for each item.
    #[schemars(required, with = "StepList")]
    pub steps: Option<Node>,
    /// All items at once.
    pub parallel: Option<bool>,
}

impl VerbSpec for Foreach {
    const HELP: Help = Help {
        keyword: "foreach",
        group: Group::Flow,
        meaning: "Runs its steps once for each item.",
        example: "- foreach: { in: [one, two], as: word, steps: [{ a2a: { to: ws, say: { text: \"${word}\" } } }] }",
        names: Names::Field("as"),
        holds: Holds::Field("steps"),
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawForeach>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, id: &str) -> Option<Self> {
        let raw: RawForeach = check.read(node);
        let hint = "for example `foreach: {in: [a, b], as: item, steps: […]}`";
        let alias = check.required(raw.r#as.as_ref(), "foreach", "as", span, hint);
        let mut items = Vec::new();
        for text in check.texts(raw.r#in.as_ref()) {
            items.push(check.template(&text));
        }
        if items.is_empty() {
            check.error(
                "missing-field",
                span,
                "`foreach` needs items under `in`",
                "none here",
                hint.to_owned(),
            );
        }
        let outside = check.names.branch();
        if !alias.value.is_empty() {
            check.define(&alias, Means::Text);
        }
        let steps = match &raw.steps {
            Some(steps) => check.steps(steps, &format!("{id}.")),
            None => {
                check.error(
                    "missing-field",
                    span,
                    "`foreach` needs `steps`",
                    "it is missing here",
                    hint.to_owned(),
                );
                Vec::new()
            }
        };
        let inside = std::mem::replace(&mut check.names, outside);
        let unused = check.names.leave(inside);
        check.warn_unused(unused);
        Some(Foreach { items, alias: alias.value, steps, parallel: raw.parallel.unwrap_or_default() })
    }

    fn title(&self) -> String {
        format!("foreach {}", self.alias)
    }

    fn budget(&self) -> Budget<'_> {
        if self.parallel { Budget::Sum } else { Budget::Times(self.items.len()) }
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        Vec::new()
    }
}
