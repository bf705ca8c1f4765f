//! Clean-up that settles: removes what the run owns, looks again, and never confirms over strangers.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use serde_json::Value;

use super::cleanup_engine;
use super::cleanup_gone::{Gone, Stays};
use super::cleanup_late::{self, Eye};
use super::cleanup_look::{Looked, list_apart, look, send};
use super::context::RunContext;
use super::root_name::{PREFIX, is_called};
use super::tenant;
use super::twins;
use crate::clock::{self, Backoff, Instant};
use crate::domain::Status;
use crate::event::EventKind;
use crate::http::Response;
use crate::platform::record::said;
use crate::platform::row::Row;
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
/// Where the server is not to be had, the engine alone is asked for so long.
const ENGINE_ONLY: Duration = Duration::from_secs(10);
/// A platform that is at something else, or deletes behind its answer, has so long for it.
const BUSY: Duration = Duration::from_secs(30);
/// What is said of a delete that overtook a provision which nobody can see the end of.
const OVERTAKEN: &str = "it was deleted before its provision had ended, which may bring its row back: the next \
                         `lifecycle sweep` looks again";

/// One scenario's clean-up.
pub(crate) const BUDGET: Duration = Duration::from_secs(90);

/// The longest pause before another try of what passes soon, and of what the platform is at.
const SOON: Duration = Duration::from_millis(250);
const AT_WORK: Duration = Duration::from_secs(1);

/// Removes entries, newest first, those whose id is not known before all others; each ends as released or left.
pub(super) async fn clean(run: &RunContext, mut entries: Vec<Entry>, deadline: Instant, by: &str) {
    // What is looked for by name is looked for while something is there that a whole list has.
    entries.sort_by_key(|entry| entry.id.is_some());
    let mut late = Vec::new();
    let mut unasked = Vec::new();
    for entry in entries {
        let removed = uncut(run, remove(run, &entry, deadline)).await;
        match removed {
            // The others do not wait for it.
            Ok(gone) if gone.awaited.is_some() => late.push((entry, gone)),
            Err(Stays::Server(why)) => unasked.push((entry, why)),
            removed => conclude(run, &entry, removed, by),
        }
    }
    let looks = late.into_iter().map(|(entry, gone)| async move {
        let came = uncut(run, cleanup_late::came(run, &entry, gone, deadline)).await;
        conclude(run, &entry, came, by);
    });
    let strips = unasked.into_iter().map(|(entry, why)| async move {
        let stays = uncut(run, async { Err(strip(run, &entry, why, deadline).await) }).await;
        conclude(run, &entry, stays, by);
    });
    tokio::join!(join_all(looks), join_all(strips));
}

/// What is below goes before what it hangs under.
#[inline(never)]
fn clean_first(run: &RunContext, entries: Vec<Entry>, deadline: Instant) -> BoxFuture<'_, ()> {
    Box::pin(clean(run, entries, deadline, "clean-up"))
}

async fn uncut(run: &RunContext, work: impl Future<Output = Result<Gone, Stays>>) -> Result<Gone, Stays> {
    tokio::select! {
        biased;
        done = work => done,
        () = run.cancel.cleanup().cancelled() => Err(Stays::CutShort),
    }
}

/// The server does not remove it: what the engine has of it is removed all the same, and told.
async fn strip(run: &RunContext, entry: &Entry, why: String, deadline: Instant) -> Stays {
    let (Some(engine), Some(id)) = (run.target.engine.as_ref().filter(|_| entry.managed), &entry.id) else {
        return Stays::Server(why);
    };
    match cleanup_engine::strip(engine, id, deadline.min(Instant::now() + ENGINE_ONLY)).await {
        Ok(Some(removed)) => Stays::RowOnly { why, removed },
        Ok(None) => Stays::Server(why),
        Err(engine) => Stays::Server(format!("{why}; {engine}")),
    }
}

/// Files how an entry ended.
fn conclude(run: &RunContext, entry: &Entry, removed: Result<Gone, Stays>, by: &str) {
    match removed {
        Ok(Gone { left_by_platform, foreign, told, .. }) => {
            let left = left_by_platform.as_ref();
            let left =
                left.map(|what| format!("left by the platform, removed by us: {} ({what})", entry.name));
            let more = [foreign, told].into_iter().flatten().map(|what| format!("{}: {what}", entry.name));
            for text in left.into_iter().chain(more) {
                run.log.emit(EventKind::Warning { scenario: entry.scenario.clone(), text });
            }
            run.ledger.release(&entry.resource, by, left_by_platform);
        }
        Err(why) => run.ledger.leave(&entry.resource, &why.to_string()),
    }
    if let Some(id) = &entry.id {
        run.poller.forget(id);
    }
}

async fn remove(run: &RunContext, entry: &Entry, deadline: Instant) -> Result<Gone, Stays> {
    if entry.kind == "global-secret" {
        let path = format!("{}/{}", tenant::ROUTE, segment(&entry.name));
        let answer =
            send(run, "remove the global secret", run.api.request("DELETE", &path, &Auth::Admin), deadline)
                .await?;
        return if answer.is_success() || answer.status == 404 {
            Ok(Gone::default())
        } else {
            Err(Stays::Server(said(&answer)))
        };
    }
    let ids = match &entry.id {
        Some(id) => vec![id.clone()],
        None => {
            let found = find(run, &entry.name, deadline).await?;
            // Whoever looks again after an interrupt looks for what it brings up later, by its id.
            if let [id] = found.as_slice() {
                run.ledger.own(&entry.resource, id, &entry.name);
            }
            found
        }
    };
    let mut all = Gone::default();
    for id in ids {
        let gone = remove_workspace(run, entry, &id, deadline).await?;
        all.left_by_platform = gone.left_by_platform.or(all.left_by_platform);
        all.foreign = gone.foreign.or(all.foreign);
        all.awaited = gone.awaited.or(all.awaited);
    }
    Ok(all)
}

/// Ids of workspaces that bear a name, or the name with the platform's own suffix ` (2)`.
async fn find(run: &RunContext, name: &str, deadline: Instant) -> Result<Vec<String>, Stays> {
    let until = Instant::now() + LATE;
    loop {
        let answer = send(run, "look for the name", run.api.list(), deadline).await?;
        let rows = record::list(answer.json.as_ref()).filter(|_| answer.status == 200);
        let rows = rows.ok_or_else(|| Stays::Server(format!("the list: {}", said(&answer))))?;
        let ids: Vec<String> =
            rows.iter().filter(|row| is_called(row, name)).map(|row| row.id().to_owned()).collect();
        if !ids.is_empty() {
            return Ok(ids);
        }
        if Instant::now() >= until.min(deadline) {
            let whole = is_whole(run, &answer, rows, deadline).await;
            return if whole { Ok(ids) } else { Err(Stays::Unseen) };
        }
        clock::sleep(Duration::from_millis(200)).await;
    }
}

/// Whether a list shows all that there is: it says so itself, and it has what is known to be there.
async fn is_whole(run: &RunContext, answer: &Response, rows: &[Value], deadline: Instant) -> bool {
    if record::is_page(answer, rows.len()) {
        return false;
    }
    let known = run.ledger.all_open().into_iter().filter(|entry| entry.room == run.ledger.room());
    // What was made first is there longest.
    let Some(id) = known.filter_map(|entry| entry.id).next_back() else { return true };
    rows.iter().any(|row| row.is(&id))
        || !matches!(look(run, &id, "look for what the list lacks", deadline).await, Looked::There(_))
}

pub(super) async fn remove_workspace(
    run: &RunContext,
    entry: &Entry,
    id: &str,
    deadline: Instant,
) -> Result<Gone, Stays> {
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
    let busy_until = (Instant::now() + BUSY).min(deadline);
    let mut backoff = Backoff::new(Duration::from_millis(20), AT_WORK);
    let mut deleted = 0;
    // A row that a look showed after its delete; a copy that lags shows one too.
    let mut back = None;
    loop {
        let row = match look(run, id, "read before removal", deadline).await {
            Looked::Gone => return verify_instance(run, entry, id, settled, left, deadline).await,
            Looked::There(row) => row,
            // It is ours, and the server compares the name before it removes anything.
            Looked::Unlisted | Looked::Hidden(_) => Value::Null,
        };
        if twins::is_strangers(run, &entry.name, &row) {
            return Err(Stays::NotOurs { name: row.name().to_owned() });
        }
        let stored = row.name();
        if !stored.is_empty() {
            stored.clone_into(&mut name);
        }
        if !settled
            && row.status() == Some(Status::Provisioning)
            && Instant::now() < settle_until
            && !is_started(run, entry, id, since).await
        {
            backoff.pause_up_to(SOON).await;
            continue;
        }
        settled |= row.status().is_some_and(|status| status != Status::Provisioning);
        // A server that asks nothing takes along what hangs under it, of whomever.
        if let Ok(found) = below(run, id, deadline).await
            && keep_off(run, found, moves_until, deadline).await?
        {
            backoff.pause_up_to(SOON).await;
            continue;
        }
        let mut answer = send(run, "delete", run.api.delete(id, &name, &[]), deadline).await?;
        if answer.status == 409 {
            let found = below(run, id, deadline).await?;
            if keep_off(run, found, moves_until, deadline).await? {
                backoff.pause_up_to(SOON).await;
                continue;
            }
            let confirmed = run.api.delete(id, &name, &["confirm=true"]);
            answer = send(run, "delete with what is ours below it", confirmed, deadline).await?;
            // Nothing is below it that would have to be confirmed: the platform is at something that passes.
            let busy = answer.status == 409 && !record::names_others(answer.json.as_ref());
            if busy && Instant::now() < busy_until {
                backoff.pause().await;
                continue;
            }
        }
        match answer.status {
            200..300 => {
                deleted += 1;
                left = back.take().or(left);
            }
            404 | 410 => deleted += 1,
            500 if answer.json.as_ref().is_some_and(|b| b.get("stop_failures").is_some()) => {
                left = Some(format!("its instance could not be stopped: {}", answer.excerpt()));
            }
            _ => return Err(Stays::Server(said(&answer))),
        }
        match look(run, id, "look again", deadline).await {
            Looked::Gone | Looked::Unlisted => {
                return verify_instance(run, entry, id, settled, left, deadline).await;
            }
            // What was only taken in is done later.
            Looked::There(_) if answer.status == 202 && Instant::now() < busy_until => {
                backoff.pause().await;
            }
            Looked::There(_) if Instant::now() >= give_up => {
                let text = format!("the delete was answered {}, but the row is still there", answer.status);
                return Err(Stays::Server(text));
            }
            Looked::There(_) => {
                back = Some(format!("the delete was answered {}, and the row came back", answer.status));
                backoff.pause().await;
            }
            // What was deleted and cannot be deleted again is gone.
            Looked::Hidden(_) if deleted > 1 && matches!(answer.status, 404 | 410) => {
                return verify_instance(run, entry, id, settled, left, deadline).await;
            }
            Looked::Hidden(why) if deleted > 1 => {
                return Err(Stays::Server(format!(
                    "the delete was answered {}, and nothing shows whether it is gone: {why}",
                    answer.status
                )));
            }
            Looked::Hidden(_) => {}
        }
    }
}

/// What hangs below a workspace that is to go: what is ours goes first, and over what is somebody else's nothing goes.
/// Whether to look again.
async fn keep_off(
    run: &RunContext,
    found: Below,
    moves_until: Instant,
    deadline: Instant,
) -> Result<bool, Stays> {
    let Below { twins, strangers } = found;
    if !twins.is_empty() {
        let adopted = twins::adopt(run, &twins);
        clean_first(run, adopted, deadline).await;
        return Ok(true);
    }
    // Another run's root stands under ours only until that run has taken it out.
    if strangers.iter().any(|s| s.starts_with(PREFIX)) && Instant::now() < moves_until {
        return Ok(true);
    }
    match strangers.len() {
        0 => Ok(false),
        count => {
            let some = strangers.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            Err(Stays::Strangers { count, some })
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
    left: Option<String>,
    deadline: Instant,
) -> Result<Gone, Stays> {
    match Eye::of(run, entry) {
        Some(eye) => cleanup_late::verify(run, eye, entry, id, settled, left, deadline).await,
        None => {
            // Nobody shows what a provision that was overtaken does later.
            let overtaken = entry.managed && !settled && !entry.came_up;
            Ok(Gone { told: overtaken.then(|| OVERTAKEN.to_owned()), ..Gone::left(left) })
        }
    }
}

/// When everything is gone: did an instance come up late? One look at each that may have been provisioned again, all at
/// once.
pub(super) async fn last_look(run: &RunContext, deadline: Instant) {
    let inspects = run.target.capabilities.contains(&Capability::Inspect);
    if !inspects && run.target.engine.is_none() {
        return;
    }
    let looks = run.ledger.disturbed().into_iter().map(|entry| async move {
        let Some(id) = entry.id.as_deref().filter(|_| !run.cancel.cleanup().is_cancelled()) else { return };
        let found = match &run.target.engine {
            Some(engine) => cleanup_engine::strip(engine, id, deadline).await,
            None => stop_late(run, id, deadline).await,
        };
        let text = match found {
            Ok(None) => return,
            Ok(Some(what)) => format!("left by the platform, removed by us: {} ({what})", entry.name),
            Err(why) => {
                format!("{}: whether anything of it came up after the delete is unknown: {why}", entry.name)
            }
        };
        run.log.emit(EventKind::Warning { scenario: entry.scenario.clone(), text });
    });
    join_all(looks).await;
}

/// Stops an instance that came up after the delete, and says so.
async fn stop_late(run: &RunContext, id: &str, deadline: Instant) -> Result<Option<String>, Stays> {
    let answer = send(run, "look for its instance", run.api.environment(id), deadline).await;
    if answer?.status != 200 {
        return Ok(None);
    }
    let stopped = send(run, "stop what came up after the delete", run.api.stop_instance(id), deadline).await;
    let how = stopped.map_or_else(|why| format!(", and stays: {why}"), |_| String::new());
    Ok(Some(format!("its instance came up after the delete, contract L1{how}")))
}

/// Descendants of a workspace that are not in this run's ledger.
#[derive(Default)]
struct Below {
    /// Rows that bear a name which only this run can have given.
    twins: Vec<Value>,
    /// Names and ids of what is somebody else's.
    strangers: Vec<String>,
}

/// Names and ids of what hangs under a workspace and is somebody else's, by the list of workspaces.
///
/// # Errors
/// The list does not tell.
pub(super) fn strangers_below(run: &RunContext, id: &str, list: &Response) -> Result<Vec<String>, Stays> {
    below_in(run, id, list).map(|found| found.strangers)
}

async fn below(run: &RunContext, id: &str, deadline: Instant) -> Result<Below, Stays> {
    below_in(run, id, &list_apart(run, "who hangs under it", deadline).await?)
}

fn below_in(run: &RunContext, id: &str, list: &Response) -> Result<Below, Stays> {
    let rows = record::list(list.json.as_ref()).filter(|_| list.status == 200);
    let rows = rows.ok_or_else(|| Stays::Server(format!("the list: {}", said(list))))?;
    let mut all = vec![id.to_owned()];
    let mut found = Below::default();
    while let Some(parent) = all.pop() {
        for row in rows.iter().filter(|row| row.parent() == parent) {
            let child = row.id().to_owned();
            if twins::is_ours(run, row) {
                found.twins.push(row.clone());
            } else if !run.ledger.owns(&child) {
                found.strangers.push(format!("{} {}", row.name(), child));
            }
            all.push(child);
        }
        if all.len() > rows.len() + 1 {
            return Err(Stays::Server("the hierarchy of the server has a circle".to_owned()));
        }
    }
    Ok(found)
}
