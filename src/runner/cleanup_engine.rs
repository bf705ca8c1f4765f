//! What a deleted workspace still has on the engine, and what comes up there after its delete.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cleanup_gone::{Gone, Stays};
use super::container_evidence::WINDOW;
use super::context::RunContext;
use crate::clock::{self, Instant};
use crate::docker::{Engine, ErrorKind, names};
use crate::run::ledger::Entry;

/// What cannot be removed for this long stays.
const STUCK: Duration = Duration::from_secs(10);
/// An engine whose calls are not answered for so long is not asked any more.
const SILENT: Duration = Duration::from_secs(40);
/// A restart that was asked for stops for 5 s at most and starts up to 10 s later; twice, when two were joined.
const RESTARTS: Duration = Duration::from_secs(25);
/// A provisioning that a delete overtook shows on the engine within this, in real time.
const COMES_UP: Duration = Duration::from_secs(5);
/// A first provisioning that nobody has seen the end of, on a server that is slow at it, within this.
const COMES_LATE: Duration = Duration::from_secs(15 * 60);
/// The same within so many times the slowest one of which this run saw the end.
const MARGIN: u32 = 3;
/// The same where none was seen, in a run that nobody cut short.
const NONE_SEEN: Duration = Duration::from_secs(30);
/// Between two looks for that.
const LOOK: Duration = Duration::from_millis(250);
/// What does not answer by the end of a clean-up has so much longer to say why.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Where the things of a workspace are looked for, and until when.
struct Place<'a> {
    engine: &'a Engine,
    id: &'a str,
    deadline: Instant,
}

/// What an engine showed.
struct Seen {
    gone: Gone,
    container: bool,
}

/// Removes what is there, and says whether more may come, and until when.
pub(super) async fn verify(
    run: &RunContext,
    engine: &Engine,
    entry: &Entry,
    id: &str,
    settled: bool,
    left: Option<String>,
    deadline: Instant,
) -> Result<Gone, Stays> {
    let place = Place { engine, id, deadline };
    let Seen { mut gone, container } = place.look(left).await?;
    if gone.foreign.is_some() {
        return Ok(gone);
    }
    let now = Instant::now();
    let mut until = (!(settled && entry.is_calm(COMES_UP))).then(|| now + COMES_UP);
    // What its own platform brings up late goes with that platform.
    if !run.target.removes_late {
        until = until.max(entry.restarts_until(RESTARTS)).max(first_until(run, entry, settled || container));
    }
    if let Some(until) = until.filter(|until| *until > now) {
        // A first one that came between two looks is followed by no other.
        let came = first_until(run, entry, settled || container).is_some() && place.had_one().await;
        let until = if came { until.min(now + COMES_UP) } else { until };
        gone.awaited = Some((id.to_owned(), until));
    }
    Ok(gone)
}

/// Until when a first container may come up that nobody has seen.
fn first_until(run: &RunContext, entry: &Entry, seen: bool) -> Option<Instant> {
    if seen || entry.came_up {
        return None;
    }
    let left = comes_within(run, entry).saturating_sub(asked_ago(entry));
    Some(Instant::now() + left)
}

/// How long after its request a container may come up that nobody has seen.
fn comes_within(run: &RunContext, entry: &Entry) -> Duration {
    match run.ledger.slowest() {
        Some(slowest) => (slowest * MARGIN).clamp(COMES_UP, COMES_LATE),
        None if entry.asked_before.is_some() || run.cancel.reason().is_some() => COMES_LATE,
        None => NONE_SEEN,
    }
}

/// How long ago the platform was asked for it, by whichever run.
fn asked_ago(entry: &Entry) -> Duration {
    let here = entry.provisioning_since.map(|since| since.elapsed());
    here.or(entry.asked_before).unwrap_or(COMES_LATE)
}

/// An instance that comes up after everything else is gone: looked for until none can come, or the clean-up's time is
/// over. A sweep stays a little while for what was asked long ago; later ones look again.
pub(super) async fn came_late(
    run: &RunContext,
    entry: &Entry,
    gone: Gone,
    deadline: Instant,
) -> Result<Gone, Stays> {
    let (Some(engine), Some((id, may_come))) = (&run.target.engine, gone.awaited) else {
        return Ok(Gone { awaited: None, ..gone });
    };
    let sweeps = entry.asked_before.is_some();
    let stays = entry.restarts_until(RESTARTS).max(Some(Instant::now() + COMES_UP)).unwrap_or(may_come);
    let mut until = if sweeps { may_come.min(stays) } else { may_come };
    let mut left: BTreeSet<String> = gone.left_by_platform.into_iter().collect();
    let mut foreign = gone.foreign;
    let place = Place { engine, id: &id, deadline };
    let mut came = false;
    loop {
        let now = Instant::now();
        if now >= until || now + LOOK >= deadline {
            break;
        }
        clock::sleep(LOOK).await;
        let seen = place.look(None).await?;
        left.extend(seen.gone.left_by_platform);
        foreign = seen.gone.foreign.or(foreign);
        if foreign.is_some() {
            break;
        }
        if seen.container {
            came = true;
            // Of joined restarts a second one follows the first; nothing follows a first provisioning.
            until = match entry.restarts_until(RESTARTS) {
                Some(_) => Instant::now() + RESTARTS,
                None => Instant::now(),
            };
        }
    }
    let over = came || foreign.is_some() || Instant::now() >= may_come;
    let gone = Gone { foreign, ..Gone::left(together(left)) };
    match (over, sweeps) {
        (true, _) => Ok(gone),
        (false, true) => Ok(Gone { told: Some(MAY_COME.to_owned()), ..gone }),
        (false, false) => Err(Stays::MayCome),
    }
}

/// What a sweep says of an instance that was asked for a while ago.
const MAY_COME: &str = "it is gone, and was never seen to have come up: for some minutes a container of it may still \
                        come, which the next `lifecycle sweep` removes";

/// What an engine still has of a workspace whose row cannot be removed: the words for what went.
pub(super) async fn strip(engine: &Engine, id: &str, deadline: Instant) -> Result<Option<String>, Stays> {
    let seen = Place { engine, id, deadline }.look(None).await?;
    Ok(seen.gone.left_by_platform)
}

fn together(all: BTreeSet<String>) -> Option<String> {
    let text = all.into_iter().collect::<Vec<_>>().join("; ");
    (!text.is_empty()).then_some(text)
}

impl Place<'_> {
    /// Whether the engine remembers a container here.
    async fn had_one(&self) -> bool {
        self.engine.events(&names::container(self.id), WINDOW).await.is_ok_and(|events| !events.is_empty())
    }

    /// Removes what is there, and answers in time.
    async fn look(&self, left: Option<String>) -> Result<Seen, Stays> {
        tokio::select! {
            biased;
            seen = self.remove(left) => seen,
            () = clock::sleep_until(self.deadline + LAST_WORD) => {
                Err(Stays::Engine("the engine did not say in time what is left of it".to_owned()))
            }
        }
    }

    /// The container and the volumes that bear the workspace's id: what is there now, nobody else removes
    /// any more (contract L1, L2).
    async fn remove(&self, left: Option<String>) -> Result<Seen, Stays> {
        let Place { engine, id, deadline } = *self;
        let began = Instant::now();
        let mut found: BTreeSet<String> = left.into_iter().collect();
        let mut seen = false;
        loop {
            let (mut there, mut stuck, mut silent) = (false, String::new(), false);
            let (container, foreign) = match engine.of_workspace(id).await {
                Ok(container) => (container.filter(|c| c.status != "removing"), None),
                Err(error) if error.kind == ErrorKind::Foreign => (None, Some(error.what)),
                Err(error) => {
                    // One call that is not answered says nothing: a busy engine answers the next.
                    (stuck, silent) = (error.what, true);
                    (None, None)
                }
            };
            if let Some(container) = container {
                (there, seen) = (true, true);
                found.insert(format!(
                    "container {} was {} after the delete (contract L1)",
                    container.name, container.status
                ));
                stuck = engine.remove(&container.id).await.err().map(|e| e.what).unwrap_or_default();
            }
            let volumes = match engine.volumes_of_workspace(id).await {
                Ok(volumes) => volumes,
                Err(error) => {
                    (stuck, silent) = (error.what, true);
                    Vec::new()
                }
            };
            for volume in volumes {
                let text = format!("volume {} (contract L2)", volume.name);
                match engine.remove_volume(&volume.name).await {
                    // Whoever took the name may use it.
                    Err(used) if used.kind == ErrorKind::Conflict && foreign.is_some() => continue,
                    Err(error) => stuck = error.what,
                    Ok(_) => {}
                }
                there = true;
                found.insert(text);
            }
            let now = Instant::now();
            if !there && !silent {
                return Ok(Seen { gone: Gone { foreign, ..Gone::left(together(found)) }, container: seen });
            }
            // What was removed just now is looked for again, however long a busy engine took over it.
            let patience = if silent { SILENT } else { STUCK };
            if now >= deadline || (!stuck.is_empty() && now >= began + patience) {
                return Err(Stays::Engine(stuck));
            }
            if !stuck.is_empty() {
                clock::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
