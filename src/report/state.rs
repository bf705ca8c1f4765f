//! What reports need to know of a run: one fold over its events, in bounded memory.
//!
//! Live reporters and readers of a finished log build the same state, so their files are the same.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use super::scenario_state::ScenarioState;
use super::timeline::Seen;
use crate::behaviour::Drift;
use crate::event::{
    CancelReason, Drifted, Event, EventKind, Fixed, Left, LogError, LogReader, Part, RunFinished, RunStarted,
    Verdict,
};

/// Whole evidence that is kept of one gatherer, in bytes of JSON.
const PART_BYTES: usize = 256 << 10;
/// Whole evidence that is kept of a run; what is beyond stays in the log.
const RUN_BYTES: usize = 32 << 20;
/// Warnings that are kept.
const MAX_WARNINGS: usize = 500;

/// A run as far as its events tell.
#[derive(Clone, Debug, Default)]
pub struct RunState {
    /// Who ran what against what.
    pub identity: RunStarted,
    /// What a profile brought up and down, in the order of time.
    pub parts: Vec<Part>,
    /// Wall clock of the first event, RFC 3339.
    pub started_at: String,
    /// Scenario instances in the order of the plan.
    pub scenarios: IndexMap<String, ScenarioState>,
    /// Things a person should know: the scenario, if one, and the line.
    pub warnings: Vec<(Option<String>, String)>,
    /// Warnings beyond what is kept.
    pub more_warnings: u64,
    /// Reds of earlier runs that are mended.
    pub fixed: Vec<Fixed>,
    /// Where the server's contract differs: the scenarios that saw it, by difference.
    pub drifts: BTreeMap<Drift, Vec<Drifted>>,
    /// What was made and what became of it.
    pub resources: Resources,
    /// Clean-up, once it began.
    pub cleanup: Option<Cleanup>,
    /// The worst reason why the run was cancelled.
    pub cancelled: Option<CancelReason>,
    /// Requests.
    pub exchanges: u64,
    /// Requests that no answer came to.
    pub transport_errors: u64,
    /// The end.
    pub finished: Option<RunFinished>,
    /// When the last event was written, in milliseconds since the start.
    pub last_ms: u64,
    /// What its reader found odd about the log: torn, without an end, of a newer version.
    pub remarks: Vec<String>,
    evidence_bytes: usize,
}

/// Resources of a run.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Those that were made and are not yet gone: key, then kind, name and id.
    pub owned: IndexMap<String, Resource>,
    /// How many were made.
    pub made: u64,
    /// How many are verified to be gone.
    pub released: u64,
    /// What the platform left and the harness removed, in words.
    pub left_by_platform: Vec<String>,
    /// What could not be removed.
    pub left: Vec<Left>,
}

/// A resource that is asked for or there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// `workspace`, …
    pub kind: String,
    /// Its unique name.
    pub name: String,
    /// Its id; `None` while it is only asked for.
    pub id: Option<String>,
}

/// Clean-up of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// When it began.
    pub started_ms: u64,
    /// Resources that were still owned then.
    pub resources: usize,
    /// How long it took, once it ended.
    pub took_ms: Option<u64>,
    /// Removed by the harness.
    pub removed: usize,
}

/// How many scenarios ended how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All scenario instances.
    pub scenarios: usize,
    /// By verdict, in the order of [`Verdict::ALL`].
    pub by_verdict: [usize; Verdict::ALL.len()],
    /// Of these, reds that are advisory.
    pub advisory: [usize; Verdict::ALL.len()],
    /// Without a verdict: the log ends before.
    pub unfinished: usize,
}

impl Totals {
    /// How many ended so.
    pub fn of(&self, verdict: Verdict) -> usize {
        Verdict::ALL.iter().position(|v| *v == verdict).map_or(0, |i| self.by_verdict[i])
    }

    /// Verdicts that occur, with their numbers.
    pub fn counted(&self) -> impl Iterator<Item = (Verdict, usize)> + '_ {
        Verdict::ALL.into_iter().zip(self.by_verdict).filter(|(_, n)| *n > 0)
    }

    /// Reds that are advisory.
    pub fn advisory_reds(&self) -> usize {
        self.advisory.iter().sum()
    }

    /// `8 passed, 1 failed as expected, 2 failed, 1 failed (advisory)`.
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        for (i, verdict) in Verdict::ALL.into_iter().enumerate() {
            let required = self.by_verdict[i] - self.advisory[i];
            if required > 0 {
                parts.push(format!("{required} {verdict}"));
            }
            if self.advisory[i] > 0 {
                parts.push(format!("{} {verdict} (advisory)", self.advisory[i]));
            }
        }
        if self.unfinished > 0 {
            parts.push(format!("{} without an end", self.unfinished));
        }
        if parts.is_empty() { "nothing ran".to_owned() } else { parts.join(", ") }
    }
}

impl RunState {
    /// Takes one event in.
    pub fn apply(&mut self, event: &Event) {
        if self.started_at.is_empty() {
            self.started_at.clone_from(&event.at);
        }
        let ms = event.ms;
        self.last_ms = self.last_ms.max(ms);
        match &event.event {
            EventKind::RunStarted(started) => self.identity = started.as_ref().clone(),
            EventKind::TargetFound(found) => self.identity.target = Some(found.as_ref().clone()),
            EventKind::Part(part) => self.parts.push(part.as_ref().clone()),
            EventKind::Planned(planned) => {
                for plan in &planned.scenarios {
                    let state = ScenarioState::planned(plan.clone());
                    self.scenarios.insert(plan.scenario.clone(), state);
                }
            }
            EventKind::ScenarioStarted { scenario } => {
                self.scenario(scenario).started_ms = Some(ms);
            }
            EventKind::StepStarted(step) => self.scenario(&step.scenario).step_started(step, ms),
            EventKind::StepWaiting(wait) => self.scenario(&wait.scenario).step_waiting(wait, ms),
            EventKind::StepFinished(step) => self.scenario(&step.scenario).step_finished(step, ms),
            EventKind::Exchange(exchange) => {
                self.exchanges += 1;
                self.transport_errors += u64::from(exchange.error.is_some());
                if let Some(scenario) = &exchange.scenario {
                    self.scenario(scenario).exchanged(exchange);
                }
            }
            EventKind::Observed(seen) => self.scenario(&seen.scenario).observed(seen, ms),
            EventKind::Evidence(evidence) => {
                let left = RUN_BYTES.saturating_sub(self.evidence_bytes);
                let used = self.scenario(&evidence.scenario).evidence(evidence, PART_BYTES, left);
                self.evidence_bytes += used;
            }
            EventKind::Diagnosed(diagnosis) => {
                self.scenario(&diagnosis.scenario).diagnosis = Some(diagnosis.as_ref().clone());
            }
            EventKind::ScenarioFinished(finished) => {
                self.scenario(&finished.scenario).finished(finished, ms);
            }
            EventKind::Warning { scenario, text } => {
                if self.warnings.len() < MAX_WARNINGS {
                    self.warnings.push((scenario.clone(), text.clone()));
                } else {
                    self.more_warnings += 1;
                }
            }
            EventKind::CleanupStarted { resources } => {
                self.cleanup = Some(Cleanup { started_ms: ms, resources: *resources, ..Cleanup::default() });
            }
            EventKind::CleanupFinished { removed, took_ms, .. } => {
                let cleanup = self.cleanup.get_or_insert_default();
                cleanup.took_ms = Some(*took_ms);
                cleanup.removed = *removed;
            }
            EventKind::CancelBegan { reason } => self.cancelled = self.cancelled.max(Some(*reason)),
            EventKind::Fixed(fixed) => self.fixed.push(fixed.clone()),
            EventKind::Drifted(drifted) => {
                self.drifts.entry(drifted.drift.clone()).or_default().push((**drifted).clone());
            }
            EventKind::RunFinished(finished) => self.finished = Some(finished.clone()),
            EventKind::Intent(_)
            | EventKind::Owned(_)
            | EventKind::Disturbed(_)
            | EventKind::Released(_)
            | EventKind::Left(_) => {
                self.resources.apply(&event.event);
            }
            EventKind::EnvObserved(seen) => self.scenario(&seen.scenario).edge.clone_from(&seen.edge),
            EventKind::Failed(_) | EventKind::Captured { .. } | EventKind::DumpRequested => {}
        }
    }

    /// How many scenarios ended how.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for scenario in self.scenarios.values().filter(|s| !s.is_retry()) {
            totals.scenarios += 1;
            match scenario.verdict() {
                Some(verdict) => {
                    if let Some(i) = Verdict::ALL.iter().position(|v| *v == verdict) {
                        totals.by_verdict[i] += 1;
                        totals.advisory[i] += usize::from(verdict.is_red() && scenario.is_advisory());
                    }
                }
                None => totals.unfinished += 1,
            }
        }
        totals
    }

    /// Scenarios that run now, those that began first first.
    pub fn running(&self) -> Vec<&ScenarioState> {
        let mut running: Vec<&ScenarioState> =
            self.scenarios.values().filter(|s| s.started_ms.is_some() && s.finish.is_none()).collect();
        running.sort_by_key(|s| s.started_ms);
        running
    }

    /// All scenarios, those first that a person must look at.
    pub fn by_importance(&self) -> Vec<&ScenarioState> {
        let mut scenarios: Vec<&ScenarioState> = self.scenarios.values().collect();
        scenarios.sort_by_key(|s| match s.verdict() {
            Some(v) if v.is_red() => u8::from(s.is_advisory()),
            None => 2,
            Some(Verdict::Passed) => 4,
            Some(Verdict::Skipped) => 5,
            Some(_) => 3,
        });
        scenarios
    }

    /// Scenarios that a person must look at: red, advisory or not, or expected to be.
    pub fn reds(&self) -> impl Iterator<Item = &ScenarioState> {
        self.scenarios.values().filter(|s| s.verdict().is_some_and(Verdict::is_red) && !s.is_retry())
    }

    /// Skipped scenarios by reason, in the order of the plan.
    pub fn skips(&self) -> IndexMap<&str, Vec<&str>> {
        let mut skips: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for scenario in self.scenarios.values().filter(|s| s.verdict() == Some(Verdict::Skipped)) {
            skips.entry(scenario.reason()).or_default().push(scenario.name());
        }
        skips
    }

    /// What is left, in words: as the end says, or, without an end, what was still owned.
    pub fn left(&self) -> Vec<String> {
        match &self.finished {
            Some(finished) => finished.left.clone(),
            None => {
                let left = self.resources.left.iter().map(|left| {
                    format!("{} {} ({}): {}", left.kind, left.name, id_or_unknown(&left.id), left.reason)
                });
                let owned = self
                    .resources
                    .owned
                    .iter()
                    .filter(|(key, _)| !self.resources.left.iter().any(|left| left.resource == **key));
                let owned = owned.map(|(_, r)| {
                    format!(
                        "{} {} ({}): not released when the log ended",
                        r.kind,
                        r.name,
                        id_or_unknown(&r.id)
                    )
                });
                left.chain(owned).collect()
            }
        }
    }

    /// The text of a line of a scenario or fragment file that took part.
    pub fn source_line(&self, file: &str, line: usize) -> Option<&str> {
        let identity = &self.identity;
        let mut sources = identity.scenarios.iter().chain(&identity.fragments);
        let source = sources.find(|source| source.file.name == file)?;
        source.text.lines().nth(line.checked_sub(1)?)
    }

    /// The wall clock at a moment of the run, RFC 3339.
    pub fn clock_at(&self, ms: u64) -> String {
        let started: Option<jiff::Timestamp> = self.started_at.parse().ok();
        let after = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        started.and_then(|at| at.checked_add(after).ok()).map(|at| at.to_string()).unwrap_or_default()
    }

    /// Wall time of the run so far.
    pub fn took_ms(&self) -> u64 {
        self.finished.as_ref().map_or(self.last_ms, |finished| finished.took_ms)
    }

    fn scenario(&mut self, name: &str) -> &mut ScenarioState {
        if !self.scenarios.contains_key(name) {
            self.scenarios.insert(name.to_owned(), ScenarioState::unplanned(name));
        }
        &mut self.scenarios[name]
    }
}

fn id_or_unknown(id: &Option<String>) -> &str {
    id.as_deref().unwrap_or("no id known")
}

impl Resources {
    fn apply(&mut self, event: &EventKind) {
        match event {
            EventKind::Intent(intent) => {
                let resource = Resource { kind: intent.kind.clone(), name: intent.name.clone(), id: None };
                self.owned.insert(intent.resource.clone(), resource);
            }
            EventKind::Owned(owned) => {
                self.made += 1;
                let resource = self.owned.entry(owned.resource.clone()).or_default();
                resource.id = Some(owned.id.clone());
                resource.name.clone_from(&owned.name);
            }
            EventKind::Released(released) => {
                self.released += 1;
                // What could not be removed may go with what it was in.
                self.left.retain(|left| left.resource != released.resource);
                let resource = self.owned.shift_remove(&released.resource).unwrap_or_default();
                if let Some(why) = &released.left_by_platform {
                    self.left_by_platform.push(format!("{} {}: {why}", resource.kind, resource.name));
                }
            }
            EventKind::Left(left) => self.left.push(left.clone()),
            _ => {}
        }
    }
}

/// Reads a log, or a run's folder, into a state; bodies of exchanges are not read.
///
/// # Errors
/// As `LogReader::open` and `LogReader::next`.
pub fn fold(path: &Path) -> Result<RunState, LogError> {
    let mut reader = LogReader::open(path)?.without_bodies();
    let mut state = RunState::default();
    while let Some(event) = reader.next()? {
        state.apply(&event);
    }
    state.remarks = reader.summary.remarks();
    Ok(state)
}

impl RunState {
    /// What a scenario's workspaces were seen in until a moment, or until the last event.
    pub fn timelines(&self, scenario: &ScenarioState, until_ms: Option<u64>) -> Vec<(String, Vec<Seen>)> {
        let end = until_ms.or(scenario.finished_ms).unwrap_or(self.last_ms);
        scenario
            .workspaces
            .iter()
            .map(|(name, timeline)| (name.clone(), timeline.seen(end)))
            .filter(|(_, seen)| !seen.is_empty())
            .collect()
    }
}
