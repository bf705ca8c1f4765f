//! What a deleted workspace still has on the engine, and what comes up there after its delete.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cleanup::Gone;
use super::container_evidence::WINDOW;
use super::context::RunContext;
use crate::clock::{self, Instant};
use crate::docker::{Engine, ErrorKind, names};
use crate::run::ledger::Entry;

/// What cannot be removed for this long stays.
const STUCK: Duration = Duration::from_secs(10);
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

/// Removes what is there, and says whether more may come.
pub(super) async fn verify(
    run: &RunContext,
    engine: &Engine,
    entry: &Entry,
    id: &str,
    settled: bool,
    left: Option<String>,
    deadline: Instant,
) -> Result<Gone, String> {
    let grace = if settled && entry.is_calm(COMES_UP) { Duration::ZERO } else { COMES_UP };
    let place = Place { engine, id, deadline };
    let Seen { mut gone, container } = place.look(grace, left).await?;
    // What its own platform brings up late goes with that platform.
    let nobody_saw_it = !(settled || entry.came_up || container || run.target.removes_late);
    if nobody_saw_it && gone.foreign.is_none() && asked_ago(entry) < comes_within(run, entry) {
        if place.had_one().await {
            // It came between two looks: what of it is there now goes, and no other follows.
            return place.look(Duration::ZERO, gone.left_by_platform).await.map(|seen| seen.gone);
        }
        gone.awaited = Some(id.to_owned());
    }
    Ok(gone)
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

/// A container that comes up after everything else is gone: looked for until the clean-up's time is over. A sweep does
/// not stay for it; the next one looks again.
pub(super) async fn came_late(
    run: &RunContext,
    entry: &Entry,
    gone: Gone,
    deadline: Instant,
) -> Result<Gone, String> {
    let (Some(engine), Some(id)) = (&run.target.engine, &gone.awaited) else { return Ok(gone) };
    let mut left: BTreeSet<String> = gone.left_by_platform.into_iter().collect();
    let place = Place { engine, id, deadline };
    let may_come = || asked_ago(entry) < comes_within(run, entry);
    while entry.asked_before.is_none() && Instant::now() + LOOK < deadline && may_come() {
        clock::sleep(LOOK).await;
        let seen = place.look(Duration::ZERO, None).await?;
        left.extend(seen.gone.left_by_platform);
        if seen.container || seen.gone.foreign.is_some() {
            return Ok(Gone { foreign: seen.gone.foreign, ..Gone::left(together(left)) });
        }
    }
    if !may_come() {
        return Ok(Gone { foreign: gone.foreign, ..Gone::left(together(left)) });
    }
    Err("it was deleted before anybody saw its container, which may come up yet: `lifecycle sweep` looks again"
        .to_owned())
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
    async fn look(&self, grace: Duration, left: Option<String>) -> Result<Seen, String> {
        tokio::select! {
            biased;
            seen = self.remove(grace, left) => seen,
            () = clock::sleep_until(self.deadline + LAST_WORD) => {
                Err("the row is gone, and the engine did not say in time what is left of it".to_owned())
            }
        }
    }

    /// The container and the volumes that bear the workspace's id: what is there now, nobody else removes
    /// any more (contract L1, L2).
    async fn remove(&self, grace: Duration, left: Option<String>) -> Result<Seen, String> {
        let Place { engine, id, deadline } = *self;
        let until = (Instant::now() + grace).min(deadline);
        let mut found: BTreeSet<String> = left.into_iter().collect();
        let mut seen = false;
        loop {
            let (mut there, mut stuck) = (false, String::new());
            let (container, foreign) = match engine.of_workspace(id).await {
                Ok(container) => (container.filter(|c| c.status != "removing"), None),
                Err(error) if error.kind == ErrorKind::Foreign => (None, Some(error.what)),
                Err(error) => return Err(error.what),
            };
            if let Some(container) = container {
                (there, seen) = (true, true);
                found.insert(format!(
                    "container {} was {} after the delete (contract L1)",
                    container.name, container.status
                ));
                stuck = engine.remove(&container.id).await.err().map(|e| e.what).unwrap_or_default();
            }
            for volume in engine.volumes_of_workspace(id).await.map_err(|e| e.what)? {
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
            if !there && now >= until {
                return Ok(Seen { gone: Gone { foreign, ..Gone::left(together(found)) }, container: seen });
            }
            // What was removed just now is looked for again, however long a busy engine took over it.
            if now >= deadline || (!stuck.is_empty() && now >= until + STUCK) {
                return Err(format!("the row is gone, but not what it had on the engine: {stuck}"));
            }
            if !there || !stuck.is_empty() {
                clock::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
