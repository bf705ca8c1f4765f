//! Model, billing mode, offered models (contract §8.1, §8.3).

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Call;
use crate::models::billing::BillingMode;
use crate::models::derive::offered_models;
use crate::models::gates::check_model_put;
use crate::reference::state::workspace::{SecretRow, Workspace};
use crate::reference::{reply, rules};

pub(super) fn read(call: &Call) -> Response {
    let id = match call.id_or("query failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let state = call.platform.state();
    match state.get(id).map(|w| w.model()).filter(|m| !m.is_empty()) {
        Some(model) => reply::ok(&json!({ "model": model, "source": "workspace_secrets" })),
        None => reply::ok(&json!({ "model": "", "source": "unresolved" })),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Model {
    model: Option<String>,
}

pub(super) fn write(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some(body) = call.object::<Model>() else { return reply::error(400, "invalid request body") };
    let model = body.model.as_deref().unwrap_or_default();
    let platform = &call.platform;
    {
        let mut state = platform.state();
        // Clearing is checked against no row, setting against any, removed or not.
        let runtime = match state.get(id).map(|w| w.runtime.clone()) {
            Some(runtime) => runtime,
            None if model.is_empty() => return reply::ok(&json!({ "status": "cleared" })),
            None => return reply::error(404, "workspace not found"),
        };
        if !model.trim().is_empty()
            && let Err(refusal) = check_model_put(platform.catalogue, &runtime, model)
        {
            return reply::json_body(refusal.status, &refusal.body());
        }
        if let Some(workspace) = state.get_mut(id) {
            if model.is_empty() {
                workspace.secrets.remove("MODEL");
            } else if let Some(row) = workspace.secrets.get_mut("MODEL") {
                row.update(model.to_owned());
            } else {
                workspace.secrets.insert("MODEL".to_owned(), SecretRow::new(model.to_owned()));
            }
        }
    }
    platform.restart_by_id(id);
    if model.is_empty() {
        reply::ok(&json!({ "status": "cleared" }))
    } else {
        reply::ok(&json!({ "status": "saved", "model": model }))
    }
}

pub(super) fn retired(_: &Call) -> Response {
    reply::json_body(
        410,
        &json!({
            "code": "PROVIDER_ENDPOINT_RETIRED",
            "error": "the provider follows from the model; set the model instead",
            "issue": "internal#718",
        }),
    )
}

fn shown(call: &Call, id: Uuid) -> Response {
    let state = call.platform.state();
    // Of an id without a row the server tells its default, and of a removed one what it would be.
    let nobody = Workspace::new(id, String::new(), String::new());
    let workspace = state.get(id).unwrap_or(&nobody);
    let billing = rules::billing(&call.platform, &state, workspace);
    reply::ok(&json!({
        "workspace_id": id,
        "resolved_mode": billing.mode.as_str(),
        "workspace_override": workspace.billing_override,
        "source": billing.source,
        "provider_selection": billing.provider_selection,
    }))
}

/// The id as it is written by the server itself; other spellings are refused here.
fn exact(call: &Call) -> Result<Uuid, Response> {
    let id = Uuid::try_parse(call.id_text()).ok().filter(|id| id.to_string() == call.id_text());
    id.ok_or_else(|| reply::error(400, "invalid workspace id"))
}

/// A refusal that shows what the decoder said.
fn undecoded(error: &str, detail: &str) -> Response {
    reply::json_body(400, &json!({ "error": error, "detail": detail }))
}

pub(super) fn billing(call: &Call) -> Response {
    match exact(call) {
        Ok(id) => shown(call, id),
        Err(refusal) => refusal,
    }
}

pub(super) fn set_billing(call: &Call) -> Response {
    let id = match exact(call) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let body: Map<String, Value> = match serde_json::from_slice(&call.body) {
        Ok(body) => body,
        Err(error) => return undecoded("invalid json", &error.to_string()),
    };
    let mode = match body.get("mode") {
        Some(Value::Null) => None,
        Some(Value::String(word)) => match word.parse::<BillingMode>() {
            Ok(mode) => Some(mode.as_str().to_owned()),
            Err(error) => return reply::error(400, error.to_string()),
        },
        Some(other) => {
            let kind = match other {
                Value::Number(_) => "number",
                Value::Bool(_) => "bool",
                Value::Array(_) => "array",
                _ => "object",
            };
            let detail = format!("json: cannot unmarshal {kind} into Go value of type string");
            return undecoded("mode must be a string or null", &detail);
        }
        None => return reply::error(400, "mode is required"),
    };
    match call.platform.state().get_mut(id) {
        Some(workspace) => workspace.billing_override = mode,
        None => return reply::error(404, "workspace not found"),
    }
    shown(call, id)
}

pub(super) fn offered(call: &Call) -> Response {
    let runtime = call.query("runtime").filter(|r| !r.is_empty()).unwrap_or("claude-code");
    match offered_models(call.platform.catalogue, runtime) {
        Some(models) => reply::ok(&json!({ "runtime": runtime, "models": models })),
        None => reply::json_body(404, &json!({ "error": "unknown runtime", "runtime": runtime })),
    }
}
