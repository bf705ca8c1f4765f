//! `PATCH /workspaces/:id` and its abilities (contract §3.2).

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::payload::{clean, compute_error, compute_kept, dir_ok};
use super::{Call, Caller};
use crate::behaviour::Behaviour;
use crate::domain::Status;
use crate::reference::reply;

/// Keys that a server may keep for admins.
const INFRASTRUCTURE: [&str; 5] = ["tier", "parent_id", "runtime", "workspace_dir", "compute"];
/// What a row without a runtime reads as.
const UNSAID_RUNTIME: &str = "claude-code";
/// Keys whose change takes a restart to show.
const NEEDS_RESTART: [&str; 3] = ["runtime", "workspace_dir", "compute"];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Abilities {
    broadcast_enabled: Option<bool>,
    talk_to_user_enabled: Option<bool>,
}

pub(super) fn patch(call: &Call) -> Response {
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
    if let Some(error) = wrong(&changes) {
        return reply::error(400, error);
    }
    let compute = match changes.get("compute").map(compute_kept) {
        Some(None) => return reply::error(400, "invalid compute config"),
        Some(Some(compute)) => Some(compute),
        None => None,
    };
    if let Some(error) = compute.as_ref().and_then(compute_error) {
        return reply::error(400, error);
    }
    let mut state = platform.state();
    // A removed one is edited like any other.
    if state.get(id).is_none() {
        return reply::error(404, "workspace not found");
    }
    if platform.does(Behaviour::RootKeepsItsPlace)
        && changes.get("parent_id").is_some_and(Value::is_null)
        && state.live().any(|w| w.id != id && w.parent.is_none())
    {
        let error = "a workspace below the root of its organisation cannot become a root";
        return reply::json_body(422, &json!({ "error": error, "code": "ROOT_PROMOTION_FORBIDDEN" }));
    }
    let parent = match changes.get("parent_id") {
        Some(Value::String(text)) => match Uuid::try_parse(text).ok().filter(|p| state.get(*p).is_some()) {
            Some(parent) if parent != id || !platform.does(Behaviour::ParentIsValidated) => {
                Some(Some(parent))
            }
            _ if platform.does(Behaviour::ParentIsValidated) => {
                let body = json!({ "error": "invalid parent", "code": "WORKSPACE_REPARENT_INVALID" });
                return reply::json_body(422, &body);
            }
            // The database refuses it, the answer does not say so.
            _ => None,
        },
        Some(Value::Null) => Some(None),
        _ => None,
    };
    let name = changes.get("name").and_then(text_of);
    let name = name.filter(|name| {
        let place = parent.unwrap_or_else(|| state.get(id).and_then(|w| w.parent));
        !state.live().any(|w| w.id != id && w.parent == place && w.name == *name)
    });
    let Some(workspace) = state.get_mut(id) else { return reply::error(404, "workspace not found") };
    if let Some(parent) = parent {
        workspace.parent = parent;
    }
    if let Some(name) = name {
        workspace.name = name;
    }
    if let Some(role) = changes.get("role") {
        workspace.role = text_of(role).filter(|r| !r.is_empty());
    }
    match changes.get("tier") {
        Some(Value::Null) => workspace.tier_erased = true,
        Some(tier) => {
            let tier = tier.as_i64().or_else(|| tier.as_str()?.trim().parse().ok());
            if let Some(tier) = tier.filter(|t| i32::try_from(*t).is_ok()) {
                workspace.tier = tier;
                workspace.tier_erased = false;
            }
        }
        None => {}
    }
    if let Some(collapsed) = changes.get("collapsed").and_then(Value::as_bool) {
        workspace.collapsed = collapsed;
    }
    let mut model_was_reset = false;
    if let Some(runtime) = changes.get("runtime") {
        let runtime = text_of(runtime).unwrap_or_else(|| UNSAID_RUNTIME.to_owned());
        if platform.does(Behaviour::RuntimeChangeResetsModel) && workspace.runtime != runtime {
            model_was_reset = workspace.secrets.remove("MODEL").is_some();
        }
        workspace.runtime = runtime;
    }
    if let Some(dir) = changes.get("workspace_dir") {
        workspace.workspace_dir = dir.as_str().map(str::to_owned).filter(|d| !d.is_empty());
    }
    if let Some(compute) = compute {
        workspace.compute = compute;
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

/// A text, or a number as the database writes it.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Only texts are looked at; values of other types go to the database as they are.
fn wrong(changes: &Map<String, Value>) -> Option<&'static str> {
    for (key, max) in [("name", 255), ("role", 1000), ("runtime", 100)] {
        let text = changes.get(key).and_then(Value::as_str).unwrap_or_default();
        if text.len() > max || text.contains(['\n', '\r']) || (key != "runtime" && !clean(text)) {
            return Some("invalid workspace fields");
        }
    }
    let dir = changes.get("workspace_dir").and_then(Value::as_str).unwrap_or_default();
    (!dir.is_empty() && !dir_ok(dir)).then_some("invalid workspace directory")
}

pub(super) fn abilities(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some(changes) = call.object::<Abilities>() else { return reply::error(400, "invalid request body") };
    if changes.broadcast_enabled.is_none() && changes.talk_to_user_enabled.is_none() {
        return reply::error(400, "at least one ability field required");
    }
    let mut state = call.platform.state();
    let Some(workspace) = state.get_mut(id).filter(|w| w.status != Status::Removed) else {
        return reply::error(404, "workspace not found");
    };
    workspace.broadcast_enabled = changes.broadcast_enabled.unwrap_or(workspace.broadcast_enabled);
    workspace.talk_to_user_enabled = changes.talk_to_user_enabled.unwrap_or(workspace.talk_to_user_enabled);
    reply::ok(&json!({ "status": "updated" }))
}
