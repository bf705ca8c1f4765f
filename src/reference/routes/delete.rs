//! `DELETE /workspaces/:id` (contract §5.5).

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::lifecycle::stop;
use crate::behaviour::Behaviour;
use crate::domain::Status;
use crate::reference::faults::Fault;
use crate::reference::platform::Platform;
use crate::reference::reply;
use crate::reference::state::State;
use crate::reference::state::events::Keep;

pub(super) async fn delete(call: Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let platform = &call.platform;
    let all = {
        let mut state = platform.state();
        let Some(workspace) = state.get(id) else { return reply::error(404, "workspace not found") };
        if workspace.status == Status::Removed {
            return reply::json_body(410, &json!({ "error": "workspace removed", "id": id }));
        }
        let children: Vec<Value> =
            state.children(id).map(|w| json!({ "id": w.id, "name": w.name })).collect();
        // A header is bytes; names may be more than ASCII.
        let confirmed = call.headers.get("x-confirm-name").map(|v| v.as_bytes());
        if confirmed != Some(workspace.name.as_bytes()) {
            let mut body = json!({
                "error": "destructive_action_requires_confirmation",
                "hint": format!("Re-send the same request with header X-Confirm-Name: {}", workspace.name),
                "workspace_name": workspace.name,
                "active_tasks": workspace.active_tasks,
                "child_count": children.len(),
            });
            if platform.does(Behaviour::SchedulesAreCounted) {
                body["schedule_count"] = json!(0);
            }
            return reply::json_body(400, &body);
        }
        if !children.is_empty() && !call.flag("confirm") {
            return reply::json_body(
                409,
                &json!({
                    "status": "confirmation_required",
                    "message":
                        "This workspace has sub-workspaces. Delete with ?confirm=true to cascade delete.",
                    "children_count": children.len(),
                    "children": children,
                }),
            );
        }
        if platform.fault(Fault::DeleteLeaks) {
            return reply::ok(&json!({ "status": "removed", "cascade_deleted": 0 }));
        }
        if let Some(times) = platform.faults.value(Fault::DeleteBusy)
            && (0..times).any(|n| platform.fault_once(Fault::DeleteBusy, &format!("{id}/{n}")))
        {
            return reply::error(409, "workspace has an operation in progress");
        }
        if let Some(seconds) = platform.faults.value(Fault::DeleteLater) {
            if platform.fault_once(Fault::DeleteLater, &id.to_string()) {
                let (later, below) = (Arc::clone(platform), state.descendants(id));
                platform.spawn(async move {
                    later.clock.sleep(Duration::from_secs(seconds)).await;
                    // Whoever asks from now on, of a row that came back, waits for a delete of its own.
                    later.fault_again(Fault::DeleteLater, &id.to_string());
                    let all = {
                        let mut state = later.state();
                        // Who came under it since then was not meant.
                        if state.descendants(id).iter().any(|one| !below.contains(one)) {
                            return;
                        }
                        mark(&mut state, id)
                    };
                    finish(&later, id, &all).await;
                });
            }
            return reply::json_body(202, &json!({ "status": "removing" }));
        }
        mark(&mut state, id)
    };
    let failures = finish(platform, id, &all).await;
    let cascade = all.len() - 1;
    // The rows are removed by now; what still runs is for the caller to know, and keeps its rows.
    if !failures.is_empty() {
        return reply::json_body(
            500,
            &json!({
                "error": "workspaces were removed, but not all of them could be stopped",
                "removed_count": all.len(),
                "stop_failures": failures,
            }),
        );
    }
    let purge = call.flag("purge");
    if purge {
        let mut state = platform.state();
        for one in &all {
            state.forget(*one);
        }
    }
    let word = if purge { "purged" } else { "removed" };
    reply::ok(&json!({ "status": word, "cascade_deleted": cascade }))
}

/// The rows of a workspace and of all below it become `removed`; which those are.
fn mark(state: &mut State, id: Uuid) -> Vec<Uuid> {
    let mut all = state.descendants(id);
    all.push(id);
    for one in &all {
        state.removed(*one);
    }
    all
}

/// Takes away what belongs to removed rows; what of it could not be stopped.
async fn finish(platform: &Platform, id: Uuid, all: &[Uuid]) -> Vec<Value> {
    let cascade = all.len() - 1;
    let mut failures: Vec<Value> = Vec::new();
    for one in all {
        if platform.does(Behaviour::EarlyDeleteIsFinal) {
            // A provision on its way ends first, so that nothing comes up after the delete.
            let cycle = platform.state().get(*one).map(|w| Arc::clone(&w.cycle));
            if let Some(cycle) = cycle {
                drop(cycle.lock().await);
            }
        }
        if let Err(error) = stop(platform, *one).await {
            platform.say(&format!("delete {one}: {error}"));
            failures.push(json!({ "workspace_id": one, "error": error }));
        }
        let _ =
            platform.provisioner.remove_volumes(*one, platform.does(Behaviour::DeleteRemovesVolume)).await;
    }
    let mut state = platform.state();
    for one in all {
        let cascade = if *one == id { cascade } else { 0 };
        state.emit("WORKSPACE_REMOVED", *one, json!({ "cascade_deleted": cascade }), Keep::Stored);
    }
    failures
}
