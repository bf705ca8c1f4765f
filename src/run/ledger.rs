//! What a run owns: written before it is asked for, kept until it is verified to be gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use indexmap::IndexMap;
use sha2::Sha256;

use crate::clock::Instant;
use crate::domain::Secret;
use crate::event::{Disturbed, EventKind, Intent, Left, Log, Owned, Released};

/// Where a ledger's resources live, and with what they can be removed.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// The server.
    pub base_url: String,
    /// The organisation's id, on SaaS.
    pub org: Option<String>,
    /// *Name* of the credential.
    pub credential: String,
    /// What ties the credential to the address.
    pub seal: Option<String>,
}

impl Home {
    /// Few bits of an HMAC over address and organisation, under the credential: whoever sweeps sends its credential
    /// nowhere else, and nobody learns it from so few.
    pub fn seal(base_url: &str, org: Option<&str>, credential: &Secret) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(credential.expose().as_bytes()).ok()?;
        mac.update(base_url.trim_end_matches('/').as_bytes());
        mac.update(b"\n");
        mac.update(org.unwrap_or_default().as_bytes());
        Some(mac.finalize().into_bytes().iter().take(2).map(|b| format!("{b:02x}")).collect())
    }

    /// Whether a credential was used at this address by whoever wrote the ledger.
    pub fn is_sealed_by(&self, credential: &Secret) -> bool {
        self.seal.is_some() && self.seal == Home::seal(&self.base_url, self.org.as_deref(), credential)
    }
}

/// The resources of one run, in the order in which they were wanted.
#[derive(Clone)]
pub struct Ledger {
    log: Log,
    home: Home,
    /// Which of the run's organisations this one writes for.
    room: usize,
    entries: Arc<Mutex<IndexMap<String, Entry>>>,
    /// An earlier run's workspaces that were removed then: what hangs under ours may be one of them, or bear its name.
    once: Arc<[Entry]>,
    /// How long the slowest first provisioning took in that run.
    slowest: Option<Duration>,
}

/// One resource.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Unique in the run.
    pub resource: String,
    /// `workspace`, `global-secret`, `server`.
    pub kind: String,
    /// The unique name.
    pub name: String,
    /// Whose; `None` for the run's root.
    pub scenario: Option<String>,
    /// The platform's id, once known.
    pub id: Option<String>,
    /// The platform makes its instances.
    pub managed: bool,
    /// Which of the run's organisations it is in.
    pub room: usize,
    /// It was seen online or failed after the last request that provisions it.
    pub settled: bool,
    /// When that request was made, by this process.
    pub provisioning_since: Option<Instant>,
    /// How long ago the first such request was made, by a run of earlier.
    pub asked_before: Option<Duration>,
    /// It was seen to have come up, or to have failed, at least once.
    pub came_up: bool,
    /// How long its first provisioning took, once somebody saw the end of it.
    pub took: Option<Duration>,
    /// When something was last asked that makes the platform provision again, now or a little later.
    pub disturbed: Option<Instant>,
    /// When something was last done whose restart the platform may put off.
    pub put_off: Option<Instant>,
    /// When a new instance was proven to be up after the last edge.
    pub seen_through: Option<Instant>,
    /// How long its slowest edge took that came to a new instance.
    pub edge_took: Option<Duration>,
    /// At the last look for the new instance that an edge asked for the old one still ran: it may come yet.
    pub unfinished: bool,
    /// How it ended, if it did.
    pub end: Option<End>,
}

/// How many resources ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Verified to be gone.
    pub removed: usize,
    /// Of those, what the platform had left.
    pub left_by_platform: usize,
    /// Still there.
    pub left: usize,
}

/// How a resource ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Verified to be gone.
    Gone,
    /// Verified to be gone, but only after we removed what the platform had left.
    GoneAfterUs,
    /// Still there.
    Left,
}

impl Entry {
    /// Until when a restart that was asked for may still start an instance that nobody has seen, when it takes so long.
    pub fn restarts_until(&self, takes: Duration) -> Option<Instant> {
        let seen = |at: &Instant| self.put_off.is_none() && self.seen_through.is_some_and(|seen| seen >= *at);
        let asked = self.disturbed.filter(|at| !seen(at)).max(self.put_off)?;
        Some(asked + takes)
    }

    /// Whether nothing that was asked for so long ago can bring up another instance.
    pub fn is_calm(&self, within: Duration) -> bool {
        let over = |at: Instant| at.elapsed() > within;
        let seen = |at: Instant| self.seen_through.is_some_and(|seen| seen >= at);
        self.disturbed.is_none_or(|at| over(at) || seen(at)) && self.put_off.is_none_or(over)
    }
}

impl Ledger {
    /// Empty.
    pub fn new(log: Log, home: Home) -> Self {
        Ledger { log, home, room: 0, entries: Arc::default(), once: Arc::default(), slowest: None }
    }

    /// What an earlier run still owns, and what it owned once.
    pub fn restore(
        log: Log,
        home: Home,
        entries: Vec<Entry>,
        once: Vec<Entry>,
        slowest: Option<Duration>,
    ) -> Self {
        let entries = entries.into_iter().rev().map(|e| (e.resource.clone(), e)).collect();
        Ledger { log, home, room: 0, entries: Arc::new(Mutex::new(entries)), once: once.into(), slowest }
    }

    /// The same ledger for another organisation of the run.
    #[must_use]
    pub fn in_room(&self, room: usize, home: Home) -> Ledger {
        Ledger { room, home, ..self.clone() }
    }

    /// Writes down that a resource will be asked for; on disk when this returns.
    pub fn intend(&self, kind: &str, name: &str, scenario: Option<&str>, managed: bool) -> String {
        let mut entries = self.lock();
        let resource = format!("r{}", entries.len() + 1);
        entries.insert(
            resource.clone(),
            Entry {
                resource: resource.clone(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                scenario: scenario.map(str::to_owned),
                managed,
                room: self.room,
                provisioning_since: Some(Instant::now()),
                ..Entry::default()
            },
        );
        self.log.emit(EventKind::Intent(Intent {
            resource: resource.clone(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            scenario: scenario.map(str::to_owned),
            base_url: self.home.base_url.clone(),
            org: self.home.org.clone(),
            credential: self.home.credential.clone(),
            managed: Some(managed),
            seal: self.home.seal.clone(),
            pid: None,
            pid_started: None,
        }));
        resource
    }

    /// The resource is there, under this id and name.
    pub fn own(&self, resource: &str, id: &str, name: &str) {
        if let Some(entry) = self.lock().get_mut(resource) {
            entry.id = Some(id.to_owned());
            name.clone_into(&mut entry.name);
        }
        self.log.emit(EventKind::Owned(Owned {
            resource: resource.into(),
            id: id.into(),
            name: name.into(),
        }));
    }

    /// The id that an answer named is somebody else's: what was asked for, if it was made, is looked for by its name.
    pub fn disown(&self, resource: &str) {
        if let Some(entry) = self.lock().get_mut(resource) {
            entry.id = None;
        }
    }

    /// A workspace was seen online or failed (`true`), or is being provisioned again (`false`).
    pub fn settle(&self, id: &str, settled: bool) {
        self.change(id, |entry| {
            if !settled && (entry.settled || entry.provisioning_since.is_none()) {
                entry.provisioning_since = Some(Instant::now());
            }
            if !settled {
                entry.disturbed = Some(Instant::now());
            }
            entry.settled = settled;
            entry.came_up |= settled;
        });
    }

    /// A workspace was seen online: a first time says how long the platform takes. One that failed may not have begun.
    pub fn online(&self, id: &str) {
        let mut entries = self.lock();
        let first = entries.values_mut().find(|e| e.id.as_deref() == Some(id) && e.managed && !e.came_up);
        if let Some(entry) = first {
            entry.took = entry.provisioning_since.map(|since| since.elapsed());
        }
    }

    /// How long the slowest first provisioning of this run took that came to its end.
    pub fn slowest(&self) -> Option<Duration> {
        self.lock().values().filter_map(|entry| entry.took).max().max(self.slowest)
    }

    /// How long the slowest edge of this run took that came to a new instance.
    pub fn slowest_edge(&self) -> Option<Duration> {
        self.lock().values().filter_map(|entry| entry.edge_took).max()
    }

    /// Writes down that a request may bring an instance of a workspace, before it leaves; `put_off`: later, whatever
    /// the row says meanwhile.
    pub fn disturb(&self, id: &str, put_off: bool) {
        self.disturbed_again(id, put_off);
        if let Some(entry) = self.by_id(id) {
            self.log.emit(EventKind::Disturbed(Disturbed { resource: entry.resource }));
        }
    }

    /// The answer to such a request came: from now on the instance may come.
    pub fn disturbed_again(&self, id: &str, put_off: bool) {
        self.settle(id, false);
        if put_off {
            self.change(id, |entry| entry.put_off = Some(Instant::now()));
        }
    }

    /// Ids of everything that the platform makes instances of.
    pub fn managed_ids(&self) -> Vec<String> {
        self.lock().values().filter(|e| e.managed && e.end.is_none()).filter_map(|e| e.id.clone()).collect()
    }

    /// The instance that the create or the last edge asked for is up: it brings no other.
    pub fn seen_through(&self, id: &str, edge: bool) {
        self.change(id, |entry| {
            entry.seen_through = Some(Instant::now());
            entry.unfinished = false;
            if edge {
                entry.edge_took = entry.provisioning_since.map(|since| since.elapsed()).max(entry.edge_took);
            }
        });
    }

    /// Whether the old instance still runs, at the last look for the new one.
    pub fn unfinished(&self, id: &str, unfinished: bool) {
        self.change(id, |entry| entry.unfinished = unfinished);
    }

    /// The resource is verified to be gone.
    pub fn release(&self, resource: &str, by: &str, left_by_platform: Option<String>) {
        let end = if left_by_platform.is_some() { End::GoneAfterUs } else { End::Gone };
        if self.end(resource, end) {
            self.log.emit(EventKind::Released(Released {
                resource: resource.into(),
                by: by.into(),
                left_by_platform,
            }));
        }
    }

    /// The resource could not be removed.
    pub fn leave(&self, resource: &str, reason: &str) {
        if self.end(resource, End::Left)
            && let Some(entry) = self.lock().get(resource).cloned()
        {
            self.log.emit(EventKind::Left(Left {
                resource: entry.resource,
                kind: entry.kind,
                id: entry.id,
                name: entry.name,
                reason: reason.into(),
            }));
        }
    }

    /// What could not be removed is gone all the same, with what it was in.
    pub fn took_after_all(&self, resource: &str, by: &str) {
        let was = self.lock().get_mut(resource).filter(|e| e.end == Some(End::Left)).map(|entry| {
            entry.end = Some(End::GoneAfterUs);
        });
        if was.is_some() {
            self.log.emit(EventKind::Released(Released {
                resource: resource.into(),
                by: by.into(),
                left_by_platform: Some("its own removal failed".to_owned()),
            }));
        }
    }

    /// Changes what is known of a workspace, if it is in here.
    fn change(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().values_mut().find(|e| e.id.as_deref() == Some(id)) {
            change(entry);
        }
    }

    /// Whether a workspace id belongs to this run.
    pub fn owns(&self, id: &str) -> bool {
        self.once.iter().any(|e| e.id.as_deref() == Some(id))
            || self.lock().values().any(|e| e.id.as_deref() == Some(id))
    }

    /// Which of the run's organisations this one writes for.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Every workspace that was ever asked for here, however it ended.
    pub fn workspaces(&self) -> Vec<Entry> {
        let entries = self.lock();
        let here = |e: &&Entry| e.kind == "workspace" && e.room == self.room;
        entries.values().filter(here).chain(self.once.iter()).cloned().collect()
    }

    /// The entry of a workspace id.
    pub fn by_id(&self, id: &str) -> Option<Entry> {
        self.lock().values().find(|e| e.id.as_deref() == Some(id)).cloned()
    }

    /// What a scenario still owns here (`None`: the run itself), newest first.
    pub fn open(&self, scenario: Option<&str>) -> Vec<Entry> {
        let entries = self.lock();
        let of = |e: &&Entry| e.room == self.room && e.end.is_none() && e.scenario.as_deref() == scenario;
        entries.values().rev().filter(of).cloned().collect()
    }

    /// Everything still owned, newest first.
    pub fn all_open(&self) -> Vec<Entry> {
        self.lock().values().rev().filter(|e| e.end.is_none()).cloned().collect()
    }

    /// What is gone here, and was to be provisioned again at some time, or was never seen to have come up.
    pub fn disturbed(&self) -> Vec<Entry> {
        let may_come = |e: &Entry| e.managed && (e.disturbed.is_some() || !e.came_up);
        let gone =
            |e: &&Entry| e.room == self.room && e.end.is_some_and(|end| end != End::Left) && may_come(e);
        self.lock().values().filter(gone).cloned().collect()
    }

    /// What could not be removed.
    pub fn left(&self) -> Vec<Entry> {
        self.lock().values().filter(|e| e.end == Some(End::Left)).cloned().collect()
    }

    /// How many ended how.
    pub fn tally(&self) -> Tally {
        let entries = self.lock();
        let count = |end: End| entries.values().filter(|e| e.end == Some(end)).count();
        let left_by_platform = count(End::GoneAfterUs);
        Tally { removed: count(End::Gone) + left_by_platform, left_by_platform, left: count(End::Left) }
    }

    fn end(&self, resource: &str, end: End) -> bool {
        match self.lock().get_mut(resource) {
            Some(entry) if entry.end.is_none() => {
                entry.end = Some(end);
                true
            }
            _ => false,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, IndexMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
