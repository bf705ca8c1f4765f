//! Decisions of a run taken again: each assertion of today's scenarios judged by what the log holds of the recorded one,
//! matched by step and attempt. What the log does not hold is said, never guessed.

mod decision;
mod judge;
mod scope;
mod told;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::event::{EventKind, LogError, LogReader, RunStarted, TargetIdentity};
use crate::scenario::{Scenario, scenario_of};
pub use decision::{Decision, Now};
use told::Told;

/// Takes every decision of a run again.
///
/// # Errors
/// Its log cannot be read.
pub fn decide(run: &Path, scenarios: &[Arc<Scenario>]) -> Result<Vec<Decision>, LogError> {
    let mut decisions = Vec::new();
    let mut identity = RunStarted::default();
    let mut target = TargetIdentity::default();
    let mut open: BTreeMap<String, Told> = BTreeMap::new();
    let mut log = LogReader::open(run)?;
    while let Some(event) = log.next()? {
        let (seq, ms) = (event.seq, event.ms);
        match event.event {
            EventKind::RunStarted(started) => {
                target = started.target.clone().unwrap_or_default();
                identity = *started;
            }
            EventKind::TargetFound(found) => target = *found,
            EventKind::ScenarioStarted { scenario } => {
                let name = scenario_of(&scenario);
                if let Some(today) = scenarios.iter().find(|s| s.name == name) {
                    let told = Told::new(&scenario, Arc::clone(today), &identity, &target);
                    open.insert(scenario, told);
                }
            }
            EventKind::StepStarted(started) => {
                if let Some(told) = open.get_mut(&started.scenario) {
                    told.begin(started, seq, ms);
                }
            }
            EventKind::Exchange(exchange) => {
                if let Some(told) = exchange.scenario.as_ref().and_then(|name| open.get_mut(name)) {
                    told.exchange(*exchange);
                }
            }
            EventKind::Observed(seen) => {
                if let Some(told) = open.get_mut(&seen.scenario) {
                    told.observed(seen, seq, ms);
                }
            }
            EventKind::EnvObserved(seen) => {
                if let Some(told) = open.get_mut(&seen.scenario) {
                    told.environment(seen);
                }
            }
            EventKind::Captured { scenario, name, value, .. } => {
                if let Some(told) = open.get_mut(&scenario) {
                    told.captures.insert(name, value);
                }
            }
            EventKind::StepFinished(ended) => {
                if let Some(told) = open.get_mut(&ended.scenario) {
                    decisions.extend(judge::end(told, &ended, ms));
                }
            }
            EventKind::ScenarioFinished(ended) => {
                if let Some(told) = open.remove(&ended.scenario) {
                    decisions.extend(told.never_begun(ended.verdict));
                }
            }
            _ => {}
        }
    }
    Ok(decisions)
}
