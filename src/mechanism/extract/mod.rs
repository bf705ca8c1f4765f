//! Facts from symptoms: each is set only where its source was seen.

mod container;
mod control_plane;
mod exchanges;
mod instance;
mod parts;
mod register;

use serde_json::Value;

pub(crate) use parts::short_time;
use parts::{part, plain, yes};

use super::facts::Facts;
use super::red::red_of;
use super::said;
use crate::domain::Status;
use crate::event::{Kind, Symptoms};
use crate::platform::record::text;

/// Everything that is known about a failure.
pub(crate) fn facts_of(symptoms: &Symptoms) -> Facts {
    let mut facts = Facts::default();
    basics(symptoms, &mut facts);
    waiting(symptoms, &mut facts);
    subject(symptoms, &mut facts);
    exchanges::add(symptoms, &mut facts);
    record(symptoms, &mut facts);
    instance::add(symptoms, &mut facts);
    container::add(symptoms, &mut facts);
    control_plane::add(symptoms, &mut facts);
    events(symptoms, &mut facts);
    activity(symptoms, &mut facts);
    surroundings(symptoms, &mut facts);
    provision_said(&mut facts);
    register::add(symptoms, &mut facts);
    exchanges::of_agent(symptoms, &mut facts);
    facts
}

fn basics(symptoms: &Symptoms, facts: &mut Facts) {
    facts.set("kind", symptoms.kind.as_str());
    facts.set("red", red_of(symptoms).as_str());
    facts.set("scenario", symptoms.scenario.clone());
    facts.set("step.verb", symptoms.verb.clone());
    facts.set("message", symptoms.message.clone());
    facts.list("details", symptoms.details.iter().cloned());
    if symptoms.kind == Kind::Harness {
        facts.set("panic", symptoms.message.clone());
    }
    facts.set("target.scale", symptoms.time_scale.to_string());
    if let Some(path) = &symptoms.llm_path {
        facts.set("sent.path", path);
    }
    if let Some(problem) = symptoms.inbox {
        facts.set("inbox.problem", problem.as_str());
    }
    if let Some(fits) = symptoms.credential {
        facts.set("sent.credential", if fits { "fits" } else { "lacks" });
    }
    if let Some(wakes) = symptoms.wakes {
        facts.set("target.wakes", yes(wakes));
    }
}

fn waiting(symptoms: &Symptoms, facts: &mut Facts) {
    let Some(wait) = &symptoms.wait else { return };
    facts.set("wait.end", wait.end.as_str());
    facts.set("wait.wants", wait.wants.clone());
    facts.set("wait.last", wait.last.clone());
    let within = wait.within_ms as f64 / 1e3 * symptoms.time_scale.max(0.001);
    facts.set("wait.within", format!("{within:.1}"));
    facts.set("wait.polls", wait.stats.polls.to_string());
    facts.set("wait.errors", wait.stats.errors.to_string());
    facts.set("wait.gap", format!("{:.1}", wait.stats.longest_gap_ms as f64 / 1e3));
    facts.list("wait.last_error", wait.stats.last_error.clone());
    facts.set("wait.blind", yes(wait.stats.blind));
}

fn subject(symptoms: &Symptoms, facts: &mut Facts) {
    let Some(subject) = &symptoms.workspace else { return };
    facts.set("edge", subject.edge.clone());
    facts.set("edge.count", subject.edges.to_string());
    facts.set("workspace.managed", yes(subject.managed));
    facts.set("workspace.deleted", yes(subject.deleted));
    let wait =
        symptoms.wait.as_ref().map(|wait| (wait.stats.longest_gap_ms, wait.stats.errors)).unwrap_or_default();
    facts.set("edge.gap", format!("{:.1}", subject.gap_ms.max(wait.0) as f64 / 1e3));
    facts.set("edge.failed_looks", (subject.failed_looks + wait.1).to_string());
    facts.set("instance.new_seen", yes(subject.new_instance_seen));
    facts.set("instance.old_speaks", yes(subject.old_speaks));
    facts.set("instance.answered", yes(subject.answered));
    facts.set("instance.outlives", yes(subject.outlived));
    if let Some(stream) = &subject.stream {
        facts.list("stream.event", stream.iter().cloned());
        if let Some(told) = subject.online_told_ms {
            facts.set("stream.online_for", format!("{:.1}", told as f64 / 1e3));
        }
        let paused = stream.iter().rposition(|kind| kind == "WORKSPACE_PAUSED");
        let after = paused.map(|at| &stream[at + 1..]).unwrap_or_default();
        facts.list("stream.after_pause", after.iter().cloned());
    }
    if !subject.runtime.is_empty() {
        facts.set("workspace.runtime", subject.runtime.clone());
    }
    if !subject.model.is_empty() {
        facts.set("workspace.model", subject.model.clone());
        let provider = if subject.provider.is_empty() { "none" } else { &subject.provider };
        facts.set("workspace.provider", provider);
    }
    let seen = |since: Option<u32>| {
        let mut names: Vec<String> = Vec::new();
        for (status, edge) in &subject.timeline {
            let name = status.as_str().to_owned();
            if since.is_none_or(|since| *edge >= since) && names.last() != Some(&name) {
                names.push(name);
            }
        }
        names
    };
    facts.list("status_timeline", seen(None));
    let since = seen(Some(subject.edges));
    let paused = since.iter().rposition(|name| name == Status::Paused.as_str());
    facts.list("status_after_pause", paused.map(|at| since[at + 1..].to_vec()).unwrap_or_default());
    facts.list("status_since_edge", since);
}

/// Each field of the merged row, and the host of its URL.
fn record(symptoms: &Symptoms, facts: &mut Facts) {
    let Some(fields) = part(symptoms, "record").and_then(Value::as_object) else {
        // The row could not be read any more; what the wait itself saw last is known.
        let seen = symptoms.workspace.as_ref().and_then(|w| w.timeline.last());
        if let (Some((status, _)), Some(_)) = (seen, &symptoms.wait) {
            facts.set("record.status", status.as_str());
        }
        return;
    };
    facts.whole("record", &[]);
    let field =
        |name: &str| fields.get(name).and_then(|known| known.get("value")).map(plain).unwrap_or_default();
    match (field("status"), field("url")) {
        (status, _) if status.is_empty() => {}
        (status, url) if url.is_empty() => facts.set("row", format!("{status}, no URL")),
        (status, url) => facts.set("row", format!("{status} at {url}")),
    }
    for (name, known) in fields {
        let value = known.get("value").cloned().unwrap_or_default();
        facts.set(&format!("record.{name}"), plain(&value));
        if name == "last_sample_error" {
            facts.set("sample.error", said::kind(&plain(&value)));
        }
        if name == "url" {
            let url = plain(&value);
            let host = url.split("://").nth(1).unwrap_or_default();
            let host = host.split(['/', ':']).next().unwrap_or_default();
            facts.set("url.host", host);
        }
    }
}

/// Stored events come newest first; what counts is since the last PROVISIONING.
fn events(symptoms: &Symptoms, facts: &mut Facts) {
    let Some(rows) = part(symptoms, "events").and_then(Value::as_array) else { return };
    let mut since = Vec::new();
    for row in rows {
        since.push(row);
        if text(row, "event_type") == "WORKSPACE_PROVISIONING" {
            break;
        }
    }
    facts.list("event.type", since.iter().map(|row| text(row, "event_type").to_owned()));
    facts.list("event.last", since.first().map(|row| text(row, "event_type").to_owned()));
    let payload = |field: &str| -> Vec<String> {
        let values = since.iter().filter_map(|row| row.get("payload")?.get(field));
        values
            .flat_map(|value| match value {
                Value::Array(items) => items.iter().map(plain).collect(),
                other => vec![plain(other)],
            })
            .collect()
    };
    for (fact, field) in [
        ("event.code", "code"),
        ("event.error", "error"),
        ("event.source", "source"),
        ("event.missing", "missing"),
        ("event.seeded_runtime", "seeded_runtime"),
        ("event.register_failure", "register_failure"),
    ] {
        facts.list(fact, payload(field));
    }
}

/// Rows since the last edge, where it is known which those are.
fn activity(symptoms: &Symptoms, facts: &mut Facts) {
    let Some(rows) = part(symptoms, "activity").and_then(Value::as_array) else { return };
    let Some(subject) = &symptoms.workspace else { return };
    let before = match (&subject.activity_before, subject.edges) {
        (Some(before), _) => before.clone(),
        (None, 0) => Vec::new(),
        (None, _) => return,
    };
    let fresh: Vec<&Value> =
        rows.iter().filter(|row| !before.iter().any(|id| id == text(row, "id"))).collect();
    let kind = |row: &&Value| {
        let kind = row.pointer("/request_body/params/message/metadata/kind").and_then(Value::as_str);
        kind.map(str::to_owned)
    };
    facts.list("activity.kind", fresh.iter().filter_map(kind));
    let errors = fresh.iter().map(|row| text(row, "error_detail")).filter(|e| !e.is_empty());
    facts.list("activity.error", errors.map(str::to_owned));
    facts.set("activity.rows", fresh.len().to_string());
}

/// Some servers say why a start failed in their log alone, others in the row or an event.
fn provision_said(facts: &mut Facts) {
    let places = ["server.log", "record.last_sample_error", "event.error"];
    let said: Vec<String> =
        places.iter().flat_map(|place| facts.get(place).unwrap_or_default()).cloned().collect();
    if places.iter().any(|place| facts.get(place).is_some()) {
        facts.list("provision.said", said);
    }
}

/// Billing, the server, its log, the neighbours.
fn surroundings(symptoms: &Symptoms, facts: &mut Facts) {
    if let Some(billing) = part(symptoms, "billing") {
        facts.set("billing.mode", text(billing, "resolved_mode"));
        facts.set("billing.source", text(billing, "source"));
    }
    let list = part(symptoms, "neighbours").and_then(Value::as_array);
    facts.set("server.admin", if list.is_some() { "given" } else { "not given" });
    if let Some(rows) = list {
        facts.set("neighbours.count", rows.len().to_string());
        let failed = rows.iter().filter(|row| text(row, "status") == "failed").count();
        facts.set("neighbours.failed", failed.to_string());
        let same = rows.iter().filter(|row| row.get("same_name").and_then(Value::as_bool) == Some(true));
        facts.list("neighbours.same_name", same.map(|row| text(row, "id").to_owned()));
    }
    if let Some(server) = part(symptoms, "server") {
        for (fact, field) in [
            ("server.health", "health_state"),
            ("server.health_said", "health_error"),
            ("server.data", "data_state"),
        ] {
            if let Some(state) = server.get(field).and_then(Value::as_str) {
                facts.set(fact, state);
            }
        }
    }
    if let Some(lines) = part(symptoms, "server log").and_then(|log| log.get("lines")?.as_array()) {
        facts.list("server.log", lines.iter().map(|line| short_time(&plain(line))));
    }
}
