//! Discovery (contract §6.3).

use std::time::Duration;

use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::guard::{is_admin, is_org};
use crate::behaviour::Behaviour;
use crate::domain::Status;
use crate::reference::reply;
use crate::reference::state::workspace::Workspace;

/// How this machine is called from inside an instance.
const HOST: &str = "host.docker.internal";
/// The address of the last register is told this long.
const LAST_REGISTER: Duration = Duration::from_secs(300);

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

pub(super) fn discover(call: &Call) -> Response {
    let Some(caller) = call.header("x-workspace-id") else {
        return reply::error(400, "X-Workspace-ID header is required");
    };
    let Ok(caller) = Uuid::try_parse(caller) else { return unavailable() };
    let Ok(id) = call.id() else { return reply::error(403, "not authorized to discover this workspace") };
    if let Some(refusal) = caller_refusal(call, caller) {
        return refusal;
    }
    let state = call.platform.state();
    if !state.can_communicate(caller, id, call.platform.does(Behaviour::RootsMayTalk)) {
        return reply::error(403, "not authorized to discover this workspace");
    }
    let Some(w) = state.get(id) else { return reply::error(404, "workspace not found") };
    let up = matches!(w.status, Status::Online | Status::Degraded);
    let registered = w
        .url_cache
        .as_ref()
        .filter(|(_, at)| call.platform.clock.since(*at) < LAST_REGISTER)
        .map(|(url, _)| url.clone());
    let away = state.get(caller).is_some_and(Workspace::external_like);
    let url = match (w.external_like() && !w.url.is_empty() && up, registered) {
        (true, _) if away => Some(w.url.clone()),
        (true, _) => Some(w.url.replacen("127.0.0.1", HOST, 1).replacen("localhost", HOST, 1)),
        (false, Some(url)) => Some(url),
        (false, None) => up.then(|| format!("http://ws-{id}:8000")),
    };
    match url {
        Some(url) => reply::ok(&json!({ "id": id, "url": url, "name": w.name })),
        None => {
            let body = json!({ "error": "workspace not available", "status": w.status.as_str() });
            reply::json_body(503, &body)
        }
    }
}

/// What an id that is none comes to, where it reaches the database.
fn unavailable() -> Response {
    let error = "platform datastore unavailable — retry shortly";
    reply::json_body(503, &json!({ "error": error, "code": "platform_unavailable" }))
}

pub(super) fn peers(call: &Call) -> Response {
    let Ok(id) = call.id() else { return unavailable() };
    if let Some(refusal) = caller_refusal(call, id) {
        return refusal;
    }
    let state = call.platform.state();
    let Some(own) = state.get(id) else { return reply::error(404, "workspace not found") };
    let parent = own.parent;
    let wanted = call.query("q").map(str::to_lowercase).unwrap_or_default();
    // Siblings, then children, then the parent.
    let place = |w: &Workspace| match w {
        w if parent.is_some() && w.parent == parent => Some(0),
        w if w.parent == Some(id) => Some(1),
        w if Some(w.id) == parent => Some(2),
        _ => None,
    };
    let mut known: Vec<(u8, &Workspace)> =
        state.live().filter(|w| w.id != id).filter_map(|w| Some((place(w)?, w))).collect();
    known.sort_by_key(|(place, _)| *place);
    let rows: Vec<Value> = known
        .into_iter()
        .map(|(_, w)| w)
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

pub(super) fn check_access(call: &Call) -> Response {
    let body: Value = call.json().unwrap_or_default();
    let text = |key: &str| body[key].as_str().filter(|t| !t.is_empty());
    let (Some(caller), Some(target)) = (text("caller_id"), text("target_id")) else {
        return reply::error(400, "invalid request body");
    };
    let state = call.platform.state();
    let id = |text: &str| Uuid::try_parse(text).ok().filter(|id| state.present(*id).is_some());
    let allowed = caller == target
        || id(caller).zip(id(target)).is_some_and(|(caller, target)| {
            state.can_communicate(caller, target, call.platform.does(Behaviour::RootsMayTalk))
        });
    reply::ok(&json!({ "allowed": allowed }))
}
