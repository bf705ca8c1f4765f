//! `wake:` sends a message to a hibernated workspace and waits for a new instance.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use super::edge::RawTarget;
use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::NameOr;
use crate::source::Span;
use crate::yaml::Node;

/// `wake:` a message to a hibernated workspace, then online by a new instance.
#[derive(Clone, Debug)]
pub struct Wake {
    /// Which workspace.
    pub workspace: WorkspaceRef,
}

impl VerbSpec for Wake {
    const HELP: Help = Help {
        keyword: "wake",
        group: Group::Lifecycle,
        meaning: "Sends a message to a hibernated workspace and waits until a new instance is online.",
        example: "- wake: { workspace: ws, within: 60s }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<NameOr<RawTarget>>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        Some(Wake { workspace: check.target(node, span, "wake") })
    }

    fn title(&self) -> String {
        format!("wake {}", self.workspace.name)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(Duration::from_secs(90))
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        vec![&self.workspace]
    }
}
