//! Judging the reply to a message, whoever holds it: a run, or the log of one.

use serde_json::Value;

use super::answer;
use crate::domain::answers::{Answers, KNOWN, KnownAnswer, STUB_REPLY};
use crate::http::Response;
use crate::mechanism::said;
use crate::platform::record::{self, Reply as Got};
use crate::platform::whose::Due;
use crate::redact::Redactor;
use crate::runner::outcome::Failure;
use crate::scenario::model::{A2a, Envelope, Reply, Say};
use crate::scenario::template::Scope;

/// The question of a step whose answer is known.
pub(in crate::runner) fn question(verb: &A2a) -> Option<&'static KnownAnswer> {
    match &verb.say {
        Say::Text(_) => None,
        Say::KnownAnswer(token) => {
            Some(KNOWN.iter().find(|k| k.token.eq_ignore_ascii_case(token)).unwrap_or(&KNOWN[0]))
        }
    }
}

/// What is wanted of a reply.
pub(in crate::runner) struct Wants<'a> {
    /// The step.
    pub verb: &'a A2a,
    /// The question, when its answer is known.
    pub question: Option<&'static KnownAnswer>,
    /// What the agents there can answer.
    pub answers: Answers,
    /// Id of the request and of its message.
    pub id: &'a str,
    /// What `${…}` finds.
    pub scope: &'a (dyn Scope + Sync),
    /// What is quoted of a reply goes through it.
    pub redactor: &'a Redactor,
}

/// A reply that is as wanted.
#[derive(Debug, Default)]
pub(in crate::runner) struct Fits {
    /// One line: what was replied.
    pub message: String,
    /// It is the known answer.
    pub known: bool,
    /// It passes only because nobody says what the agents there can answer.
    pub unproven: bool,
}

impl Fits {
    fn with(message: impl Into<String>) -> Result<Fits, Failure> {
        Ok(Fits { message: message.into(), ..Fits::default() })
    }
}

impl Wants<'_> {
    /// Only messages are logged, and only where the reply is judged is another way to it as good.
    pub(in crate::runner) fn may_look(&self) -> bool {
        self.verb.answer.is_default() && self.verb.method.is_none()
    }

    /// Neither an answer of the agent nor one of the platform: the platform's own log may have the agent's. A server
    /// without the route has called nobody.
    pub(in crate::runner) fn is_lost(&self, answer: &Response) -> bool {
        let strange = answer.json.is_none() || answer::from_elsewhere(answer, Due::Json);
        self.may_look() && strange && !matches!(answer.status, 404 | 405)
    }

    /// A task that is under way is asked for until it ends.
    pub(in crate::runner) fn follows_task(&self, got: &Got) -> bool {
        let goes_on = matches!(got, Got::Task(state, _) if record::is_under_way(state));
        goes_on && matches!(self.verb.reply, Reply::Answer | Reply::Text(_))
    }

    /// A message that waits is followed to its reply.
    pub(in crate::runner) fn follows(&self) -> bool {
        !matches!(self.verb.reply, Reply::Queued | Reply::Ignored)
    }

    /// What an answer is, when it is one to this request.
    ///
    /// # Errors
    /// It is no JSON, or somebody else's.
    pub(in crate::runner) fn read(&self, answer: &Response) -> Result<Got, Failure> {
        let Some(body) = answer.json.as_ref() else {
            let text = format!("the reply is no JSON: {}", answer::describe(answer));
            return Err(answer::unwanted(answer, text));
        };
        self.reply_to(body)
    }

    /// Reads a reply, wherever it stood: an agent's answer carries the id of the request that it answers.
    ///
    /// # Errors
    /// It answers another one.
    pub(in crate::runner) fn reply_to(&self, body: &Value) -> Result<Got, Failure> {
        let got = record::reply(body);
        let of_agent =
            matches!(got, Got::Text(_) | Got::Task(..) | Got::Empty | Got::NoText(_) | Got::RpcError(..));
        let own = record::answers(body, &Value::from(self.id)) != Some(false);
        if !of_agent || self.verb.envelope != Envelope::Full || own {
            return Ok(got);
        }
        let id = body.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        Err(Failure::product(format!(
            "the reply answers another request: id {}, sent {}",
            self.redactor.excerpt(&id.unwrap_or_default(), 80),
            self.id
        )))
    }

    /// What a look at a queued message shows: its reply, or how it stands.
    ///
    /// # Errors
    /// It was given up, or its reply is none.
    pub(in crate::runner) fn queued(&self, item: &Value) -> Result<Result<Got, String>, Failure> {
        match record::text(item, "status") {
            "completed" => {
                let Some(reply) = item.get("response_body").filter(|reply| !reply.is_null()) else {
                    return Err(Failure::product("the queued message was completed without a reply"));
                };
                self.reply_to(reply).map(Ok)
            }
            status @ ("failed" | "dropped") => {
                let why = record::text(item, "last_error");
                Err(Failure::product(format!("the queued message was {status}: {why}")))
            }
            status => Ok(Err(status.to_owned())),
        }
    }

    /// Whether a reply is as wanted; its text is kept where the step gives it a name.
    ///
    /// # Errors
    /// What came instead.
    pub(in crate::runner) fn fits(
        &self,
        answer: &Response,
        got: Got,
        kept: &mut Option<String>,
    ) -> Result<Fits, Failure> {
        let status_line = answer::describe(answer);
        let excerpt = |text: &str, max| self.redactor.excerpt(text, max);
        let taken = !matches!(got, Got::RpcError(..) | Got::Platform(_));
        match (&self.verb.reply, got) {
            (Reply::Ignored, _) => Fits::with(status_line),
            _ if taken && !answer.is_success() => {
                let text = format!(
                    "the answer says that the message was taken, with the status of a refusal: {status_line}"
                );
                Err(answer::unwanted(answer, text))
            }
            (Reply::Queued, Got::Queued | Got::Followed(_)) => Fits::with("queued"),
            (Reply::Queued, _) => {
                Err(Failure::product(format!("wanted the message to be queued, got {status_line}")))
            }
            (Reply::RpcError(code), Got::RpcError(got, text)) if Some(*code) == got => {
                Fits::with(format!("{code}: {text}"))
            }
            (Reply::RpcError(code), _) => {
                Err(Failure::product(format!("wanted the JSON-RPC error {code}, got {status_line}")))
            }
            (Reply::Answer, Got::Text(text)) => self.answered(&text, kept),
            (Reply::Text(matchers), Got::Text(text)) => {
                let value = Value::String(text.clone());
                for matcher in matchers {
                    matcher
                        .check(Some(&value), self.scope)
                        .map_err(|m| Failure::product(format!("the reply: {m}")))?;
                }
                let said = excerpt(&text, 80);
                *kept = Some(text);
                Fits::with(said)
            }
            (_, Got::Queued) => {
                Err(Failure::product("wanted an answer; the message was queued for an agent that polls"))
            }
            (_, Got::Followed(_)) => Err(Failure::product("wanted an answer; the message is still queued")),
            (_, Got::RpcError(code, text)) => {
                let code = code.map_or_else(String::new, |code| format!(" {code}"));
                let text = excerpt(&text, 300);
                Err(Failure::product(format!("wanted an answer, got the JSON-RPC error{code}: {text}")))
            }
            (_, Got::NoText(kinds)) => Err(Failure::product(format!(
                "wanted an answer in words, got one with parts of kind {kinds} alone"
            ))),
            (_, Got::Task(state, text)) => {
                let still = if record::is_final(&state) { "" } else { "still " };
                let said = match text.trim().is_empty() {
                    true => String::new(),
                    false => format!(": {}", excerpt(&text, 300)),
                };
                Err(Failure::product(format!("wanted an answer, the task is {still}`{state}`{said}")))
            }
            (_, Got::Empty) => {
                Err(Failure::product("wanted an answer, got one without any text (an empty completion)"))
            }
            (_, Got::Platform(text)) => {
                Err(answer::unwanted(answer, format!("wanted an answer, got {}: {text}", answer.status)))
            }
        }
    }

    /// An answer is green only if the whole chain is right.
    fn answered(&self, text: &str, kept: &mut Option<String>) -> Result<Fits, Failure> {
        let excerpt = |max| self.redactor.excerpt(text, max);
        if let Some(marker) = record::wrapped_error_of(text, self.question.is_some()) {
            let said = excerpt(300);
            return Err(Failure::product(format!(
                "the reply is an error wrapped in a 200 ({marker}): {said}"
            )));
        }
        *kept = Some(text.to_owned());
        let Some(question) = self.question else { return Fits::with(excerpt(80)) };
        let (wanted, there) = match self.answers {
            Answers::Stub => (STUB_REPLY, text.to_uppercase().contains(STUB_REPLY)),
            Answers::Known | Answers::None => (question.token, question.is_in(text)),
        };
        if there {
            return Ok(Fits { message: excerpt(80), known: true, unproven: false });
        }
        if said::is_plain(text) && !text.contains(question.prompt) {
            let (kind, said) = (said::kind(text), excerpt(300));
            return Err(Failure::product(format!("the reply is an error wrapped in a 200 ({kind}): {said}")));
        }
        // Nobody says what these agents can answer: any words pass, and prove little.
        if self.answers == Answers::None {
            let message = format!("an answer, unproven: {}", excerpt(80));
            return Ok(Fits { message, known: false, unproven: true });
        }
        let only = if text.contains(question.prompt) { "only the question again" } else { "got" };
        Err(Failure::product(format!("wanted the known answer {wanted}, {only}: {}", excerpt(300))))
    }
}

/// The rows of an activity log that are of a message.
pub(in crate::runner) fn rows_of<'r>(rows: &'r [Value], id: &str) -> Vec<&'r Value> {
    let own = |row: &&Value| {
        row.pointer("/request_body/params/message/messageId").and_then(Value::as_str) == Some(id)
    };
    rows.iter().filter(own).collect()
}

/// What an activity log has of the reply to a message.
pub(in crate::runner) fn logged_reply<'r>(rows: &[&'r Value]) -> Option<&'r Value> {
    rows.iter().find_map(|row| row.get("response_body").filter(|body| !body.is_null()))
}
