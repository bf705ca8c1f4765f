//! Discovery (contract §6.3).

use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::guard::{is_admin, is_org};
use crate::behaviour::Behaviour;
use crate::domain::Status;
use crate::reference::reply;

/// The refusal of a caller that has tokens and sends none of them.
fn caller_refusal(call: &Call, caller: Uuid) -> Option<Response> {
    let platform = &call.platform;
    if !platform.state().tokens.has_any(caller) {
        return None;
    }
    let Some(token) = call.bearer() else { return Some(reply::error(401, "missing workspace auth token")) };
    let good = is_admin(platform, token)
        || is_org(platform, token)
        || platform.state().tokens.owner(token) == Some(caller);
    (!good).then(|| reply::error(401, "invalid workspace auth token"))
}

pub fn discover(call: &Call) -> Response {
    let Some(caller) = call.header("x-workspace-id") else {
        return reply::error(400, "X-Workspace-ID header is required");
    };
    let Ok(caller) = Uuid::try_parse(caller) else { return reply::error(400, "invalid X-Workspace-ID") };
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = caller_refusal(call, caller) {
        return refusal;
    }
    let state = call.platform.state();
    if !state.can_communicate(caller, id, call.platform.does(Behaviour::RootsMayTalk)) {
        return reply::error(403, "not authorized to discover this workspace");
    }
    match state.present(id) {
        None => reply::error(404, "workspace not found"),
        Some(w) if w.url.is_empty() => {
            let body = json!({ "error": "workspace is not reachable", "status": w.status.as_str() });
            reply::json_body(503, &body)
        }
        Some(w) => reply::ok(&json!({ "id": w.id, "url": w.url, "name": w.name })),
    }
}

pub fn peers(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = caller_refusal(call, id) {
        return refusal;
    }
    let state = call.platform.state();
    let Some(own) = state.get(id) else { return reply::error(404, "workspace not found") };
    let parent = own.parent;
    let wanted = call.query("q").map(str::to_lowercase).unwrap_or_default();
    let rows: Vec<Value> = state
        .live()
        .filter(|w| w.id != id)
        .filter(|w| (parent.is_some() && w.parent == parent) || w.parent == Some(id) || Some(w.id) == parent)
        .filter(|w| {
            let role = w.role.as_deref().unwrap_or_default().to_lowercase();
            wanted.is_empty() || w.name.to_lowercase().contains(&wanted) || role.contains(&wanted)
        })
        .map(|w| {
            json!({
                "id": w.id,
                "name": w.name,
                "role": w.role,
                "tier": w.tier,
                "status": w.status.as_str(),
                "url": w.url,
                "parent_id": w.parent,
                "active_tasks": w.active_tasks,
                "agent_card": w.agent_card,
            })
        })
        .collect();
    reply::ok(&Value::Array(rows))
}

pub fn check_access(call: &Call) -> Response {
    let body: Value = call.json().unwrap_or_default();
    let id = |key: &str| body[key].as_str().and_then(|t| Uuid::try_parse(t).ok());
    let (Some(caller), Some(target)) = (id("caller_id"), id("target_id")) else {
        return reply::error(400, "invalid request body");
    };
    let state = call.platform.state();
    let present = |id: Uuid| state.get(id).is_some_and(|w| w.status != Status::Removed);
    let allowed = present(caller)
        && present(target)
        && state.can_communicate(caller, target, call.platform.does(Behaviour::RootsMayTalk));
    reply::ok(&json!({ "allowed": allowed }))
}
