//! `note:` says something in the reports.

use schemars::{Schema, SchemaGenerator};

use super::spec::{Budget, Group, Help, Holds, Names, QUICK, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::Text;
use crate::scenario::template::Template;
use crate::source::Span;
use crate::yaml::Node;

/// `note:`
#[derive(Clone, Debug)]
pub struct Note(pub Template);

impl VerbSpec for Note {
    const HELP: Help = Help {
        keyword: "note",
        group: Group::Flow,
        meaning: "Says something in the reports.",
        example: "- note: the next restart is the second one",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Text>()
    }

    fn check(check: &mut Check<'_>, node: &Node, _: Span, _: &str) -> Option<Self> {
        let text = check.text_of(node);
        Some(Note(check.template(&text)))
    }

    fn title(&self) -> String {
        self.0.raw.clone()
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(QUICK)
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        Vec::new()
    }
}
