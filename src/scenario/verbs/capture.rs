//! `capture:` names values for later steps.

use indexmap::IndexMap;
use schemars::{Schema, SchemaGenerator};

use super::spec::{Budget, Group, Help, Holds, Names, QUICK, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::Text;
use crate::scenario::raw::words::NamedValues;
use crate::scenario::template::TemplateValue;
use crate::source::Span;
use crate::yaml::Node;

/// `capture:`
#[derive(Clone, Debug)]
pub struct Capture(pub IndexMap<String, TemplateValue>);

impl VerbSpec for Capture {
    const HELP: Help = Help {
        keyword: "capture",
        group: Group::Assertions,
        meaning: "Names values for later steps.",
        example: "- capture: { greeting: \"hello ${uuid()}\" }",
        names: Names::Keys,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<NamedValues>()
    }

    fn check(check: &mut Check<'_>, node: &Node, _: Span, _: &str) -> Option<Self> {
        let mut captured = IndexMap::new();
        for (key, value) in check.entries(Some(node)) {
            let value = check.value(&value);
            check.define(&Text { value: key.text.clone(), span: key.span }, Means::Value);
            captured.insert(key.text, value);
        }
        Some(Capture(captured))
    }

    fn title(&self) -> String {
        format!("capture {}", self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
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
