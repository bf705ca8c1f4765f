//! What a run of earlier still owns, as its log tells.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::clock::Instant;
use crate::domain::Status;
use crate::event::{EventKind, Intent, LogError, TargetIdentity, read_events};
use crate::run::ledger::{Entry, Home};
use crate::scenario::model::Capability;
use crate::targets::Kind;
use crate::targets::profile::books;
use crate::targets::saas::ORGANISATION;

/// For so long after the request for it may something come back that was removed before anybody saw it.
const COMES_BACK: Duration = Duration::from_secs(15 * 60);

/// What a run still owns.
pub struct Owing {
    /// Newest first, the root last.
    pub entries: Vec<Entry>,
    /// Where they are.
    pub home: Home,
    /// Its platform lived in its process and is gone with it.
    pub embedded: bool,
    /// So did this one, but its containers are still there.
    pub docker: bool,
    /// What a profile brought up, in the order in which it goes.
    pub parts: Vec<Entry>,
    /// A profile ran commands and never came to its end: something of them may live on.
    pub ran: bool,
    /// A profile brought the server up: it goes, and everything that it knows with it.
    pub own_server: bool,
    /// Organisations that it made, in the order in which they go, and where.
    pub orgs: Vec<Entry>,
    /// Their control plane.
    pub plane: String,
    /// Its workspaces had containers on an engine that could be reached.
    pub containers: bool,
    /// What it owned once and removed.
    pub once: Vec<Entry>,
    /// The end of the run's id, which stands in every name that it gave.
    pub tail: String,
    /// How long the slowest first provisioning took that it saw the end of.
    pub slowest: Option<Duration>,
    /// Of those, what was removed a moment ago and may have come back since.
    pub watched: Vec<Entry>,
    /// What a person should know of its log.
    pub remarks: Vec<String>,
}

impl Owing {
    /// Whether nothing can be done for it while its server is gone.
    pub fn is_on_a_server_alone(&self) -> bool {
        let here = self.embedded || self.docker || self.own_server || self.ran;
        !here && self.parts.is_empty() && self.orgs.is_empty() && !self.home.base_url.is_empty()
    }
}

/// How long ago an event was written.
fn ago(at: &str) -> Option<Duration> {
    Duration::try_from(crate::clock::wall().duration_since(at.parse().ok()?)).ok()
}

/// What a run's log says that it still owns; newest first.
///
/// # Errors
/// The log cannot be read.
pub fn read(path: &Path) -> Result<Option<Owing>, LogError> {
    let mut entries: indexmap::IndexMap<String, (Entry, Intent)> = indexmap::IndexMap::new();
    let (mut embedded, mut docker, mut own_server, mut ran) = (false, false, false, false);
    // What was in an organisation is gone with it, and cannot come back.
    let mut had_org = false;
    let mut containers = false;
    let mut slowest = None;
    let sees = |target: &TargetIdentity| {
        target.capabilities.iter().any(|capability| capability == Capability::Containers.as_str())
    };
    let run = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (mut once, mut released, mut began) = (Vec::new(), Vec::new(), BTreeMap::new());
    // How long ago something was last asked that may bring up an instance.
    let mut asked: BTreeMap<String, Duration> = BTreeMap::new();
    let summary = read_events(path, |event| match event.event {
        EventKind::RunStarted(started) => {
            containers |= started.target.as_ref().is_some_and(sees);
            let kind = started.target.map(|t| t.kind).unwrap_or_default();
            let kind = Kind::named(&kind).ok();
            embedded = kind.is_some_and(Kind::ends_with_the_process);
            docker = kind.is_some_and(Kind::makes_containers);
        }
        EventKind::TargetFound(target) => containers |= sees(&target),
        EventKind::Intent(intent) => {
            own_server |= books::is_server(&run, &intent.kind, &intent.name);
            ran |= intent.kind == books::PROCESS;
            had_org |= intent.kind == ORGANISATION;
            let entry = Entry {
                resource: intent.resource.clone(),
                kind: intent.kind.clone(),
                name: intent.name.clone(),
                scenario: intent.scenario.clone(),
                managed: intent.managed.unwrap_or(true),
                asked_before: ago(&event.at),
                ..Entry::default()
            };
            began.insert(intent.resource.clone(), event.ms);
            asked.extend(entry.asked_before.map(|ago| (intent.resource.clone(), ago)));
            entries.insert(intent.resource.clone(), (entry, intent));
        }
        EventKind::Disturbed(disturbed) => {
            if let Some((entry, _)) = entries.get_mut(&disturbed.resource) {
                let ago = ago(&event.at);
                let at = ago.and_then(|ago| Instant::now().checked_sub(ago));
                (entry.disturbed, entry.put_off) = (at, at);
                asked.extend(ago.map(|ago| (disturbed.resource, ago)));
            }
        }
        EventKind::Owned(owned) => {
            if let Some((entry, _)) = entries.get_mut(&owned.resource) {
                entry.id = Some(owned.id);
                entry.name = owned.name;
            }
        }
        EventKind::Observed(seen) if seen.status.as_ref().is_some_and(|s| *s != Status::Provisioning) => {
            let of = |entry: &&mut (Entry, Intent)| entry.0.id.as_ref() == Some(&seen.id);
            if let Some((entry, _)) = entries.values_mut().find(of) {
                let since = began.get(&entry.resource).map(|began| event.ms.saturating_sub(*began));
                let first = seen.status == Some(Status::Online) && entry.managed && !entry.came_up;
                entry.took = entry.took.or(since.filter(|_| first).map(Duration::from_millis));
                entry.came_up = true;
            }
        }
        EventKind::Released(released_now) => {
            if let Some((mut entry, intent)) = entries.shift_remove(&released_now.resource) {
                slowest = slowest.max(entry.took);
                // What came up late was removed then.
                entry.came_up |= released_now.left_by_platform.is_some();
                once.push(entry.clone());
                released.push((entry, intent));
            }
        }
        // Everything with its mark was ended by then.
        EventKind::RunFinished(_) => ran = false,
        _ => {}
    })?;
    let slowest = entries.values().filter_map(|(entry, _)| entry.took).max().max(slowest);
    let mut remarks = Vec::new();
    if summary.events == 0 {
        remarks.push("its log is empty: what it made, if anything, is not known".to_owned());
    }
    if summary.bad.is_some() {
        remarks.extend(summary.remarks());
    }
    let (orgs, entries): (Vec<_>, Vec<_>) =
        entries.into_values().partition(|(entry, _)| entry.kind == ORGANISATION);
    let plane = orgs.first().map(|(_, intent)| intent.base_url.clone()).unwrap_or_default();
    let orgs: Vec<Entry> = orgs.into_iter().rev().map(|(entry, _)| entry).collect();
    let (parts, entries): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(entry, _)| books::KINDS.contains(&entry.kind.as_str()));
    // What was removed before anybody saw it may have come up since.
    let may_be_back = |entry: &Entry| {
        entry.id.is_some()
            && entry.managed
            && (!entry.came_up || entry.put_off.is_some())
            && asked.get(&entry.resource).is_some_and(|ago| *ago < COMES_BACK)
    };
    released.retain(|(entry, _)| may_be_back(entry) && !embedded && !docker && !own_server && !had_org);
    if parts.is_empty()
        && entries.is_empty()
        && orgs.is_empty()
        && released.is_empty()
        && !ran
        && remarks.is_empty()
    {
        return Ok(None);
    }
    let home = entries.first().or(released.first()).map(|(_, intent)| Home {
        base_url: intent.base_url.clone(),
        org: intent.org.clone(),
        credential: intent.credential.clone(),
        seal: intent.seal.clone(),
    });
    let watched: Vec<Entry> = released.into_iter().map(|(entry, _)| entry).collect();
    // What was started last goes first.
    let parts: Vec<Entry> = parts.into_iter().rev().map(|(entry, _)| entry).collect();
    // The run's root comes last: what hangs under it goes first.
    let mut open: Vec<Entry> = entries.into_iter().rev().map(|(entry, _)| entry).collect();
    open.sort_by_key(|entry| entry.scenario.is_none());
    let home = home.unwrap_or_default();
    Ok(Some(Owing {
        entries: open,
        home,
        embedded,
        docker,
        parts,
        ran,
        own_server,
        orgs,
        plane,
        containers,
        once,
        tail: run.rsplit('-').next().unwrap_or_default().to_owned(),
        slowest,
        watched,
        remarks,
    }))
}
