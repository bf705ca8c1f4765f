//! What the parts of an agent share.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::config::Config;
use crate::clock::Instant;
use crate::reference::clock::{Clock, wall};
use crate::reference::options::AgentKind;
use crate::reference::outbound::Outbound;

/// Names of faults that an agent shows, in its environment: comma-separated.
pub(crate) const FAULTS_VARIABLE: &str = "LIFECYCLE_AGENT_FAULTS";
/// Where requests to a provider go instead: `https://origin=http://origin`, comma-separated; `*` is any origin.
pub(crate) const OVERRIDE_VARIABLE: &str = "LIFECYCLE_PROVIDER_OVERRIDE";
/// The port that an agent listens on inside a container.
pub(crate) const CONTAINER_PORT: u16 = 8000;
/// How many lines of its log an agent keeps.
const LOG_LINES: usize = 200;

/// An agent's environment, files, clock and log.
pub(super) struct Core {
    pub(super) env: BTreeMap<String, String>,
    pub(super) config: Config,
    pub(super) kind: AgentKind,
    pub(super) clock: Clock,
    pub(super) heartbeat: Duration,
    pub(super) outbound: Outbound,
    pub(super) started: Instant,
    pub(super) busy: AtomicI64,
    /// Messages that were not of the platform's own.
    pub(super) heard: AtomicI64,
    pub(super) log: Mutex<VecDeque<String>>,
    pub(super) tell: Option<fn(&str)>,
}

impl Core {
    /// A variable that is not empty.
    pub(super) fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    pub(super) fn fault(&self, name: &str) -> bool {
        self.var(FAULTS_VARIABLE).is_some_and(|names| names.split(',').any(|n| n == name))
    }

    /// Whether it is a process of its own: what it does to itself, it does to nobody else.
    pub(super) fn is_process(&self) -> bool {
        matches!(self.config, Config::Directory(_))
    }

    pub(super) fn workspace(&self) -> &str {
        self.var("WORKSPACE_ID").unwrap_or_default()
    }

    pub(super) fn uptime(&self) -> u64 {
        self.clock.since(self.started).as_secs()
    }

    pub(super) fn say(&self, line: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        let line = format!("{} {line}", wall());
        if let Some(tell) = self.tell {
            tell(&line);
        }
        log.push_back(line);
    }

    pub(super) fn busy(&self) -> i64 {
        self.busy.load(Ordering::Relaxed)
    }
}
