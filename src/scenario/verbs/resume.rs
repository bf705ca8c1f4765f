//! `resume:` resumes a paused workspace.

use schemars::{Schema, SchemaGenerator};

use super::edge::Edge;
use super::pause::RawPause;
use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::NameOr;
use crate::source::Span;
use crate::yaml::Node;

/// `resume:`, a lifecycle request.
#[derive(Clone, Debug)]
pub struct Resume(pub Edge);

impl VerbSpec for Resume {
    const HELP: Help = Help {
        keyword: "resume",
        group: Group::Lifecycle,
        meaning: "Resumes a paused workspace; answer and row. Short form: the workspace.",
        example: "- resume: ws",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<NameOr<RawPause>>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw = match check.short(node) {
            Some(name) => RawPause { workspace: Some(name), ..RawPause::default() },
            None => check.read(node),
        };
        let workspace = check.subject(raw.workspace.as_ref(), "resume", span);
        check.edge(Some(&workspace.name));
        Some(Resume(Edge {
            cascade: raw.cascade.unwrap_or_default(),
            identity: check.identity(raw.auth.as_ref()),
            answer: check.answer(raw.expect.as_ref()),
            ..Edge::of(workspace)
        }))
    }

    fn title(&self) -> String {
        format!("resume {}", self.0.workspace.name)
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
