//! `heartbeat:` beats as an agent.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::decode::Spanned;
use crate::scenario::model::answer::{Answer, Identity};
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, AnyValue, Auth, Text};
use crate::scenario::raw::words::{Time, WorkspaceName};
use crate::scenario::template::TemplateValue;
use crate::source::Span;
use crate::yaml::Node;

/// `heartbeat:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Heartbeat")]
pub(crate) struct RawHeartbeat {
    /// Whose.
    #[schemars(required, with = "WorkspaceName")]
    pub workspace: Option<Text>,
    /// Fields of the heartbeat: `error_rate`, `sample_error`, `active_tasks`, `runtime_state`, …
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub body: Option<Node>,
    /// Keep beating at this pace in the background.
    #[schemars(with = "Option<Time>")]
    pub every: Option<Text>,
    /// Stop a background heartbeat.
    pub stop: Option<Spanned<bool>>,
    /// Whose credentials; the workspace's own when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// What must hold of the answer; status 200 when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `heartbeat:` (contract §6.2).
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// The body's fields besides `workspace_id`: `error_rate`, `sample_error`, `active_tasks`, …
    pub body: IndexMap<String, TemplateValue>,
    /// Keep beating at this pace in the background until the scenario ends or `stop` is sent.
    pub every: Option<Duration>,
    /// Stops a background heartbeat.
    pub stop: bool,
    /// Whose bearer is sent.
    pub identity: Option<Identity>,
    /// Status 200 when absent.
    pub answer: Answer,
}

impl VerbSpec for Heartbeat {
    const HELP: Help = Help {
        keyword: "heartbeat",
        group: Group::Agent,
        meaning: "Sends one heartbeat, or keeps beating in the background.",
        example: "- heartbeat: { workspace: ws, body: { error_rate: 0.9, sample_error: boom } }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawHeartbeat>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawHeartbeat = check.read(node);
        let workspace = check.subject(raw.workspace.as_ref(), "heartbeat", span);
        let every = raw.every.as_ref().map(|text| check.duration(text));
        if let (Some(text), Some(Duration::ZERO)) = (&raw.every, every)
            && !check.has_errors()
        {
            check.error(
                "duration",
                text.span,
                "a heart that beats all the time",
                "zero",
                "for example 2s".to_owned(),
            );
        }
        let stop = raw.stop.is_some_and(|s| s.value);
        if let (Some(flag), true) = (raw.stop, stop && (raw.every.is_some() || raw.body.is_some())) {
            let hint = "`stop: true` stands alone with its workspace".to_owned();
            check.error(
                "exclusive-fields",
                flag.span,
                "a heartbeat is stopped or sent, not both",
                "here",
                hint,
            );
        }
        Some(Heartbeat {
            workspace,
            body: check.values(raw.body.as_ref()),
            every,
            stop,
            identity: check.identity(raw.auth.as_ref()),
            answer: check.answer(raw.expect.as_ref()),
        })
    }

    fn title(&self) -> String {
        format!("heartbeat of {}", self.workspace.name)
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
