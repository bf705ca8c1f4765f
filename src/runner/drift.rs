//! Where the server's contract differs from what was expected: told once a behaviour, and never a red of life.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::behaviour::contract::Origin;
use crate::behaviour::{Behaviour, Contract, Drift};
use crate::clock::today;
use crate::event::{Drifted, EventKind, Log};
use crate::scenario::known::{KnownReds, Standing};
use crate::scenario::remembered::Sighting;

/// What was seen of drift in one run.
#[derive(Debug, Default)]
pub struct Drifts {
    /// A difference turns the run red only without this.
    pub advisory: bool,
    known: KnownReds,
    seen: Mutex<BTreeMap<Drift, BTreeSet<String>>>,
    /// Differences from an edition that nobody promised, and that were told.
    unpromised: Mutex<BTreeSet<Behaviour>>,
}

impl Drifts {
    /// With a profile's word on them, and what is known of earlier runs.
    pub fn new(advisory: bool, known: KnownReds) -> Drifts {
        Drifts { advisory, known, ..Drifts::default() }
    }

    /// A difference; of a scenario's step, or of a probe before any scenario.
    pub fn tell(&self, log: &Log, drift: Drift, place: Option<(&str, &str)>, text: &str) {
        if drift.origin == Origin::Found {
            return self.tell_unpromised(log, &drift, place, text);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let scenarios = seen.entry(drift.clone()).or_default();
        scenarios.extend(place.map(|(scenario, _)| scenario.to_owned()));
        drop(seen);
        let standing = self.standing(&drift);
        let new = matches!(standing, Standing::New | Standing::Back(_));
        log.emit(EventKind::Drifted(Box::new(Drifted {
            drift,
            scenario: place.map(|(scenario, _)| scenario.to_owned()),
            step: place.map(|(_, step)| step.to_owned()),
            text: text.to_owned(),
            advisory: self.advisory,
            new,
            known: match standing {
                Standing::Known(told) => Some(told),
                Standing::New | Standing::Back(_) | Standing::Untold => None,
            },
        })));
    }

    /// A found edition is only the nearest one: what differs from it is told once, and breaks no promise.
    fn tell_unpromised(&self, log: &Log, drift: &Drift, place: Option<(&str, &str)>, text: &str) {
        let mut told = self.unpromised.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(drift.behaviour) {
            let text = format!(
                "{}, the nearest edition, which promises nothing (name one with --edition): {text}",
                drift.line()
            );
            log.emit(EventKind::Warning { scenario: place.map(|(scenario, _)| scenario.to_owned()), text });
        }
    }

    /// Whether a behaviour was already seen to differ.
    pub fn has(&self, behaviour: Behaviour) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.keys().any(|drift| drift.behaviour == behaviour)
    }

    fn standing(&self, drift: &Drift) -> Standing {
        self.known.standing(&drift.identity(), &today())
    }

    /// One line a behaviour, and whether it is known.
    pub fn lines(&self) -> Vec<(String, bool)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = |(drift, scenarios): (&Drift, &BTreeSet<String>)| {
            let line = match scenarios.len() {
                0 => drift.line(),
                1 => format!("{}, in 1 scenario", drift.line()),
                n => format!("{}, in {n} scenarios", drift.line()),
            };
            (line, matches!(self.standing(drift), Standing::Known(_)))
        };
        seen.iter().map(counted).collect()
    }

    /// What is to be remembered of each behaviour that somebody has seen.
    pub fn sightings(&self, contract: &Contract) -> Vec<Sighting> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let told = Behaviour::ALL.iter().filter(|behaviour| contract.told(**behaviour).is_some());
        let kept = told.filter(|behaviour| !seen.keys().any(|drift| drift.behaviour == **behaviour));
        let passed = kept.map(|behaviour| Sighting::Passed { scenario: format!("contract/{behaviour}") });
        let today = today();
        let red = seen.keys().map(|drift| {
            let (scenario, red) = (format!("contract/{}", drift.behaviour), drift.identity());
            match self.known.find(&red, &today) {
                Some(_) => Sighting::Listed { scenario, red },
                None => Sighting::Red { scenario, red, mechanism: "contract".to_owned() },
            }
        });
        passed.chain(red).collect()
    }
}
