//! What workspace-servers call: provision, stop, status, configuration, sessions (contract §10).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::Asked;
use super::instances::{self, Wanted};
use super::machine::{Machine, MachineState};
use super::plane::Plane;
use super::privileged::privileged;
use super::state::Keyed;
use super::tenant;
use crate::reference::reply;

/// Why a server's credentials are not taken; the answer has no body (contract §14.4).
pub(super) fn refused(plane: &Plane, asked: &Asked) -> Option<Response> {
    let secret = plane.options.shared_secret.as_ref()?;
    (asked.bearer() != Some(secret.expose())).then(|| reply::empty(401))
}

pub(super) fn provision(plane: &Arc<Plane>, asked: &Asked) -> Response {
    let Some(body) = asked.json.as_ref().filter(|b| b.is_object()) else {
        return reply::error(400, "invalid request body");
    };
    let Some(workspace) = body["workspace_id"].as_str().and_then(|t| Uuid::try_parse(t).ok()) else {
        return reply::error(400, "workspace_id must be a UUID");
    };
    let env: BTreeMap<String, String> = serde_json::from_value(body["env"].clone()).unwrap_or_default();
    if plane.options.august
        && let Some(name) = env.keys().find(|name| privileged(name))
    {
        let error = format!("privileged_env_forbidden: {name}");
        return reply::json_body(400, &json!({ "error": error, "code": "privileged_env_forbidden" }));
    }
    let key = body["idempotency_key"].as_str().filter(|key| !key.is_empty()).map(str::to_owned);
    if let Some(key) = &key {
        let known = plane.state().keyed(key);
        match known {
            Some(Keyed::Answered(answer)) => return reply::json_body(201, &answer),
            Some(Keyed::UnderWay) => return reply::error(409, "provision in progress"),
            None => {}
        }
    }
    let (org, machines) = whose(plane, body["org_id"].as_str().unwrap_or_default());
    let platform_url = body["platform_url"].as_str().unwrap_or_default();
    let wanted = Wanted {
        org,
        workspace,
        runtime: body["runtime"].as_str().unwrap_or_default().to_owned(),
        tier: body["tier"].as_i64().unwrap_or(4),
        env: completed(env, workspace, platform_url),
        files: decoded(&body["config_files"]),
    };
    let instance = instances::launch(plane, machines, wanted);
    let answer = json!({
        "instance_id": instance,
        "state": "pending",
        "private_ip": "",
        "workspace_id": workspace,
    });
    if let Some(key) = key {
        plane.state().keys.insert(key, Keyed::Answered(answer.clone()));
    }
    reply::json_body(201, &answer)
}

/// The organisation of a call; a server that somebody configured by hand gets a row when it first calls.
fn whose(plane: &Plane, name: &str) -> (Uuid, Arc<crate::reference::provision::embedded::Embedded>) {
    let mut state = plane.state();
    if let Some(org) = state.by_name(name) {
        return (org.id, Arc::clone(&org.machines));
    }
    let org = tenant::foreign(plane, Uuid::try_parse(name).unwrap_or_else(|_| crate::chance::uuid()), name);
    let found = (org.id, Arc::clone(&org.machines));
    state.orgs.insert(org.id, org);
    found
}

/// What a machine knows besides what the server put there.
fn completed(
    mut env: BTreeMap<String, String>,
    workspace: Uuid,
    platform_url: &str,
) -> BTreeMap<String, String> {
    env.entry("WORKSPACE_ID".to_owned()).or_insert_with(|| workspace.to_string());
    if !platform_url.is_empty() {
        env.entry("PLATFORM_URL".to_owned()).or_insert_with(|| platform_url.to_owned());
    }
    env
}

fn decoded(files: &Value) -> BTreeMap<String, Vec<u8>> {
    let files = files.as_object().into_iter().flatten();
    files.filter_map(|(path, text)| Some((path.clone(), STANDARD.decode(text.as_str()?).ok()?))).collect()
}

pub(super) async fn stop(plane: &Plane, asked: &Asked) -> Response {
    match asked.query("instance_id") {
        Some(instance) => match instances::terminate(plane, &instance, "stopped by its server").await {
            Some(_) => reply::ok(&json!({ "status": "terminated" })),
            None => reply::error(404, "instance not found"),
        },
        None => reply::error(400, "instance_id is required"),
    }
}

pub(super) fn status(plane: &Plane, asked: &Asked) -> Response {
    let instance = asked.query("instance_id").unwrap_or_default();
    match plane.state().machines.get(&instance) {
        Some(machine) => reply::ok(&json!({ "state": machine.state.as_str() })),
        None => reply::ok(&json!({ "state": "terminated" })),
    }
}

/// A flat map: every entry goes into the server's environment.
pub(super) fn config(plane: &Plane, asked: &Asked) -> Response {
    let names = asked.header("x-molecule-org-id").unwrap_or_default();
    let own = plane.state().by_name(names).map(|org| org.admin_token.clone());
    if let Some(own) = own
        && asked.bearer() != Some(own.expose())
    {
        return reply::empty(401);
    }
    let llm = plane.options.tenant_env.iter().filter(|(name, _)| name.starts_with("MOLECULE_LLM_"));
    let flat: BTreeMap<&String, &String> = llm.collect();
    reply::ok(&json!(flat))
}

/// The registry as the minimal cell reads it: a workspace is there once its machine runs.
pub(super) fn registered(plane: &Plane, workspace: &str) -> Response {
    let state = plane.state();
    let running = |m: &&Machine| {
        m.workspace.is_some_and(|w| w.to_string() == workspace) && m.state == MachineState::Running
    };
    match state.machines.values().rev().find(running) {
        Some(_) => reply::ok(&json!({ "registered": true, "workspace_id": workspace })),
        None => reply::error(404, "not registered"),
    }
}

pub(super) fn me() -> Response {
    reply::ok(&json!({ "user_id": "user-1", "email": "owner@example.invalid" }))
}

pub(super) fn member(plane: &Plane, asked: &Asked) -> Response {
    let slug = asked.query("slug").unwrap_or_default();
    let known = plane.state().by_slug(&slug).is_some();
    let cookie = asked.header("cookie").is_some_and(|c| !c.is_empty());
    if known && cookie {
        reply::ok(&json!({ "member": true, "user_id": "user-1" }))
    } else {
        reply::ok(&json!({ "member": false }))
    }
}
