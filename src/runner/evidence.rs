//! What is gathered about a failure: before clean-up, once, each gatherer with its own time-out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use serde_json::{Map, Value, json};

use super::context::{ScenarioContext, StepRun};
use super::environment::{Environment, Unread};
use super::outcome::Failure;
use super::workspace::Workspace;
use super::{container_evidence, control_plane_evidence, environment, server_log};
use crate::clock::Instant;
use crate::domain::{Status, time};
use crate::event::{EnvVar, EventKind, Evidence, EvidencePart, EvidenceSource, Red};
use crate::http::{Request, Transport};
use crate::mechanism::short_time;
use crate::platform::ask::{Asker, Outcome};
use crate::platform::row::Row;
use crate::platform::{Auth, policy, record, segment};
use crate::redact::excerpt_of_redacted;
use crate::scenario::model::Capability;
use crate::targets::LogSource;

/// One gatherer may not take longer; all run at once.
const EACH: Duration = policy::EVIDENCE.within;
/// An engine that is busy needs more.
const ENGINE: Duration = Duration::from_secs(15);
/// Of the time that a gatherer has, so much is kept for saying what was found.
const KEPT: Duration = Duration::from_millis(500);

/// Name, title, and what to do.
type Gatherer<'a> = (EvidenceSource, &'static str, BoxFuture<'a, Result<Found, EvidenceError>>);

/// Why a piece of evidence is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum EvidenceError {
    /// The server refused.
    #[error("{status}: {said}")]
    Answer {
        /// By this status.
        status: u16,
        /// In its words.
        said: String,
    },
    /// No whole answer came.
    #[error("{text}")]
    Transport {
        /// Of this kind.
        kind: Transport,
        /// The chain of causes.
        text: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl EvidenceError {
    pub(super) fn other(why: impl std::fmt::Display) -> Self {
        EvidenceError::Other(why.to_string())
    }

    /// The server says that there is no such workspace.
    fn is_gone(&self) -> bool {
        matches!(self, EvidenceError::Answer { status: 404 | 410, .. })
    }
}

/// The workspace that a failure is about: the one it names, the one whose id was in the request, or the only
/// one. Of several it takes none rather than a wrong one (#2680).
pub(crate) fn target(context: &ScenarioContext, failure: &Failure) -> Option<Workspace> {
    let state = context.state();
    if let Some(alias) = &failure.workspace {
        return state.workspaces.get(alias).cloned();
    }
    let asked = failure.origin.as_ref().and_then(|o| Some(o.exchanges.exchanges.last()?.url.as_str()));
    let in_url = |w: &&Workspace| !w.id.is_empty() && asked.is_some_and(|url| url.contains(&w.id));
    let mut there = state.workspaces.values().filter(|w| !w.gone);
    match (state.workspaces.values().find(in_url), there.next(), there.next()) {
        (Some(found), _, _) => Some(found.clone()),
        (None, Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// Gathers about the workspace that the failure is about.
pub(crate) async fn gather(context: &ScenarioContext, step: &str, failure: &Failure) -> Evidence {
    let target = target(context, failure);
    let mut gatherers: Vec<Gatherer<'_>> = Vec::new();
    if let Some(workspace) = &target {
        gatherers.push((EvidenceSource::Record, "the record", Box::pin(whole_record(context, workspace))));
        gatherers.push((
            EvidenceSource::Activity,
            "activity, newest first",
            Box::pin(activity(context, workspace)),
        ));
        gatherers.push((
            EvidenceSource::Events,
            "events of the platform, newest first",
            Box::pin(events(context, workspace)),
        ));
        gatherers.push((
            EvidenceSource::Environment,
            "environment before and after the last edge",
            Box::pin(env(context, workspace)),
        ));
        if let Some(engine) = &context.run.target.engine {
            // Whether the agent listens is worth asking only where somebody wants to hear it.
            let asserts = failure.origin.as_ref().map(|o| o.asserts);
            let listens = matches!(asserts, Some(Red::Reply | Red::Online | Red::Hold));
            let deadline = Instant::now() + ENGINE - KEPT;
            let work = async move {
                let found = container_evidence::gather(context, engine, workspace, listens, deadline).await;
                let (lines, data) = found.map_err(|e| EvidenceError::Other(e.what))?;
                Ok(Found { lines, data })
            };
            gatherers.push((
                EvidenceSource::Container,
                "the container, and what the engine did to it",
                Box::pin(work),
            ));
        }
        gatherers.push((EvidenceSource::Billing, "billing mode", Box::pin(billing(context, workspace))));
        if !workspace.sent.is_null() {
            gatherers.push((
                EvidenceSource::Sent,
                "what was sent at create",
                Box::pin(async { Ok(sent(workspace)) }),
            ));
        }
        gatherers.push((
            EvidenceSource::Neighbours,
            "other workspaces",
            Box::pin(neighbours(context, workspace)),
        ));
    }
    if let Some(behind) = &context.run.target.behind {
        let id = target.as_ref().map(|w| w.id.clone());
        let work = async move {
            let told = control_plane_evidence::gather(behind, id.as_deref()).await;
            Ok(Found { lines: told.lines, data: told.data })
        };
        gatherers.push((
            EvidenceSource::ControlPlane,
            "the control plane: organisation, instance, provision call",
            Box::pin(work),
        ));
    }
    gatherers.push((EvidenceSource::Server, "the server", Box::pin(server(context))));
    let inspect = context.run.target.capabilities.contains(&Capability::Inspect);
    if let Some(workspace) = target.as_ref().filter(|_| inspect) {
        gatherers.push((
            EvidenceSource::AgentLog,
            "the instance's own log, oldest first",
            Box::pin(instance_log(context, workspace)),
        ));
    }
    let id = target.as_ref().map(|w| w.id.clone());
    let since =
        target.as_ref().and_then(|w| server_log::edge_time(w.baseline.edge_at.or(w.edge_at)?.elapsed()));
    let asked = context.run.target.log_source.clone();
    if inspect || context.run.target.server_log.is_some() || asked.is_some() {
        gatherers.push((
            EvidenceSource::ServerLog,
            "the server's log: lines about this workspace or about none",
            match asked {
                Some(source) => Box::pin(named_log(context, source, id.clone(), since)),
                None => Box::pin(server_log(context, id.clone())),
            },
        ));
    }
    if let Some(log) = &context.run.target.log {
        // A server that shows its log itself says more there than on its standard streams.
        let (name, title) = match inspect {
            true => (EvidenceSource::ServerOutput, "what the server printed"),
            false => {
                (EvidenceSource::ServerLog, "the server's log: lines about this workspace or about none")
            }
        };
        gatherers.push((name, title, Box::pin(async move { printed(log.path(), id.as_deref(), since) })));
    }
    let parts = gatherers.into_iter().map(|(name, title, work)| async move {
        let began = Instant::now();
        let each = if name == EvidenceSource::Container { ENGINE } else { EACH };
        let bounded = crate::clock::timeout(each, work).await;
        let mut part = EvidencePart {
            source: Some(name),
            name: name.name().into(),
            title: title.into(),
            took_ms: time::ms(began.elapsed()),
            ..EvidencePart::default()
        };
        match bounded {
            Ok(Ok(found)) => (part.lines, part.data) = (found.lines, found.data),
            Ok(Err(why)) => part.error = Some(why.to_string()),
            Err(_) => part.error = Some(format!("no answer within {}", time::show(each))),
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
pub(crate) async fn file(context: &ScenarioContext, step: &str, failure: &Failure) -> Evidence {
    let evidence = gather(context, step, failure).await;
    context.run.log.emit(EventKind::Evidence(Box::new(evidence.clone())));
    evidence
}

struct Found {
    lines: Vec<String>,
    data: Value,
}

/// Evidence is gathered when the body's waits may be cancelled already, so it sends by itself.
async fn get(context: &ScenarioContext, purpose: &str, request: Request) -> Result<Value, EvidenceError> {
    let step = StepRun::new("evidence", Instant::now() + EACH - KEPT);
    let asker = Asker::new(&context.run.api, Arc::new(context.unkept(&step)), step.deadline);
    match asker.ask(purpose, request, &policy::EVIDENCE).await {
        Outcome::Answer(answer) if answer.is_success() => {
            answer.json.ok_or_else(|| EvidenceError::other("an answer that is no JSON"))
        }
        Outcome::Answer(answer) | Outcome::Elsewhere(answer, _) | Outcome::Limited(answer) => {
            Err(EvidenceError::Answer {
                status: answer.status,
                said: record::error(answer.json.as_ref()).unwrap_or_else(|| answer.excerpt()),
            })
        }
        Outcome::Silent(error) => Err(EvidenceError::Transport { kind: error.kind, text: error.text }),
        Outcome::Cancelled => Err(EvidenceError::other("the run was cancelled")),
    }
}

/// The whole record: single read and admin list merged, each field with where it was seen.
async fn whole_record(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
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
        .and_then(|rows| rows.iter().find(|r| r.is(&workspace.id)))
        .cloned();
    // Removed rows are shown when they are asked for; purged ones are not there at all.
    let gone = match (&single, &row) {
        (Ok(record), _) if record.status() == Some(Status::Removed) => "removed".to_owned(),
        (Err(EvidenceError::Answer { status, .. }), None)
            if single.as_ref().is_err_and(EvidenceError::is_gone) =>
        {
            status.to_string()
        }
        (Err(one), None) => {
            return Err(EvidenceError::Other(format!("single read: {one}; not in the list either")));
        }
        _ => "no".to_owned(),
    };
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
    merged.insert("gone".into(), json!({ "value": gone, "from": "read, list" }));
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
                context.excerpt(&known["value"].to_string(), 120),
                record::text(known, "from")
            )
        })
        .collect();
    Ok(Found { lines, data: json!(merged) })
}

async fn activity(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
    let request = context.run.api.activity(&workspace.id, "limit=30", &context.own_auth(&workspace.alias));
    let data = get(context, "evidence: activity", request).await?;
    let rows = data.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = rows.iter().take(6).map(|row| {
        let error = record::text(row, "error_detail");
        let error =
            if error.is_empty() { String::new() } else { format!(": {}", context.excerpt(error, 120)) };
        format!(
            "{} {} {}{error}",
            record::text(row, "activity_type"),
            record::text(row, "status"),
            context.excerpt(record::text(row, "summary"), 80)
        )
    });
    Ok(Found { lines: if rows.is_empty() { vec!["none".into()] } else { lines.collect() }, data })
}

async fn events(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
    let request =
        context.run.api.request("GET", &format!("/events/{}", segment(&workspace.id)), &Auth::Admin);
    let data = get(context, "evidence: events", request).await?;
    let rows = data.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = rows.iter().take(6).map(|row| {
        format!(
            "{} {}",
            record::text(row, "event_type"),
            context.excerpt(&row.get("payload").map(Value::to_string).unwrap_or_default(), 140)
        )
    });
    Ok(Found { lines: if rows.is_empty() { vec!["none".into()] } else { lines.collect() }, data })
}

/// The environment now against the rules and against the one before the last edge.
async fn env(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
    let step = StepRun::new("evidence", Instant::now() + EACH - KEPT);
    let (instance, now, unread) = match environment::read(context, &workspace.id, &step).await {
        Ok(Some(found)) => described(context, workspace, found),
        Ok(None) => {
            // Between an old instance and a new one there is none: the row is asked on both sides of a second look.
            let before = row_status(context, workspace).await;
            match environment::read(context, &workspace.id, &step).await.map_err(EvidenceError::other)? {
                Some(found) => described(context, workspace, found),
                None => return Ok(no_instance(before, row_status(context, workspace).await)),
            }
        }
        // What a step has read since the last edge is what it judged.
        Err(why) => match &workspace.env {
            Some((instance, vars)) => (instance.clone(), vars.clone(), Some(why)),
            None => return Err(EvidenceError::other(why)),
        },
    };
    let mut lines = vec![format!(
        "instance {instance} (before the {}: {})",
        workspace.edge_name,
        workspace.baseline.instance.as_deref().unwrap_or("none")
    )];
    lines.extend(unread.map(|why| format!("as the step read it; a look after the failure: {why}")));
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
        data: json!({
            "instance": instance, "after": now, "before": before, "difference": difference,
            "right_before": (workspace.edge > 0 && !workspace.env_right.is_empty()).then_some(&workspace.env_right),
        }),
    })
}

/// An environment that was read just now: its instance, and its variables by name.
fn described(
    context: &ScenarioContext,
    workspace: &Workspace,
    found: Environment,
) -> (String, BTreeMap<String, EnvVar>, Option<Unread>) {
    let vars = environment::describe(context, workspace, &found);
    (found.instance, vars.into_iter().map(|v| (v.name.clone(), v)).collect(), None)
}

/// No instance, and what the row said around that look; `status` only where it stood still.
fn no_instance(before: Result<String, EvidenceError>, after: Result<String, EvidenceError>) -> Found {
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
            let row = match &why {
                why if why.is_gone() => format!("workspace not found ({why})"),
                why => format!("the row: {why}"),
            };
            (format!("no instance; {row}"), json!({ "instance": null }))
        }
    };
    Found { lines: vec![line], data }
}

async fn row_status(context: &ScenarioContext, workspace: &Workspace) -> Result<String, EvidenceError> {
    let path = format!("/workspaces/{}?include_removed=true", segment(&workspace.id));
    let request = context.run.api.request("GET", &path, &Auth::Admin);
    let row = get(context, "evidence: row beside the instance", request).await?;
    Ok(record::text(&row, "status").to_owned())
}

async fn billing(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
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
async fn neighbours(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
    let data = get(context, "evidence: neighbours", context.run.api.list()).await?;
    let others: Vec<Map<String, Value>> = data
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter(|row| !row.is(&workspace.id))
        .map(|row| {
            let mut short = Map::new();
            for field in ["id", "name", "status", "runtime", "parent_id"] {
                short.insert(field.into(), row.get(field).cloned().unwrap_or_default());
            }
            short.insert("ours".into(), json!(context.run.ledger.owns(row.id())));
            short.insert("same_name".into(), json!(row.name() == workspace.name));
            short
        })
        .collect();
    let failed = others.iter().filter(|row| row["status"] == "failed").count();
    let ours = others.iter().filter(|row| row["ours"] == true).count();
    let lines = vec![match others.len() {
        1 => format!("1 other workspace ({ours} of this run), {failed} failed"),
        n => format!("{n} other workspaces ({ours} of this run), {failed} failed"),
    }];
    let kept: Vec<_> = others.into_iter().take(200).collect();
    Ok(Found { lines, data: json!(kept) })
}

async fn server(context: &ScenarioContext) -> Result<Found, EvidenceError> {
    let api = &context.run.api;
    let began = Instant::now();
    // An id that nobody has: it is looked up in the database, and not found there.
    let nobody = format!("/workspaces/{}", uuid::Uuid::nil());
    let (health, liveness, data) = tokio::join!(
        get(context, "evidence: health", api.request("GET", "/health", &Auth::Anonymous)),
        get(context, "evidence: liveness", api.request("GET", "/admin/liveness", &Auth::Admin)),
        get(context, "evidence: database", api.request("GET", &nobody, &Auth::Admin)),
    );
    let mut lines = vec![match &health {
        Ok(_) => format!("/health answered in {}", time::show(began.elapsed())),
        Err(why) => format!("/health: {why}"),
    }];
    let data_state = match &data {
        Err(EvidenceError::Answer { status: 400..=499, .. }) => "ok",
        other => state(other),
    };
    if data_state != "ok" {
        lines.push(format!("a route that needs the database: {data_state}"));
    }
    let data = json!({
        "health": health.as_ref().ok(),
        "health_error": health.as_ref().err().map(ToString::to_string),
        "health_state": state(&health),
        "data_state": data_state,
        "liveness": liveness.ok(),
    });
    Ok(Found { lines, data })
}

/// What a route did, in one word.
fn state(result: &Result<Value, EvidenceError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(EvidenceError::Answer { status: 500.., .. }) => "5xx",
        Err(EvidenceError::Transport { kind: Transport::TimedOut, .. }) => "hangs",
        Err(EvidenceError::Transport { kind: Transport::Connect | Transport::Dns, .. }) => "refused",
        Err(_) => "odd",
    }
}

/// A log as evidence.
fn log_lines(kept: Vec<String>) -> Found {
    // The end of a log says most, and a screen has few lines.
    let mut lines: Vec<String> =
        kept.iter().rev().take(4).map(|line| excerpt_of_redacted(&short_time(line), 200)).collect();
    lines.reverse();
    if lines.is_empty() {
        lines.push("nothing".into());
    }
    Found { lines, data: json!({ "lines": kept }) }
}

fn lines_of(data: &Value) -> Vec<String> {
    let all = data.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

async fn instance_log(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
    let path = format!("/__lifecycle/workspaces/{}/logs?lines=100", segment(&workspace.id));
    let request = context.run.api.request("GET", &path, &Auth::Admin);
    let all = lines_of(&get(context, "evidence: instance log", request).await?);
    Ok(log_lines(all.iter().skip(all.len().saturating_sub(server_log::LINES)).cloned().collect()))
}

async fn server_log(context: &ScenarioContext, id: Option<String>) -> Result<Found, EvidenceError> {
    let lines = match &context.run.target.server_log {
        Some(log) => log.lines(),
        None => {
            let request = context.run.api.request("GET", "/__lifecycle/log", &Auth::Admin);
            lines_of(&get(context, "evidence: server log", request).await?)
        }
    };
    // Its clock may be faster than ours.
    Ok(log_lines(server_log::window(&lines, id.as_deref(), None)))
}

/// The log that the call names.
async fn named_log(
    context: &ScenarioContext,
    source: LogSource,
    id: Option<String>,
    since: Option<jiff::Timestamp>,
) -> Result<Found, EvidenceError> {
    let redactor = context.run.log.redactor();
    let lines = match &source {
        LogSource::File(path) => {
            let lines = server_log::end_of(path)
                .map_err(|e| EvidenceError::Other(format!("{}: {e}", path.display())))?;
            lines.iter().map(|line| redactor.text(line).into_owned()).collect()
        }
        LogSource::Container(name) => {
            let engine = context.run.target.engine.as_ref();
            let engine = engine.ok_or_else(|| EvidenceError::other("no engine is connected (--docker)"))?;
            engine.logs(name, LOG_OF_CONTAINER, redactor).await.map_err(|e| EvidenceError::Other(e.what))?
        }
    };
    let mut found = log_lines(server_log::window(&lines, id.as_deref(), since));
    found.data["from"] = json!(source.to_string());
    Ok(found)
}

/// What a server that we started has printed, redacted when it was written.
fn printed(path: &Path, id: Option<&str>, since: Option<jiff::Timestamp>) -> Result<Found, EvidenceError> {
    let lines = server_log::end_of(path).map_err(EvidenceError::other)?;
    let mut found = log_lines(server_log::window(&lines, id, since));
    found.data["file"] = json!(path.display().to_string());
    Ok(found)
}

/// Lines of a server's container that are asked for.
const LOG_OF_CONTAINER: usize = 20_000;
