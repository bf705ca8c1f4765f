//! What is gathered about a failure: before clean-up, once, each gatherer with its own time-out.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use regex::Regex;
use serde_json::{Map, Value, json};

use super::context::{Recorder, ScenarioContext, StepRun, again};
use super::outcome::Failure;
use super::workspace::Workspace;
use super::{container_evidence, environment};
use crate::clock::{self, Instant};
use crate::domain::time;
use crate::event::{EventKind, Evidence, EvidencePart};
use crate::http::{Request, excerpt};
use crate::mechanism::short_time;
use crate::platform::{Auth, record, segment};
use crate::scenario::model::Capability;

/// One gatherer may not take longer; all run at once.
pub(super) const EACH: Duration = Duration::from_secs(5);

/// Name, title, and what to do.
type Gatherer<'a> = (&'static str, &'static str, BoxFuture<'a, Result<Found, String>>);

/// The workspace that a failure is about: the one it names, the one whose id was in the request, or the only
/// one. Of several it takes none rather than a wrong one (#2680).
pub fn target(context: &ScenarioContext, step: &str, failure: &Failure) -> Option<Workspace> {
    let state = context.state();
    if let Some(alias) = &failure.workspace {
        return state.workspaces.get(alias).cloned();
    }
    let step = failure.origin.as_ref().map_or(step, |o| o.step.as_str());
    let asked = state.recent.iter().rev().find(|e| e.step == step).map(|e| e.url.as_str());
    let in_url = |w: &&Workspace| !w.id.is_empty() && asked.is_some_and(|url| url.contains(&w.id));
    let mut there = state.workspaces.values().filter(|w| !w.gone);
    match (state.workspaces.values().find(in_url), there.next(), there.next()) {
        (Some(found), _, _) => Some(found.clone()),
        (None, Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// Gathers about the workspace that the failure is about.
pub async fn gather(context: &ScenarioContext, step: &str, failure: &Failure) -> Evidence {
    let target = target(context, step, failure);
    let mut gatherers: Vec<Gatherer<'_>> = Vec::new();
    if let Some(workspace) = &target {
        gatherers.push(("record", "the record", Box::pin(whole_record(context, workspace))));
        gatherers.push(("activity", "activity, newest first", Box::pin(activity(context, workspace))));
        gatherers.push((
            "events",
            "events of the platform, newest first",
            Box::pin(events(context, workspace)),
        ));
        gatherers.push((
            "environment",
            "environment before and after the last edge",
            Box::pin(env(context, workspace)),
        ));
        if let Some(engine) = &context.run.target.engine {
            let work = async move {
                let (lines, data) = container_evidence::gather(context, engine, workspace).await?;
                Ok(Found { lines, data })
            };
            gatherers.push(("container", "the container, and what the engine did to it", Box::pin(work)));
        }
        gatherers.push(("billing", "billing mode", Box::pin(billing(context, workspace))));
        if !workspace.sent.is_null() {
            gatherers.push(("sent", "what was sent at create", Box::pin(async { Ok(sent(workspace)) })));
        }
        gatherers.push((
            "neighbours",
            "neighbours: NOT the target",
            Box::pin(neighbours(context, workspace)),
        ));
    }
    gatherers.push(("server", "the server", Box::pin(server(context))));
    let inspect = context.run.target.capabilities.contains(&Capability::Inspect);
    if let Some(workspace) = target.as_ref().filter(|_| inspect) {
        gatherers.push((
            "agent log",
            "the instance's own log, oldest first",
            Box::pin(instance_log(context, workspace)),
        ));
    }
    if inspect || context.run.target.server_log.is_some() {
        let id = target.as_ref().map(|w| w.id.clone());
        gatherers.push((
            "server log",
            "the server's log: lines about this workspace or about none",
            Box::pin(server_log(context, id)),
        ));
    }
    if let Some(log) = &context.run.target.log {
        // A server that shows its log itself says more there than on its standard streams.
        let inspect = context.run.target.capabilities.contains(&Capability::Inspect);
        let (name, title) = match inspect {
            true => ("server output", "what the server printed, oldest first"),
            false => ("server log", "the server's log: lines about this workspace or about none"),
        };
        let id = target.as_ref().map(|w| w.id.clone());
        gatherers.push((name, title, Box::pin(async move { Ok(printed(log, id)) })));
    }
    let parts = gatherers.into_iter().map(|(name, title, work)| async move {
        let began = Instant::now();
        let bounded = crate::clock::timeout(EACH, work).await;
        let mut part = EvidencePart {
            name: name.into(),
            title: title.into(),
            took_ms: time::ms(began.elapsed()),
            ..EvidencePart::default()
        };
        match bounded {
            Ok(Ok(found)) => (part.lines, part.data) = (found.lines, found.data),
            Ok(Err(why)) => part.error = Some(why),
            Err(_) => part.error = Some(format!("no answer within {}", time::show(EACH))),
        }
        part
    });
    Evidence {
        scenario: context.name.to_string(),
        step: step.to_owned(),
        workspace: target.as_ref().map(|w| w.id.clone()),
        parts: join_all(parts).await,
    }
}

/// Gathers and files.
pub async fn file(context: &ScenarioContext, step: &str, failure: &Failure) -> Evidence {
    let evidence = gather(context, step, failure).await;
    context.run.log.emit(EventKind::Evidence(Box::new(evidence.clone())));
    evidence
}

struct Found {
    lines: Vec<String>,
    data: Value,
}

/// Evidence is gathered when the body's waits may be cancelled already, so it sends by itself.
async fn get(context: &ScenarioContext, purpose: &str, request: Request) -> Result<Value, String> {
    let step = StepRun::new("evidence", Instant::now() + EACH);
    let mut patience = EACH / 2;
    let result = loop {
        let recorder = Recorder::new(&context.run, Some(&context.name), &step, purpose, &request);
        let bound = step.deadline.min(Instant::now() + patience);
        let result = context.run.api.client.send(&request, bound).await;
        recorder.record(&result);
        // One spoilt answer must not cost the diagnosis, nor a hung server more than the gatherer's time.
        match again(&context.run, &result).filter(|pause| Instant::now() + *pause < step.deadline) {
            Some(pause) => clock::sleep(pause).await,
            None => break result,
        }
        patience = EACH;
    };
    match result {
        Ok(answer) if answer.is_success() => {
            answer.json.ok_or_else(|| "an answer that is no JSON".to_owned())
        }
        Ok(answer) => Err(format!(
            "{}: {}",
            answer.status,
            record::error(answer.json.as_ref()).unwrap_or_else(|| answer.excerpt())
        )),
        Err(error) => Err(error.text),
    }
}

/// The whole record: single read and admin list merged, each field with where it was seen.
async fn whole_record(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, String> {
    let single = context.run.api.request(
        "GET",
        &format!("/workspaces/{}?include_removed=true", segment(&workspace.id)),
        &Auth::Admin,
    );
    let (single, list) = tokio::join!(
        get(context, "evidence: record", single),
        get(context, "evidence: list", context.run.api.list())
    );
    let row = list
        .as_ref()
        .ok()
        .and_then(Value::as_array)
        .and_then(|rows| rows.iter().find(|r| record::text(r, "id") == workspace.id))
        .cloned();
    if let (Err(one), None) = (&single, &row) {
        return Err(format!("single read: {one}; not in the list either"));
    }
    let mut merged: BTreeMap<String, Value> = BTreeMap::new();
    for (origin, record) in [("read", single.ok()), ("list", row)] {
        for (field, value) in record.as_ref().and_then(Value::as_object).cloned().unwrap_or_default() {
            match merged.get_mut(&field) {
                Some(known) if known["value"] == value => known["from"] = json!("read, list"),
                Some(known) => known["list_says"] = value,
                None => {
                    merged.insert(field, json!({ "value": value, "from": origin }));
                }
            }
        }
    }
    let interesting = [
        "status",
        "url",
        "last_sample_error",
        "last_error_rate",
        "uptime_seconds",
        "active_tasks",
        "current_task",
        "runtime",
        "parent_id",
        "agent_card",
    ];
    let lines = interesting
        .iter()
        .filter_map(|field| Some((field, merged.get(*field)?)))
        .map(|(field, known)| {
            format!(
                "{field}: {} ({})",
                excerpt(&known["value"].to_string(), 120),
                record::text(known, "from")
            )
        })
        .collect();
    Ok(Found { lines, data: json!(merged) })
}

async fn activity(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, String> {
    let request = context.run.api.activity(&workspace.id, "limit=30", &context.own_auth(&workspace.alias));
    let data = get(context, "evidence: activity", request).await?;
    let rows = data.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = rows.iter().take(6).map(|row| {
        let error = record::text(row, "error_detail");
        let error = if error.is_empty() { String::new() } else { format!(": {}", excerpt(error, 120)) };
        format!(
            "{} {} {}{error}",
            record::text(row, "activity_type"),
            record::text(row, "status"),
            excerpt(record::text(row, "summary"), 80)
        )
    });
    Ok(Found { lines: if rows.is_empty() { vec!["none".into()] } else { lines.collect() }, data })
}

async fn events(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, String> {
    let request =
        context.run.api.request("GET", &format!("/events/{}", segment(&workspace.id)), &Auth::Admin);
    let data = get(context, "evidence: events", request).await?;
    let rows = data.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = rows.iter().take(6).map(|row| {
        format!(
            "{} {}",
            record::text(row, "event_type"),
            excerpt(&row.get("payload").map(Value::to_string).unwrap_or_default(), 140)
        )
    });
    Ok(Found { lines: if rows.is_empty() { vec!["none".into()] } else { lines.collect() }, data })
}

/// The environment now against the rules and against the one before the last edge.
async fn env(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, String> {
    let step = StepRun::new("evidence", Instant::now() + EACH);
    let found = match environment::read(context, &workspace.id, &step).await? {
        Some(found) => found,
        None => {
            // Between an old instance and a new one there is none: the row is asked on both sides of a second look.
            let before = row_status(context, workspace).await;
            match environment::read(context, &workspace.id, &step).await? {
                Some(found) => found,
                None => return Ok(no_instance(before, row_status(context, workspace).await)),
            }
        }
    };
    let now: BTreeMap<String, _> =
        environment::describe(context, workspace, &found).into_iter().map(|v| (v.name.clone(), v)).collect();
    let mut lines = vec![format!(
        "instance {} (before the {}: {})",
        found.instance,
        workspace.edge_name,
        workspace.baseline.instance.as_deref().unwrap_or("none")
    )];
    lines.extend(now.values().filter(|v| v.ok == Some(false)).map(|v| {
        let is = if v.set { v.value.as_str() } else { "unset" };
        format!(
            "{}: {is}, expected {} ({})",
            v.name,
            v.expected.as_deref().unwrap_or("?"),
            v.rule.as_deref().unwrap_or("?")
        )
    }));
    let before = workspace.env_before.as_ref();
    let difference = before.map(|before| environment::difference(before, &now)).unwrap_or_default();
    lines.extend(difference.iter().map(|line| format!("over the {}: {line}", workspace.edge_name)));
    Ok(Found {
        lines,
        data: json!({ "instance": found.instance, "after": now, "before": before, "difference": difference }),
    })
}

/// No instance, and what the row said around that look; `status` only where it stood still.
fn no_instance(before: Result<String, String>, after: Result<String, String>) -> Found {
    let (line, data) = match (before, after) {
        (Ok(before), Ok(after)) if before == after => (
            format!("there is no instance, and the row says {after}"),
            json!({ "instance": null, "status": after }),
        ),
        (Ok(before), Ok(after)) => (
            format!("there is no instance at this moment: the row goes from {before} to {after}"),
            json!({ "instance": null }),
        ),
        (Err(why), _) | (_, Err(why)) => {
            (format!("there is no instance, and the row: {why}"), json!({ "instance": null }))
        }
    };
    Found { lines: vec![line], data }
}

async fn row_status(context: &ScenarioContext, workspace: &Workspace) -> Result<String, String> {
    let path = format!("/workspaces/{}?include_removed=true", segment(&workspace.id));
    let request = context.run.api.request("GET", &path, &Auth::Admin);
    let row = get(context, "evidence: row beside the instance", request).await?;
    Ok(record::text(&row, "status").to_owned())
}

async fn billing(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, String> {
    let path = format!("/admin/workspaces/{}/llm-billing-mode", segment(&workspace.id));
    let data = get(context, "evidence: billing", context.run.api.request("GET", &path, &Auth::Admin)).await?;
    let line = format!(
        "{} (source {}, provider {})",
        record::text(&data, "resolved_mode"),
        record::text(&data, "source"),
        data.get("provider_selection").map(Value::to_string).unwrap_or_default()
    );
    Ok(Found { lines: vec![line], data })
}

fn sent(workspace: &Workspace) -> Found {
    let body = &workspace.sent;
    let names: Vec<&str> = body
        .get("secrets")
        .and_then(Value::as_object)
        .map(|s| s.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let line = format!(
        "runtime {}, model {}, provider {}, secrets {}",
        workspace.runtime,
        workspace.model,
        workspace.provider,
        names.join(", ")
    );
    Found { lines: vec![line], data: body.clone() }
}

/// Everybody else on the server, labelled so that nobody takes one for the target (#2680).
async fn neighbours(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, String> {
    let data = get(context, "evidence: neighbours", context.run.api.list()).await?;
    let others: Vec<Map<String, Value>> = data
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter(|row| record::text(row, "id") != workspace.id)
        .map(|row| {
            let mut short = Map::new();
            for field in ["id", "name", "status", "runtime", "parent_id"] {
                short.insert(field.into(), row.get(field).cloned().unwrap_or_default());
            }
            short.insert("ours".into(), json!(context.run.ledger.owns(record::text(row, "id"))));
            short
        })
        .collect();
    let failed = others.iter().filter(|row| row["status"] == "failed").count();
    let ours = others.iter().filter(|row| row["ours"] == true).count();
    let lines = vec![format!("{} others ({ours} of this run), {failed} of them failed", others.len())];
    let kept: Vec<_> = others.into_iter().take(200).collect();
    Ok(Found { lines, data: json!(kept) })
}

async fn server(context: &ScenarioContext) -> Result<Found, String> {
    let api = &context.run.api;
    let began = Instant::now();
    let health = get(context, "evidence: health", api.request("GET", "/health", &Auth::Anonymous)).await;
    let took = time::show(began.elapsed());
    let liveness =
        get(context, "evidence: liveness", api.request("GET", "/admin/liveness", &Auth::Admin)).await;
    let line = match &health {
        Ok(_) => format!("/health answered in {took}"),
        Err(why) => format!("/health: {why}"),
    };
    let health_error = health.as_ref().err();
    let data =
        json!({ "health": health.as_ref().ok(), "health_error": health_error, "liveness": liveness.ok() });
    Ok(Found { lines: vec![line], data })
}

/// Lines of a log that are kept, the newest.
const LOG_LINES: usize = 60;

fn log_lines(data: &Value, keep: impl Fn(&str) -> bool) -> Found {
    let all = data.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kept: Vec<String> =
        all.iter().filter_map(Value::as_str).filter(|line| keep(line)).map(str::to_owned).collect();
    let kept = kept.get(kept.len().saturating_sub(LOG_LINES)..).unwrap_or_default().to_vec();
    // The end of a log says most, and a screen has few lines.
    let mut lines: Vec<String> =
        kept.iter().rev().take(4).map(|line| excerpt(&short_time(line), 200)).collect();
    lines.reverse();
    if lines.is_empty() {
        lines.push("nothing".into());
    }
    Found { lines, data: json!({ "lines": kept }) }
}

async fn instance_log(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, String> {
    let path = format!("/__lifecycle/workspaces/{}/logs?lines=100", segment(&workspace.id));
    let request = context.run.api.request("GET", &path, &Auth::Admin);
    let data = get(context, "evidence: instance log", request).await?;
    Ok(log_lines(&data, |_| true))
}

/// The server speaks of everybody: a line with another workspace's id is not evidence about this one.
async fn server_log(context: &ScenarioContext, id: Option<String>) -> Result<Found, String> {
    let data = match &context.run.target.server_log {
        Some(log) => json!({ "lines": log.lines() }),
        None => {
            let request = context.run.api.request("GET", "/__lifecycle/log", &Auth::Admin);
            get(context, "evidence: server log", request).await?
        }
    };
    Ok(log_lines(&data, |line| about(line, id.as_deref())))
}

/// The end of what a server that we started has printed.
fn printed(log: &crate::targets::profile::part_log::PartLog, id: Option<String>) -> Found {
    let data = json!({ "lines": log.tail(2 * LOG_LINES) });
    let mut found = log_lines(&data, |line| about(line, id.as_deref()));
    found.data["file"] = json!(log.path().display().to_string());
    found
}

fn about(line: &str, id: Option<&str>) -> bool {
    id.is_some_and(|id| line.contains(id)) || !names_a_workspace(line)
}

fn names_a_workspace(line: &str) -> bool {
    static ID: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("(?i)(^|[^0-9a-f])[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}($|[^0-9a-f])").ok()
    });
    ID.as_ref().is_some_and(|id| id.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_another_workspace_is_known_by_any_name_of_it() {
        let own = Some("11111111-2222-3333-4444-555555555555");
        let other = "550e8400-e29b-41d4-a716-446655440000";
        for (line, ours) in [
            (format!("container ws-{other} died, OOM"), false),
            (format!("volume ws-{other}-configs is empty"), false),
            (format!("{other}: register 401"), false),
            ("container ws-11111111-2222-3333-4444-555555555555 died".to_owned(), true),
            ("trace 550e8400e29b41d4a716446655440000 took 3 s".to_owned(), true),
            ("listening on :8080".to_owned(), true),
        ] {
            assert_eq!(about(&line, own), ours, "{line}");
        }
        assert!(!about(&format!("ws-{other}"), None));
    }
}
