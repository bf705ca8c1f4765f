//! Restart, pause, resume, hibernate (contract §5.1–§5.4, §5.6).

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::create::is_template;
use crate::behaviour::Behaviour;
use crate::domain::Status;
use crate::reference::cycle::Plan;
use crate::reference::faults::Fault;
use crate::reference::platform::Platform;
use crate::reference::reply;
use crate::reference::state::State;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RestartBody {
    template: Option<String>,
    apply_template: Option<bool>,
    reset: Option<bool>,
}

fn paused_parent(name: &str) -> Response {
    reply::error(409, format!("parent workspace \"{name}\" is paused — resume it first"))
}

/// What to answer before anything happens; the first that holds.
fn restart_refusal(call: &Call, id: Uuid) -> Option<Response> {
    let state = call.platform.state();
    let Some(workspace) = state.present(id) else { return Some(reply::error(404, "workspace not found")) };
    if let Some(name) = state.paused_ancestor(id) {
        return Some(paused_parent(&name));
    }
    if workspace.external_like() || workspace.runtime == "mock" {
        let message = if workspace.runtime == "mock" {
            "mock workspaces have no instance to restart"
        } else {
            "the agent of this workspace is run by its owner; restart it there"
        };
        return Some(reply::ok(
            &json!({ "status": "noop", "runtime": workspace.runtime, "message": message }),
        ));
    }
    (!call.platform.has_backend).then(|| reply::error(503, "provisioner not available"))
}

pub(super) async fn restart(call: Call) -> Response {
    let id = match call.id_or("lookup failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let platform = &call.platform;
    if let Some(refusal) = restart_refusal(&call, id) {
        return refusal;
    }
    let body: RestartBody = if call.body.is_empty() {
        RestartBody::default()
    } else {
        match call.object() {
            Some(body) => body,
            None => return reply::error(400, "invalid JSON body"),
        }
    };
    let reset = body.reset == Some(true) || call.flag("reset");
    let template = body.template.filter(|t| is_template(t) && body.apply_template == Some(true));
    let config_dir = template.unwrap_or_else(|| "existing-volume".to_owned());
    if !platform.fault(Fault::RestartNoop) {
        platform.state().begin_provisioning(id, platform.behaviours);
        platform.launch(id, Plan { stop: true, reset, context: true, ..Plan::default() }).await;
    }
    reply::ok(&json!({ "status": "provisioning", "config_dir": config_dir, "reset_session": reset }))
}

/// Descendants in the way, as a 409 lists them.
fn listed(state: &State, ids: &[Uuid]) -> Vec<Value> {
    ids.iter().filter_map(|id| state.get(*id)).map(|w| json!({ "id": w.id, "name": w.name })).collect()
}

/// Stops an instance because a request wants it at rest or gone.
pub(super) async fn stop(platform: &Platform, id: Uuid) -> Result<(), String> {
    if platform.fault(Fault::StopIgnored) {
        return Ok(());
    }
    if platform.fault(Fault::StopFails) {
        return Err("fault stop-fails".to_owned());
    }
    platform.provisioner.stop(id).await
}

/// Tells the sweeps that an instance is being stopped on request.
fn stopping(call: &Call, id: Uuid, change: i32) {
    if let Some(workspace) = call.platform.state().get_mut(id) {
        workspace.stopping = workspace.stopping.saturating_add_signed(change);
    }
}

pub(super) async fn pause(call: Call) -> Response {
    let id = match call.id_or("lookup failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let platform = &call.platform;
    let all = {
        let state = platform.state();
        if state.present(id).is_none_or(|w| w.status == Status::Paused) {
            return reply::error(404, "workspace not found or already paused");
        }
        let mut below = state.descendants(id);
        below.retain(|d| state.get(*d).is_some_and(|w| w.status != Status::Paused));
        if !below.is_empty() && !call.flag("cascade") {
            let error = "workspace has descendants — use ?cascade=true to pause all";
            return reply::json_body(409, &json!({ "error": error, "descendants": listed(&state, &below) }));
        }
        below.insert(0, id);
        below
    };
    let mut failures = Vec::new();
    for id in &all {
        stopping(&call, *id, 1);
        // A start that is under way is finished first, and then stopped.
        let cycle = platform.state().get(*id).map(|w| std::sync::Arc::clone(&w.cycle));
        let cycle = cycle.filter(|_| !platform.saas());
        if let Some(cycle) = cycle {
            drop(cycle.lock().await);
        }
        let stopped = stop(platform, *id).await;
        let tells = platform.does(Behaviour::PartialEdges);
        match stopped {
            Err(error) if tells => {
                failures.push(json!({ "workspace_id": id, "stage": "stop", "error": error }))
            }
            stopped => {
                if let Err(error) = stopped {
                    platform.say(&format!("pause {id}: {error}"));
                }
                platform.state().paused(*id);
            }
        }
        stopping(&call, *id, -1);
    }
    let paused = all.len() - failures.len();
    let mut body = json!({ "status": "paused", "paused_count": paused });
    if failures.is_empty() {
        return reply::ok(&body);
    }
    let (status, word) = if paused == 0 { (500, "pause_failed") } else { (207, "partially_paused") };
    body["status"] = json!(word);
    body["failures"] = json!(failures);
    reply::json_body(status, &body)
}

pub(super) async fn resume(call: Call) -> Response {
    let id = match call.id_or("lookup failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let platform = &call.platform;
    let all = {
        let mut state = platform.state();
        if state.get(id).is_none_or(|w| w.status != Status::Paused) {
            return reply::error(404, "workspace not found or not paused");
        }
        if !platform.has_backend {
            return reply::error(503, "provisioner not available");
        }
        if let Some(name) = state.paused_ancestor(id) {
            return paused_parent(&name);
        }
        let mut below = state.descendants(id);
        below.retain(|d| state.get(*d).is_some_and(|w| w.status == Status::Paused));
        if !below.is_empty() && !call.flag("cascade") {
            let error = "workspace has paused descendants; send ?cascade=true to resume them too";
            return reply::json_body(409, &json!({ "error": error, "descendants": listed(&state, &below) }));
        }
        below.insert(0, id);
        if platform.fault(Fault::ResumeNotStored) {
            return reply::ok(&json!({ "status": "provisioning", "resumed_count": below.len() }));
        }
        for id in &below {
            state.begin_resuming(*id, platform.behaviours);
        }
        below
    };
    for id in &all {
        let own_agent = platform.state().get(*id).is_some_and(|w| w.external_like());
        if own_agent && platform.does(Behaviour::ExternalResumesExternal) {
            platform.state().set_status(*id, Status::AwaitingAgent);
        } else {
            platform.launch(*id, Plan::default()).await;
        }
    }
    reply::ok(&json!({ "status": "provisioning", "resumed_count": all.len() }))
}

pub(super) async fn hibernate(call: Call) -> Response {
    let id = match call.id_or("lookup failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let platform = &call.platform;
    let force = call.flag("force");
    let claimed = {
        let mut state = platform.state();
        let Some(workspace) = state.get(id).filter(|w| matches!(w.status, Status::Online | Status::Degraded))
        else {
            let error = "workspace not found or not in a hibernatable state (must be online or degraded)";
            return reply::error(404, error);
        };
        let tasks = workspace.active_tasks;
        if tasks > 0 && !force {
            let error = "workspace has active tasks; send ?force=true to hibernate anyway";
            return reply::json_body(409, &json!({ "error": error, "active_tasks": tasks }));
        }
        // Observed servers claim only idle ones, so that force answers 200 and does nothing.
        state.claim_hibernation(id, force && platform.does(Behaviour::ForcedHibernateWorks))
    };
    if claimed {
        if let Err(error) = stop(platform, id).await {
            platform.say(&format!("hibernate {id}: {error}"));
        }
        platform.state().hibernated(id);
    }
    reply::ok(&json!({ "status": "hibernated" }))
}

/// Clouds only (contract §5.6).
pub(super) fn switch_provider(call: &Call) -> Response {
    let body: Value = call.json().unwrap_or_default();
    match body["provider"].as_str().unwrap_or_default() {
        "" => return reply::error(400, "provider is required"),
        "aws" | "gcp" | "hetzner" => {}
        _ => return reply::error(400, "unsupported provider (want aws|gcp|hetzner)"),
    }
    let id = match call.id_or("lookup failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    match call.platform.state().present(id) {
        None => reply::error(404, "workspace not found"),
        Some(_) => reply::error(409, "this server has no cloud provider to switch"),
    }
}
