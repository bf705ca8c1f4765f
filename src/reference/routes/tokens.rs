//! Tokens (contract §1.6).

use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Call, Caller};
use crate::reference::options::Mode;
use crate::reference::reply;
use crate::reference::state::tokens::{Kind, MAX_LIVE, OrgToken};

const SAVE_IT: &str = "Save this token now — it cannot be retrieved again.";

fn issue(call: &Call, id: Uuid) -> Response {
    let mut state = call.platform.state();
    if state.tokens.list(id).count() >= MAX_LIVE {
        return reply::error(429, format!("workspace already has {MAX_LIVE} live tokens; revoke some first"));
    }
    let token = match state.present(id) {
        Some(_) => state.tokens.issue(id, Kind::Api),
        None => state.tokens.issue_in_vain(id, Kind::Api),
    };
    reply::json_body(201, &json!({ "auth_token": token, "workspace_id": id, "message": SAVE_IT }))
}

pub(super) fn mint_admin(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    if call.platform.state().present(id).is_none() {
        return reply::error(404, "workspace not found");
    }
    issue(call, id)
}

pub(super) fn mint(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    if call.platform.state().get(id).is_none() {
        return reply::error(500, "failed to create token");
    }
    issue(call, id)
}

pub(super) fn list(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let number = |name: &str| call.query(name).and_then(|v| v.parse::<usize>().ok());
    let limit = number("limit").filter(|l| *l > 0).map_or(50, |l| l.min(200));
    let offset = number("offset").unwrap_or(0);
    let state = call.platform.state();
    let rows: Vec<Value> = state
        .tokens
        .list(id)
        .skip(offset)
        .take(limit)
        .map(|t| {
            json!({
                "id": t.id,
                "prefix": t.prefix,
                "created_at": t.created_at,
                "last_used_at": t.last_used_at,
            })
        })
        .collect();
    reply::ok(&json!({ "count": rows.len(), "tokens": rows }))
}

pub(super) fn revoke(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some(Ok(token)) = call.params.get(1).map(|t| Uuid::try_parse(t)) else {
        return reply::error(500, "failed to revoke token");
    };
    let revoked = call.platform.state().tokens.revoke(id, |row| row.id == token);
    if revoked == 0 {
        reply::error(404, "token not found")
    } else {
        reply::ok(&json!({ "status": "revoked" }))
    }
}

pub(super) fn revoke_all(call: &Call) -> Response {
    let id = match call.id_or("revoke failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    call.platform.state().tokens.revoke(id, |_| true);
    reply::ok(&json!({ "status": "revoked", "workspace_id": id }))
}

pub(super) fn mint_org(call: &Call) -> Response {
    // A limit of its own, behind the guard; development has none, as everywhere (contract §1.5, §1.6).
    if call.platform.mode == Mode::Production {
        let allowance = call.platform.mint_limits.take(&call.address.to_string());
        if !allowance.allowed {
            return reply::too_many(allowance.reset);
        }
    }
    let name = if call.body.is_empty() {
        None
    } else {
        let Some(body) = call.json::<Map<String, Value>>() else {
            return reply::error(400, "invalid request body");
        };
        body.get("name").and_then(Value::as_str).map(str::to_owned)
    };
    if name.as_ref().is_some_and(|n| n.len() > 100) {
        return reply::error(400, "name must be at most 100 characters");
    }
    let anchored = call.platform.server_var("MOLECULE_PLATFORM_WORKSPACE_ID").is_some();
    if call.caller == Caller::Admin && !anchored {
        return reply::error(400, "no approval anchor: MOLECULE_PLATFORM_WORKSPACE_ID is not set");
    }
    // The admin always waits for an approval, an organisation's token only where the gate is on.
    // `auto` stands for somebody who approves at once.
    let gate = call.platform.server_var("MOLECULE_PLATFORM_APPROVAL_GATE");
    let waits = match call.caller {
        Caller::Org => matches!(gate, Some("1" | "true")),
        _ => gate != Some("auto"),
    };
    if waits && let Some(pending) = super::approvals::gate(call, "org_token_mint") {
        return pending;
    }
    let (row, token) = OrgToken::issue(name.filter(|n| !n.is_empty()));
    let mut body = json!({
        "id": row.id,
        "prefix": row.prefix,
        "auth_token": token,
        "warning": SAVE_IT,
    });
    if let Some(name) = &row.name {
        body["name"] = json!(name);
    }
    call.platform.state().org_tokens.push(row);
    reply::ok(&body)
}

pub(super) fn list_org(call: &Call) -> Response {
    let state = call.platform.state();
    let rows: Vec<Value> = state
        .org_tokens
        .iter()
        .map(|t| json!({ "id": t.id, "prefix": t.prefix, "name": t.name, "created_at": t.created_at }))
        .collect();
    reply::ok(&json!({ "count": rows.len(), "tokens": rows }))
}

pub(super) fn revoke_org(call: &Call) -> Response {
    if Uuid::try_parse(call.id_text()).is_err() {
        return reply::error(500, "failed to revoke");
    }
    let mut state = call.platform.state();
    let before = state.org_tokens.len();
    state.org_tokens.retain(|t| t.id.to_string() != call.id_text());
    if state.org_tokens.len() == before {
        return reply::error(404, "token not found");
    }
    reply::ok(&json!({ "revoked": call.id_text() }))
}
