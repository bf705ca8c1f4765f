//! Activity rows: reading with a cursor, and writing one's own (contract §7.3, §7.4).

use std::time::Duration;

use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, Caller};
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

pub fn list(call: &Call) -> Response {
    let id = match call.id() {
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
            add_peer(&state, id, row, &mut value);
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
pub fn acknowledge(call: &Call) -> Response {
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

fn add_peer(state: &State, own: Uuid, row: &Row, value: &mut Value) {
    let peer = [row.source, row.target].into_iter().flatten().find(|p| *p != own);
    let peer = peer.and_then(|p| state.get(p));
    value["peer_name"] = json!(peer.map(|p| p.name.clone()));
    value["peer_role"] = json!(peer.and_then(|p| p.role.clone()));
    value["agent_card_url"] = json!(peer.map(|p| format!("/registry/discover/{}", p.id)));
    value["attachments"] = json!([]);
}

pub fn log(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some(Value::Object(body)) = call.json() else { return reply::error(400, "invalid request body") };
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let kind = text("activity_type").unwrap_or_default();
    if !WRITABLE.contains(&kind.as_str()) {
        return reply::error(400, format!("activity_type must be one of: {}", WRITABLE.join(", ")));
    }
    let source = text("source_id");
    if let (Caller::Workspace(owner), Some(source)) = (call.caller, &source)
        && Uuid::try_parse(source).ok() != Some(owner)
    {
        return reply::error(403, "source_id must be the calling workspace");
    }
    let uuid = |text: Option<String>| text.and_then(|t| Uuid::try_parse(&t).ok());
    let row = Row {
        source: uuid(source).or(Some(id)),
        target: uuid(text("target_id")),
        method: text("method"),
        summary: text("summary"),
        duration_ms: body.get("duration_ms").and_then(Value::as_i64),
        status: text("status").unwrap_or_else(|| "ok".to_owned()),
        error_detail: text("error_detail"),
        request_body: body.get("request_body").filter(|b| !b.is_null()).map(Body::new),
        response_body: body.get("response_body").filter(|b| !b.is_null()).map(Body::new),
        ..Row::new(&kind)
    };
    let mut state = call.platform.state();
    if state.get(id).is_none() {
        return reply::error(500, "failed to log activity");
    }
    state.log_activity(id, row);
    reply::ok(&json!({ "status": "logged" }))
}
