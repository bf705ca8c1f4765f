//! Actions that somebody has to approve first (contract §1.6, scenarios §1.1).

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::request::Call;
use crate::reference::reply;
use crate::reference::state::Approval;

/// How many approvals are kept.
const KEPT: usize = 1_000;

/// 202 while nobody has said yes to this action; a yes is good for one request.
pub(super) fn gate(call: &Call, action: &'static str) -> Option<Response> {
    let mut state = call.platform.state();
    if let Some(at) = state.approvals.iter().position(|a| a.action == action && a.approved == Some(true)) {
        state.approvals.remove(at);
        return None;
    }
    let id = match state.approvals.iter().find(|a| a.action == action && a.approved.is_none()) {
        Some(approval) => approval.id,
        None => {
            let id = crate::chance::uuid();
            state.approvals.push(Approval { id, action, approved: None });
            let extra = state.approvals.len().saturating_sub(KEPT);
            state.approvals.drain(..extra);
            id
        }
    };
    Some(reply::json_body(
        202,
        &json!({
            "status": "pending_approval",
            "approval_id": id,
            "action": action,
            "reason": "this action waits for an approval",
        }),
    ))
}

/// `POST /workspaces/:id/approvals/:approval/decide`
pub(super) fn decide(call: &Call) -> Response {
    let body = call.json::<Map<String, Value>>().unwrap_or_default();
    let decision = body.get("decision").and_then(Value::as_str).unwrap_or_default();
    let approved = match decision {
        "approved" => true,
        "denied" => false,
        _ => return reply::error(400, "decision must be approved or denied"),
    };
    let id = call.params.get(1).map_or("", String::as_str);
    let mut state = call.platform.state();
    let asked = state.approvals.iter_mut().find(|a| a.id.to_string() == id && a.approved.is_none());
    let Some(asked) = asked else { return reply::error(404, "approval not found or already resolved") };
    asked.approved = Some(approved);
    reply::ok(&json!({ "status": decision, "approval_id": asked.id }))
}
