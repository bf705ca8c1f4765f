//! `PATCH /workspaces/:id` and its abilities (contract §3.2).

use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::payload::{clean, compute_error, dir_ok};
use super::{Call, Caller};
use crate::behaviour::Behaviour;
use crate::reference::reply;

/// Keys that a server may keep for admins.
const INFRASTRUCTURE: [&str; 5] = ["tier", "parent_id", "runtime", "workspace_dir", "compute"];
/// Keys whose change takes a restart to show.
const NEEDS_RESTART: [&str; 3] = ["runtime", "workspace_dir", "compute"];

pub fn patch(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some(Value::Object(changes)) = call.json() else { return reply::error(400, "invalid request body") };
    let platform = &call.platform;
    if matches!(call.caller, Caller::Workspace(_))
        && platform.does(Behaviour::InfrastructureNeedsAdmin)
        && let Some(key) = INFRASTRUCTURE.iter().find(|key| changes.contains_key(**key))
    {
        return reply::error(403, format!("{key} may only be changed by an admin"));
    }
    let mut state = platform.state();
    if state.present(id).is_none() {
        return reply::error(404, "workspace not found");
    }
    if let Some(error) = wrong(&changes) {
        return reply::error(400, error);
    }
    if platform.does(Behaviour::RootKeepsItsPlace)
        && changes.get("parent_id").is_some_and(Value::is_null)
        && state.live().any(|w| w.id != id && w.parent.is_none())
    {
        let error = "a workspace below the root of its organisation cannot become a root";
        return reply::json_body(422, &json!({ "error": error, "code": "ROOT_PROMOTION_FORBIDDEN" }));
    }
    let parent = match changes.get("parent_id") {
        Some(Value::String(text)) => match Uuid::try_parse(text) {
            Ok(parent) if parent != id && state.get(parent).is_some() => Some(Some(parent)),
            _ if platform.does(Behaviour::ParentIsValidated) => {
                let body = json!({ "error": "invalid parent", "code": "WORKSPACE_REPARENT_INVALID" });
                return reply::json_body(422, &body);
            }
            _ => return reply::error(400, "invalid parent_id"),
        },
        Some(Value::Null) => Some(None),
        _ => None,
    };
    let Some(workspace) = state.get_mut(id) else { return reply::error(404, "workspace not found") };
    if let Some(parent) = parent {
        workspace.parent = parent;
    }
    let text = |key: &str| changes.get(key).and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = text("name") {
        workspace.name = name;
    }
    if let Some(role) = text("role") {
        workspace.role = Some(role).filter(|r| !r.is_empty());
    }
    if let Some(tier) = changes.get("tier").and_then(Value::as_i64) {
        workspace.tier = tier;
    }
    if let Some(collapsed) = changes.get("collapsed").and_then(Value::as_bool) {
        workspace.collapsed = collapsed;
    }
    let mut model_was_reset = false;
    if let Some(runtime) = text("runtime") {
        if platform.does(Behaviour::RuntimeChangeResetsModel) && workspace.runtime != runtime {
            model_was_reset = workspace.secrets.remove("MODEL").is_some();
        }
        workspace.runtime = runtime;
    }
    if let Some(dir) = changes.get("workspace_dir") {
        workspace.workspace_dir = dir.as_str().map(str::to_owned).filter(|d| !d.is_empty());
    }
    if let Some(compute) = changes.get("compute").filter(|c| c.is_object()) {
        workspace.compute = compute.clone();
    }
    if let (Some(x), Some(y)) =
        (changes.get("x").and_then(Value::as_f64), changes.get("y").and_then(Value::as_f64))
    {
        (workspace.x, workspace.y) = (x, y);
    }
    let mut body = json!({ "status": "updated" });
    if model_was_reset {
        body["model_was_reset"] = json!(true);
    }
    if NEEDS_RESTART.iter().any(|key| changes.contains_key(*key)) {
        body["needs_restart"] = json!(true);
    }
    reply::ok(&body)
}

fn wrong(changes: &Map<String, Value>) -> Option<&'static str> {
    for (key, max) in [("name", 255), ("role", 1000), ("runtime", 100)] {
        let Some(value) = changes.get(key) else { continue };
        let Some(text) = value.as_str() else { return Some("invalid workspace fields") };
        if text.len() > max || !clean(text) || (key == "name" && text.is_empty()) {
            return Some("invalid workspace fields");
        }
    }
    if changes.get("workspace_dir").and_then(Value::as_str).is_some_and(|d| !d.is_empty() && !dir_ok(d)) {
        return Some("invalid workspace directory");
    }
    changes.get("compute").and_then(compute_error)
}

pub fn abilities(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some(Value::Object(changes)) = call.json() else { return reply::error(400, "invalid request body") };
    let mut state = call.platform.state();
    let Some(workspace) = state.get_mut(id) else { return reply::error(404, "workspace not found") };
    if let Some(on) = changes.get("broadcast_enabled").and_then(Value::as_bool) {
        workspace.broadcast_enabled = on;
    }
    if let Some(on) = changes.get("talk_to_user_enabled").and_then(Value::as_bool) {
        workspace.talk_to_user_enabled = on;
    }
    reply::ok(&json!({ "status": "updated" }))
}
