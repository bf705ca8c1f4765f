//! The rest of what only admins may do (contract §1.1, §3.2, §5.6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use crate::domain::Status;
use crate::reference::cycle::Plan;
use crate::reference::reply;
use crate::reference::state::workspace::{SecretRow, Workspace};

/// A row's sample error is no longer than this.
const SAMPLE: usize = 8_192;

pub(super) fn liveness(call: &Call) -> Response {
    let state = call.platform.state();
    let subsystems: BTreeMap<&str, Value> = state
        .ticks
        .iter()
        .map(|(name, (at, since))| {
            let ago = call.platform.clock.since(*since).as_secs();
            (*name, json!({ "last_tick_at": at, "seconds_ago": ago }))
        })
        .collect();
    reply::ok(&json!({ "subsystems": subsystems }))
}

/// There is no control plane to ask.
pub(super) fn console(_: &Call) -> Response {
    reply::error(501, "no control plane is configured")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Bootstrap {
    error: Option<String>,
    log_tail: Option<String>,
}

pub(super) fn bootstrap_failed(call: &Call) -> Response {
    let id = match call.id_or("db update failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some(body) = call.object::<Bootstrap>() else { return reply::error(400, "invalid request body") };
    let platform = &call.platform;
    let mut state = platform.state();
    if state.get(id).is_none_or(|w| w.status != Status::Provisioning) {
        return reply::ok(&json!({ "ok": true, "no_change": true }));
    }
    let error = body.error.filter(|e| !e.is_empty());
    let error = error.unwrap_or_else(|| "bootstrap failed — see log_tail".to_owned());
    let tail = body.log_tail.unwrap_or_default();
    let mut shown = if tail.is_empty() { error.clone() } else { format!("{error}\n\n{tail}") };
    shown.truncate(shown.floor_char_boundary(SAMPLE));
    let payload = json!({ "error": error, "log_tail": tail, "source": "bootstrap_watcher" });
    state.provision_failed(id, &shown, payload, platform.behaviours);
    reply::ok(&json!({ "ok": true }))
}

pub(super) fn set_compute_instance(call: &Call) -> Response {
    let id = match call.id_or("db update failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let body: Value = call.json().unwrap_or_default();
    let Some(instance) = body["instance_id"].as_str().filter(|i| !i.is_empty()) else {
        return reply::error(400, "instance_id required");
    };
    let provider = body["provider"].as_str().unwrap_or_default().to_lowercase();
    if !matches!(provider.as_str(), "aws" | "gcp" | "hetzner") {
        return reply::error(400, "provider must be aws|hetzner|gcp");
    }
    match call.platform.state().get_mut(id) {
        Some(workspace) => workspace.compute["provider"] = json!(provider),
        None => return reply::error(404, "workspace not found"),
    }
    let body =
        json!({ "status": "repointed", "workspace_id": id, "instance_id": instance, "provider": provider });
    reply::ok(&body)
}

/// Makes or adopts the organisation's own agent: the root of all workspaces.
pub(super) async fn platform_agent(call: Call) -> Response {
    let body: Value = call.json().unwrap_or_default();
    let Some(id) = body["id"].as_str().and_then(|t| Uuid::try_parse(t).ok()) else {
        return reply::error(400, "id must be a UUID");
    };
    let platform = &call.platform;
    let new = {
        let mut state = platform.state();
        let roots: Vec<Uuid> =
            state.live().filter(|w| w.parent.is_none() && w.id != id).map(|w| w.id).collect();
        let new = state.get(id).is_none();
        if new {
            let name = body["name"].as_str().filter(|n| !n.is_empty()).unwrap_or("Org Concierge").to_owned();
            let mut workspace = Workspace::new(id, name, "claude-code".to_owned());
            workspace.platform = true;
            let model = crate::models::projection::CONCIERGE_MODEL.to_owned();
            workspace.secrets.insert("MODEL".to_owned(), SecretRow::new(model));
            state.created(workspace);
        } else if let Some(workspace) = state.get_mut(id) {
            workspace.platform = true;
            workspace.parent = None;
        }
        for root in roots {
            if let Some(workspace) = state.get_mut(root) {
                workspace.parent = Some(id);
            }
        }
        new
    };
    if new {
        platform.launch(id, Plan { first: true, ..Plan::default() }).await;
    }
    reply::ok(&json!({ "status": "installed", "platform_agent_id": id, "kind": "platform" }))
}

/// Pulls the images and makes every instance that runs anew. The contract names the route and not its answer; a
/// server without an engine does not have it.
pub(super) async fn refresh_images(call: Call) -> Response {
    let platform = &call.platform;
    if !platform.has_backend || platform.saas() {
        return reply::no_route();
    }
    let running: Vec<(Uuid, String, String)> = {
        let state = platform.state();
        let up = |w: &&Workspace| matches!(w.status, Status::Online | Status::Degraded);
        let managed = |w: &&Workspace| !w.external_like() && w.runtime != "mock";
        let rows = state.live().filter(up).filter(managed);
        rows.map(|w| (w.id, w.name.clone(), w.runtime.clone())).collect()
    };
    for (id, _, _) in &running {
        platform.state().begin_provisioning(*id, platform.behaviours);
        platform.launch(*id, Plan { stop: true, context: true, ..Plan::default() }).await;
    }
    let pulled: BTreeSet<&str> = running.iter().map(|(_, _, runtime)| runtime.as_str()).collect();
    let recreated: Vec<&str> = running.iter().map(|(_, name, _)| name.as_str()).collect();
    reply::ok(&json!({ "pulled": pulled, "recreated": recreated }))
}

pub(super) fn drop_stale(call: &Call) -> Response {
    let workspace = match call.query("workspace_id").filter(|w| !w.is_empty()).map(Uuid::try_parse) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return reply::error(500, "failed to drop stale items"),
    };
    let minutes = match call.query("max_age_minutes").map(str::parse::<u64>) {
        None => 60,
        Some(Ok(minutes)) if i32::try_from(minutes).is_err() => {
            return reply::error(500, "failed to drop stale items");
        }
        Some(Ok(minutes)) if minutes > 0 => minutes,
        Some(_) => return reply::error(400, "max_age_minutes must be a positive integer"),
    };
    let limit = Duration::from_secs(minutes.saturating_mul(60));
    let clock = &call.platform.clock;
    let dropped = call.platform.state().queue.drop_stale(workspace, |at| clock.since(at) >= limit);
    reply::ok(&json!({ "dropped": dropped }))
}
