//! Messages to the canvas, and the conversation so far (contract §7.4).

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Call;
use super::activity::attachments;
use crate::behaviour::Behaviour;
use crate::reference::reply;
use crate::reference::state::activity::{Body, Row};
use crate::reference::state::events::Keep;

/// How much of a message its row shows.
const SHOWN: usize = 80;

pub(super) fn notify(call: &Call) -> Response {
    let id = match call.id_or("internal error") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let body: Value = call.json().unwrap_or_default();
    let Some(message) = body["message"].as_str().filter(|m| !m.is_empty()) else {
        return reply::error(400, "message is required");
    };
    let files = &body["attachments"];
    let good = files.is_null()
        || files.as_array().is_some_and(|list| {
            list.iter().all(|a| a["uri"].as_str().is_some_and(|u| !u.is_empty()) && a["name"].is_string())
        });
    if !good {
        return reply::error(400, "attachments must have uri and name");
    }
    let mut state = call.platform.state();
    let Some(workspace) = state.present(id) else { return reply::error(404, "workspace not found") };
    if !workspace.talk_to_user_enabled {
        let body = json!({
            "error": "talk_to_user_disabled",
            "hint": "this workspace may not write to the user; ask an admin to allow it",
        });
        return reply::json_body(403, &body);
    }
    let name = workspace.name.clone();
    let mut response = json!({ "result": message });
    if let Some(files) = files.as_array().filter(|list| !list.is_empty()) {
        let part = |file: &Value| {
            let told = ["uri", "name", "mimeType", "size"].into_iter().filter(|key| !file[*key].is_null());
            let file: Map<String, Value> = told.map(|key| (key.to_owned(), file[key].clone())).collect();
            json!({ "kind": "file", "file": file })
        };
        response["parts"] = files.iter().map(part).collect();
    }
    let row = Row {
        target: None,
        method: Some("notify".to_owned()),
        summary: Some(format!("Agent message: {}", message.chars().take(SHOWN).collect::<String>())),
        response_body: Some(Body::new(&response)),
        ..Row::new("a2a_receive")
    };
    // The streams hear of the message, not of its row.
    state.activity.entry(id).or_default().push(row);
    let mut payload = json!({ "message": message, "workspace_id": id, "name": name });
    if !files.is_null() {
        payload["attachments"] = files.clone();
    }
    state.emit("AGENT_MESSAGE", id, payload, Keep::StreamOnly);
    reply::ok(&json!({ "status": "sent" }))
}

pub(super) fn history(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let limit = call.query("limit").and_then(|l| l.parse::<usize>().ok()).filter(|l| *l > 0);
    let limit = limit.map_or(100, |l| l.min(1_000));
    let before: Option<Timestamp> = match call.query("before_ts").filter(|t| !t.is_empty()).map(str::parse) {
        None => None,
        Some(Ok(at)) => Some(at),
        Some(Err(_)) => return reply::error(400, "before_ts must be RFC3339"),
    };
    let state = call.platform.state();
    let rows: Vec<&Row> = state
        .activity
        .get(&id)
        .into_iter()
        .flat_map(|a| a.rows())
        .rev()
        .filter(|row| row.kind == "a2a_receive" && row.source.is_none() && row.error_detail.is_none())
        .filter(|row| {
            before.is_none_or(|before| row.created_at.parse::<Timestamp>().is_ok_and(|at| at < before))
        })
        .take(limit)
        .collect();
    let reached_end = rows.len() < limit;
    let told = call.platform.does(Behaviour::HistoryIdsTellRole);
    let messages: Vec<Value> = rows.into_iter().rev().flat_map(|row| messages_of(row, told)).collect();
    reply::ok(&json!({ "messages": messages, "reached_end": reached_end }))
}

/// What was asked and what was answered, as far as either is there. An answer of a row that failed is nobody's.
fn messages_of(row: &Row, tells_role: bool) -> Vec<Value> {
    let asked = row.request_body.as_ref().map(|body| body.value()["params"]["message"]["parts"].take());
    let answered = row.response_body.as_ref().map(|body| match body.value()["result"].take() {
        Value::String(text) => {
            let files = body.value()["parts"].take();
            let mut parts = vec![json!({ "kind": "text", "text": text })];
            parts.extend(files.as_array().cloned().unwrap_or_default());
            Value::Array(parts)
        }
        mut result => result["parts"].take(),
    });
    let answerer = if row.status == "error" { "system" } else { "agent" };
    [("user", asked), (answerer, answered)]
        .into_iter()
        .filter_map(|(role, parts)| {
            let parts = parts?;
            let text = text_of(&parts);
            if text.is_empty() {
                return None;
            }
            let mut message = json!({
                "id": if tells_role { format!("{}:{role}", row.id) } else { crate::chance::uuid().to_string() },
                "role": role,
                "content": text,
                "timestamp": row.created_at,
            });
            let files = attachments(&parts);
            if !files.is_empty() {
                message["attachments"] = Value::Array(files);
            }
            Some(message)
        })
        .collect()
}

fn text_of(parts: &Value) -> String {
    let parts = parts.as_array().map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// One message to everybody that this workspace may talk to.
pub(super) fn broadcast(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let body: Value = call.json().unwrap_or_default();
    let Some(message) = body["message"].as_str().filter(|m| !m.is_empty()) else {
        return reply::error(400, "message is required");
    };
    let mut state = call.platform.state();
    let Some(own) = state.present(id) else { return reply::error(404, "workspace not found") };
    if !own.broadcast_enabled {
        let hint = "this workspace may not broadcast; ask an admin to allow it";
        return reply::json_body(403, &json!({ "error": "broadcast_disabled", "hint": hint }));
    }
    let name = own.name.clone();
    let roots = call.platform.does(Behaviour::RootsMayTalk);
    let others: Vec<Uuid> =
        state.live().map(|w| w.id).filter(|w| *w != id && state.can_communicate(id, *w, roots)).collect();
    for other in &others {
        let row = Row {
            source: Some(id),
            target: Some(*other),
            summary: Some(format!(
                "Broadcast of {name}: {}",
                message.chars().take(SHOWN).collect::<String>()
            )),
            request_body: Some(Body::new(&json!({ "message": message }))),
            ..Row::new("broadcast_receive")
        };
        state.log_activity(*other, row);
        let payload = json!({ "message": message, "sender_id": id, "sender": name, "workspace_id": other });
        state.emit("BROADCAST_MESSAGE", *other, payload, Keep::StreamOnly);
    }
    reply::ok(&json!({ "status": "sent", "delivered": others.len() }))
}
