//! The ledger of what is brought up: in the log before it is asked for, so that a sweep finds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::model::SERVER;
use crate::docker::names;
use crate::event::{EventKind, Intent, Left, Log, Owned, Part, PartState, Released};

/// A process: its id is its owner's label.
pub const PROCESS: &str = "process";
/// A container, by our label.
pub const CONTAINER: &str = "container";
/// A folder of this machine, by its path.
pub const FOLDER: &str = "folder";
/// A further name of an image.
pub const IMAGE_TAG: &str = "image-tag";
/// A share in the network of workspaces.
pub const NETWORK: &str = "network-share";
/// Commands that take away what a part leaves: its id is what they are.
pub const TEARDOWN: &str = "teardown";
/// What profiles make.
pub const KINDS: [&str; 6] = [PROCESS, CONTAINER, FOLDER, IMAGE_TAG, NETWORK, TEARDOWN];

/// Whether what a run's ledger calls so is its profile's server: a service may be called `mock-server`.
pub fn is_server(run: &str, kind: &str, name: &str) -> bool {
    match kind {
        PROCESS => name == SERVER,
        CONTAINER => name == container_name(run, SERVER),
        _ => false,
    }
}

/// What the container of a part is called.
pub fn container_name(run: &str, part: &str) -> String {
    names::part(run, part)
}

/// Set in the environment of every process that is started: the run, for a sweep that has no process id.
pub const STARTED_BY: &str = "LIFECYCLE_STARTED_BY";

/// Writes the ledger's lines.
#[derive(Clone)]
pub struct Books {
    log: Log,
    count: Arc<AtomicUsize>,
}

/// One line of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Unique in the run.
    pub resource: String,
    kind: &'static str,
    name: String,
    id: Option<String>,
}

impl Books {
    /// Over a run's log.
    pub fn new(log: Log) -> Books {
        Books { log, count: Arc::default() }
    }

    /// Written before it is asked for.
    pub fn intend(&self, kind: &'static str, name: &str) -> Entry {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Entry { resource: format!("p{number}"), kind, name: name.to_owned(), id: None };
        self.log.emit(EventKind::Intent(Intent {
            resource: entry.resource.clone(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            ..Intent::default()
        }));
        entry
    }

    /// It is there.
    pub fn own(&self, entry: &mut Entry, id: &str) {
        entry.id = Some(id.to_owned());
        let (resource, name) = (entry.resource.clone(), entry.name.clone());
        self.log.emit(EventKind::Owned(Owned { resource, id: id.to_owned(), name }));
    }

    /// It is gone.
    pub fn release(&self, entry: &Entry, by: &str) {
        let (resource, by) = (entry.resource.clone(), by.to_owned());
        self.log.emit(EventKind::Released(Released { resource, by, left_by_platform: None }));
    }

    /// It could not be removed; gives the line for people.
    pub fn leave(&self, entry: &Entry, reason: &str) -> String {
        self.log.emit(EventKind::Left(Left {
            resource: entry.resource.clone(),
            kind: entry.kind.to_owned(),
            id: entry.id.clone(),
            name: entry.name.clone(),
            reason: reason.to_owned(),
        }));
        format!("{} {}: {reason}", entry.kind, entry.name)
    }

    /// What became of a part.
    pub fn part(
        &self,
        part: &str,
        state: PartState,
        text: String,
        lines: Vec<String>,
        took: std::time::Duration,
    ) {
        let took_ms = crate::domain::time::ms(took);
        self.log.emit(EventKind::Part(Box::new(Part { part: part.to_owned(), state, text, lines, took_ms })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_is_the_server() {
        let run = "20260101-000000-0badcafe";
        for (kind, name, is) in [
            (PROCESS, "server", true),
            (PROCESS, "mock-server", false),
            (CONTAINER, "lifecycle-20260101-000000-0badcafe-server", true),
            (CONTAINER, "lifecycle-20260101-000000-0badcafe-mock-server", false),
            (CONTAINER, "lifecycle-20260102-000000-0badcafe-server", false),
            (FOLDER, "server", false),
        ] {
            assert_eq!(is_server(run, kind, name), is, "{kind} {name}");
        }
    }
}
