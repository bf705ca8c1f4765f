//! A message that was sent, and the reading of whatever may be its reply.

use serde_json::Value;

use super::a2a_fits::Wants;
use crate::http::Request;
use crate::platform::record::Reply as Got;
use crate::runner::context::ScenarioContext;
use crate::runner::outcome::Failure;
use crate::scenario::model::A2a;

/// A message, and what its reply is judged by.
pub(super) struct Judged<'a> {
    pub(super) context: &'a ScenarioContext,
    pub(super) verb: &'a A2a,
    pub(super) wants: Wants<'a>,
    pub(super) request: &'a Request,
}

/// Reads a reply, wherever it stood.
pub(super) fn reply_to(judged: &Judged<'_>, body: &Value) -> Result<Got, Failure> {
    judged.wants.reply_to(body)
}
