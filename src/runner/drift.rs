//! Where the server's contract differs from what was expected: told once a behaviour, and never a red of life.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::behaviour::{Behaviour, Drift};
use crate::event::{Drifted, EventKind, Log};

/// What was seen of drift in one run.
#[derive(Debug, Default)]
pub struct Drifts {
    /// A difference turns the run red only without this.
    pub advisory: bool,
    seen: Mutex<BTreeMap<Drift, BTreeSet<String>>>,
}

impl Drifts {
    /// With a profile's word on them.
    pub fn new(advisory: bool) -> Drifts {
        Drifts { advisory, seen: Mutex::default() }
    }

    /// A difference; of a scenario's step, or of a probe before any scenario.
    pub fn tell(&self, log: &Log, drift: Drift, place: Option<(&str, &str)>, text: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let scenarios = seen.entry(drift.clone()).or_default();
        scenarios.extend(place.map(|(scenario, _)| scenario.to_owned()));
        drop(seen);
        log.emit(EventKind::Drifted(Box::new(Drifted {
            drift,
            scenario: place.map(|(scenario, _)| scenario.to_owned()),
            step: place.map(|(_, step)| step.to_owned()),
            text: text.to_owned(),
        })));
    }

    /// Whether a behaviour was already seen to differ.
    pub fn has(&self, behaviour: Behaviour) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.keys().any(|drift| drift.behaviour == behaviour)
    }

    /// One line a behaviour.
    pub fn lines(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = |(drift, scenarios): (&Drift, &BTreeSet<String>)| match scenarios.len() {
            0 => drift.line(),
            1 => format!("{}, in 1 scenario", drift.line()),
            n => format!("{}, in {n} scenarios", drift.line()),
        };
        seen.iter().map(counted).collect()
    }
}
