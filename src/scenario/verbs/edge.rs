//! What the lifecycle requests share: restart, pause, resume, hibernate, delete, wake, terminate.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::check::Check;
use crate::scenario::model::answer::{Answer, Identity};
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::Text;
use crate::scenario::raw::words::{TimeOrLookup, WorkspaceName};
use crate::scenario::template::TemplateValue;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// `wake:` and `terminate:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WakeOrTerminate")]
pub struct RawTarget {
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
