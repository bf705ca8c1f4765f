//! Verbs that speak as an agent or to one.

use std::time::Duration;

use crate::domain::answers;
use crate::scenario::model::{A2a, Heartbeat, Inbox, Register, Reply, Say};
use crate::scenario::raw::agent::{RawA2a, RawHeartbeat, RawInbox, RawRegister};
use crate::scenario::template::Template;
use crate::source::{Span, did_you_mean};
use crate::yaml::{Kind, Node};

use super::Check;
use super::names::Means;

impl Check<'_> {
    pub(super) fn register(&mut self, node: &Node, span: Span) -> Register {
        let raw: RawRegister = self.read(node);
        let hint =
            "for example `register: {workspace: ws, delivery_mode: poll}`, or `as: stranger` for a fresh id";
        match (&raw.workspace, &raw.r#as) {
            (Some(_), Some(both)) => {
                self.error(
                    "exclusive-fields",
                    both.span,
                    "`workspace` and `as` exclude each other",
                    "here",
                    hint.to_owned(),
                );
            }
            (None, None) => {
                self.required(None, "register", "workspace` or `as", span, hint);
            }
            _ => {}
        }
        let register = Register {
            workspace: raw.workspace.as_ref().map(|text| self.workspace(text)),
            alias: raw.r#as.as_ref().map(|t| t.value.clone()),
            delivery_mode: self.delivery_mode(raw.delivery_mode.as_ref()),
            url: self.template_of(raw.url.as_ref()),
            card: raw.card.as_ref().map(|n| self.value(n)),
            identity: self.identity(raw.auth.as_ref()),
            body: self.values(raw.body.as_ref()),
            answer: self.answer(raw.expect.as_ref()),
        };
        if let Some(name) = &raw.r#as {
            self.define(name, Means::Workspace);
        }
        register
    }

    pub(super) fn heartbeat(&mut self, node: &Node, span: Span) -> Heartbeat {
        let raw: RawHeartbeat = self.read(node);
        let workspace = self.subject(raw.workspace.as_ref(), "heartbeat", span);
        let every = raw.every.as_ref().map(|text| self.duration(text));
        if let (Some(text), Some(Duration::ZERO)) = (&raw.every, every)
            && !self.has_errors()
        {
            self.error(
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
            self.error(
                "exclusive-fields",
                flag.span,
                "a heartbeat is stopped or sent, not both",
                "here",
                hint,
            );
        }
        Heartbeat {
            workspace,
            body: self.values(raw.body.as_ref()),
            every,
            stop,
            identity: self.identity(raw.auth.as_ref()),
            answer: self.answer(raw.expect.as_ref()),
        }
    }

    pub(super) fn a2a(&mut self, node: &Node, span: Span) -> A2a {
        let raw: RawA2a = self.read(node);
        let hint = "for example `a2a: {to: ws, say: known-answer}`";
        let to = self.required(raw.to.as_ref(), "a2a", "to", span, hint);
        let to = self.workspace(&to);
        let say = match &raw.say {
            Some(say) => self.say(say),
            None => {
                self.required(None, "a2a", "say", span, hint);
                Say::KnownAnswer(String::new())
            }
        };
        let answer = self.answer(raw.expect.as_ref());
        let reply = match &raw.reply {
            Some(reply) => self.reply(reply),
            None if answer.is_default() => Reply::Answer,
            None => Reply::Ignored,
        };
        let a2a = A2a {
            to,
            say,
            from: raw.from.as_ref().map(|text| self.workspace(text)),
            identity: self.identity(raw.auth.as_ref()),
            envelope: raw.envelope.unwrap_or_default(),
            part: raw.part.unwrap_or_default(),
            message_id: self.template_of(raw.message_id.as_ref()),
            method: self.template_of(raw.method.as_ref()),
            params: self.values(raw.params.as_ref()),
            headers: self.templates(raw.headers.as_ref()),
            reply,
            capture: raw.capture.as_ref().map(|t| t.value.clone()),
            answer,
        };
        if let Some(name) = &raw.capture {
            if matches!(a2a.reply, Reply::Queued | Reply::Ignored | Reply::RpcError(_)) {
                let hint = "a queued, ignored or refused message has no reply".to_owned();
                self.error("exclusive-fields", name.span, "there is no text to capture", "here", hint);
            }
            self.define(name, Means::Text);
        }
        // A message to a hibernated workspace may wake it.
        self.edge(Some(&a2a.to.name));
        a2a
    }

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
                self.error("unknown-word", text.span, format!("`{other}` is no kind of reply"), "here", hint);
                Reply::Answer
            }
        }
    }

    pub(super) fn inbox(&mut self, node: &Node, span: Span) -> Inbox {
        let raw: RawInbox = self.read(node);
        let workspace = self.subject(raw.workspace.as_ref(), "inbox", span);
        let texts = raw.texts.as_ref().map(|n| self.texts(Some(n)));
        let texts: Option<Vec<Template>> =
            texts.map(|texts| texts.iter().map(|t| self.template(t)).collect());
        let answer = self.answer(raw.expect.as_ref());
        let wanted = texts.as_ref().map_or(usize::from(answer.is_default()), Vec::len);
        let inbox = Inbox {
            workspace,
            since: self.template_of(raw.since.as_ref()),
            at_least: raw.at_least.map_or(wanted, |n| n.value),
            texts,
            cursor: raw.cursor.as_ref().map(|t| t.value.clone()),
            answer,
        };
        if let Some(name) = &raw.cursor {
            self.define(name, Means::Text);
        }
        inbox
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
