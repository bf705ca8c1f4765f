//! `inbox:` reads messages as an agent in poll mode.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::decode::Spanned;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, Text};
use crate::scenario::raw::words::{NewName, TimeOrLookup, WorkspaceName};
use crate::scenario::template::Template;
use crate::source::Span;
use crate::yaml::Node;

/// `inbox:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Inbox")]
#[expect(dead_code, reason = "some fields are there for the schema: the check reads the mapping itself")]
pub(crate) struct RawInbox {
    /// Whose.
    #[schemars(required, with = "WorkspaceName")]
    pub workspace: Option<Text>,
    /// Only after this cursor.
    pub since: Option<Text>,
    /// Waits for this many messages; 1 when absent.
    pub at_least: Option<Spanned<usize>>,
    /// Exactly these texts, oldest first.
    #[schemars(with = "Option<Vec<Text>>")]
    pub texts: Option<Node>,
    /// Names the last message's id for later steps.
    #[schemars(with = "Option<NewName>")]
    pub cursor: Option<Text>,
    /// What must hold of the HTTP answer, instead of messages.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
    /// The deadline; may stand beside the verb instead.
    #[schemars(with = "Option<TimeOrLookup>")]
    pub within: Option<Text>,
}

/// `inbox:` reads activity as a poll-mode agent (contract §7.4).
#[derive(Clone, Debug)]
pub struct Inbox {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// Only after this cursor.
    pub since: Option<Template>,
    /// Waits until at least this many messages are there.
    pub at_least: usize,
    /// Exactly these texts in this order (oldest first), others fail.
    pub texts: Option<Vec<Template>>,
    /// The last row's id becomes this capture.
    pub cursor: Option<String>,
    /// What is asserted of the HTTP answer, instead of messages.
    pub answer: Answer,
}

impl VerbSpec for Inbox {
    const HELP: Help = Help {
        keyword: "inbox",
        group: Group::Agent,
        meaning: "Reads messages as an agent in poll mode does, from a cursor on.",
        example: "- inbox: { workspace: ws, texts: [hello], cursor: seen }",
        names: Names::Field("cursor"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawInbox>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawInbox = check.read(node);
        let workspace = check.subject(raw.workspace.as_ref(), "inbox", span);
        let texts = raw.texts.as_ref().map(|n| check.texts(Some(n)));
        let texts: Option<Vec<Template>> =
            texts.map(|texts| texts.iter().map(|t| check.template(t)).collect());
        let answer = check.answer(raw.expect.as_ref());
        let wanted = texts.as_ref().map_or(usize::from(answer.is_default()), Vec::len);
        let inbox = Inbox {
            workspace,
            since: check.template_of(raw.since.as_ref()),
            at_least: raw.at_least.map_or(wanted, |n| n.value),
            texts,
            cursor: raw.cursor.as_ref().map(|t| t.value.clone()),
            answer,
        };
        if let Some(name) = &raw.cursor {
            check.define(name, Means::Text);
        }
        Some(inbox)
    }

    fn title(&self) -> String {
        format!("inbox of {}", self.workspace.name)
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
