//! Model, billing mode, offered models (contract §8.1, §8.3).

use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Call;
use crate::models::billing::BillingMode;
use crate::models::derive::offered_models;
use crate::models::gates::check_model_put;
use crate::reference::state::workspace::SecretRow;
use crate::reference::{reply, rules};

pub fn read(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let state = call.platform.state();
    match state.get(id).map(|w| w.model()).filter(|m| !m.is_empty()) {
        Some(model) => reply::ok(&json!({ "model": model, "source": "workspace_secrets" })),
        None => reply::ok(&json!({ "model": "", "source": "unresolved" })),
    }
}

pub fn write(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let body: Value = call.json().unwrap_or_default();
    let Some(model) = body["model"].as_str() else { return reply::error(400, "invalid request body") };
    let platform = &call.platform;
    {
        let mut state = platform.state();
        let Some(runtime) = state.present(id).map(|w| w.runtime.clone()) else {
            return reply::error(404, "workspace not found");
        };
        if !model.is_empty()
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

pub fn retired(_: &Call) -> Response {
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
    let Some(workspace) = state.present(id) else { return reply::error(404, "workspace not found") };
    let billing = rules::billing(&call.platform, &state, workspace);
    reply::ok(&json!({
        "workspace_id": id,
        "resolved_mode": billing.mode.as_str(),
        "workspace_override": workspace.billing_override,
        "source": billing.source,
        "provider_selection": billing.provider_selection,
    }))
}

pub fn billing(call: &Call) -> Response {
    match call.id() {
        Ok(id) => shown(call, id),
        Err(refusal) => refusal,
    }
}

pub fn set_billing(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let body: Map<String, Value> = call.json().unwrap_or_default();
    let mode = match body.get("mode") {
        Some(Value::Null) => None,
        Some(Value::String(word)) => match word.parse::<BillingMode>() {
            Ok(mode) => Some(mode.as_str().to_owned()),
            Err(error) => return reply::error(400, error.to_string()),
        },
        Some(_) => return reply::error(400, "mode must be a string or null"),
        None => return reply::error(400, "mode is required"),
    };
    match call.platform.state().get_mut(id) {
        Some(workspace) => workspace.billing_override = mode,
        None => return reply::error(404, "workspace not found"),
    }
    shown(call, id)
}

pub fn offered(call: &Call) -> Response {
    let runtime = call.query("runtime").filter(|r| !r.is_empty()).unwrap_or("claude-code");
    match offered_models(call.platform.catalogue, runtime) {
        Some(models) => reply::ok(&json!({ "runtime": runtime, "models": models })),
        None => reply::json_body(404, &json!({ "error": "unknown runtime", "runtime": runtime })),
    }
}
