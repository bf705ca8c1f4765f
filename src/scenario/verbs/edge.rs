//! What the lifecycle requests share: restart, pause, resume, hibernate, delete, wake, terminate.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::spec::{Budget, Help, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::{Answer, Identity};
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{NameOr, Text};
use crate::scenario::raw::words::{TimeOrLookup, WorkspaceName};
use crate::scenario::template::TemplateValue;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// `wake:` and `terminate:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WakeOrTerminate")]
#[expect(dead_code, reason = "some fields are there for the schema: the check reads the mapping itself")]
pub(crate) struct RawTarget {
    /// Which workspace.
    #[schemars(required, with = "WorkspaceName")]
    pub workspace: Option<Text>,
    /// The deadline; may stand beside the verb instead.
    #[schemars(with = "Option<TimeOrLookup>")]
    pub within: Option<Text>,
}

/// A lifecycle request: restart, pause, resume, hibernate, delete.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Which workspace.
    pub workspace: WorkspaceRef,
    /// `?force=true` (hibernate).
    pub force: bool,
    /// `?cascade=true` (pause, resume).
    pub cascade: bool,
    /// `?purge=true` (delete).
    pub purge: bool,
    /// `reset: true` (restart).
    pub reset: bool,
    /// Body fields (restart).
    pub body: IndexMap<String, TemplateValue>,
    /// Whose bearer is sent.
    pub identity: Option<Identity>,
    /// The verb's own success when empty: response and stored row.
    pub answer: Answer,
}

impl Edge {
    /// A request without options.
    pub(in crate::scenario) fn of(workspace: WorkspaceRef) -> Edge {
        Edge {
            workspace,
            force: false,
            cascade: false,
            purge: false,
            reset: false,
            body: IndexMap::new(),
            identity: None,
            answer: Answer::default(),
        }
    }
}

/// What stands behind the key of every lifecycle request, beside its own options.
#[derive(Clone, Copy, Debug)]
pub(in crate::scenario) struct Common<'a> {
    pub workspace: Option<&'a Text>,
    pub auth: Option<&'a Node>,
    pub expect: Option<&'a Node>,
}

/// A mapping that has them.
pub(in crate::scenario) trait HasCommon {
    fn common(&self) -> Common<'_>;
}

/// A lifecycle request: what it has of its own. The rest of [`VerbSpec`] follows.
pub(in crate::scenario) trait Request: Sized {
    /// How it is written and what it means.
    const HELP: Help;
    /// It may bring another instance, so that what was known of the old one ends.
    const EDGE: bool;
    /// What stands behind its key.
    type Raw: Default + DeserializeOwned + JsonSchema + HasCommon;

    /// Puts its own options into the request.
    fn made(check: &mut Check<'_>, raw: &Self::Raw, edge: Edge) -> Self;
    /// The request.
    fn edge(&self) -> &Edge;
}

impl<R: Request> VerbSpec for R {
    const HELP: Help = <R as Request>::HELP;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<NameOr<R::Raw>>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let short = check.short(node);
        let raw: R::Raw = if short.is_some() { R::Raw::default() } else { check.read(node) };
        let Common { workspace, auth, expect } = raw.common();
        let workspace = check.subject(short.as_ref().or(workspace), <R as Request>::HELP.keyword, span);
        if R::EDGE {
            check.edge(Some(&workspace.name));
        }
        let identity = check.identity(auth);
        let answer = check.answer(expect);
        let edge = Edge { identity, answer, ..Edge::of(workspace) };
        Some(R::made(check, &raw, edge))
    }

    fn title(&self) -> String {
        format!("{} {}", <R as Request>::HELP.keyword, self.edge().workspace.name)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.edge().answer)
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        vec![&self.edge().workspace]
    }
}

impl Check<'_> {
    /// The mapping of a verb, or the workspace alone.
    pub(in crate::scenario) fn short(&mut self, node: &Node) -> Option<Text> {
        match node.kind {
            Kind::Map(_) => None,
            _ => Some(self.text_of(node)),
        }
    }

    /// The workspace that a verb acts on.
    pub(in crate::scenario) fn subject(
        &mut self,
        text: Option<&Text>,
        verb: &str,
        span: Span,
    ) -> WorkspaceRef {
        let hint = format!("for example `{verb}: {{workspace: ws}}`");
        let text = self.required(text, verb, "workspace", span, &hint);
        self.workspace(&text)
    }

    pub(in crate::scenario) fn target(&mut self, node: &Node, span: Span, verb: &str) -> WorkspaceRef {
        let name = match self.short(node) {
            Some(name) => Some(name),
            None => self.read::<RawTarget>(node).workspace,
        };
        let workspace = self.subject(name.as_ref(), verb, span);
        self.edge(Some(&workspace.name));
        workspace
    }
}
