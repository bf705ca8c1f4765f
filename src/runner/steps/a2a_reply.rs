//! A message that was sent, and the reading of whatever may be its reply.

use serde_json::Value;

use crate::domain::answers::KnownAnswer;
use crate::http::Request;
use crate::platform::record::{self, Reply as Got};
use crate::runner::context::ScenarioContext;
use crate::runner::outcome::Failure;
use crate::runner::scope::StepScope;
use crate::scenario::model::{A2a, Envelope};

/// A message, and what its reply is judged by.
pub(super) struct Judged<'a> {
    pub(super) context: &'a ScenarioContext,
    pub(super) verb: &'a A2a,
    pub(super) question: Option<&'static KnownAnswer>,
    pub(super) id: &'a str,
    pub(super) scope: &'a StepScope<'a>,
    pub(super) request: &'a Request,
}

/// Reads a reply, wherever it stood: an agent's answer carries the id of the request that it answers.
pub(super) fn reply_to(judged: &Judged<'_>, body: &Value) -> Result<Got, Failure> {
    let got = record::reply(body);
    let of_agent =
        matches!(got, Got::Text(_) | Got::Task(..) | Got::Empty | Got::NoText(_) | Got::RpcError(..));
    let own = record::answers(body, &Value::from(judged.id)) != Some(false);
    if !of_agent || judged.verb.envelope != Envelope::Full || own {
        return Ok(got);
    }
    let id = body.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    Err(Failure::product(format!(
        "the reply answers another request: id {}, sent {}",
        judged.context.excerpt(&id.unwrap_or_default(), 80),
        judged.id
    )))
}
