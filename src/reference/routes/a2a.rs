//! The A2A route: who may send to whom (contract §7.1, §7.5).

use std::time::Duration;

use axum::response::Response;
use serde_json::json;
use uuid::Uuid;

use super::Call;
use super::guard::{is_admin, is_org};
use crate::behaviour::{Behaviour, Edition};
use crate::reference::proxy::{self, Sender};
use crate::reference::reply;

/// Names that only the platform itself uses as callers.
const RESERVED: [&str; 4] = ["webhook:", "system:", "test:", "channel:"];

pub async fn send(call: Call) -> Response {
    let platform = &call.platform;
    let Ok(id) = call.id() else { return reply::error(404, "workspace not found") };
    let sender = match sender(&call, id) {
        Ok(sender) => sender,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = over_budget(&call, id) {
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
    let ceiling = call.header("x-timeout").and_then(|s| s.parse().ok()).map(Duration::from_secs);
    proxy::deliver(platform, id, envelope, sender, ceiling).await
}

/// Whom the message is from; who is not allowed is refused.
fn sender(call: &Call, target: Uuid) -> Result<Sender, Response> {
    let platform = &call.platform;
    let named = call.header("x-workspace-id");
    if named.is_some_and(|n| RESERVED.iter().any(|r| n.starts_with(r))) {
        return Err(reply::error(403, "invalid caller ID"));
    }
    let token = call.bearer();
    let caller = match named {
        Some(text) => Some(Uuid::try_parse(text).map_err(|_| denied())?),
        None => token.and_then(|t| platform.state().tokens.owner(t)),
    };
    let privileged = token.is_some_and(|t| is_admin(platform, t) || is_org(platform, t));
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
        return Ok(Sender::Canvas);
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

fn over_budget(call: &Call, id: Uuid) -> Option<Response> {
    let state = call.platform.state();
    let workspace = state.get(id)?;
    let limit = workspace.budget_limit?;
    (workspace.monthly_spend >= limit).then(|| {
        let body = json!({ "error": "workspace budget limit exceeded", "exceeded_periods": ["monthly"] });
        reply::json_body(402, &body)
    })
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
pub fn queue_status(call: &Call) -> Response {
    if !call.platform.does(Behaviour::AnonymousA2a)
        && let Some(refusal) = unproven(call)
    {
        return refusal;
    }
    let mut state = call.platform.state();
    let caller = call
        .header("x-workspace-id")
        .and_then(|text| Uuid::try_parse(text).ok())
        .or_else(|| call.bearer().and_then(|t| state.tokens.owner(t)));
    let Some(caller) = caller else { return reply::error(401, "caller identity required") };
    let id = Uuid::try_parse(call.id_text()).ok();
    let queue = call.params.get(1).and_then(|t| Uuid::try_parse(t).ok());
    let found = id.zip(queue).and_then(|(id, queue)| Some((id, state.queue.get(id, queue)?)));
    let Some((id, item)) = found else {
        return reply::json_body(404, &json!({ "error": "queue item not found", "retryable": true }));
    };
    if caller != id && item.caller != Some(caller) {
        return reply::error(403, "access denied");
    }
    reply::ok(&item.show(id))
}
