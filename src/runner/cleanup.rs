//! Clean-up that settles: removes what the run owns, looks again, and never confirms over strangers.

use std::time::Duration;

use serde_json::Value;

use super::cleanup_engine;
use super::cleanup_look::{Row, look, said, send};
use super::context::RunContext;
use super::root::PREFIX;
use super::tenant;
use crate::clock::{self, Instant};
use crate::domain::Status;
use crate::event::EventKind;
use crate::platform::{Auth, record, segment};
use crate::run::ledger::Entry;
use crate::scenario::model::Capability;

/// A workspace that is still being provisioned may come up after its delete (contract L1, seen up to
/// 0.3 s after the request): in platform time, ten times that since the request is waited for.
const SETTLE: Duration = Duration::from_secs(4);
/// The same for a container on a busy machine.
const CONTAINER: Duration = Duration::from_secs(20);
/// A run that begins needs so long at most to take its root out from under another one, with a read that hangs.
const MOVES: Duration = Duration::from_secs(12);
/// A create whose answer was lost may come true so much later.
const LATE: Duration = Duration::from_secs(2);
/// A restart that was asked for may begin so much later, in platform time (contract §8.1).
const PUT_OFF: Duration = Duration::from_secs(5);
/// One scenario's clean-up.
pub const BUDGET: Duration = Duration::from_secs(90);

/// Removes entries, newest first; each ends as released or left.
pub async fn clean(run: &RunContext, entries: Vec<Entry>, deadline: Instant, by: &str) {
    let mut late = Vec::new();
    for entry in entries {
        let removed = tokio::select! {
            biased;
            removed = remove(run, &entry, deadline) => removed,
            () = run.cancel.cleanup().cancelled() => Err(CUT_SHORT.to_owned()),
        };
        match removed {
            // The others do not wait for it.
            Ok(gone) if gone.awaited.is_some() => late.push((entry, gone)),
            removed => conclude(run, &entry, removed, by),
        }
    }
    let looks = late.into_iter().map(|(entry, gone)| async move {
        let came = tokio::select! {
            biased;
            came = cleanup_engine::came_late(run, &entry, gone, deadline) => came,
            () = run.cancel.cleanup().cancelled() => Err(CUT_SHORT.to_owned()),
        };
        conclude(run, &entry, came, by);
    });
    futures_util::future::join_all(looks).await;
}

/// An interrupt did.
const CUT_SHORT: &str = "clean-up was cut short";

/// Files how an entry ended.
fn conclude(run: &RunContext, entry: &Entry, removed: Result<Gone, String>, by: &str) {
    match removed {
        Ok(Gone { left_by_platform, foreign, .. }) => {
            let left = left_by_platform.as_ref();
            let left =
                left.map(|what| format!("left by the platform, removed by us: {} ({what})", entry.name));
            let foreign = foreign.map(|what| format!("{}: {what}", entry.name));
            for text in left.into_iter().chain(foreign) {
                run.log.emit(EventKind::Warning { scenario: entry.scenario.clone(), text });
            }
            run.ledger.release(&entry.resource, by, left_by_platform);
        }
        Err(why) => run.ledger.leave(&entry.resource, &why),
    }
    if let Some(id) = &entry.id {
        run.poller.forget(id);
    }
}

/// A resource that is verified to be gone.
pub(super) struct Gone {
    pub(super) left_by_platform: Option<String>,
    /// Bears its name and is not its: stays.
    pub(super) foreign: Option<String>,
    /// The id of a workspace whose container was never there, and may come up yet.
    pub(super) awaited: Option<String>,
}

const GONE: Gone = Gone { left_by_platform: None, foreign: None, awaited: None };

impl Gone {
    pub(super) fn left(left_by_platform: Option<String>) -> Gone {
        Gone { left_by_platform, ..GONE }
    }
}

async fn remove(run: &RunContext, entry: &Entry, deadline: Instant) -> Result<Gone, String> {
    if entry.kind == "global-secret" {
        let path = format!("{}/{}", tenant::ROUTE, segment(&entry.name));
        let answer =
            send(run, "remove the global secret", run.api.request("DELETE", &path, &Auth::Admin), deadline)
                .await?;
        return if answer.is_success() || answer.status == 404 { Ok(GONE) } else { Err(said(&answer)) };
    }
    let ids = match &entry.id {
        Some(id) => vec![id.clone()],
        None => find(run, &entry.name, deadline).await?,
    };
    let mut all = GONE;
    for id in ids {
        let gone = remove_workspace(run, entry, &id, deadline).await?;
        all.left_by_platform = gone.left_by_platform.or(all.left_by_platform);
        all.foreign = gone.foreign.or(all.foreign);
        all.awaited = gone.awaited.or(all.awaited);
    }
    Ok(all)
}

/// Whether a row bears a name, or the name with the platform's own suffix.
pub(super) fn is_called(row: &Value, name: &str) -> bool {
    let Some(rest) = record::text(row, "name").strip_prefix(name) else { return false };
    let number = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    rest.is_empty() || number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Ids of workspaces that bear a name, or the name with the platform's own suffix ` (2)`.
async fn find(run: &RunContext, name: &str, deadline: Instant) -> Result<Vec<String>, String> {
    let until = Instant::now() + LATE;
    loop {
        let answer = send(run, "look for the name", run.api.list(), deadline).await?;
        let rows = record::list(answer.json.as_ref()).filter(|_| answer.status == 200);
        let rows = rows.ok_or_else(|| format!("the list: {}", said(&answer)))?;
        let ids: Vec<String> = rows
            .iter()
            .filter(|row| is_called(row, name))
            .map(|row| record::text(row, "id").to_owned())
            .collect();
        if !ids.is_empty() || Instant::now() >= until.min(deadline) {
            return Ok(ids);
        }
        clock::sleep(Duration::from_millis(200)).await;
    }
}

async fn remove_workspace(
    run: &RunContext,
    entry: &Entry,
    id: &str,
    deadline: Instant,
) -> Result<Gone, String> {
    let mut name = entry.name.clone();
    let mut left = None;
    let mut settled = entry.settled || !entry.managed;
    let since = entry.provisioning_since.unwrap_or_else(Instant::now);
    // Containers take real time, whatever the platform's clock says.
    let settle = if run.target.engine.is_some() { CONTAINER } else { run.api.scale.shorten(SETTLE) };
    let settle_until = (since + settle).min(deadline);
    // A row that survives its delete for so long will not go.
    let give_up = (Instant::now() + SETTLE).min(deadline);
    let moves_until = (Instant::now() + MOVES).min(deadline);
    let mut pause = Duration::from_millis(20);
    let mut deleted = 0;
    loop {
        let row = match look(run, id, "read before removal", deadline).await {
            Row::Gone => return verify_instance(run, entry, id, settled, left, deadline).await,
            Row::There(row) => row,
            // It is ours, and the server compares the name before it removes anything.
            Row::Unlisted | Row::Hidden(_) => Value::Null,
        };
        let stored = record::text(&row, "name");
        if !stored.is_empty() {
            stored.clone_into(&mut name);
        }
        if !settled
            && record::status(&row) == Some(Status::Provisioning)
            && Instant::now() < settle_until
            && !is_started(run, entry, id, since).await
        {
            clock::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(250));
            continue;
        }
        settled |= record::status(&row).is_some_and(|status| status != Status::Provisioning);
        let answer = send(run, "delete", run.api.delete(id, &name, &[]), deadline).await?;
        match answer.status {
            200 | 404 | 410 => deleted += 1,
            409 => {
                let strangers = strangers(run, id, deadline).await?;
                // Another run's root stands under ours only until that run has taken it out.
                if strangers.iter().any(|s| s.starts_with(PREFIX)) && Instant::now() < moves_until {
                    clock::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(250));
                    continue;
                }
                if !strangers.is_empty() {
                    return Err(format!(
                        "{} workspaces of somebody else hang under it ({}): remove or move them, then `lifecycle sweep`",
                        strangers.len(),
                        strangers.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
                    ));
                }
                let answer = send(
                    run,
                    "delete with what is ours below it",
                    run.api.delete(id, &name, &["confirm=true"]),
                    deadline,
                )
                .await?;
                if !(answer.is_success() || matches!(answer.status, 404 | 410)) {
                    return Err(said(&answer));
                }
            }
            500 if answer.json.as_ref().is_some_and(|b| b.get("stop_failures").is_some()) => {
                left = Some(format!("its instance could not be stopped: {}", answer.excerpt()));
            }
            _ => return Err(said(&answer)),
        }
        match look(run, id, "look again", deadline).await {
            Row::Gone | Row::Unlisted => {
                return verify_instance(run, entry, id, settled, left, deadline).await;
            }
            Row::There(_) if Instant::now() >= give_up => {
                return Err(format!("the delete was answered {}, but the row is still there", answer.status));
            }
            Row::There(_) => {
                left = Some(format!("the delete was answered {}, and the row came back", answer.status));
                clock::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            // What was deleted and cannot be deleted again is gone.
            Row::Hidden(_) if deleted > 1 && matches!(answer.status, 404 | 410) => {
                return verify_instance(run, entry, id, settled, left, deadline).await;
            }
            Row::Hidden(why) if deleted > 1 => {
                return Err(format!(
                    "the delete was answered {}, and nothing shows whether it is gone: {why}",
                    answer.status
                ));
            }
            Row::Hidden(_) => {}
        }
    }
}

/// Whether the provision has done its part on the engine: a container was started after the request for it, and only
/// its agent is silent. Clocks of other machines tell nothing.
async fn is_started(run: &RunContext, entry: &Entry, id: &str, since: Instant) -> bool {
    let Some(engine) = run.target.engine.as_ref().filter(|e| e.endpoint().starts_with("unix:")) else {
        return false;
    };
    let Ok(Some(container)) = engine.of_workspace(id).await else { return false };
    let asked = crate::clock::wall().checked_sub(since.elapsed());
    let started = container.started_at.parse::<jiff::Timestamp>();
    entry.put_off.is_none() && started.ok().zip(asked.ok()).is_some_and(|(started, asked)| started > asked)
}

/// The row is gone; is the instance? Only a target that shows instances can tell.
async fn verify_instance(
    run: &RunContext,
    entry: &Entry,
    id: &str,
    settled: bool,
    mut left: Option<String>,
    deadline: Instant,
) -> Result<Gone, String> {
    if let Some(engine) = run.target.engine.as_ref().filter(|_| entry.managed) {
        return cleanup_engine::verify(run, engine, entry, id, settled, left, deadline).await;
    }
    if !run.target.capabilities.contains(&Capability::Inspect) {
        return Ok(Gone::left(left));
    }
    // A provisioning that was overtaken shows within the platform's own start-up time.
    let grace = if settled { Duration::ZERO } else { run.api.scale.shorten(Duration::from_secs(3)) };
    // A restart that the platform put off is not seen in the row: it shows a little after its cause.
    let late = entry.disturbed.map(|at| at + run.api.scale.shorten(PUT_OFF).max(Duration::from_millis(300)));
    let until = (Instant::now() + grace).max(late.unwrap_or_else(Instant::now)).min(deadline);
    let stop_by = (Instant::now() + Duration::from_secs(5)).min(deadline);
    loop {
        let answer = send(run, "look for its instance", run.api.environment(id), deadline).await?;
        let there = answer.status == 200;
        let now = Instant::now();
        if there {
            // Nothing of the platform's removes it any more: we do (contract L1).
            send(run, "stop what came up after the delete", run.api.stop_instance(id), deadline).await?;
            left = Some("its instance came up after the delete (contract L1)".to_owned());
        }
        if !there && now >= until {
            return Ok(Gone::left(left));
        }
        if there && now >= stop_by.max(until) {
            return Err("the row is gone, but its instance runs (contract L1)".to_owned());
        }
        clock::sleep(Duration::from_millis(50)).await;
    }
}

/// When everything is gone: did an instance come up late? One look at each that was to be provisioned again.
pub async fn last_look(run: &RunContext, deadline: Instant) {
    if !run.target.capabilities.contains(&Capability::Inspect) {
        return;
    }
    for entry in run.ledger.disturbed() {
        let Some(id) = entry.id.as_deref().filter(|_| !run.cancel.cleanup().is_cancelled()) else { continue };
        let answer = send(run, "look for its instance", run.api.environment(id), deadline).await;
        if answer.is_ok_and(|a| a.status == 200) {
            let stopped =
                send(run, "stop what came up after the delete", run.api.stop_instance(id), deadline).await;
            let how = stopped.map_or_else(|why| format!(", and stays: {why}"), |_| String::new());
            run.log.emit(EventKind::Warning {
                scenario: entry.scenario.clone(),
                text: format!(
                    "left by the platform, removed by us: {} (its instance came up after the delete, contract L1{how})",
                    entry.name
                ),
            });
        }
    }
}

/// Descendants of a workspace that are not in this run's ledger.
async fn strangers(run: &RunContext, id: &str, deadline: Instant) -> Result<Vec<String>, String> {
    let answer = send(run, "who hangs under it", run.api.list(), deadline).await?;
    let rows = record::list(answer.json.as_ref()).filter(|_| answer.status == 200).map(<[Value]>::to_vec);
    let rows = rows.ok_or_else(|| format!("the list: {}", said(&answer)))?;
    let mut below = vec![id.to_owned()];
    let mut strangers = Vec::new();
    while let Some(parent) = below.pop() {
        for row in rows.iter().filter(|row| record::text(row, "parent_id") == parent) {
            let child = record::text(row, "id").to_owned();
            if !run.ledger.owns(&child) {
                strangers.push(format!("{} {}", record::text(row, "name"), child));
            }
            below.push(child);
        }
        if below.len() > rows.len() + 1 {
            return Err("the hierarchy of the server has a circle".to_owned());
        }
    }
    Ok(strangers)
}
