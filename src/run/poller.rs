//! One poller a target: waits share reads, events wake them early, polling stays the truth.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::heard::{Heard, StreamEvent};
use super::look::{Pace, Seen, Source, View};
use crate::clock::{self, Instant};

/// Above this many waits at once one list serves them all.
const FEW: usize = 4;
/// One read may not take longer; a server that hangs is "not yet".
const ONE_READ: Duration = Duration::from_secs(5);
/// A list may not take longer.
const LIST_READ: Duration = Duration::from_secs(15);
/// When a list takes longer than this, workspaces are read singly beside it.
const LIST_SLOW: Duration = Duration::from_secs(2);
/// Single reads under way at once: a thousand waits without a list are no storm.
const AT_ONCE: usize = 64;
/// Between two lists there is never more than this, however long they take.
const LIST_PAUSE: Duration = Duration::from_millis(500);
/// After a list that failed, workspaces are read singly, and a list is tried again after so long.
const LIST_AGAIN: Duration = Duration::from_secs(30);
/// Nothing but transport errors for so long means that the target is dead.
const DEAD_AFTER: Duration = Duration::from_secs(60);
/// Transport errors further apart than this do not belong together.
const APART: Duration = Duration::from_secs(20);
/// So many registrations of unknown workspaces are remembered.
const EARLY: usize = 64;

/// Shared by all waits of a target.
#[derive(Clone)]
pub struct Poller {
    shared: Arc<Shared>,
}

struct Shared {
    source: Box<dyn Source>,
    state: Mutex<State>,
    work: Notify,
    dead: CancellationToken,
}

#[derive(Default)]
struct State {
    watched: BTreeMap<String, Watched>,
    /// No read before this.
    not_before: Option<Instant>,
    /// A list may not be asked for before this: lists should use a fifth of the time at most.
    list_not_before: Option<Instant>,
    list_in_flight: bool,
    /// The list under way is late.
    list_slow: bool,
    lists_refused: bool,
    /// The last list failed: when to try another one, beside reads of single workspaces.
    list_again: Option<Instant>,
    first_error: Option<Instant>,
    last_error: Option<Instant>,
    death: String,
    /// Since when the event stream has been open without a gap.
    stream_since: Option<Instant>,
    events: BTreeMap<String, Heard>,
    /// Whose registration came before anybody here knew of the workspace: a quick boot overtakes the answer to its create.
    early: VecDeque<String>,
}

struct Watched {
    sender: watch::Sender<View>,
    waits: usize,
    due: Option<Instant>,
    /// To be read alone: an event came since the last read began, or a wait just began.
    woken: bool,
    reading_for_event: bool,
    in_flight: bool,
}

impl Poller {
    /// Starts the poller's task, which ends when the last handle is dropped.
    pub fn start(source: Box<dyn Source>) -> Poller {
        let shared = Arc::new(Shared {
            source,
            state: Mutex::default(),
            work: Notify::new(),
            dead: CancellationToken::new(),
        });
        let weak = Arc::downgrade(&shared);
        tokio::spawn(async move {
            loop {
                let Some(shared) = weak.upgrade() else { return };
                let next = shared.launch();
                let notified = async {
                    shared.work.notified().await;
                };
                let idle = Instant::now() + Duration::from_millis(250);
                tokio::select! {
                    biased;
                    () = notified => {}
                    () = clock::sleep_until(next.unwrap_or(idle).min(idle)) => {}
                }
            }
        });
        Poller { shared }
    }

    /// Registers interest in a workspace; the watch is dropped with its handle.
    pub fn watch(&self, id: &str) -> Watch {
        let mut state = self.shared.lock();
        let watched = state.watched.entry(id.to_owned()).or_insert_with(|| Watched {
            sender: watch::Sender::new(View::default()),
            waits: 0,
            due: None,
            woken: false,
            reading_for_event: false,
            in_flight: false,
        });
        watched.waits += 1;
        // The first look of a wait is its own: it does not wait for the next list.
        watched.woken = true;
        let mut receiver = watched.sender.subscribe();
        receiver.mark_unchanged();
        Watch { shared: Arc::clone(&self.shared), id: id.to_owned(), receiver, since: Instant::now() }
    }

    /// The event stream opened, or broke.
    pub fn stream(&self, open: bool) {
        let mut state = self.shared.lock();
        state.stream_since = open.then(Instant::now);
        state.events.values_mut().for_each(Heard::broke);
    }

    /// Since when the event stream has been open without a gap.
    pub fn stream_since(&self) -> Option<Instant> {
        self.shared.lock().stream_since
    }

    /// Keeps the events of a workspace from now on, until it is forgotten.
    pub fn track(&self, id: &str) {
        let mut state = self.shared.lock();
        let early = state.early.iter().filter(|of| *of == id).count();
        state.events.entry(id.to_owned()).or_insert_with(|| Heard::new(early));
    }

    /// An event came: it is kept, and wakes the waits of its workspace.
    pub fn event(&self, id: &str, kind: String, payload: Value) {
        let mut state = self.shared.lock();
        // Heartbeats come for ever and say nothing that polling does not; strangers' events are not ours to keep.
        match state.events.get_mut(id) {
            _ if kind == "WORKSPACE_HEARTBEAT" => {}
            Some(heard) => heard.push(kind, payload),
            None if kind == "WORKSPACE_ONLINE" => {
                if state.early.len() == EARLY {
                    state.early.pop_front();
                }
                state.early.push_back(id.to_owned());
            }
            None => {}
        }
        if let Some(watched) = state.watched.get_mut(id) {
            watched.due = Some(Instant::now());
            watched.woken = true;
            drop(state);
            self.shared.work.notify_one();
        }
    }

    /// Events of a workspace since an instant, oldest first.
    pub fn events_since(&self, id: &str, since: Instant) -> Vec<StreamEvent> {
        let state = self.shared.lock();
        state.events.get(id).map(|heard| heard.since(since)).unwrap_or_default()
    }

    /// A row shows the instance of this edge (0: of the create) to be up.
    pub fn shown(&self, id: &str, edge: u32, url: &str) {
        let mut state = self.shared.lock();
        let stream = state.stream_since;
        if let Some(heard) = state.events.get_mut(id) {
            heard.shown(edge, url, stream);
        }
    }

    /// Whether the stream lags behind the rows of a workspace: its next events may tell of what was before.
    pub fn lags(&self, id: &str) -> bool {
        self.shared.lock().events.get(id).is_some_and(Heard::lags)
    }

    /// Forgets the events of a workspace that is gone.
    pub fn forget(&self, id: &str) {
        self.shared.lock().events.remove(id);
    }

    /// Cancelled when the target has been dead for a minute.
    pub fn dead(&self) -> CancellationToken {
        self.shared.dead.clone()
    }

    /// What killed it.
    pub fn death(&self) -> String {
        self.shared.lock().death.clone()
    }

    /// Something that the target cannot do without is dead.
    pub fn give_up(&self, why: &str) {
        why.clone_into(&mut self.shared.lock().death);
        self.shared.dead.cancel();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts every read that is due; says when the next one is.
    fn launch(self: &Arc<Self>) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(at) = state.not_before
            && at > now
        {
            return Some(at);
        }
        let many = state.watched.len() > FEW && !state.lists_refused;
        let by_list = many && state.list_again.is_none() && !state.list_slow;
        let mut next: Option<Instant> = None;
        let mut ready = Vec::new();
        for (id, watched) in &state.watched {
            let Some(due) = watched.due else { continue };
            // An event is about one workspace: it is read alone, without waiting for the next list.
            if watched.in_flight || (by_list && !watched.woken) {
                continue;
            }
            if due <= now {
                ready.push((due, id.clone()));
            } else {
                next = Some(next.map_or(due, |n| n.min(due)));
            }
        }
        // Whoever waited longest is read first; the end of a read brings the others their turn.
        ready.sort_unstable();
        let under_way = state.watched.values().filter(|w| w.in_flight).count();
        ready.truncate(AT_ONCE.saturating_sub(under_way));
        let reads: Vec<String> = ready
            .into_iter()
            .filter_map(|(_, id)| state.watched.get_mut(&id).map(|watched| watched.launch(&id)))
            .collect();
        let mut list = false;
        if many && !state.list_in_flight {
            let due = || state.watched.values().filter(|w| !w.woken).filter_map(|w| w.due).min();
            let due = state.list_again.or_else(due);
            let at = due.map(|due| state.list_not_before.map_or(due, |at| at.max(due)));
            match at {
                Some(at) if at <= now => {
                    list = true;
                    state.list_in_flight = true;
                    for watched in state.watched.values_mut().filter(|w| by_list && !w.woken) {
                        watched.due = None;
                    }
                }
                Some(at) => next = Some(next.map_or(at, |n| n.min(at))),
                None => {}
            }
        }
        drop(state);
        for id in reads {
            self.read_one(id);
        }
        if list {
            self.read_all();
        }
        next
    }

    fn read_one(self: &Arc<Self>, id: String) {
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let began = Instant::now();
            let look = shared.source.one(id.clone(), began + ONE_READ).await;
            let mut state = shared.lock();
            shared.account(&mut state, &look.seen, look.pace);
            if let Some(watched) = state.watched.get_mut(&id) {
                watched.in_flight = false;
            }
            state.publish(&id, look.seen, began);
            drop(state);
            shared.work.notify_one();
        });
    }

    fn read_all(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let began = Instant::now();
            let mut list = shared.source.all(began + LIST_READ);
            let early = tokio::select! {
                biased;
                look = &mut list => Some(look),
                () = clock::sleep_until(began + LIST_SLOW) => None,
            };
            let look = match early {
                Some(look) => look,
                None => {
                    shared.beside_the_list(began);
                    list.await
                }
            };
            let cost = began.elapsed();
            let mut absent = Vec::new();
            {
                let mut state = shared.lock();
                state.list_in_flight = false;
                state.list_slow = false;
                state.list_not_before = Some(Instant::now() + (cost * 4).min(LIST_PAUSE));
                match look.rows {
                    Ok(mut rows) => {
                        state.list_again = None;
                        shared.account_good(&mut state, look.pace);
                        let ids: Vec<String> = state.watched.keys().cloned().collect();
                        for id in ids {
                            match rows.remove(&id) {
                                Some(row) => state.publish(&id, Seen::Record(row), began),
                                // A list leaves removed rows out: only a read of its own tells removed from unknown.
                                None => {
                                    if let Some(watched) = state.watched.get_mut(&id)
                                        && !watched.in_flight
                                    {
                                        absent.push(watched.launch(&id));
                                    }
                                }
                            }
                        }
                    }
                    Err(Seen::Refused { .. }) => {
                        state.lists_refused = true;
                        state.read_singly(began);
                    }
                    // A limit of rates is one for single reads too.
                    Err(seen) if look.pace.retry_after.is_some() => {
                        shared.account(&mut state, &seen, look.pace);
                        let ids: Vec<String> = state.watched.keys().cloned().collect();
                        for id in ids {
                            state.publish(&id, seen.clone(), began);
                        }
                    }
                    // What breaks the list says nothing about a workspace, nor that the target is dead.
                    Err(_) => {
                        state.list_again = Some(Instant::now() + LIST_AGAIN);
                        state.pause(look.pace);
                        state.read_singly(began);
                    }
                }
            }
            for id in absent {
                shared.read_one(id);
            }
            shared.work.notify_one();
        });
    }

    /// The list that began then is late: nobody waits for it alone.
    fn beside_the_list(&self, began: Instant) {
        let mut state = self.lock();
        state.list_slow = true;
        state.read_singly(began);
        drop(state);
        self.work.notify_one();
    }

    fn account_good(&self, state: &mut State, pace: Pace) {
        state.first_error = None;
        state.pause(pace);
    }

    fn account(&self, state: &mut State, seen: &Seen, pace: Pace) {
        let Seen::Transport { text, .. } = seen else { return self.account_good(state, pace) };
        let now = Instant::now();
        // Errors far apart are no minute of nothing else: nobody looked in between.
        if state.last_error.is_none_or(|last| now - last > APART) {
            state.first_error = None;
        }
        state.last_error = Some(now);
        let first = *state.first_error.get_or_insert(now);
        if first.elapsed() >= DEAD_AFTER {
            state.death = format!("nothing but transport errors for a minute, the last: {text}");
            self.dead.cancel();
        }
    }
}

impl State {
    fn pause(&mut self, pace: Pace) {
        let pause = pace.interval().max(pace.retry_after.unwrap_or_default());
        self.not_before = (!pause.is_zero()).then(|| Instant::now() + pause);
    }

    /// Whoever waited for a list is read alone.
    fn read_singly(&mut self, due: Instant) {
        for watched in self.watched.values_mut() {
            watched.due.get_or_insert(due);
        }
    }

    fn publish(&mut self, id: &str, seen: Seen, began: Instant) {
        if let Some(watched) = self.watched.get_mut(id) {
            // An answer that overtook a newer one says nothing.
            if watched.sender.borrow().at.is_some_and(|at| at > began) {
                return;
            }
            let woken = std::mem::take(&mut watched.reading_for_event);
            watched.sender.send_replace(View { look: Some(Arc::new(seen)), at: Some(began), woken });
        }
    }
}

impl Watched {
    /// Marks a read as under way; wants that come from now on are for the next one.
    fn launch(&mut self, id: &str) -> String {
        self.in_flight = true;
        self.due = None;
        self.reading_for_event = std::mem::take(&mut self.woken);
        id.to_owned()
    }
}

/// Interest in one workspace.
pub struct Watch {
    shared: Arc<Shared>,
    id: String,
    receiver: watch::Receiver<View>,
    since: Instant,
}

impl Watch {
    /// Wants a look at this instant at the latest.
    pub fn want(&self, at: Instant) {
        if let Some(watched) = self.shared.lock().watched.get_mut(&self.id)
            && watched.due.is_none_or(|due| at < due)
        {
            watched.due = Some(at);
        } else {
            return;
        }
        self.shared.work.notify_one();
    }

    /// The newest look that began after this watch did, so an edge before it is behind every view.
    pub fn view(&mut self) -> View {
        let view = self.receiver.borrow_and_update().clone();
        if view.at.is_some_and(|at| at >= self.since) { view } else { View::default() }
    }

    /// The newest look of all, however old.
    pub fn last(&mut self) -> View {
        self.receiver.borrow_and_update().clone()
    }

    /// Resolves when there was a new look.
    pub async fn changed(&mut self) {
        if self.receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Cancelled when the target has been dead for a minute.
    pub fn dead(&self) -> CancellationToken {
        self.shared.dead.clone()
    }

    /// What killed it.
    pub fn death(&self) -> String {
        self.shared.lock().death.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(watched) = state.watched.get_mut(&self.id) {
            watched.waits -= 1;
            if watched.waits == 0 {
                state.watched.remove(&self.id);
            }
        }
    }
}
