//! One scenario instance as far as the events tell.

use std::collections::VecDeque;

use indexmap::IndexMap;

use super::timeline::{Moment, Timeline};
use crate::event::{
    Diagnosis, Evidence, Exchange, Observation, PlannedScenario, ScenarioFinished, StepFinished, StepOutcome,
    StepStarted, StepWaiting, Verdict, WaitStats,
};

/// Exchanges that are kept of a scenario, the last ones; dropped when it passes.
const MAX_EXCHANGES: usize = 12;
/// Short lines that are kept of one gatherer.
const MAX_LINES: usize = 200;

/// A scenario instance.
#[derive(Clone, Debug, Default)]
pub struct ScenarioState {
    /// As planned.
    pub plan: PlannedScenario,
    /// When its body began.
    pub started_ms: Option<u64>,
    /// When it ended.
    pub finished_ms: Option<u64>,
    /// Its steps, those of the plan first.
    pub steps: IndexMap<String, StepState>,
    /// Its workspaces by their names in the scenario.
    pub workspaces: IndexMap<String, Timeline>,
    /// The last exchanges of a scenario that did not pass.
    pub exchanges: VecDeque<ExchangeNote>,
    /// How many exchanges it had.
    pub exchange_count: u64,
    /// What was gathered about its failures, in order.
    pub evidence: Vec<KeptEvidence>,
    /// Why it failed.
    pub diagnosis: Option<Diagnosis>,
    /// The edge after which its environment was looked at last: `create`, `restart`.
    pub edge: String,
    /// How it ended.
    pub finish: Option<ScenarioFinished>,
}

/// A step.
#[derive(Clone, Debug, Default)]
pub struct StepState {
    /// `3`, `4.parallel.2`.
    pub step: String,
    /// For people.
    pub name: String,
    /// The keyword.
    pub verb: String,
    /// Line in the file; 0 when it is not known.
    pub line: usize,
    /// That file, when it is not the scenario's: a fragment.
    pub file: Option<String>,
    /// Its name with the values that it looks up; empty: there are none.
    pub shown: String,
    /// When its last attempt began.
    pub started_ms: Option<u64>,
    /// When it ended.
    pub finished_ms: Option<u64>,
    /// How many times it was tried.
    pub attempts: u32,
    /// How long it may take.
    pub budget_ms: u64,
    /// Who said so; empty: the verb's default.
    pub limit: String,
    /// What its wait last saw.
    pub waiting: Option<Waiting>,
    /// How it ended.
    pub result: Option<StepFinished>,
}

impl StepState {
    /// It runs now.
    pub fn is_running(&self) -> bool {
        self.started_ms.is_some() && self.finished_ms.is_none()
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<StepOutcome> {
        self.result.as_ref().map(|r| r.outcome)
    }

    /// What its wait cost.
    pub fn wait_stats(&self) -> Option<&WaitStats> {
        self.result.as_ref()?.wait.as_ref()
    }

    /// `await ws online`: the verb, unless the name says it already.
    pub fn title(&self) -> String {
        self.titled(&self.name)
    }

    /// The same with what `${…}` in it stood for.
    pub fn title_with_values(&self) -> String {
        self.titled(if self.shown.is_empty() { &self.name } else { &self.shown })
    }

    fn titled(&self, name: &str) -> String {
        if name.is_empty() {
            self.verb.clone()
        } else if self.verb.is_empty() || name.starts_with(&self.verb) {
            name.to_owned()
        } else {
            format!("{} {name}", self.verb)
        }
    }
}

/// What a wait last saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// What is waited for.
    pub wants: String,
    /// What was seen last.
    pub last: String,
    /// Since when it is seen.
    pub since_ms: u64,
    /// It takes longer than usual.
    pub slow: bool,
}

/// A request in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeNote {
    /// When it was sent.
    pub started_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Which step.
    pub step: String,
    /// What it was for.
    pub purpose: String,
    /// Upper case.
    pub method: String,
    /// Whose bearer was sent.
    pub identity: String,
    /// Something was sent; what, only the log has: reports are folded without bodies.
    pub has_body: bool,
    /// Whole.
    pub url: String,
    /// The status, when an answer came.
    pub status: Option<u16>,
    /// Why none came.
    pub error: Option<String>,
}

impl ExchangeNote {
    /// Of an exchange.
    pub fn of(exchange: &Exchange) -> Self {
        ExchangeNote {
            started_ms: exchange.started_ms,
            took_ms: exchange.took_ms,
            step: exchange.step.clone(),
            purpose: exchange.purpose.clone(),
            method: exchange.method.clone(),
            identity: exchange.identity.clone(),
            has_body: exchange.method != "GET" && exchange.method != "DELETE",
            url: exchange.url.clone(),
            status: exchange.status,
            error: exchange.error.clone(),
        }
    }

    /// `POST http://…/workspaces → 201 in 12 ms (create)`.
    pub fn line(&self) -> String {
        let answer = match (self.status, &self.error) {
            (Some(status), None) => status.to_string(),
            (Some(status), Some(error)) => format!("{status}, then {error}"),
            (None, error) => error.clone().unwrap_or_else(|| "no answer".to_owned()),
        };
        let purpose = if self.purpose.is_empty() { String::new() } else { format!(" ({})", self.purpose) };
        let took = super::text::brief(self.took_ms);
        format!("{} {} → {answer} in {took}{purpose}", self.method, self.url)
    }
}

/// Evidence as it is kept: short lines, and the whole as JSON within a budget.
#[derive(Clone, Debug, Default)]
pub struct KeptEvidence {
    /// Which step failed.
    pub step: String,
    /// The target workspace's id.
    pub workspace: Option<String>,
    /// Each gatherer's finding.
    pub parts: Vec<KeptPart>,
}

/// One gatherer's finding.
#[derive(Clone, Debug, Default)]
pub struct KeptPart {
    /// `record`, `neighbours`, …
    pub name: String,
    /// For people.
    pub title: String,
    /// Short lines.
    pub lines: Vec<String>,
    /// Short lines beyond what is kept.
    pub more_lines: usize,
    /// The whole as compact JSON; `None` when there is none or it was too long.
    pub data: Option<String>,
    /// Bytes that were left out because they are too many; they are in the log.
    pub left_out: usize,
    /// Why it could not be had.
    pub error: Option<String>,
    /// How long it took.
    pub took_ms: u64,
}

impl ScenarioState {
    pub(super) fn planned(plan: PlannedScenario) -> Self {
        let steps = plan.steps.iter().map(|step| {
            let state = StepState {
                step: step.step.clone(),
                name: step.name.clone(),
                verb: step.verb.clone(),
                line: step.line,
                file: step.file.clone(),
                ..StepState::default()
            };
            (step.step.clone(), state)
        });
        ScenarioState { steps: steps.collect(), plan, ..ScenarioState::default() }
    }

    pub(super) fn unplanned(name: &str) -> Self {
        let plan = PlannedScenario { scenario: name.to_owned(), ..PlannedScenario::default() };
        ScenarioState { plan, ..ScenarioState::default() }
    }

    /// Instance name.
    pub fn name(&self) -> &str {
        &self.plan.scenario
    }

    /// How it ended; a planned skip is one from the start.
    pub fn verdict(&self) -> Option<Verdict> {
        match &self.finish {
            Some(finish) => Some(finish.verdict),
            None if self.plan.skip.is_some() && self.started_ms.is_none() => Some(Verdict::Skipped),
            None => None,
        }
    }

    /// It never turns the run red.
    pub fn is_advisory(&self) -> bool {
        self.finish.as_ref().map_or(self.plan.advisory, |f| f.advisory)
    }

    /// Another attempt after a red one: the scenario counts once, by its first attempt.
    pub fn is_retry(&self) -> bool {
        self.finish.as_ref().is_some_and(|f| f.retry)
    }

    /// Of a red that somebody or an earlier run knows about: the issue and until when, or since when.
    pub fn known(&self) -> Option<&str> {
        self.finish.as_ref()?.known.as_deref()
    }

    /// A red that no earlier run had, when somebody remembers them.
    pub fn is_new(&self) -> bool {
        self.finish.as_ref().is_some_and(|f| f.new)
    }

    /// Of a new red, why it is new.
    pub fn new_because(&self) -> &str {
        let came_back = self.finish.as_ref().and_then(|f| f.came_back.as_deref());
        came_back.unwrap_or("no earlier run had this red")
    }

    /// Why it ended so, in one line.
    pub fn reason(&self) -> &str {
        match &self.finish {
            Some(finish) if !finish.reason.is_empty() => &finish.reason,
            _ => self.plan.skip.as_deref().unwrap_or(""),
        }
    }

    /// Steps that failed and do not count.
    pub fn advisory_steps(&self) -> impl Iterator<Item = &StepState> {
        let is_red = |s: &&StepState| {
            matches!(s.outcome(), Some(StepOutcome::Failed | StepOutcome::Inconclusive | StepOutcome::Error))
        };
        self.steps.values().filter(is_red).filter(|s| s.result.as_ref().is_some_and(|r| r.advisory))
    }

    /// `step 3/4 expect value failed: …` for each step that failed and does not count.
    pub fn advisory_lines(&self) -> Vec<String> {
        self.advisory_steps()
            .map(|s| {
                let result = s.result.as_ref();
                let how = result.map_or("", |r| super::outcome_name(r.outcome));
                let why = result.map_or("", |r| r.message.as_str());
                format!("step {} {} {how}: {why}", self.position(&s.step), s.title())
            })
            .collect()
    }

    /// Red, or red as expected: there is a failure to show.
    pub fn has_failure(&self) -> bool {
        self.verdict().is_some_and(|v| v.is_red() || v == Verdict::ExpectedFailure)
    }

    /// The step that decided, or the first that did not pass.
    pub fn decisive_step(&self) -> Option<&StepState> {
        let named = self.finish.as_ref().and_then(|f| f.step.as_ref());
        let named = named.or_else(|| self.evidence.last().map(|e| &e.step));
        named.and_then(|step| self.steps.get(step)).or_else(|| {
            self.steps.values().find(|s| {
                matches!(
                    s.outcome(),
                    Some(StepOutcome::Failed | StepOutcome::Inconclusive | StepOutcome::Error)
                )
            })
        })
    }

    /// What was gathered about the decisive step, or else what was gathered last.
    pub fn decisive_evidence(&self) -> Option<&KeptEvidence> {
        let step = self.decisive_step().map(|s| s.step.as_str());
        self.evidence.iter().rev().find(|e| Some(e.step.as_str()) == step).or_else(|| self.evidence.last())
    }

    /// When its failure was certain; what is seen later belongs to clean-up.
    pub fn failed_ms(&self) -> Option<u64> {
        self.decisive_step().and_then(|s| s.finished_ms).or(self.finished_ms)
    }

    /// `5/7` of a step.
    pub fn position(&self, step: &str) -> String {
        let n = self.steps.get_index_of(step).map_or(0, |i| i + 1);
        format!("{n}/{}", self.steps.len())
    }

    /// The file that a step stands in.
    pub fn file_of<'a>(&'a self, step: &'a StepState) -> &'a str {
        step.file.as_deref().unwrap_or(&self.plan.file)
    }

    /// `scenarios/a.yaml:23`.
    pub fn place(&self, step: Option<&StepState>) -> String {
        match step {
            Some(step) if step.line > 0 => format!("{}:{}", self.file_of(step), step.line),
            _ => self.plan.file.clone(),
        }
    }

    /// Steps that run now, without those that only contain one that runs.
    pub fn running_steps(&self) -> Vec<&StepState> {
        let running: Vec<&StepState> = self.steps.values().filter(|s| s.is_running()).collect();
        let holds = |outer: &StepState| {
            let prefix = format!("{}.", outer.step);
            running.iter().any(|inner| inner.step.starts_with(&prefix))
        };
        running.iter().copied().filter(|step| !holds(step)).collect()
    }

    pub(super) fn step_started(&mut self, started: &StepStarted, ms: u64) {
        let step = self.step(&started.step);
        step.name.clone_from(&started.name);
        step.shown.clone_from(&started.shown);
        step.verb.clone_from(&started.verb);
        step.line = started.line;
        step.budget_ms = started.budget_ms;
        step.limit.clone_from(&started.limit);
        step.attempts = started.attempt.max(1);
        step.started_ms = Some(ms);
        step.finished_ms = None;
        step.result = None;
        step.waiting = None;
    }

    pub(super) fn step_waiting(&mut self, wait: &StepWaiting, ms: u64) {
        let step = self.step(&wait.step);
        let since_ms = match &step.waiting {
            Some(before) if before.last == wait.last => before.since_ms,
            _ => ms,
        };
        step.waiting =
            Some(Waiting { wants: wait.wants.clone(), last: wait.last.clone(), since_ms, slow: wait.slow });
    }

    pub(super) fn step_finished(&mut self, finished: &StepFinished, ms: u64) {
        let step = self.step(&finished.step);
        step.finished_ms = Some(ms);
        if finished.outcome == StepOutcome::Passed {
            step.waiting = None;
        }
        step.result = Some(finished.clone());
    }

    pub(super) fn exchanged(&mut self, exchange: &Exchange) {
        self.exchange_count += 1;
        if self.finish.is_none() && exchange.step != "cleanup" && exchange.step != "evidence" {
            push_bounded(&mut self.exchanges, ExchangeNote::of(exchange), MAX_EXCHANGES);
        }
    }

    pub(super) fn observed(&mut self, seen: &Observation, ms: u64) {
        let timeline = self.workspaces.entry(seen.workspace.clone()).or_default();
        if timeline.id.is_empty() {
            timeline.id.clone_from(&seen.id);
        }
        timeline.add(Moment { ms, status: seen.status.clone(), edge: seen.edge });
    }

    /// Keeps evidence; returns how many bytes of whole findings it kept.
    pub(super) fn evidence(&mut self, evidence: &Evidence, part_max: usize, run_max: usize) -> usize {
        let mut used = 0;
        let parts = evidence.parts.iter().map(|part| {
            let text = if part.data.is_null() { String::new() } else { part.data.to_string() };
            let fits = text.len() <= part_max && used + text.len() <= run_max;
            let kept = fits && !text.is_empty();
            used += if kept { text.len() } else { 0 };
            KeptPart {
                name: part.name.clone(),
                title: part.title.clone(),
                lines: part.lines.iter().take(MAX_LINES).cloned().collect(),
                more_lines: part.lines.len().saturating_sub(MAX_LINES),
                left_out: if fits { 0 } else { text.len() },
                data: kept.then_some(text),
                error: part.error.clone(),
                took_ms: part.took_ms,
            }
        });
        let parts: Vec<KeptPart> = parts.collect();
        self.evidence.push(KeptEvidence {
            step: evidence.step.clone(),
            workspace: evidence.workspace.clone(),
            parts,
        });
        used
    }

    pub(super) fn finished(&mut self, finished: &ScenarioFinished, ms: u64) {
        self.finished_ms = Some(ms);
        self.finish = Some(finished.clone());
        if matches!(finished.verdict, Verdict::Passed | Verdict::Flaky | Verdict::Skipped) {
            self.exchanges = VecDeque::new();
        }
    }

    fn step(&mut self, step: &str) -> &mut StepState {
        let new = || StepState { step: step.to_owned(), ..StepState::default() };
        self.steps.entry(step.to_owned()).or_insert_with(new)
    }
}

/// Keeps the last few of something.
fn push_bounded<T>(ring: &mut VecDeque<T>, item: T, max: usize) {
    if ring.len() == max {
        ring.pop_front();
    }
    ring.push_back(item);
}
