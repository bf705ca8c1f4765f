//! `DELETE /workspaces/:id` (contract §5.5).

use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use crate::behaviour::Behaviour;
use crate::domain::Status;
use crate::reference::faults::Fault;
use crate::reference::reply;
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
        let mut all = state.descendants(id);
        all.push(id);
        for one in &all {
            state.removed(*one);
        }
        all
    };
    let cascade = all.len() - 1;
    let mut failures: Vec<Value> = Vec::new();
    for one in &all {
        if platform.does(Behaviour::EarlyDeleteIsFinal) {
            // A provision on its way ends first, so that nothing comes up after the delete.
            let cycle = platform.state().get(*one).map(|w| std::sync::Arc::clone(&w.cycle));
            if let Some(cycle) = cycle {
                drop(cycle.lock().await);
            }
        }
        if let Err(error) = platform.provisioner.stop(*one).await {
            platform.say(&format!("delete {one}: {error}"));
            failures.push(json!({ "workspace_id": one, "error": error }));
        }
        let _ =
            platform.provisioner.remove_volumes(*one, platform.does(Behaviour::DeleteRemovesVolume)).await;
    }
    let mut state = platform.state();
    for one in &all {
        let cascade = if *one == id { cascade } else { 0 };
        state.emit("WORKSPACE_REMOVED", *one, json!({ "cascade_deleted": cascade }), Keep::Stored);
    }
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
        for one in &all {
            state.forget(*one);
        }
    }
    let word = if purge { "purged" } else { "removed" };
    reply::ok(&json!({ "status": word, "cascade_deleted": cascade }))
}
