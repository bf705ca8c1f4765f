//! Work that one workspace gives to another, as far as its first answers go (divergences D4).

use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use crate::reference::reply;

pub(super) fn delegate(call: &Call) -> Response {
    if let Err(refusal) = call.id() {
        return refusal;
    }
    let body: Value = call.json().unwrap_or_default();
    let (Some(target), Some(_)) = (body["target_id"].as_str(), body["task"].as_str()) else {
        return reply::error(400, "invalid delegation request");
    };
    let Ok(target) = Uuid::try_parse(target) else {
        return reply::error(400, "target_id must be a valid UUID");
    };
    let body = json!({ "delegation_id": crate::chance::uuid(), "status": "delegated", "target_id": target });
    reply::json_body(202, &body)
}

/// None is kept here.
pub(super) fn list(call: &Call) -> Response {
    match call.id() {
        Ok(_) => reply::ok(&json!([])),
        Err(refusal) => refusal,
    }
}

pub(super) fn all(_: &Call) -> Response {
    reply::ok(&json!({ "count": 0, "delegations": [], "limit": 100, "status": "in_flight" }))
}
