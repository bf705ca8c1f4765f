//! `await:` a status, bound to the new instance after an edge.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::domain::{Status, time};
use crate::engine::context::{ScenarioContext, StepRun};
use crate::engine::environment;
use crate::engine::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::engine::workspace::Workspace;
use crate::event::{EventKind, StepWaiting, WaitStats};
use crate::platform::record;
use crate::run::clock;
use crate::run::instance::{Current, is_new};
use crate::run::poller::StreamEvent;
use crate::run::status_wait::{StatusJudge, Wanted};
use crate::run::wait::{self, Verdict, WaitEnd, WaitError};
use crate::scenario::model::Await;

/// A new instance that never registers, and keeps its workspace online by heartbeats alone, is taken after this.
const SILENT: Duration = Duration::from_secs(3);

/// Runs the step.
pub async fn run(context: &ScenarioContext, verb: &Await, step: &StepRun) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let live = verb.status.iter().any(|s| matches!(s, Status::Online | Status::Degraded));
    // After an edge everything binds to the new instance, whether the step says so or not.
    let new_instance = verb.new_instance || (workspace.edge > 0 && workspace.managed && live && !verb.leaves);
    let wanted = Wanted {
        status: verb.status.clone(),
        leaves: verb.leaves,
        url: verb.url.unwrap_or(workspace.managed && live && !verb.leaves),
        tolerate: verb.tolerate.clone(),
        never: verb.never.clone(),
        scale: context.run.api.scale,
    };
    let passed = reach(context, alias, wanted, new_instance, step).await.map_err(|f| f.about(alias))?;
    if let Some(edge_at) = workspace.edge_at.filter(|_| live && !verb.leaves) {
        context.state().platform += edge_at.elapsed();
        context.update(alias, |w| w.edge_at = None);
    }
    Ok(passed)
}

/// What is known of a workspace, or why nothing is.
///
/// # Errors
/// The step that should have made it was skipped.
pub fn known(context: &ScenarioContext, alias: &str) -> Result<Workspace, Failure> {
    context.workspace(alias).filter(|w| !w.id.is_empty()).ok_or_else(|| {
        Failure::of(
            FailureKind::Config,
            format!("`{alias}` was never made: the step that makes it did not run"),
        )
    })
}

/// Waits until a workspace is as wanted.
pub async fn reach(
    context: &ScenarioContext,
    alias: &str,
    wanted: Wanted,
    new_instance: bool,
    step: &StepRun,
) -> StepResult {
    let workspace = known(context, alias)?;
    let began = Instant::now();
    let wants = if new_instance {
        format!("{alias} {} by a new instance", wanted.text())
    } else {
        format!("{alias} {}", wanted.text())
    };
    // The best evidence is asked for once the record says that the new instance may be there.
    let leaves = wanted.leaves;
    let inspectable = new_instance && workspace.baseline.instance.is_some();
    let mut judge = StatusJudge::new(wanted);
    let mut watch = context.run.poller.watch(&workspace.id);
    let mut total = WaitStats::default();
    let mut only_evidence_lacks = false;
    let mut new_since = None;
    loop {
        let waiting = |last: &str, slow: bool| {
            context.run.log.emit(EventKind::StepWaiting(StepWaiting {
                scenario: context.name.to_string(),
                step: step.id.clone(),
                wants: wants.clone(),
                last: last.to_owned(),
                waited_ms: time::ms(began.elapsed()),
                slow,
            }));
        };
        let mut proof = String::new();
        let result = wait::until(
            &mut watch,
            step.deadline,
            &context.stop,
            |view| {
                if let Some(row) = view.record() {
                    context.observe(alias, row, if view.woken { "event" } else { "poll" });
                }
                only_evidence_lacks = false;
                if let Some(event) = leaves.then(|| left(context, &workspace)).flatten() {
                    return Verdict::Ready(event);
                }
                judge.judge(view, |row| {
                    if !new_instance || inspectable {
                        return Ok(String::new());
                    }
                    let proven = evidence(context, &workspace, row);
                    match &proven {
                        Ok(text) => text.clone_into(&mut proof),
                        Err(_) => only_evidence_lacks = true,
                    }
                    proven
                })
            },
            |last, _, slow| waiting(last, slow),
        )
        .await;
        match result {
            Ok((status, stats)) => {
                add(&mut total, &stats);
                if inspectable {
                    match environment::instance(context, &workspace, step).await {
                        Some(now)
                            if Some(&now) != workspace.baseline.instance.as_ref()
                                && (new_since.get_or_insert_with(Instant::now).elapsed() >= SILENT
                                    || has_spoken(context, &workspace, status.as_str())) =>
                        {
                            proof = format!("instance {now}");
                        }
                        seen => {
                            let why = match &seen {
                                None => "no instance yet",
                                Some(now) if Some(now) == workspace.baseline.instance.as_ref() => {
                                    "still the old instance"
                                }
                                Some(_) => "the new instance has not registered",
                            };
                            waiting(&format!("{status}, but {why}"), false);
                            if Instant::now() >= step.deadline || context.stop.is_cancelled() {
                                let end = if context.stop.is_cancelled() {
                                    WaitEnd::Cancelled
                                } else {
                                    WaitEnd::TimedOut
                                };
                                let last = format!("{status}, but {why}");
                                return Err(Failure::wait(&wants, WaitError { end, last, stats: total }));
                            }
                            clock::sleep(wait::pause(began.elapsed())).await;
                            continue;
                        }
                    }
                }
                // Before any edge only the instance that the create asked for can bring the row online.
                let first = workspace.edge == 0 && status == Status::Online;
                let own_edge = matches!(workspace.edge_name.as_str(), "restart" | "resume");
                if first || (own_edge && new_instance && !proof.is_empty()) {
                    context.run.ledger.seen_through(&workspace.id);
                }
                let proof = if proof.is_empty() { String::new() } else { format!(" ({proof})") };
                let message = format!("{status} after {}{proof}", time::show(began.elapsed()));
                return Ok(Passed { message, wait: Some(total) });
            }
            Err(mut error) => {
                add(&mut total, &error.stats);
                error.stats = total;
                let timed_out = error.end == WaitEnd::TimedOut;
                let mut failure = Failure::wait(&wants, error);
                if timed_out && only_evidence_lacks && !still_old(&workspace, context, alias) {
                    failure.kind = FailureKind::Inconclusive;
                    failure.details.push(
                        "neither container, URL, event stream nor uptime tells a new instance from the old one".into(),
                    );
                }
                return Err(failure);
            }
        }
    }
}

/// A state that was left and came back between two looks shows on the event stream.
fn left(context: &ScenarioContext, workspace: &Workspace) -> Option<Status> {
    let events = context.run.poller.events_since(&workspace.id, workspace.baseline.edge_at?);
    events.iter().find_map(|event| match event.kind.as_str() {
        "WORKSPACE_OFFLINE" => Some(Status::Offline),
        "WORKSPACE_PROVISIONING" => Some(Status::Provisioning),
        "WORKSPACE_PROVISION_FAILED" => Some(Status::Failed),
        _ => None,
    })
}

/// Whether it is the new instance that brought the row here: the last heartbeat of an old one, after the request and
/// before its stop, turns the row online as well (contract §4.1). Where no stream can tell, nothing speaks against it.
fn has_spoken(context: &ScenarioContext, workspace: &Workspace, status: &str) -> bool {
    let before = &workspace.baseline;
    let (Some(edge), Some(opened)) = (before.edge_at, before.stream_since) else { return true };
    if status != Status::Online.as_str()
        || opened >= edge
        || context.run.poller.stream_since() != Some(opened)
    {
        return true;
    }
    let registered = |event: &StreamEvent| {
        let url = event.payload.get("url").and_then(Value::as_str).unwrap_or_default();
        event.kind == "WORKSPACE_ONLINE" && !url.is_empty()
    };
    context.run.poller.events_since(&workspace.id, edge).iter().any(registered)
}

/// An uptime that went on growing over the edge is the old instance's own.
fn still_old(before: &Workspace, context: &ScenarioContext, alias: &str) -> bool {
    let mut watch = context.run.poller.watch(&before.id);
    let uptime = watch.last().record().and_then(record::uptime);
    context.workspace(alias).is_some()
        && before.baseline.uptime.zip(uptime).is_some_and(|(old, new)| new > old)
}

fn evidence(context: &ScenarioContext, workspace: &Workspace, row: &Value) -> Result<String, String> {
    let events = match workspace.baseline.edge_at {
        Some(edge) => context.run.poller.events_since(&workspace.id, edge),
        None => Vec::new(),
    };
    is_new(
        &workspace.baseline,
        &Current {
            instance: None,
            record: Some(row),
            events: &events,
            stream_since: context.run.poller.stream_since(),
        },
    )
}

fn add(total: &mut WaitStats, stats: &WaitStats) {
    total.polls += stats.polls;
    total.errors += stats.errors;
    total.woken += stats.woken;
    total.longest_gap_ms = total.longest_gap_ms.max(stats.longest_gap_ms);
    if stats.last_error.is_some() {
        total.last_error.clone_from(&stats.last_error);
    }
}

/// For verbs that wait by themselves: no grace for anything.
pub fn plain(context: &ScenarioContext, status: &[Status], url: bool) -> Wanted {
    Wanted { status: status.to_vec(), url, scale: context.run.api.scale, ..Wanted::default() }
}
