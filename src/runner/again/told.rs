//! What the log tells of one scenario instance, as far as a decision may need it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::decision::{Decision, Lack, Now};
use crate::domain::Status;
use crate::domain::answers::Answers;
use crate::event::{
    EnvObservation, EnvVar, Exchange, Observation, RunStarted, StepOutcome, StepStarted, TargetIdentity,
    Verdict, WaitStats,
};
use crate::models::allowlist::external_like;
use crate::platform::record;
use crate::redact;
use crate::runner::plan::typed;
use crate::runner::scope::Locals;
use crate::scenario::model::{Step, Verb};
use crate::scenario::{Scenario, expand_matrix, without_round};

/// More purposes of one attempt are not told apart.
const PURPOSES: usize = 64;
/// More changes of one workspace are not kept.
const CHANGES: usize = 1_024;

/// What was seen of a workspace, when it changed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Number of the event.
    pub seq: u64,
    /// When.
    pub ms: u64,
    /// Its status.
    pub status: Option<Status>,
    /// Its URL.
    pub url: String,
    /// Number of the edge.
    pub edge: u32,
}

/// A workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The platform's id.
    pub id: String,
    /// The platform makes its instances.
    pub managed: bool,
    /// What was seen of it.
    pub seen: Vec<Change>,
    /// The last edge, as environments name it.
    pub edge: String,
    /// Ids of activity rows from before the last edge.
    pub before: BTreeSet<String>,
    /// They could not be read.
    pub unknown: bool,
    /// The newest environment with its instance, and the one of the instance before it.
    pub env: Option<(String, BTreeMap<String, EnvVar>)>,
    /// See `env`.
    pub env_before: Option<BTreeMap<String, EnvVar>>,
}

/// Exchanges of one purpose in one attempt: the last one, and the last one that was answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The last.
    pub last: Exchange,
    /// The last with an answer.
    pub answered: Option<Exchange>,
}

/// One attempt of a step while it is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    /// Its verb.
    pub verb: String,
    /// From 1.
    pub number: u32,
    /// Number of the event that began it.
    pub seq: u64,
    /// When it began.
    pub ms: u64,
    /// By purpose.
    pub asked: BTreeMap<String, Asked>,
    /// An environment of this workspace was read.
    pub env_of: BTreeSet<String>,
}

/// One scenario instance.
pub(super) struct Told {
    name: String,
    scenario: Arc<Scenario>,
    started: BTreeSet<String>,
    attempts: BTreeMap<String, Attempt>,
    /// The run's id.
    pub run: String,
    /// Where its server was.
    pub base_url: String,
    /// How many times faster than ours its clock ran.
    pub time_scale: f64,
    /// What its agents answered.
    pub answers: Option<Answers>,
    /// Inputs.
    pub inputs: BTreeMap<String, Value>,
    /// Values of the matrix.
    pub matrix: IndexMap<String, String>,
    /// By alias.
    pub workspaces: BTreeMap<String, Known>,
    /// By name.
    pub captures: BTreeMap<String, Value>,
}

impl Told {
    /// An instance that begins.
    pub(super) fn new(
        name: &str,
        scenario: Arc<Scenario>,
        identity: &RunStarted,
        target: &TargetIdentity,
    ) -> Self {
        let own = identity.inputs.iter().filter(|i| i.scenario == without_round(name) || i.scenario == name);
        let kind = |input: &str| scenario.inputs.get(input).map(|i| i.kind).unwrap_or_default();
        let inputs = own.map(|i| (i.name.clone(), typed(kind(&i.name), &i.value))).collect();
        let instance = expand_matrix(&scenario).into_iter().find(|i| i.name == without_round(name));
        Told {
            name: name.to_owned(),
            matrix: instance.map(|i| i.bindings).unwrap_or_default(),
            scenario,
            started: BTreeSet::new(),
            attempts: BTreeMap::new(),
            run: identity.run.clone(),
            base_url: target.base_url.clone(),
            time_scale: target.time_scale,
            answers: target.answers,
            inputs,
            workspaces: BTreeMap::new(),
            captures: BTreeMap::new(),
        }
    }

    /// Today's step of an id, and the items of the `foreach`es around it.
    pub(super) fn step(&self, id: &str) -> Option<(Step, Locals)> {
        let (plain, tag) = id.find('[').map_or((id, ""), |at| id.split_at(at));
        let mut items = tag.strip_prefix('[').and_then(|t| t.strip_suffix(']')).map(|t| t.split("]["));
        let mut locals = Locals::new();
        let mut steps: &[Step] = &self.scenario.steps;
        if plain.starts_with("finally") {
            steps = &self.scenario.finally;
        }
        loop {
            let below = |step: &&Step| {
                step.id == plain || plain.strip_prefix(&*step.id).is_some_and(|rest| rest.starts_with('.'))
            };
            let step = steps.iter().find(below)?;
            if step.id == plain {
                return Some((step.clone(), locals));
            }
            if let Verb::Foreach(each) = &step.verb {
                locals.insert(each.alias.clone(), json!(items.as_mut()?.next()?));
            }
            steps = step.verb.steps();
        }
    }

    /// A step begins.
    pub(super) fn begin(&mut self, started: StepStarted, seq: u64, ms: u64) {
        self.started.insert(started.step.clone());
        let attempt = Attempt { verb: started.verb, number: started.attempt, seq, ms, ..Attempt::default() };
        self.attempts.insert(started.step, attempt);
    }

    /// A request of a step that is under way; what is filed after its end decided nothing.
    pub(super) fn exchange(&mut self, exchange: Exchange) {
        let Some(attempt) = self.attempts.get(&exchange.step) else { return };
        match exchange.purpose.as_str() {
            "create" if attempt.verb == "create" => self.made(&exchange),
            "activity before the edge" => self.read_before(&exchange),
            _ => {}
        }
        let Some(attempt) = self.attempts.get_mut(&exchange.step) else { return };
        let before = attempt.asked.remove(&exchange.purpose);
        if before.is_none() && attempt.asked.len() >= PURPOSES {
            return;
        }
        let answered = exchange.status.is_some().then(|| exchange.clone());
        let answered = answered.or(before.and_then(|asked| asked.answered));
        attempt.asked.insert(exchange.purpose.clone(), Asked { last: exchange, answered });
    }

    fn made(&mut self, exchange: &Exchange) {
        let Some((Step { verb: Verb::Create(create), .. }, _)) = self.step(&exchange.step) else { return };
        let body = |body: &Option<crate::event::Body>| body.as_ref().and_then(|b| b.json.clone());
        let runtime = body(&exchange.request).map(|b| record::text(&b, "runtime").to_owned());
        let known = self.workspaces.entry(create.alias.clone()).or_default();
        known.managed = !create.external && !external_like(&runtime.unwrap_or_default());
        "create".clone_into(&mut known.edge);
        if let Some(id) = body(&exchange.response).map(|b| record::text(&b, "id").to_owned())
            && !id.is_empty()
        {
            known.id = id;
        }
    }

    /// Rows of the activity log before an edge.
    fn read_before(&mut self, exchange: &Exchange) {
        let of = |known: &&mut Known| !known.id.is_empty() && exchange.url.contains(&known.id);
        let Some(known) = self.workspaces.values_mut().find(of) else { return };
        let rows = exchange.response.as_ref().filter(|_| exchange.status == Some(200));
        let rows = rows.and_then(|b| b.json.as_ref()?.as_array());
        known.unknown = rows.is_none();
        if let Some(rows) = rows {
            known.before = rows.iter().map(|row| record::text(row, "id").to_owned()).collect();
        }
    }

    /// A workspace changed.
    pub(super) fn observed(&mut self, seen: Observation, seq: u64, ms: u64) {
        let known = self.workspaces.entry(seen.workspace).or_default();
        known.id = seen.id;
        if known.seen.len() >= CHANGES {
            known.seen.remove(0);
        }
        known.seen.push(Change { seq, ms, status: seen.status, url: seen.url, edge: seen.edge });
    }

    /// The environment of an instance.
    pub(super) fn environment(&mut self, seen: EnvObservation) {
        for attempt in self.attempts.values_mut() {
            attempt.env_of.insert(seen.workspace.clone());
        }
        let known = self.workspaces.entry(seen.workspace).or_default();
        known.id = seen.id;
        known.edge = seen.edge;
        let vars = seen.vars.into_iter().map(|v| (v.name.clone(), v)).collect();
        match known.env.replace((seen.instance.clone(), vars)) {
            Some((instance, vars)) if instance != seen.instance => known.env_before = Some(vars),
            _ => {}
        }
    }

    /// A step ended: what is known of its last attempt.
    pub(super) fn take(&mut self, step: &str) -> Option<Attempt> {
        self.attempts.remove(step)
    }

    /// Instance name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Steps of today that a scenario which passed never came to.
    pub(super) fn never_begun(self, verdict: Verdict) -> Vec<Decision> {
        if !matches!(verdict, Verdict::Passed | Verdict::Flaky) {
            return Vec::new();
        }
        let steps = self.scenario.steps.iter().filter(|step| !self.started.contains(&step.id));
        steps
            .map(|step| Decision {
                scenario: self.name.clone(),
                step: step.id.clone(),
                attempt: 1,
                verb: step.verb.keyword().to_owned(),
                then: StepOutcome::Skipped,
                said: String::new(),
                now: Now::Diverged("the recorded run had no such step".to_owned()),
            })
            .collect()
    }
}

impl Attempt {
    /// The exchange that decides of a purpose: the last that was answered.
    ///
    /// # Errors
    /// What its absence comes to: nothing was recorded, nothing was sent, or no answer came.
    pub(super) fn answered(&self, purpose: &str, outcome: StepOutcome) -> Result<&Exchange, Now> {
        self.asked(purpose, outcome)?.answered.as_ref().ok_or_else(|| self.silent(purpose))
    }

    /// What was asked for a purpose.
    ///
    /// # Errors
    /// As above.
    pub(super) fn asked(&self, purpose: &str, outcome: StepOutcome) -> Result<&Asked, Now> {
        // A server that is given up is not asked, and a request that outlives its step is filed later.
        let decided = match outcome {
            StepOutcome::Passed => true,
            StepOutcome::Failed => !self.asked.is_empty(),
            _ => false,
        };
        self.asked.get(purpose).ok_or_else(|| match decided {
            true => Now::Diverged(format!("`{purpose}` was never recorded")),
            false => Now::Unjudged(Lack::Unsent(purpose.to_owned())),
        })
    }

    fn silent(&self, purpose: &str) -> Now {
        let why = self.asked.get(purpose).and_then(|asked| asked.last.error.as_deref());
        Now::Fails(format!("{purpose}: {}", why.unwrap_or("no answer")))
    }
}

/// What a wait of a step saw.
pub(super) fn saw(stats: Option<&WaitStats>) -> bool {
    stats.is_some_and(|stats| stats.polls > stats.errors && !stats.blind)
}

/// Whether a text of the log held a secret.
pub(super) fn hides(exchange: Option<&Exchange>) -> bool {
    let body = exchange.and_then(|e| e.response.as_ref());
    body.is_some_and(|body| {
        body.json.as_ref().is_some_and(|json| redact::is_marked(&json.to_string()))
            || body.text.as_deref().is_some_and(redact::is_marked)
    })
}
