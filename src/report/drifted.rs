//! Where the server's contract differs, as reports show it: of a class of its own, a line for each behaviour.

use std::collections::BTreeSet;

use super::state::RunState;
use crate::behaviour::Drift;
use crate::event::Drifted;

/// One behaviour that is not as expected, and all that saw it.
pub(super) struct Difference<'s> {
    drift: &'s Drift,
    seen: &'s [Drifted],
}

/// All of a run, in the order of behaviours.
pub(super) fn all(state: &RunState) -> Vec<Difference<'_>> {
    state.drifts.iter().map(|(drift, seen)| Difference { drift, seen }).collect()
}

impl Difference<'_> {
    /// The behaviour.
    pub(super) fn name(&self) -> &'static str {
        self.drift.behaviour.as_str()
    }

    /// What it is remembered by.
    pub(super) fn fingerprint(&self) -> String {
        self.drift.identity().fingerprint
    }

    /// What was seen of it first.
    pub(super) fn text(&self) -> &str {
        self.seen.first().map_or("", |seen| &seen.text)
    }

    /// It turns no run red.
    pub(super) fn is_advisory(&self) -> bool {
        self.seen.iter().all(|seen| seen.advisory)
    }

    /// Since when it is known.
    pub(super) fn known(&self) -> Option<&str> {
        self.seen.iter().find_map(|seen| seen.known.as_deref())
    }

    /// Which behaviour, what was expected, and in how many scenarios it showed.
    pub(super) fn line(&self) -> String {
        let scenarios: BTreeSet<&str> = self.seen.iter().filter_map(|s| s.scenario.as_deref()).collect();
        let line = self.drift.line();
        let mut line = match scenarios.iter().next() {
            None => format!("{line} (by a probe)"),
            Some(first) if scenarios.len() == 1 => format!("{line}, in {first}"),
            Some(first) => format!("{line}, in {} scenarios: {first}, …", scenarios.len()),
        };
        if let Some(known) = self.known() {
            line.push_str(&format!("; known {known}"));
        } else if self.seen.iter().any(|seen| seen.new) {
            line.push_str("; new");
        }
        if self.is_advisory() {
            line.push_str(" (advisory)");
        }
        line
    }
}
