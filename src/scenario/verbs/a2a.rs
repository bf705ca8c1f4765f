//! `a2a:` sends a message and judges the reply.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use crate::domain::answers;
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::model::answer::{Answer, Identity};
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::model::matcher::Matcher;
use crate::scenario::raw::values::{Answered, AnyValue, Auth, Text, TextMap};
use crate::scenario::raw::words::{NewName, TimeOrLookup, WorkspaceName, words};
use crate::scenario::template::{Template, TemplateValue};
use crate::source::{Span, did_you_mean};
use crate::yaml::{Kind, Node};

/// `a2a:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "A2a")]
#[expect(dead_code, reason = "some fields are there for the schema: the check reads the mapping itself")]
pub(crate) struct RawA2a {
    /// To which workspace.
    #[schemars(required, with = "WorkspaceName")]
    pub to: Option<Text>,
    /// `known-answer`, `{known: WOKE}` or `{text: …}`.
    #[schemars(required, with = "Said")]
    pub say: Option<Node>,
    /// The workspace that speaks; the canvas when absent.
    #[schemars(with = "Option<WorkspaceName>")]
    pub from: Option<Text>,
    /// Whose credentials; admin when absent, `from`'s own with `from`.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// `full` JSON-RPC (default) or `bare` `{method, params}`.
    pub envelope: Option<Envelope>,
    /// The discriminator of a message part: `kind` (default), `type`, or `content` instead of parts.
    pub part: Option<PartKey>,
    /// JSON-RPC id and message id; random when absent.
    pub message_id: Option<Text>,
    /// The JSON-RPC method; `message/send` when absent.
    pub method: Option<Text>,
    /// Further fields of `params`.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub params: Option<Node>,
    /// Extra headers.
    #[schemars(with = "Option<TextMap>")]
    pub headers: Option<Node>,
    /// `answer` (default), `queued`, `ignored`, `{error: -32601}`, or tests of the reply's text.
    #[schemars(with = "Option<Replied>")]
    pub reply: Option<Node>,
    /// Names the reply's text for later steps.
    #[schemars(with = "Option<NewName>")]
    pub capture: Option<Text>,
    /// What must hold of the HTTP answer; then no reply is judged unless `reply` says so.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
    /// The deadline; may stand beside the verb instead.
    #[schemars(with = "Option<TimeOrLookup>")]
    pub within: Option<Text>,
}

/// `a2a:` (contract §7.1).
#[derive(Clone, Debug)]
pub struct A2a {
    /// To whom.
    pub to: WorkspaceRef,
    /// What is said.
    pub say: Say,
    /// The caller; anonymous canvas with the admin token when absent.
    pub from: Option<WorkspaceRef>,
    /// Whose bearer is sent.
    pub identity: Option<Identity>,
    /// Full JSON-RPC (default) or bare `{method, params}`.
    pub envelope: Envelope,
    /// The discriminator of a part: `kind` (default) or `type`.
    pub part: PartKey,
    /// JSON-RPC id and message id; random when absent.
    pub message_id: Option<Template>,
    /// The JSON-RPC method; `message/send` when absent.
    pub method: Option<Template>,
    /// Further fields of `params`.
    pub params: IndexMap<String, TemplateValue>,
    /// Extra headers.
    pub headers: IndexMap<String, Template>,
    /// What the reply must be.
    pub reply: Reply,
    /// Names the reply's text for later steps.
    pub capture: Option<String>,
    /// What is asserted of the HTTP answer, instead of a reply.
    pub answer: Answer,
}

/// `say:` of an a2a step.
#[derive(Clone, Debug)]
pub enum Say {
    /// A question whose answer is known; what is expected follows from what the target's agents can answer.
    KnownAnswer(String),
    /// This text.
    Text(Template),
}

/// What reply an a2a step wants.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer that is no error wrapped in a 200; with a known answer, that token.
    Answer,
    /// Its text satisfies these.
    Text(Vec<Matcher>),
    /// A JSON-RPC error with this code.
    RpcError(i64),
    /// The queued envelope of poll mode.
    Queued,
    /// None is judged, only the HTTP answer.
    Ignored,
}

/// How an a2a request is wrapped.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Envelope {
    /// `{jsonrpc, id, method, params}`.
    #[default]
    Full,
    /// `{method, params}`.
    Bare,
}

/// How a message holds its text.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum PartKey {
    /// `kind: text`.
    #[default]
    Kind,
    /// `type: text`, renamed by the platform.
    Type,
    /// No parts: the old `content`, made parts of by the platform.
    Content,
}

words! {
    /// What is said to an agent.
    Said = json_schema!({ "anyOf": [
        { "const": "known-answer" },
        { "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1, "properties": {
            "known": { "enum": answers::KNOWN.map(|known| known.token) },
            "text": { "type": ["string", "number", "boolean"] },
        } },
    ] });
    /// What is replied.
    Replied = json_schema!({ "anyOf": [
        { "enum": ["answer", "queued", "ignored"] },
        { "type": "object", "additionalProperties": false, "required": ["error"], "properties": {
            "error": { "type": "integer" },
        } },
        { "$ref": "#/$defs/Tests" },
    ] });
}

impl VerbSpec for A2a {
    const HELP: Help = Help {
        keyword: "a2a",
        group: Group::Messages,
        meaning: "Sends a message and judges the reply, found by its own message id.",
        example: "- a2a: { to: ws, say: known-answer, within: 120s }",
        names: Names::Field("capture"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawA2a>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawA2a = check.read(node);
        let hint = "for example `a2a: {to: ws, say: known-answer}`";
        let to = check.required(raw.to.as_ref(), "a2a", "to", span, hint);
        let to = check.workspace(&to);
        let say = match &raw.say {
            Some(say) => check.say(say),
            None => {
                check.required(None, "a2a", "say", span, hint);
                Say::KnownAnswer(String::new())
            }
        };
        let answer = check.answer(raw.expect.as_ref());
        let reply = match &raw.reply {
            Some(reply) => check.reply(reply),
            None if answer.is_default() => Reply::Answer,
            None => Reply::Ignored,
        };
        let a2a = A2a {
            to,
            say,
            from: raw.from.as_ref().map(|text| check.workspace(text)),
            identity: check.identity(raw.auth.as_ref()),
            envelope: raw.envelope.unwrap_or_default(),
            part: raw.part.unwrap_or_default(),
            message_id: check.template_of(raw.message_id.as_ref()),
            method: check.template_of(raw.method.as_ref()),
            params: check.values(raw.params.as_ref()),
            headers: check.templates(raw.headers.as_ref()),
            reply,
            capture: raw.capture.as_ref().map(|t| t.value.clone()),
            answer,
        };
        if let Some(name) = &raw.capture {
            if matches!(a2a.reply, Reply::Queued | Reply::Ignored | Reply::RpcError(_)) {
                let hint = "a queued, ignored or refused message has no reply".to_owned();
                check.error("exclusive-fields", name.span, "there is no text to capture", "here", hint);
            }
            check.define(name, Means::Text);
        }
        // A message to a hibernated workspace may wake it.
        check.edge(Some(&a2a.to.name));
        Some(a2a)
    }

    fn title(&self) -> String {
        format!("a2a to {}", self.to.name)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(Duration::from_secs(120))
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.answer)
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        std::iter::once(&self.to).chain(&self.from).collect()
    }
}

impl Check<'_> {
    fn say(&mut self, node: &Node) -> Say {
        let hint = "write `known-answer`, `{known: WOKE}` or `{text: \"hello\"}`".to_owned();
        let default = Say::KnownAnswer(answers::KNOWN[0].token.to_owned());
        if let Kind::Map(entries) = &node.kind {
            if let [(key, value)] = entries.as_slice() {
                let text = self.text_of(value);
                match key.text.as_str() {
                    "text" => return Say::Text(self.template(&text)),
                    "known" => {
                        let tokens = answers::KNOWN.map(|k| k.token);
                        if !tokens.contains(&text.value.as_str()) {
                            let hint = did_you_mean(&text.value, tokens);
                            let message = format!("nobody knows the answer `{}`", text.value);
                            self.error("unknown-word", text.span, message, "not a known answer", hint);
                        }
                        return Say::KnownAnswer(text.value);
                    }
                    _ => {}
                }
            }
            self.error("say", node.span, "this says nothing", "one of three forms is expected", hint);
            return default;
        }
        let text = self.text_of(node);
        if text.value != "known-answer" {
            let message = format!("`{}` is not a way to say something", text.value);
            self.error("say", text.span, message, "one of three forms is expected", hint);
        }
        default
    }

    fn reply(&mut self, node: &Node) -> Reply {
        if let Kind::Map(entries) = &node.kind {
            if let [(key, value)] = entries.as_slice()
                && key.text == "error"
            {
                let Kind::Number(code, _) = &value.kind else {
                    let hint = "for example `{error: -32601}`".to_owned();
                    self.error(
                        "wrong-type",
                        value.span,
                        "the code of a JSON-RPC error is a number",
                        "this",
                        hint,
                    );
                    return Reply::Answer;
                };
                return Reply::RpcError(code.as_i64().unwrap_or_default());
            }
            return Reply::Text(self.matchers(node));
        }
        let text = self.text_of(node);
        match text.value.as_str() {
            "answer" => Reply::Answer,
            "queued" => Reply::Queued,
            "ignored" => Reply::Ignored,
            other => {
                let mut hint = did_you_mean(other, ["answer", "queued", "ignored"]);
                hint.push_str(", `{error: -32601}`, or tests of its text: `{contains: x}`");
                self.error(
                    "unknown-word",
                    text.span,
                    format!("`{other}` is not a kind of reply"),
                    "here",
                    hint,
                );
                Reply::Answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::answers;

    #[test]
    fn the_default_question_is_the_first_known_one() {
        assert_eq!(answers::KNOWN[0].token, "PONG");
    }
}
