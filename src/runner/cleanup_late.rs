//! What may come up of a workspace after its delete: until when it is looked for, where, and what is said of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cleanup_engine::{self, Place};
use super::cleanup_gone::{Awaited, Gone, Seen, Stays};
use super::cleanup_look::send;
use super::context::RunContext;
use crate::clock::{self, Instant};
use crate::docker::Engine;
use crate::domain::time;
use crate::run::ledger::Entry;
use crate::scenario::model::Capability;

/// A first provisioning that nobody saw the end of may take so many times the slowest one that somebody did.
const MARGIN: u32 = 3;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// An instance that is stopped again and again for so long stays.
const STUCK: Duration = Duration::from_secs(5);
/// Inspected platforms may run faster than time; what answers them does not.
const LEAST: Duration = Duration::from_millis(300);

/// Where instances are seen.
#[derive(Clone, Copy)]
pub(super) enum Eye<'a> {
    Engine(&'a Engine),
    /// The inspection route of a reference platform.
    Inspection,
}

/// How late what comes.
#[derive(Clone, Copy)]
struct Times {
    /// A provisioning that a delete overtook shows within this.
    overtaken: Duration,
    /// A restart that was asked for, joined ones too.
    restarts: Duration,
    /// A first provisioning, where none was seen and nobody cut the run short; a sweep stays so long for one.
    none_seen: Duration,
    /// None is later.
    latest: Duration,
}

/// On an engine, in real time: a restart stops for 5 s at most and starts up to 10 s later, twice when two were joined.
const ON_ENGINE: Times = Times {
    overtaken: Duration::from_secs(5),
    restarts: Duration::from_secs(25),
    none_seen: Duration::from_secs(30),
    latest: Duration::from_secs(15 * 60),
};
/// On an inspected platform, in its own: a provision is given up after 180 s (contract §4.2), a restart begins up to 5 s
/// after its cause (§8.1).
const INSPECTED: Times = Times {
    overtaken: Duration::from_secs(3),
    restarts: Duration::from_secs(8),
    none_seen: Duration::from_secs(30),
    latest: Duration::from_secs(180),
};

impl Times {
    fn of(run: &RunContext) -> Times {
        let Times { overtaken, restarts, none_seen, latest } = match &run.target.engine {
            Some(_) => return ON_ENGINE,
            None => INSPECTED,
        };
        let ours = |time| run.api.scale.shorten(time).max(LEAST);
        Times {
            overtaken: ours(overtaken),
            restarts: ours(restarts),
            none_seen: ours(none_seen),
            latest: ours(latest),
        }
    }

    /// How long a provisioning takes at most that nobody saw the end of.
    fn provisioning(self, run: &RunContext, entry: &Entry) -> Duration {
        match run.ledger.slowest() {
            Some(slowest) => (slowest * MARGIN).clamp(self.overtaken, self.latest),
            None if entry.asked_before.is_some() || run.cancel.reason().is_some() => self.latest,
            None => self.none_seen,
        }
    }

    /// Until when a first instance may come up that nobody has seen.
    fn first(self, run: &RunContext, entry: &Entry, seen: bool) -> Option<Instant> {
        if seen || entry.came_up {
            return None;
        }
        Some(Instant::now() + self.provisioning(run, entry).saturating_sub(asked_ago(entry, self.latest)))
    }
}

/// How long ago the platform was asked for it, by whichever run.
fn asked_ago(entry: &Entry, unknown: Duration) -> Duration {
    let here = entry.provisioning_since.map(|since| since.elapsed());
    here.or(entry.asked_before).unwrap_or(unknown)
}

impl<'a> Eye<'a> {
    /// Where the instances of an entry are seen; nowhere on a server that shows none.
    pub(super) fn of(run: &'a RunContext, entry: &Entry) -> Option<Eye<'a>> {
        match &run.target.engine {
            Some(engine) if entry.managed => Some(Eye::Engine(engine)),
            _ => run.target.capabilities.contains(&Capability::Inspect).then_some(Eye::Inspection),
        }
    }

    /// Removes what is there now: nobody else does any more (contract L1, L2).
    async fn look(
        self,
        run: &RunContext,
        id: &str,
        left: Option<String>,
        deadline: Instant,
    ) -> Result<Seen, Stays> {
        match self {
            Eye::Engine(engine) => Place { engine, id, deadline }.look(left).await,
            Eye::Inspection => inspect(run, id, left, deadline).await,
        }
    }

    /// Whether it is remembered here that there was one.
    async fn had_one(self, id: &str) -> bool {
        match self {
            Eye::Engine(engine) => cleanup_engine::had_one(engine, id).await,
            Eye::Inspection => false,
        }
    }
}

/// Stops an instance without a row until it is gone.
async fn inspect(
    run: &RunContext,
    id: &str,
    mut left: Option<String>,
    deadline: Instant,
) -> Result<Seen, Stays> {
    let stop_by = (Instant::now() + STUCK).min(deadline);
    let mut instance = false;
    loop {
        let answer = send(run, "look for its instance", run.api.environment(id), deadline).await?;
        if answer.status != 200 {
            return Ok(Seen { gone: Gone::left(left), instance });
        }
        if instance && Instant::now() >= stop_by {
            return Err(Stays::Instance);
        }
        instance = true;
        left = Some("its instance came up after the delete (contract L1)".to_owned());
        send(run, "stop what came up after the delete", run.api.stop_instance(id), deadline).await?;
        clock::sleep(Duration::from_millis(50)).await;
    }
}

/// The row is gone: removes what is there, and says whether more may come, and until when.
pub(super) async fn verify(
    run: &RunContext,
    eye: Eye<'_>,
    entry: &Entry,
    id: &str,
    settled: bool,
    left: Option<String>,
    deadline: Instant,
) -> Result<Gone, Stays> {
    let Seen { mut gone, instance } = eye.look(run, id, left, deadline).await?;
    if gone.foreign.is_some() {
        return Ok(gone);
    }
    let (times, now) = (Times::of(run), Instant::now());
    let unfinished = restart_may_end(run, entry, times);
    let mut until = (!(settled && entry.is_calm(times.overtaken))).then(|| now + times.overtaken);
    // What its own platform brings up late goes with that platform.
    if !run.target.removes_late {
        let first = times.first(run, entry, settled || instance);
        // A first one that came between two looks is followed by no other.
        let came = first.is_some() && eye.had_one(id).await;
        until = until.max(entry.restarts_until(times.restarts)).max(first);
        until = if came { until.min(Some(now + times.overtaken)) } else { until };
        // Nobody knows how long such a restart takes: it is waited for a little, and told.
        until = if unfinished { until.max(Some(now + times.overtaken)) } else { until };
    }
    let untold = unfinished || (!settled && !instance);
    gone.awaited = awaited(id, until, untold && !run.target.removes_late);
    Ok(gone)
}

/// Whether a restart may end that nobody has seen the end of: one that was given up, or, where restarts take longer than
/// clean-up waits for them, one that was asked for less than two of them ago (a second one joins the first), or one that
/// an interrupt or the end of its run cut off where nobody knows how long they take.
fn restart_may_end(run: &RunContext, entry: &Entry, times: Times) -> bool {
    let outstanding = |takes| entry.restarts_until(takes);
    match run.ledger.slowest_edge() {
        _ if entry.unfinished => true,
        Some(took) if took > times.restarts => {
            outstanding(took * 2).is_some_and(|until| until > Instant::now())
        }
        Some(_) => false,
        None => {
            let cut_off = run.cancel.reason().is_some() || entry.asked_before.is_some();
            cut_off && outstanding(times.restarts).is_some()
        }
    }
}

fn awaited(id: &str, until: Option<Instant>, overtaken: bool) -> Option<Awaited> {
    let until = until.filter(|until| *until > Instant::now())?;
    Some(Awaited { id: id.to_owned(), until, overtaken })
}

/// The same of what an earlier clean-up removed: whether something is back, and whether more may come.
pub(super) async fn verify_again(
    run: &RunContext,
    eye: Eye<'_>,
    entry: &Entry,
    id: &str,
    deadline: Instant,
) -> Result<Gone, Stays> {
    let Seen { mut gone, instance } = eye.look(run, id, None, deadline).await?;
    let times = Times::of(run);
    let until = entry.restarts_until(times.restarts).max(times.first(run, entry, instance));
    gone.awaited = awaited(id, until, !instance);
    Ok(gone)
}

/// An instance that comes up after everything else is gone: looked for until none can come, or the clean-up's time is
/// over. A sweep stays a little while for what was asked long ago; later ones look again.
pub(super) async fn came(
    run: &RunContext,
    entry: &Entry,
    gone: Gone,
    deadline: Instant,
) -> Result<Gone, Stays> {
    let Gone { left_by_platform, mut foreign, awaited, told } = gone;
    let (Some(eye), Some(Awaited { id, until: may_come, overtaken })) = (Eye::of(run, entry), awaited) else {
        return Ok(Gone { left_by_platform, foreign, awaited: None, told });
    };
    let times = Times::of(run);
    let sweeps = entry.asked_before.is_some();
    let mut until = if sweeps { may_come.min(stays(entry, times)) } else { may_come };
    let mut left: BTreeSet<String> = left_by_platform.into_iter().collect();
    let mut came = false;
    loop {
        let now = Instant::now();
        if now >= until || now + LOOK >= deadline {
            break;
        }
        clock::sleep(LOOK.min(until - now)).await;
        let seen = eye.look(run, &id, None, deadline).await?;
        left.extend(seen.gone.left_by_platform);
        foreign = seen.gone.foreign.or(foreign);
        if foreign.is_some() {
            break;
        }
        if seen.instance {
            came = true;
            // Of joined restarts a second one follows the first; nothing follows a first provisioning.
            until = match entry.restarts_until(times.restarts) {
                Some(_) => Instant::now() + times.restarts,
                None => Instant::now(),
            };
        }
    }
    let over = Instant::now() >= may_come;
    let ended = came || foreign.is_some();
    if !ended && !over && !sweeps {
        return Err(Stays::MayCome);
    }
    // Three times the slowest is long enough for a first one; nobody knows how long a restart takes.
    let known = over && !entry.came_up && run.ledger.slowest().is_some();
    let told = (overtaken && !ended && !known).then(|| match restart_may_end(run, entry, times) {
        true => RESTART_MAY_END.to_owned(),
        false => may_come_yet(asked_ago(entry, times.latest)),
    });
    Ok(Gone { foreign, told, ..Gone::left(cleanup_engine::together(left)) })
}

/// A sweep stays until then: for as long as restarts take, and as a run waits for a first instance where none was seen.
fn stays(entry: &Entry, times: Times) -> Instant {
    let now = Instant::now();
    let first = now + times.none_seen.saturating_sub(asked_ago(entry, times.latest));
    entry.restarts_until(times.restarts).unwrap_or(now).max(first).max(now + times.overtaken)
}

/// What is said of a workspace that was removed while a restart of it was under way.
const RESTART_MAY_END: &str = "it is gone, but the new instance that was asked for had not come by then: should it come up yet, \
                               the next `lifecycle sweep` removes it";

/// What is said of an instance that nobody saw, and of which nobody knows how long it takes.
fn may_come_yet(asked_ago: Duration) -> String {
    let ago = time::show(Duration::from_secs(asked_ago.as_secs()));
    format!(
        "it is gone, and no instance of it was seen in the {ago} since it was asked for: should one come up yet, the next \
         `lifecycle sweep` removes it"
    )
}
