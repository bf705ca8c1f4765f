//! `/__lifecycle/…`: what no real server tells. Only with `--inspect`, only for admins.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use crate::behaviour::Behaviour;
use crate::reference::options::Mode;
use crate::reference::reply;

pub(super) fn about(call: &Call) -> Response {
    let platform = &call.platform;
    let behaviours: BTreeMap<&str, bool> =
        Behaviour::ALL.iter().map(|b| (b.as_str(), platform.does(*b))).collect();
    reply::ok(&json!({
        "reference_platform": env!("CARGO_PKG_VERSION"),
        "time_scale": platform.clock.scale(),
        "edition": platform.edition,
        "behaviours": behaviours,
        "mode": match platform.mode { Mode::Development => "development", Mode::Production => "production" },
        "faults": active(call),
        "provider": platform.provider,
    }))
}

fn active(call: &Call) -> Value {
    let faults: BTreeMap<&str, Value> = call
        .platform
        .faults
        .iter()
        .map(|(info, value)| {
            let value = if info.value.is_some() { json!(value) } else { json!(true) };
            (info.name, value)
        })
        .collect();
    json!(faults)
}

pub(super) fn faults(call: &Call) -> Response {
    reply::ok(&json!({ "faults": active(call) }))
}

pub(super) fn log(call: &Call) -> Response {
    reply::ok(&json!({ "lines": call.platform.log() }))
}

pub(super) async fn instances(call: Call) -> Response {
    let provisioner = &call.platform.provisioner;
    let instances: Vec<Value> = provisioner
        .instances()
        .await
        .into_iter()
        .map(|i| {
            json!({
                "instance": i.instance,
                "workspace_id": i.workspace_id,
                "url": i.url,
                "started_at": i.started_at,
                "running": i.running,
            })
        })
        .collect();
    reply::ok(&json!({ "instances": instances, "volumes": provisioner.volumes().await }))
}

pub(super) async fn environment(call: Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    match call.platform.provisioner.instance(id).await {
        Some(i) => reply::ok(&json!({ "instance": i.instance, "started_at": i.started_at, "env": i.env })),
        None => reply::error(404, "no instance"),
    }
}

pub(super) async fn instance_logs(call: Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let lines = call.query("lines").and_then(|l| l.parse().ok()).unwrap_or(100);
    reply::ok(&json!({ "lines": call.platform.provisioner.logs(id, lines).await }))
}

/// Ends the instance behind the platform's back, as somebody at the container engine would.
pub(super) async fn terminate(call: Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let provisioner = &call.platform.provisioner;
    let Some(instance) = provisioner.instance(id).await else { return reply::error(404, "no instance") };
    match provisioner.stop(id).await {
        Ok(()) => reply::ok(&json!({ "instance": instance.instance })),
        Err(error) => reply::error(500, error),
    }
}

pub(super) async fn remove_volumes(call: Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    match call.platform.provisioner.remove_volumes(id, true).await {
        Ok(()) => reply::ok(&json!({ "status": "removed" })),
        Err(error) => reply::error(500, error),
    }
}

/// No route of the contract writes this column; tests of real servers set it by SQL (contract §4.2).
pub(super) fn idle_minutes(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let minutes = call.json::<Value>().and_then(|b| b["minutes"].as_u64());
    let Some(minutes) = minutes else { return reply::error(400, "minutes is required") };
    match call.platform.state().get_mut(id) {
        Some(workspace) => {
            workspace.hibernation_idle_minutes = minutes;
            reply::ok(&json!({ "hibernation_idle_minutes": minutes }))
        }
        None => reply::error(404, "workspace not found"),
    }
}
