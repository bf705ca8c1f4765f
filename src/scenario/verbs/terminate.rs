//! `terminate:` stops the instance behind the platform's back.

use schemars::{Schema, SchemaGenerator};

use super::edge::RawTarget;
use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::NameOr;
use crate::source::Span;
use crate::yaml::Node;

/// `terminate:`
#[derive(Clone, Debug)]
pub struct Terminate {
    /// Which workspace.
    pub workspace: WorkspaceRef,
}

impl VerbSpec for Terminate {
    const HELP: Help = Help {
        keyword: "terminate",
        group: Group::Lifecycle,
        meaning: "Stops the instance behind the platform's back.",
        example: "- terminate: ws",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<NameOr<RawTarget>>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        Some(Terminate { workspace: check.target(node, span, "terminate") })
    }

    fn title(&self) -> String {
        format!("terminate {}", self.workspace.name)
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
