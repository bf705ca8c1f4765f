//! Activity rows: reading with a cursor, and writing one's own (contract §7.3, §7.4).

use std::time::Duration;

use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use crate::behaviour::Behaviour;
use crate::reference::reply;
use crate::reference::state::State;
use crate::reference::state::activity::{Body, Row};

/// The longest look back.
const MAX_SINCE: Duration = Duration::from_secs(30 * 24 * 3600);
/// What an agent may write itself.
const WRITABLE: [&str; 7] =
    ["a2a_send", "a2a_receive", "task_update", "agent_log", "skill_promotion", "memory_write", "error"];

/// What a listing is narrowed to.
#[derive(Debug, Default)]
struct Filter {
    kind: Option<String>,
    from_agents: Option<bool>,
    peer: Option<Uuid>,
    limit: usize,
    since: Option<Timestamp>,
    before: Option<Timestamp>,
    after_seq: Option<u64>,
    peer_info: bool,
}

impl Filter {
    fn read(call: &Call, state: &State, id: Uuid) -> Result<Filter, Response> {
        let mut filter = Filter {
            kind: call.query("type").filter(|t| !t.is_empty()).map(str::to_owned),
            limit: call
                .query("limit")
                .and_then(|l| l.parse::<usize>().ok())
                .filter(|l| *l > 0)
                .map_or(100, |l| l.min(500)),
            peer_info: call.query("include").is_some_and(|i| i.split(',').any(|w| w == "peer_info")),
            ..Filter::default()
        };
        filter.from_agents = match call.query("source") {
            None | Some("") => None,
            Some("canvas") => Some(false),
            Some("agent") => Some(true),
            Some(_) => return Err(reply::error(400, "source must be 'canvas' or 'agent'")),
        };
        if let Some(peer) = call.query("peer_id").filter(|p| !p.is_empty()) {
            let peer = Uuid::try_parse(peer).map_err(|_| reply::error(400, "peer_id must be a UUID"))?;
            filter.peer = Some(peer);
        }
        if let Some(seconds) = call.query("since_secs").filter(|s| !s.is_empty()) {
            let seconds = seconds
                .parse::<u64>()
                .ok()
                .filter(|s| *s > 0)
                .ok_or_else(|| reply::error(400, "since_secs must be a positive integer"))?;
            let back =
                SignedDuration::try_from(Duration::from_secs(seconds).min(MAX_SINCE)).unwrap_or_default();
            filter.since = crate::clock::wall().checked_sub(back).ok();
        }
        if let Some(text) = call.query("before_ts").filter(|t| !t.is_empty()) {
            let at = text.parse().map_err(|_| reply::error(400, "before_ts must be RFC3339"))?;
            filter.before = Some(at);
        }
        if let Some(cursor) = call.query("since_id").filter(|c| !c.is_empty()) {
            let cursor = Uuid::try_parse(cursor).map_err(|_| reply::error(500, "cursor lookup failed"))?;
            let seq = state.activity.get(&id).and_then(|a| a.seq_of(cursor));
            let lost = "cursor row is unknown or belongs to another workspace; start again without since_id";
            filter.after_seq = Some(seq.ok_or_else(|| reply::error(410, lost))?);
        }
        Ok(filter)
    }

    fn takes(&self, row: &Row) -> bool {
        let at = || row.created_at.parse::<Timestamp>().ok();
        self.kind.as_ref().is_none_or(|k| *k == row.kind)
            && self.from_agents.is_none_or(|agent| row.source.is_some() == agent)
            && self.peer.is_none_or(|p| row.source == Some(p) || row.target == Some(p))
            && self.after_seq.is_none_or(|seq| row.seq > seq)
            && self.since.is_none_or(|since| at().is_some_and(|at| at >= since))
            && self.before.is_none_or(|before| at().is_some_and(|at| at < before))
    }
}

pub(super) fn list(call: &Call) -> Response {
    let id = match call.id_or("query failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let state = call.platform.state();
    let filter = match Filter::read(call, &state, id) {
        Ok(filter) => filter,
        Err(refusal) => return refusal,
    };
    let rows = state.activity.get(&id).into_iter().flat_map(|a| a.rows()).filter(|row| filter.takes(row));
    let numbered = call.platform.does(Behaviour::ActivityHasSeq);
    let show = |row: &Row| {
        let mut value = row.show(id);
        if numbered {
            value["seq"] = json!(row.seq);
        }
        if filter.peer_info {
            add_peer(call, &state, row, &mut value);
        }
        value
    };
    let found: Vec<Value> = if filter.after_seq.is_some() {
        rows.take(filter.limit).map(show).collect()
    } else {
        rows.rev().take(filter.limit).map(show).collect()
    };
    reply::ok(&Value::Array(found))
}

/// A poller has all rows up to this one.
pub(super) fn acknowledge(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let seq = call.json::<Value>().and_then(|body| body["acked_seq"].as_u64());
    let Some(seq) = seq else { return reply::error(400, "acked_seq is required") };
    if call.platform.state().present(id).is_none() {
        return reply::error(404, "workspace not found");
    }
    reply::ok(&json!({ "acked_seq": seq }))
}

/// Who sent a row, as far as anything is known of it.
fn add_peer(call: &Call, state: &State, row: &Row, value: &mut Value) {
    if let Some(source) = row.source {
        if let Some(peer) = state.get(source) {
            value["peer_name"] = json!(peer.name);
            if let Some(role) = &peer.role {
                value["peer_role"] = json!(role);
            }
        }
        let base = super::external::platform_url(call);
        value["agent_card_url"] = json!(format!("{base}/registry/discover/{source}"));
    }
    let parts = row.request_body.as_ref().map(|body| body.value()["params"]["message"]["parts"].take());
    let files = parts.as_ref().map(attachments).unwrap_or_default();
    if !files.is_empty() {
        value["attachments"] = Value::Array(files);
    }
}

/// The files of a message, as history and peers' messages list them.
pub(super) fn attachments(parts: &Value) -> Vec<Value> {
    let parts = parts.as_array().map(Vec::as_slice).unwrap_or_default();
    let files = parts.iter().filter(|part| part["kind"] == "file").map(|part| &part["file"]);
    files
        .map(|file| {
            let told = |key: &&str| !file[*key].is_null();
            let keys = ["uri", "name", "mimeType", "size"].into_iter();
            keys.filter(told).map(|key| (key.to_owned(), file[key].clone())).collect()
        })
        .collect()
}

/// What rows say, for whoever looks for words in them.
pub(super) fn search(call: &Call) -> Response {
    let id = match call.id_or("query failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let wanted = call.query("q").map(str::to_lowercase).unwrap_or_default();
    let limit = call.query("limit").and_then(|l| l.parse().ok()).filter(|l| *l > 0).unwrap_or(50);
    let state = call.platform.state();
    let rows = state.activity.get(&id).into_iter().flat_map(|a| a.rows()).rev();
    let rows = rows.filter(|row| {
        wanted.is_empty() || row.summary.as_deref().unwrap_or_default().to_lowercase().contains(&wanted)
    });
    let shown = rows.take(limit).map(|row| {
        let mut shown = json!({
            "kind": "activity",
            "id": row.id,
            "workspace_id": id,
            "label": row.kind,
            "content": row.summary.as_deref().unwrap_or_default(),
            "method": row.method.as_deref().unwrap_or_default(),
            "status": row.status,
            "created_at": row.created_at,
        });
        for (key, body) in [("request_body", &row.request_body), ("response_body", &row.response_body)] {
            if let Some(body) = body {
                shown[key] = body.value();
            }
        }
        shown
    });
    reply::ok(&Value::Array(shown.collect()))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    activity_type: Option<String>,
    source_id: Option<String>,
    target_id: Option<String>,
    method: Option<String>,
    summary: Option<String>,
    duration_ms: Option<i64>,
    status: Option<String>,
    error_detail: Option<String>,
    request_body: Option<Value>,
    response_body: Option<Value>,
    metadata: Option<Value>,
}

pub(super) fn log(call: &Call) -> Response {
    let Some(body) = call.object::<Written>() else { return reply::error(400, "invalid request body") };
    let said = |text: Option<String>| text.filter(|t| !t.is_empty());
    let kind = body.activity_type.unwrap_or_default();
    if !WRITABLE.contains(&kind.as_str()) {
        return reply::error(400, format!("activity_type must be one of: {}", WRITABLE.join(", ")));
    }
    let source = said(body.source_id);
    if source.as_deref().is_some_and(|source| source != call.id_text()) {
        return reply::error(403, "source_id must match authenticated workspace");
    }
    let target = said(body.target_id).map(|target| Uuid::try_parse(&target));
    // What the database refuses is not written, and the answer does not say so.
    let (Some(id), Ok(target)) = (call.id().ok(), target.transpose()) else { return logged() };
    let present = |body: Option<Value>| body.filter(|b| !b.is_null()).map(|b| Body::new(&b));
    let row = Row {
        source: Some(id),
        target,
        method: said(body.method),
        summary: said(body.summary),
        duration_ms: body.duration_ms,
        status: said(body.status).unwrap_or_else(|| "ok".to_owned()),
        error_detail: said(body.error_detail),
        request_body: present(body.request_body).or_else(|| present(body.metadata)),
        response_body: present(body.response_body),
        ..Row::new(&kind)
    };
    let mut state = call.platform.state();
    if state.get(id).is_some() {
        state.log_activity(id, row);
    }
    logged()
}

fn logged() -> Response {
    reply::ok(&json!({ "status": "logged" }))
}
