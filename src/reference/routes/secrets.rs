//! Secrets of a workspace and of everybody (contract §8.1).

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, Caller, read};
use crate::domain::Status;
use crate::models::gates::{Stored, check_secret_write};
use crate::reference::faults::Fault;
use crate::reference::state::workspace::{SecretRow, Workspace};
use crate::reference::{reply, rules};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    key: Option<String>,
    value: Option<String>,
}

/// What the guard takes for the runtime of a workspace that is not there.
const UNKNOWN_RUNTIME: &str = "claude-code";

/// Key and value, both with something in them.
fn pair(call: &Call) -> Option<(String, String)> {
    let body: Body = call.object()?;
    Some((body.key.filter(|k| !k.is_empty())?, body.value.filter(|v| !v.is_empty())?))
}

/// Only lowercase ids are taken here.
fn strict_id(call: &Call) -> Result<Uuid, Response> {
    let text = call.id_text();
    let id = call.id()?;
    if id.to_string() == text { Ok(id) } else { Err(reply::error(400, "invalid workspace ID")) }
}

fn shown(rows: &BTreeMap<String, SecretRow>, scope: &str) -> Vec<Value> {
    rows.iter()
        .map(|(key, row)| {
            json!({
                "key": key,
                "has_value": true,
                "scope": scope,
                "created_at": row.created_at,
                "updated_at": row.updated_at,
            })
        })
        .collect()
}

pub(super) fn list(call: &Call) -> Response {
    let id = match strict_id(call) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let state = call.platform.state();
    let empty = BTreeMap::new();
    let own = state.get(id).map_or(&empty, |w| &w.secrets);
    let mut rows = shown(own, "workspace");
    let global: BTreeMap<String, SecretRow> = state
        .global_secrets
        .iter()
        .filter(|(key, _)| !own.contains_key(*key))
        .map(|(key, row)| (key.clone(), row.clone()))
        .collect();
    rows.extend(shown(&global, "global"));
    reply::ok(&Value::Array(rows))
}

pub(super) fn values(call: &Call) -> Response {
    let id = match strict_id(call) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = read::own_token(call, id) {
        return refusal;
    }
    let state = call.platform.state();
    let mut all: BTreeMap<&str, &str> = BTreeMap::new();
    let own = state.get(id).map(|w| &w.secrets);
    for (key, row) in state.global_secrets.iter().chain(own.into_iter().flatten()) {
        all.insert(key, &row.value);
    }
    reply::ok(&json!(all))
}

/// Whether a write by this caller restarts the workspace: not its own, and not the concierge's.
fn restarts(call: &Call, id: Uuid) -> bool {
    let by_itself = match call.caller {
        Caller::Workspace(owner) => owner == id,
        _ => call.header("x-workspace-id").and_then(|t| Uuid::try_parse(t).ok()) == Some(id),
    };
    let platform = call.platform.state().get(id).is_some_and(|w| w.platform);
    !by_itself && !platform
}

/// A gated action that an organisation token has to wait for (contract §1.6).
fn pending(call: &Call) -> Option<Response> {
    let gate = matches!(call.platform.server_var("MOLECULE_PLATFORM_APPROVAL_GATE"), Some("1" | "true"));
    (gate && call.caller == Caller::Org).then(|| super::approvals::gate(call, "secret_write")).flatten()
}

pub(super) fn write(call: &Call) -> Response {
    let id = match strict_id(call) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some((key, value)) = pair(call) else { return reply::error(400, "invalid request body") };
    if let Some(pending) = pending(call) {
        return pending;
    }
    let platform = &call.platform;
    {
        let mut state = platform.state();
        // The guard comes first: a vendor's key of nobody is refused like one of somebody without a model.
        let mut nobody = None;
        let known = state.get(id).is_some();
        let workspace = match state.get_mut(id) {
            Some(workspace) => workspace,
            None => nobody.insert(Workspace::new(id, String::new(), UNKNOWN_RUNTIME.to_owned())),
        };
        let names: BTreeSet<String> = workspace.secrets.keys().cloned().collect();
        let stored = Stored {
            runtime: &workspace.runtime,
            model: workspace.model(),
            secret_names: &names,
            billing_override: rules::override_of(workspace),
        };
        if let Err(refusal) = check_secret_write(platform.catalogue, &stored, &key) {
            let mut body = refusal.body();
            body["workspace_id"] = json!(id);
            return reply::json_body(refusal.status, &body);
        }
        if !known {
            return reply::error(500, "failed to save secret");
        }
        if !platform.fault(Fault::SecretWriteIgnored) {
            put(&mut workspace.secrets, &key, value);
        }
    }
    if restarts(call, id) {
        platform.restart_by_id(id);
    }
    reply::ok(&json!({ "status": "saved", "key": key }))
}

fn put(rows: &mut BTreeMap<String, SecretRow>, key: &str, value: String) {
    match rows.get_mut(key) {
        Some(row) => row.update(value),
        None => {
            rows.insert(key.to_owned(), SecretRow::new(value));
        }
    }
}

pub(super) fn delete(call: &Call) -> Response {
    let id = match strict_id(call) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let key = call.params.get(1).cloned().unwrap_or_default();
    let gone = call.platform.state().get_mut(id).and_then(|w| w.secrets.remove(&key)).is_some();
    if !gone {
        return reply::error(404, "secret not found");
    }
    if restarts(call, id) {
        call.platform.restart_by_id(id);
    }
    reply::ok(&json!({ "status": "deleted", "key": key }))
}

pub(super) fn list_global(call: &Call) -> Response {
    reply::ok(&Value::Array(shown(&call.platform.state().global_secrets, "global")))
}

/// Everybody who has no value of their own and is neither stopped, external nor the concierge.
fn restart_all(call: &Call, key: &str) {
    let touched: Vec<Uuid> = call
        .platform
        .state()
        .live()
        .filter(|w| w.status != Status::Paused && w.runtime != "external" && !w.platform)
        .filter(|w| !w.secrets.contains_key(key))
        .map(|w| w.id)
        .collect();
    for id in touched {
        call.platform.restart_by_id(id);
    }
}

pub(super) fn write_global(call: &Call) -> Response {
    let Some((key, value)) = pair(call) else { return reply::error(400, "invalid request body") };
    if let Some(pending) = pending(call) {
        return pending;
    }
    if !call.platform.fault(Fault::SecretWriteIgnored) {
        put(&mut call.platform.state().global_secrets, &key, value);
    }
    restart_all(call, &key);
    reply::ok(&json!({ "status": "saved", "key": key, "scope": "global" }))
}

pub(super) fn delete_global(call: &Call) -> Response {
    let key = call.id_text().to_owned();
    if call.platform.state().global_secrets.remove(&key).is_none() {
        return reply::error(404, "secret not found");
    }
    restart_all(call, &key);
    reply::ok(&json!({ "status": "deleted", "key": key, "scope": "global" }))
}
