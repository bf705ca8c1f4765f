//! `stub:` starts an agent of the harness's own.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::Text;
use crate::scenario::raw::words::{NewName, words};
use crate::source::Span;
use crate::yaml::Node;

const ACTS: [(&str, StubAct); 10] = [
    ("answer", StubAct::Answer),
    ("task", StubAct::Task),
    ("other", StubAct::Other),
    ("echo", StubAct::Echo),
    ("error-text", StubAct::ErrorText),
    ("empty", StubAct::Empty),
    ("nothing", StubAct::Nothing),
    ("garbage", StubAct::Garbage),
    ("reset", StubAct::Reset),
    ("hang", StubAct::Hang),
];

fn act(word: &str) -> Option<StubAct> {
    let status = || word.parse().ok().filter(|s| (200..600).contains(s)).map(StubAct::Status);
    ACTS.iter().find(|(name, _)| *name == word).map(|(_, act)| *act).or_else(status)
}

/// `stub:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stub")]
pub(crate) struct RawStub {
    /// Its address for later steps: `${peer}`.
    #[schemars(required, with = "NewName")]
    pub r#as: Option<Text>,
    /// What it does with each message, the last one for all that follow: `answer`, `task`, `other`, `echo`, `error-text`,
    /// `empty`, `nothing`, `garbage`, `reset`, `hang`, or a status such as `503`. `[answer]` when absent.
    #[schemars(with = "Option<Script>")]
    pub script: Option<Node>,
}

/// `stub:` an agent of the harness's own, at `http://localhost:PORT`.
#[derive(Clone, Debug)]
pub struct Stub {
    /// Its address for later steps.
    pub alias: String,
    /// What it does with each message; the last one for all that follow.
    pub script: Vec<StubAct>,
}

/// What a stub does with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StubAct {
    /// Answers: the known answer where the question has one, else the question's own text.
    Answer,
    /// Works on it: a task first, whose end `tasks/get` shows.
    Task,
    /// Answers, but not what was asked.
    Other,
    /// Says the question again.
    Echo,
    /// An error text in a good answer.
    ErrorText,
    /// A JSON-RPC result without any text.
    Empty,
    /// A 200 without a body.
    Nothing,
    /// A 200 whose body is no JSON.
    Garbage,
    /// Ends the connection without an answer.
    Reset,
    /// Never answers.
    Hang,
    /// An error of this status.
    Status(u16),
}

words! {
    /// What it does with one message after another.
    Script = json_schema!({ "type": "array", "items": { "anyOf": [
        { "enum": ACTS.map(|(word, _)| word) },
        { "type": "integer", "minimum": 200, "maximum": 599 },
        { "type": "string", "pattern": "^[2-5][0-9][0-9]$" },
    ] } });
}

impl VerbSpec for Stub {
    const HELP: Help = Help {
        keyword: "stub",
        group: Group::Outside,
        meaning: "Starts an agent of the harness's own on this machine and names its address, `http://localhost:PORT`. It does \
         with each message what its script says; `GET <address>/calls` lists the messages that it got.",
        example: "- stub: { as: peer, script: [reset, answer] }",
        names: Names::Field("as"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawStub>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawStub = check.read(node);
        let hint = "for example `stub: {as: peer, script: [reset, answer]}`";
        let alias = check.required(raw.r#as.as_ref(), "stub", "as", span, hint);
        let mut script = Vec::new();
        for text in check.texts(raw.script.as_ref()) {
            match act(&text.value) {
                Some(act) => script.push(act),
                None => {
                    let message = format!("a stub cannot `{}`", text.value);
                    let hint =
                        format!("one of {}, or a status such as 503", ACTS.map(|(word, _)| word).join(", "));
                    check.error("stub-act", text.span, message, "not an act", hint);
                }
            }
        }
        if script.is_empty() {
            script.push(StubAct::Answer);
        }
        if !alias.value.is_empty() {
            check.define(&alias, Means::Text);
        }
        Some(Stub { alias: alias.value, script })
    }

    fn title(&self) -> String {
        format!("stub {}", self.alias)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        Vec::new()
    }
}
