//! `await:` a status, bound to the new instance after an edge.

use std::time::Duration;

use serde_json::Value;

use super::before_edge::is_stored;
use crate::clock::Instant;
use crate::domain::{Status, time};
use crate::event::{Away, EventKind, ProofKind, StepWaiting, WaitEnd, WaitStats};
use crate::platform::row::Row;
use crate::run::heard::StreamEvent;
use crate::run::instance::{Beats, Current, NotNew, Proof, Proven, has_spoken, is_new};
use crate::run::status_wait::{StatusJudge, Wanted};
use crate::run::wait::{self, Verdict, WaitError};
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::workspace::Workspace;
use crate::runner::{container, environment};
use crate::scenario::model::Await;

/// Runs the step.
pub(super) async fn run(context: &ScenarioContext, verb: &Await, step: &StepRun) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let live = verb.status.iter().any(is_up);
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
    if live && !verb.leaves {
        for what in container::unlike_its_row(context, &workspace, 0).await {
            let text = format!("{alias} is as it was awaited, but {what}");
            context.run.log.emit(EventKind::Warning { scenario: Some(context.name.to_string()), text });
        }
    }
    if let Some(edge_at) = workspace.edge_at.filter(|_| live && !verb.leaves) {
        context.state().platform += edge_at.elapsed();
        context.update(alias, |w| w.edge_at = None);
    }
    Ok(passed)
}

/// Stored events are read again no sooner than this.
const STORED_AGAIN: Duration = Duration::from_secs(1);

fn is_up(status: &Status) -> bool {
    matches!(status, Status::Online | Status::Degraded)
}

/// What is known of a workspace, or why nothing is.
///
/// # Errors
/// The step that should have made it was skipped.
pub(super) fn known(context: &ScenarioContext, alias: &str) -> Result<Workspace, Failure> {
    context.workspace(alias).filter(|w| !w.id.is_empty()).ok_or_else(|| {
        Failure::of(
            FailureKind::Config,
            format!("`{alias}` was never made: the step that makes it did not run"),
        )
    })
}

/// Waits until a workspace is as wanted.
pub(super) async fn reach(
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
    let (leaves, from) = (wanted.leaves, wanted.status.clone());
    let inspectable = new_instance && workspace.baseline.instance.is_some();
    let mut judge = StatusJudge::new(wanted);
    let mut watch = context.run.poller.watch(&workspace.id);
    let mut total = WaitStats::default();
    let mut only_evidence_lacks = false;
    let mut proven: Option<Proven> = None;
    let mut beats = Beats::default();
    let (mut stored, mut stored_at) = (false, began);
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
        let mut proof: Option<Proof> = None;
        let mut ask_events = false;
        let result = wait::until(
            &mut watch,
            step.deadline,
            &context.stop,
            |view| {
                if let Some(row) = view.record() {
                    context.observe(alias, row, if view.woken { "event" } else { "poll" });
                    beats.saw(row.uptime(), row.url(), view.at.unwrap_or_else(Instant::now));
                }
                (only_evidence_lacks, ask_events) = (false, false);
                // Once an await has reached the instance of the last edge, that edge explains no absence any more.
                if leaves && workspace.edge_at.is_some() {
                    if let Some(event) = left(context, &workspace, &from) {
                        return Verdict::Ready(event);
                    }
                    let row = view.record().filter(|_| from.iter().any(is_up));
                    if let Some((status, new)) = row.and_then(|row| back(context, &workspace, row, &beats)) {
                        proof = Some(new);
                        return Verdict::Ready(status);
                    }
                }
                judge.judge(view, |row| {
                    if !new_instance || inspectable {
                        return Ok(());
                    }
                    match evidence(context, &workspace, row, &beats, stored) {
                        Ok(found) => {
                            proof = Some(found);
                            context.update(alias, |w| w.old_speaks = false);
                            spoken(context, &workspace, row, &beats, &mut proven)
                        }
                        Err(why) => {
                            only_evidence_lacks = true;
                            let old = matches!(why, NotNew::Old(_));
                            context.update(alias, |w| w.old_speaks = old);
                            ask_events = matches!(why, NotNew::Unknown { .. })
                                && workspace.baseline.stored.is_some()
                                && !stored
                                && Instant::now() >= stored_at;
                            if ask_events { Ok(()) } else { Err(why) }
                        }
                    }
                })
            },
            |last, _, slow| waiting(last, slow),
        )
        .await;
        match result {
            Ok((status, stats)) => {
                add(&mut total, &stats);
                if ask_events {
                    stored = is_stored(context, &workspace, step).await;
                    stored_at = Instant::now() + wait::pause(began.elapsed()).max(STORED_AGAIN);
                    continue;
                }
                if inspectable {
                    let lacks = match environment::instance(context, &workspace, step).await {
                        None => Some("no instance yet".to_owned()),
                        Some(now) if workspace.baseline.holds(&now) => {
                            Some("still the old instance".to_owned())
                        }
                        Some(now) => {
                            context.update(alias, |w| w.instance = Some(now.clone()));
                            proof =
                                Some(Proof { kind: ProofKind::Instance, text: format!("instance {now}") });
                            let row = watch.last().record().cloned().unwrap_or_default();
                            spoken(context, &workspace, &row, &beats, &mut proven)
                                .err()
                                .map(|why| why.to_string())
                        }
                    };
                    if let Some(why) = lacks {
                        let last = format!("{status}, but {why}");
                        waiting(&last, false);
                        let end = match (context.stop.is_cancelled(), Instant::now() >= step.deadline) {
                            (true, _) => Some(WaitEnd::Cancelled),
                            (false, true) => Some(WaitEnd::TimedOut),
                            (false, false) => None,
                        };
                        if let Some(end) = end {
                            context.run.ledger.unfinished(&workspace.id, true);
                            return Err(Failure::wait(&wants, WaitError { end, last, stats: total }));
                        }
                        context.pause(wait::pause(began.elapsed())).await;
                        continue;
                    }
                }
                let row = watch.last().record().cloned().unwrap_or_default();
                if let Some(unlike) = row.unlike(&workspace.baseline.identity).filter(|_| new_instance) {
                    let edge = &workspace.edge_name;
                    let text = format!("after the {edge} {alias} is not what it was: {unlike}");
                    return Err(Failure::product(text).about(alias));
                }
                // Before any edge only the instance that the create asked for can bring the row online.
                let first = workspace.edge == 0 && status == Status::Online;
                let own_edge = matches!(workspace.edge_name.as_str(), "restart" | "resume");
                if first || (own_edge && new_instance && proof.is_some()) {
                    context.run.ledger.seen_through(&workspace.id, !first);
                }
                if first || (new_instance && proof.is_some()) {
                    context.run.poller.shown(&workspace.id, workspace.edge, row.url());
                }
                if proof.as_ref().is_some_and(|proof| proof.kind != ProofKind::Instance) {
                    context.update(alias, |w| w.proven = Some(workspace.edge));
                }
                context.update(alias, |w| w.looked(&total));
                total.proof = proof.as_ref().map(|proof| proof.kind);
                let proof = proof.map(|proof| format!(" ({})", proof.text)).unwrap_or_default();
                let message = format!("{status} after {}{proof}", time::show(began.elapsed()));
                return Ok(Passed { message, wait: Some(total) });
            }
            Err(mut error) => {
                add(&mut total, &error.stats);
                error.stats = total;
                let timed_out = error.end == WaitEnd::TimedOut;
                let mut failure = Failure::wait(&wants, error);
                if timed_out && only_evidence_lacks && !still_old(context, &workspace) {
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
fn left(context: &ScenarioContext, workspace: &Workspace, from: &[Status]) -> Option<Status> {
    let poller = &context.run.poller;
    let events = poller.events_since(&workspace.id, workspace.baseline.edge_at?);
    if poller.lags(&workspace.id) {
        return None;
    }
    let mut entered = events.iter().filter_map(|event| match event.kind.as_str() {
        "WORKSPACE_OFFLINE" => Some(Status::Offline),
        "WORKSPACE_PROVISIONING" => Some(Status::Provisioning),
        "WORKSPACE_PROVISION_FAILED" => Some(Status::Failed),
        _ => None,
    });
    entered.find(|status| !from.contains(status))
}

/// The same without a stream: whoever is online by a new instance was not in between.
fn back(
    context: &ScenarioContext,
    workspace: &Workspace,
    row: &Value,
    beats: &Beats,
) -> Option<(Status, Proof)> {
    let replaced = workspace.managed && workspace.edge > 0 && !row.url().is_empty();
    let proof = replaced.then(|| evidence(context, workspace, row, beats, false).ok()).flatten()?;
    Some((row.status()?, Proof { text: format!("left and back: {}", proof.text), ..proof }))
}

/// Whether the row shows the instance from before the edge: it is older than the edge.
fn still_old(context: &ScenarioContext, workspace: &Workspace) -> bool {
    let mut watch = context.run.poller.watch(&workspace.id);
    let view = watch.last();
    let Some(row) = view.record() else { return false };
    let now = current(context, workspace, row, &[], &Beats::default());
    row.uptime().is_some_and(|uptime| now.is_too_old(uptime))
}

fn evidence(
    context: &ScenarioContext,
    workspace: &Workspace,
    row: &Value,
    beats: &Beats,
    stored: bool,
) -> Result<Proof, NotNew> {
    let events = since_edge(context, workspace);
    let now = Current { stored, ..current(context, workspace, row, &events, beats) };
    is_new(&workspace.baseline, &now)
}

/// A new instance that is there must also have said so itself.
fn spoken(
    context: &ScenarioContext,
    workspace: &Workspace,
    row: &Value,
    beats: &Beats,
    proven: &mut Option<Proven>,
) -> Result<(), NotNew> {
    let first = || Proven { at: Instant::now(), uptime: row.uptime() };
    let proven = *proven.get_or_insert_with(first);
    let events = since_edge(context, workspace);
    has_spoken(&workspace.baseline, &current(context, workspace, row, &events, beats), proven)
}

fn since_edge(context: &ScenarioContext, workspace: &Workspace) -> Vec<StreamEvent> {
    let edge = workspace.baseline.edge_at;
    edge.map(|edge| context.run.poller.events_since(&workspace.id, edge)).unwrap_or_default()
}

fn current<'a>(
    context: &ScenarioContext,
    workspace: &Workspace,
    row: &'a Value,
    events: &'a [StreamEvent],
    beats: &Beats,
) -> Current<'a> {
    let stream_since = context.run.poller.stream_since();
    let scale = context.run.api.scale;
    // Whole seconds on the platform's clock.
    let passed = |until: Instant| {
        let since = until.saturating_duration_since(workspace.baseline.edge_at?);
        i64::try_from(scale.lengthen(since).as_secs()).ok()
    };
    let reported_after = beats.reported_after(row.uptime()).and_then(passed);
    Current {
        instance: None,
        record: Some(row),
        events,
        stream_since,
        since_edge: passed(Instant::now()),
        reported_after,
        ageless: context.workspace(&workspace.alias).is_some_and(|now| now.ageless),
        stored: false,
    }
}

fn add(total: &mut WaitStats, stats: &WaitStats) {
    total.polls += stats.polls;
    total.errors += stats.errors;
    total.woken += stats.woken;
    total.longest_gap_ms = total.longest_gap_ms.max(stats.longest_gap_ms);
    total.blind = stats.blind;
    let long = |away: &Option<Away>| away.as_ref().map_or(0, |away| away.to_ms - away.from_ms);
    if stats.away.is_some() && long(&stats.away) >= long(&total.away) {
        total.away.clone_from(&stats.away);
    }
    if stats.last_error.is_some() {
        total.last_error.clone_from(&stats.last_error);
        total.last_error_kind = stats.last_error_kind;
    }
}

/// For verbs that wait by themselves: no grace for anything.
pub(super) fn plain(context: &ScenarioContext, status: &[Status], url: bool) -> Wanted {
    Wanted { status: status.to_vec(), url, scale: context.run.api.scale, ..Wanted::default() }
}
