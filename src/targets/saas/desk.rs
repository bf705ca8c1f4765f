//! The ledger of organisations: in the log before the control plane is asked for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Phase;
use crate::domain::time;
use crate::event::{EventKind, Intent, Left, Log, Owned, Part, PartState, Released};

/// The kind of these entries.
pub const ORGANISATION: &str = "organisation";

/// Writes them down.
#[derive(Clone)]
pub struct Desk {
    log: Log,
    base_url: String,
    count: Arc<AtomicUsize>,
}

impl Desk {
    /// Of one control plane.
    pub fn new(log: Log, base_url: &str) -> Desk {
        Desk { log, base_url: base_url.to_owned(), count: Arc::default() }
    }

    /// Secrets that are learnt go in here.
    pub fn secret(&self, name: &str, value: &str) {
        self.log.redactor().register(name, value);
    }

    /// Written before it is asked for; gives the entry's name.
    pub fn intend(&self, slug: &str) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let resource = format!("o{number}");
        self.log.emit(EventKind::Intent(Intent {
            resource: resource.clone(),
            kind: ORGANISATION.to_owned(),
            name: slug.to_owned(),
            base_url: self.base_url.clone(),
            credential: "MOLECULE_ADMIN_TOKEN".to_owned(),
            ..Intent::default()
        }));
        resource
    }

    /// It is there.
    pub fn own(&self, resource: &str, id: &str, slug: &str) {
        self.log.emit(EventKind::Owned(Owned {
            resource: resource.to_owned(),
            id: id.to_owned(),
            name: slug.to_owned(),
        }));
    }

    /// It is gone, or never was.
    pub fn release(&self, resource: &str, by: &str) {
        self.log.emit(EventKind::Released(Released {
            resource: resource.to_owned(),
            by: by.to_owned(),
            left_by_platform: None,
        }));
    }

    /// It could not be removed; gives the line for people.
    pub fn leave(&self, resource: &str, slug: &str, reason: &str) -> String {
        self.log.emit(EventKind::Left(Left {
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
        self.log.emit(EventKind::Part(Box::new(Part {
            part: format!("{ORGANISATION}: {}", phase.as_str()),
            state,
            text,
            lines: Vec::new(),
            took_ms: time::ms(took),
        })));
    }

    /// Something that people should read.
    pub fn warn(&self, text: String) {
        self.log.emit(EventKind::Warning { scenario: None, text });
    }
}
