//! Reading workspaces (contract §3).

use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use crate::behaviour::Behaviour;
use crate::domain::Status;
use crate::reference::reply;

pub(super) fn list(call: &Call) -> Response {
    let health = call.platform.does(Behaviour::SingleReadTellsHealth);
    let rows: Vec<Value> = call.platform.state().live().map(|w| w.listed(health)).collect();
    reply::ok(&Value::Array(rows))
}

pub(super) fn one(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let state = call.platform.state();
    match state.get(id) {
        None => reply::error(404, "workspace not found"),
        Some(w) if w.status == Status::Removed && !call.flag("include_removed") => reply::json_body(
            410,
            &json!({
                "error": "workspace removed",
                "id": id,
                "removed_at": w.removed_at,
                "hint": "Regenerate workspace + token from the canvas → Tokens tab",
            }),
        ),
        Some(w) if w.tier_erased => reply::error(500, "query failed"),
        Some(w) => reply::ok(&w.single(call.platform.does(Behaviour::SingleReadTellsHealth))),
    }
}

/// The handler checks again with the workspace's own token, so that an admin's is refused while the
/// workspace has any (contract §1.4).
pub(super) fn state(call: &Call) -> Response {
    let id = match call.id_or("auth check failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = own_token(call, id) {
        return refusal;
    }
    let state = call.platform.state();
    match state.get(id) {
        None => reply::json_body(404, &json!({ "workspace_id": id, "deleted": true })),
        Some(w) if w.status == Status::Removed => {
            reply::json_body(404, &json!({ "workspace_id": id, "status": "removed", "deleted": true }))
        }
        Some(w) => reply::ok(&json!({
            "workspace_id": id,
            "status": w.status.as_str(),
            "paused": w.status == Status::Paused,
            "deleted": false,
        })),
    }
}

/// The refusal of a bearer that is not the workspace's own, while it has any token.
pub(super) fn own_token(call: &Call, id: uuid::Uuid) -> Option<Response> {
    let mut state = call.platform.state();
    let removed = state.get(id).is_some_and(|w| w.status == Status::Removed);
    if removed && call.platform.does(Behaviour::RemovedTokenIsRefused) {
        return Some(reply::error(401, "invalid workspace auth token"));
    }
    if call.platform.does(Behaviour::AdminReadsState) || !state.tokens.has_any(id) {
        return None;
    }
    let owner = call.bearer().and_then(|token| state.tokens.owner(token));
    (owner != Some(id)).then(|| reply::error(401, "invalid workspace auth token"))
}
