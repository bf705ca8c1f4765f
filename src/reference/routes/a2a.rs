//! The A2A route: who may send to whom (contract §7.1, §7.5).

use axum::response::Response;
use serde_json::json;
use uuid::Uuid;

use super::guard::{is_admin, is_org};
use super::{Call, budget};
use crate::behaviour::{Behaviour, Edition};
use crate::reference::proxy::{self, Sender};
use crate::reference::reply;

/// Names that only the platform itself uses as callers.
const RESERVED: [&str; 4] = ["webhook:", "system:", "test:", "channel:"];

pub(super) async fn send(call: Call) -> Response {
    let platform = &call.platform;
    // An id that is none fails only where it is looked up; who may ask and what it costs fails open.
    let id = call.id().ok();
    let sender = match sender(&call, id.unwrap_or_default()) {
        Ok(sender) => sender,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = id.and_then(|id| budget::exceeded(&call, id)) {
        return refusal;
    }
    let envelope = match proxy::normalise(&call.body) {
        Ok(envelope) => envelope,
        Err(mut body) => {
            if platform.edition == Edition::MidAugust && body["error"] == "invalid JSON" {
                body["error"] = json!("invalid A2A body");
            }
            return reply::json_body(400, &body);
        }
    };
    let Some(id) = id else { return reply::error(500, "lookup failed") };
    // Its number is never looked at: it only takes the ceiling away.
    let unbounded = call.header("x-timeout").is_some_and(|s| s.parse::<u64>().is_ok());
    proxy::deliver(platform, id, envelope, sender, unbounded).await
}

/// Whom the message is from; who is not allowed is refused.
fn sender(call: &Call, target: Uuid) -> Result<Sender, Response> {
    let platform = &call.platform;
    let named = call.header("x-workspace-id");
    if named.is_some_and(|n| RESERVED.iter().any(|r| n.starts_with(r))) {
        return Err(reply::error(403, "invalid caller ID"));
    }
    let token = call.bearer();
    let privileged = token.is_some_and(|t| is_admin(platform, t) || is_org(platform, t));
    let caller = match named {
        Some(text) => match Uuid::try_parse(text) {
            Ok(id) => Some(id),
            // Passes, and no row can be written in such a name.
            Err(_) if privileged => return Ok(Sender::User(None)),
            Err(_) => return Err(denied()),
        },
        None => token.and_then(|t| platform.state().tokens.owner(t)),
    };
    if !platform.does(Behaviour::AnonymousA2a) && !privileged {
        let Some(token) = token else { return Err(reply::error(401, "missing caller auth token")) };
        let owner = platform.state().tokens.owner(token);
        if owner.is_none() || (caller.is_some() && owner != caller) {
            return Err(reply::error(401, "invalid caller auth token"));
        }
    }
    let Some(caller) = caller else { return Ok(Sender::Canvas) };
    if caller == target {
        return Ok(Sender::Agent(caller));
    }
    if privileged {
        return Ok(Sender::User(Some(caller)));
    }
    let mut state = platform.state();
    if state.tokens.has_any(caller) {
        match token {
            None => return Err(reply::error(401, "missing caller auth token")),
            Some(token) if state.tokens.owner(token) != Some(caller) => {
                return Err(reply::error(401, "invalid caller auth token"));
            }
            Some(_) => {}
        }
    }
    if state.can_communicate(caller, target, platform.does(Behaviour::RootsMayTalk)) {
        Ok(Sender::Agent(caller))
    } else {
        Err(denied())
    }
}

fn denied() -> Response {
    reply::error(403, "access denied: workspaces cannot communicate per hierarchy rules")
}

/// The refusal of a caller that sends no token, or another one than it names.
fn unproven(call: &Call) -> Option<Response> {
    let Some(token) = call.bearer() else { return Some(reply::error(401, "missing caller auth token")) };
    if is_admin(&call.platform, token) || is_org(&call.platform, token) {
        return None;
    }
    let owner = call.platform.state().tokens.owner(token);
    let named = call.header("x-workspace-id").map(Uuid::try_parse);
    let good = owner.is_some() && named.is_none_or(|named| named.ok() == owner);
    (!good).then(|| reply::error(401, "invalid caller auth token"))
}

/// What became of a queued message; the route has no guard, so only a caller's name counts.
pub(super) fn queue_status(call: &Call) -> Response {
    if !call.platform.does(Behaviour::AnonymousA2a)
        && let Some(refusal) = unproven(call)
    {
        return refusal;
    }
    let mut state = call.platform.state();
    // What the header says is taken as it is, and comes before the bearer. Which workspace the path names says
    // nothing.
    let caller = match call.header("x-workspace-id") {
        Some(text) => text.to_owned(),
        None => match call.bearer().and_then(|t| state.tokens.owner(t)) {
            Some(owner) => owner.to_string(),
            None => return reply::error(401, "caller identity required"),
        },
    };
    let Some(Ok(queue)) = call.params.get(1).map(|t| Uuid::try_parse(t)) else {
        return reply::error(500, "lookup failed");
    };
    let Some((id, item)) = state.queue.find(queue) else {
        return reply::json_body(404, &json!({ "error": "queue item not found", "retryable": true }));
    };
    if ![Some(id), item.caller].into_iter().flatten().any(|one| one.to_string() == caller) {
        return reply::error(403, "access denied");
    }
    reply::ok(&item.show(id))
}
