//! `steps:` runs steps one after another, as one step.

use schemars::{Schema, SchemaGenerator};

use super::Steps;
use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::StepList;
use crate::source::Span;
use crate::yaml::Node;

impl VerbSpec for Steps {
    const HELP: Help = Help {
        keyword: "steps",
        group: Group::Flow,
        meaning: "Runs its steps one after another, as one step.",
        example: "- steps: [{ pause: ws }, { resume: ws }]",
        names: Names::None,
        holds: Holds::Here,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<StepList>()
    }

    fn check(check: &mut Check<'_>, node: &Node, _: Span, id: &str) -> Option<Self> {
        Some(Steps(check.steps(node, &format!("{id}."))))
    }

    fn title(&self) -> String {
        format!("steps ({})", self.0.len())
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Sum
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        Vec::new()
    }
}
