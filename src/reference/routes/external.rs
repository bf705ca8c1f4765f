//! What somebody needs who runs an agent of their own (contract §2.3, §2.4).

use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use crate::reference::reply;
use crate::reference::state::events::Keep;
use crate::reference::state::tokens::Kind;

/// The `connection` object.
pub(super) fn connection_of(call: &Call, id: Uuid, token: &str) -> Value {
    let base = platform_url(call);
    let shown = if token.is_empty() { "<token>" } else { token };
    let channel =
        |client: &str| format!("{client}: connect to {base} as workspace {id} with token {shown}\n");
    json!({
        "workspace_id": id,
        "platform_url": base,
        "auth_token": token,
        "registry_endpoint": format!("{base}/registry/register"),
        "heartbeat_endpoint": format!("{base}/registry/heartbeat"),
        "curl_register_template": format!(
            "curl -X POST {base}/registry/register -H 'Authorization: Bearer {shown}' \
             -H 'Content-Type: application/json' \
             -d '{{\"id\":\"{id}\",\"agent_card\":{{\"name\":\"agent\"}},\"delivery_mode\":\"poll\"}}'\n"
        ),
        "python_snippet": format!(
            "import json, urllib.request\nrequest = urllib.request.Request('{base}/registry/heartbeat',\n    \
             json.dumps({{'workspace_id': '{id}'}}).encode(), {{'Authorization': 'Bearer {shown}'}})\n"
        ),
        "claude_code_channel_snippet": channel("claude-code"),
        "universal_mcp_snippet": channel("mcp"),
        "hermes_channel_snippet": channel("hermes"),
        "codex_snippet": channel("codex"),
        "openclaw_snippet": channel("openclaw"),
        "kimi_snippet": channel("kimi"),
    })
}

/// `EXTERNAL_PLATFORM_URL`, else what a proxy forwarded, else what the request was sent to.
pub(super) fn platform_url(call: &Call) -> String {
    if let Some(url) = call.platform.server_var("EXTERNAL_PLATFORM_URL") {
        return url.trim_end_matches('/').to_owned();
    }
    let scheme = call.header("x-forwarded-proto").unwrap_or("http");
    let host = call.header("x-forwarded-host").or_else(|| call.header("host")).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// The workspace if it is external-like; else the answer.
fn external(call: &Call) -> Result<Uuid, Response> {
    let id = call.id_or("lookup failed")?;
    let state = call.platform.state();
    // A removed one is like any other here.
    let Some(workspace) = state.get(id) else { return Err(reply::error(404, "workspace not found")) };
    if workspace.external_like() {
        return Ok(id);
    }
    let error = "connection payload is only valid for external/BYO-compute workspaces";
    Err(reply::json_body(400, &json!({ "error": error, "runtime": workspace.runtime })))
}

pub(super) fn rotate(call: &Call) -> Response {
    let id = match external(call) {
        Ok(id) => id,
        Err(refusal) if refusal.status() == 400 => {
            let runtime = call.id().ok().and_then(|id| Some(call.platform.state().get(id)?.runtime.clone()));
            let error = "credentials are rotated for external/BYO-compute workspaces only";
            let hint = "a managed workspace gets new credentials with its next restart";
            return reply::json_body(400, &json!({ "error": error, "runtime": runtime, "hint": hint }));
        }
        Err(refusal) => return refusal,
    };
    let token = {
        let mut state = call.platform.state();
        state.tokens.revoke(id, |_| true);
        let token = match state.present(id) {
            Some(_) => state.tokens.issue(id, Kind::Instance),
            None => state.tokens.issue_in_vain(id, Kind::Instance),
        };
        state.emit("EXTERNAL_CREDENTIALS_ROTATED", id, json!({ "workspace_id": id }), Keep::Stored);
        token
    };
    reply::ok(&json!({ "connection": connection_of(call, id, &token) }))
}

pub(super) fn connection(call: &Call) -> Response {
    match external(call) {
        Ok(id) => reply::ok(&json!({ "connection": connection_of(call, id, "") })),
        Err(refusal) => refusal,
    }
}
