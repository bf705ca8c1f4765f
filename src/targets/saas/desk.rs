//! The ledger of organisations: in the log before the control plane is asked for one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::org::Made;
use super::phase::Phase;
use crate::domain::time;
use crate::event::{EventKind, Intent, Left, Log, Owned, Part, PartState, Released};

/// The kind of these entries.
pub(crate) const ORGANISATION: &str = "organisation";

/// Writes them down.
#[derive(Clone)]
pub struct Desk {
    log: Option<Log>,
    base_url: String,
    entries: Arc<Mutex<Entries>>,
}

#[derive(Default)]
struct Entries {
    count: usize,
    open: Vec<Made>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// Of one control plane.
    pub fn new(log: Log, base_url: &str) -> Desk {
        Desk { log: Some(log), base_url: base_url.to_owned(), entries: Arc::default() }
    }

    /// Of somebody else's organisations: nothing of them is written down.
    pub fn of_nobody() -> Desk {
        Desk { log: None, base_url: String::new(), entries: Arc::default() }
    }

    fn emit(&self, event: EventKind) {
        if let Some(log) = &self.log {
            log.emit(event);
        }
    }

    /// Secrets that are learnt go in here.
    pub fn secret(&self, name: &str, value: &str) {
        if let Some(log) = &self.log {
            log.redactor().register(name, value);
        }
    }

    /// What was asked for and is neither gone nor given up.
    pub fn open(&self) -> Vec<Made> {
        self.lock().open.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, resource: &str) {
        self.lock().open.retain(|made| made.resource != resource);
    }

    /// What an earlier run asked for.
    pub fn restore(&self, made: Made) {
        self.lock().open.push(made);
    }

    /// Written before it is asked for.
    pub fn intend(&self, slug: &str) -> Made {
        let mut entries = self.lock();
        entries.count += 1;
        let resource = format!("o{}", entries.count);
        let made = Made { resource: resource.clone(), slug: slug.to_owned() };
        entries.open.push(made.clone());
        drop(entries);
        self.emit(EventKind::Intent(Intent {
            resource: resource.clone(),
            kind: ORGANISATION.to_owned(),
            name: slug.to_owned(),
            base_url: self.base_url.clone(),
            credential: "MOLECULE_ADMIN_TOKEN".to_owned(),
            ..Intent::default()
        }));
        made
    }

    /// It is there.
    pub fn own(&self, resource: &str, id: &str, slug: &str) {
        self.emit(EventKind::Owned(Owned {
            resource: resource.to_owned(),
            id: id.to_owned(),
            name: slug.to_owned(),
        }));
    }

    /// It is gone, or never was.
    pub fn release(&self, resource: &str, by: &str) {
        self.close(resource);
        self.emit(EventKind::Released(Released {
            resource: resource.to_owned(),
            by: by.to_owned(),
            left_by_platform: None,
        }));
    }

    /// It could not be removed; gives the line for people.
    pub fn leave(&self, resource: &str, slug: &str, reason: &str) -> String {
        self.close(resource);
        self.emit(EventKind::Left(Left {
            resource: resource.to_owned(),
            kind: ORGANISATION.to_owned(),
            id: None,
            name: slug.to_owned(),
            reason: reason.to_owned(),
        }));
        format!("{ORGANISATION} {slug}: {reason}")
    }

    /// What became of a phase.
    pub fn phase(&self, phase: Phase, state: PartState, text: String, took: Duration) {
        self.emit(EventKind::Part(Box::new(Part {
            part: format!("{ORGANISATION}: {}", phase.as_str()),
            state,
            text,
            lines: Vec::new(),
            took_ms: time::ms(took),
        })));
    }

    /// Something that people should read.
    pub fn warn(&self, text: String) {
        self.emit(EventKind::Warning { scenario: None, text });
    }
}
