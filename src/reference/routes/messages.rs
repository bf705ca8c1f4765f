//! Messages to the canvas, and the conversation so far (contract §7.4).

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Call;
use crate::behaviour::Behaviour;
use crate::reference::reply;
use crate::reference::state::activity::{Body, Row};
use crate::reference::state::events::Keep;

pub fn notify(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let body: Value = call.json().unwrap_or_default();
    let Some(message) = body["message"].as_str().filter(|m| !m.is_empty()) else {
        return reply::error(400, "message is required");
    };
    let attachments = &body["attachments"];
    let good = attachments.is_null()
        || attachments.as_array().is_some_and(|list| {
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
    let row = Row {
        target: None,
        method: Some("notify".to_owned()),
        summary: Some(message.chars().take(200).collect()),
        response_body: Some(Body::new(&json!({ "result": message }))),
        ..Row::new("a2a_receive")
    };
    state.log_activity(id, row);
    let mut payload = json!({ "message": message, "workspace_id": id, "name": name });
    if !attachments.is_null() {
        payload["attachments"] = attachments.clone();
    }
    state.emit("AGENT_MESSAGE", id, payload, Keep::StreamOnly);
    reply::ok(&json!({ "status": "sent" }))
}

pub fn history(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let limit = match call.query("limit").filter(|l| !l.is_empty()).map(str::parse::<usize>) {
        None => 50,
        Some(Ok(limit)) if limit > 0 => limit.min(500),
        Some(_) => return reply::error(400, "limit must be a positive integer"),
    };
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
        .filter(|row| row.kind == "a2a_receive" && row.source.is_none() && row.status != "error")
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

/// What was asked and what was answered, as far as either is there.
fn messages_of(row: &Row, tells_role: bool) -> Vec<Value> {
    let asked = row.request_body.as_ref().map(|body| text_of(&body.value()["params"]["message"]["parts"]));
    let answered = row.response_body.as_ref().map(|body| match &body.value()["result"] {
        Value::String(text) => text.clone(),
        result => text_of(&result["parts"]),
    });
    [("user", asked), ("agent", answered)]
        .into_iter()
        .filter_map(|(role, text)| {
            let text = text.filter(|t| !t.is_empty())?;
            Some(json!({
                "id": if tells_role { format!("{}:{role}", row.id) } else { crate::chance::uuid().to_string() },
                "role": role,
                "content": text,
                "timestamp": row.created_at,
            }))
        })
        .collect()
}

fn text_of(parts: &Value) -> String {
    let parts = parts.as_array().map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join("\n")
}
