//! What a run and a scenario share with their steps.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::exchanges::StepExchanges;
use super::outcome::Decisive;
use super::tenant::Tenant;
use super::workspace::Workspace;
use crate::clock::Instant;
use crate::domain::{Secret, time};
use crate::event::{Body, Diagnosis, EventKind, Exchange, Log, Observation};
use crate::http::{Payload, Request, Response, Transport, TransportError, keep_json, keep_text};
use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::platform::{Api, Auth, record};
use crate::run::cancel::Cancel;
use crate::run::ledger::Ledger;
use crate::run::mutation::Mutations;
use crate::run::poller::Poller;
use crate::runner::drift::Drifts;
use crate::scenario::known::KnownReds;
use crate::scenario::model::Scenario;
pub use crate::targets::{Answers, TargetFacts};

/// Shared by all scenarios of a run.
pub struct RunContext {
    /// The run's id.
    pub run: String,
    /// Eight hex digits that every name of this run ends with.
    pub tail: String,
    /// Every event goes here.
    pub log: Log,
    /// The server.
    pub api: Api,
    /// The server's one poller.
    pub poller: Poller,
    /// What this run owns.
    pub ledger: Ledger,
    /// Why the run stops early.
    pub cancel: Cancel,
    /// What the target can do.
    pub target: TargetFacts,
    /// The catalogue of models.
    pub catalogue: Arc<Catalogue>,
    /// Runtimes that the server allows.
    pub allowlist: Allowlist,
    /// Environment of this process as far as settings hand it on: provider keys and old names.
    pub env: BTreeMap<String, String>,
    /// Id of the run's own root workspace.
    pub root: Mutex<Option<String>>,
    /// HMAC key of this run; never written.
    pub hmac_key: [u8; 32],
    /// Seed of everything random that scenarios see.
    pub seed: u64,
    /// Where the server's contract differs.
    pub drifts: Drifts,
    /// Reds that somebody knows about.
    pub known: KnownReds,
    /// Global things may be touched.
    pub exclusive: bool,
    /// What every workspace of the server has besides.
    pub tenant: Tenant,
    /// Since when clean-up has not reached the server.
    pub unreachable: Mutex<Option<Instant>>,
    /// A container of this run's workspaces was seen on the engine: it is the server's.
    pub engine_proven: AtomicBool,
    /// Keep what a scenario made.
    pub destroy: Destroy,
}

impl RunContext {
    /// For how long clean-up has not reached the server, this attempt included.
    pub fn unreachable_for(&self, refused: bool) -> Duration {
        let mut since = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        if !refused {
            *since = None;
            return Duration::ZERO;
        }
        since.get_or_insert_with(Instant::now).elapsed()
    }
}

/// When clean-up removes what a scenario made.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Destroy {
    /// In every ending.
    #[default]
    Always,
    /// Only when the scenario passed.
    OnPass,
    /// Never: the ledger keeps it for `sweep`.
    Never,
}

/// One scenario instance while it runs.
#[derive(Clone)]
pub struct ScenarioContext {
    /// The run.
    pub run: Arc<RunContext>,
    /// Instance name.
    pub name: Arc<str>,
    /// The checked file.
    pub scenario: Arc<Scenario>,
    /// Inputs and matrix values.
    pub inputs: Arc<IndexMap<String, Value>>,
    /// Values of the matrix.
    pub matrix: Arc<IndexMap<String, String>>,
    /// End of the body.
    pub deadline: Instant,
    /// Its mutations, tracked.
    pub mutations: Mutations,
    /// What steps made.
    pub state: Arc<Mutex<ScenarioState>>,
    /// Stops background heartbeats.
    pub background: CancellationToken,
    /// Cancels the body's waits; clean-up and evidence have their own.
    pub stop: CancellationToken,
}

/// What the steps of a scenario made so far.
#[derive(Default)]
pub struct ScenarioState {
    /// By alias.
    pub workspaces: IndexMap<String, Workspace>,
    /// By name.
    pub captures: BTreeMap<String, Value>,
    /// Milestones that were reached.
    pub milestones: Vec<String>,
    /// Stops of background heartbeats by alias.
    pub beating: BTreeMap<String, CancellationToken>,
    /// A step passed only at a later attempt.
    pub flaky: Option<String>,
    /// The platform's own time.
    pub platform: Duration,
    /// Random numbers that were drawn.
    pub drawn: Arc<AtomicU64>,
    /// Failures that the scenario went on after, with their causes, the first one first.
    pub survived: Vec<(Decisive, Diagnosis)>,
    /// What the steps under way sent and heard: what a failure is explained by.
    pub exchanges: StepExchanges,
}

/// One step while it runs: what its exchanges are filed under.
#[derive(Clone)]
pub struct StepRun {
    /// The step's id.
    pub id: String,
    /// Its deadline.
    pub deadline: Instant,
    /// Exchanges so far.
    pub exchanges: Arc<AtomicU32>,
    /// A 429 is for the step itself to judge: it is about a rate limit, or must not be asked twice.
    pub expects_429: bool,
    /// The step is about a gateway's error: a 502, 503 or 504 is its answer.
    pub expects_gateway: bool,
}

impl StepRun {
    /// A step that ends at a deadline.
    pub fn new(id: &str, deadline: Instant) -> Self {
        StepRun {
            id: id.to_owned(),
            deadline,
            exchanges: Arc::default(),
            expects_429: false,
            expects_gateway: false,
        }
    }

    /// One look of a step that looks again: a server that hangs is "not yet", as for the poller.
    pub fn look(&self) -> Self {
        StepRun { deadline: self.deadline.min(Instant::now() + ONE_LOOK), ..self.clone() }
    }
}

/// So many changes of a workspace are kept; one that flaps is understood by then.
const TIMELINE: usize = 256;
/// One look may not take longer.
const ONE_LOOK: Duration = Duration::from_secs(5);
/// A mutation may outlive its step by this much to record its answer.
const GRACE: Duration = Duration::from_secs(5);
/// No mutation may take longer.
const MUTATION: Duration = Duration::from_secs(60);

/// Faults of the wire are borne by a read for so long.
const BEAR: Duration = Duration::from_secs(30);
/// The first attempts of a read take no longer.
pub(super) const READ: Duration = Duration::from_secs(4);
/// Later ones may: perhaps the server is slow.
const SLOW_READ: Duration = Duration::from_secs(10);
/// Between two attempts of a read.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What says nothing about the platform: no whole answer, a gateway's own, a redirect, JSON that is none.
fn faulty(step: &StepRun, result: &Result<Response, TransportError>) -> bool {
    match result {
        Ok(answer) if step.expects_gateway => answer.is_garbled(),
        _ => spoilt(result),
    }
}

/// After how long a read that was spoilt, or came too often, is worth another one.
pub(super) fn again(run: &RunContext, result: &Result<Response, TransportError>) -> Option<Duration> {
    match result {
        Ok(answer) if answer.status == 429 => Some(
            run.api.scale.shorten(answer.retry_after().unwrap_or(Duration::from_secs(1))).max(FIRST_PAUSE),
        ),
        _ => spoilt(result).then_some(FIRST_PAUSE),
    }
}

/// No answer of the platform's own: asked again, it may come whole.
fn spoilt(result: &Result<Response, TransportError>) -> bool {
    match result {
        Err(error) => error.kind != Transport::BadRequest,
        Ok(answer) => matches!(answer.status, 300..=399 | 502..=504) || answer.is_garbled(),
    }
}

impl ScenarioContext {
    /// A scenario that begins now; `stop` cancels its waits.
    pub fn new(run: Arc<RunContext>, name: &str, scenario: Arc<Scenario>, stop: CancellationToken) -> Self {
        ScenarioContext {
            name: name.into(),
            deadline: Instant::now() + scenario.budget,
            scenario,
            inputs: Arc::default(),
            matrix: Arc::default(),
            mutations: Mutations::new(),
            state: Arc::default(),
            background: stop.child_token(),
            stop,
            run,
        }
    }

    /// The state, locked for a moment.
    pub fn state(&self) -> std::sync::MutexGuard<'_, ScenarioState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of what is known of a workspace.
    pub fn workspace(&self, alias: &str) -> Option<Workspace> {
        self.state().workspaces.get(alias).cloned()
    }

    /// Changes what is known of a workspace.
    pub fn update<T>(&self, alias: &str, change: impl FnOnce(&mut Workspace) -> T) -> Option<T> {
        self.state().workspaces.get_mut(alias).map(change)
    }

    /// The bearer of a workspace, or the admin's when it has none.
    pub fn own_auth(&self, alias: &str) -> Auth {
        match self.workspace(alias).and_then(|w| w.token) {
            Some(token) => Auth::Bearer(token, format!("workspace {alias}")),
            None => Auth::Admin,
        }
    }

    /// Sends a request that changes something: never dropped half-way, its answer always recorded.
    ///
    /// # Errors
    /// No whole answer came. A cancelled step is [`Transport::TimedOut`] with that text, and the request goes on.
    pub async fn mutate(
        &self,
        step: &StepRun,
        purpose: &str,
        request: Request,
    ) -> Result<Response, TransportError> {
        loop {
            let answer = self.mutate_once(step, purpose, request.clone()).await?;
            if !self.paced(step, &answer).await {
                return Ok(answer);
            }
        }
    }

    /// A 429 is answered before anything is done: obeying its Retry-After and asking again is safe for
    /// every request. Says whether to ask again.
    async fn paced(&self, step: &StepRun, answer: &Response) -> bool {
        if answer.status != 429 {
            return false;
        }
        let wait = self.run.api.scale.shorten(answer.retry_after().unwrap_or(Duration::from_secs(1)));
        let until = Instant::now() + wait.max(Duration::from_millis(20));
        if until >= step.deadline || step.expects_429 {
            return false;
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = crate::clock::sleep_until(until) => true,
        }
    }

    async fn mutate_once(
        &self,
        step: &StepRun,
        purpose: &str,
        request: Request,
    ) -> Result<Response, TransportError> {
        let bound = (step.deadline + GRACE).min(Instant::now() + MUTATION);
        let recorder = Recorder::new(&self.run, Some(&self.name), step, purpose, &request);
        let begun = recorder.exchange.clone();
        let client = self.run.api.client.clone();
        let state = Arc::clone(&self.state);
        let work = self.mutations.run(async move {
            let result = client.send(&request, bound).await;
            let exchange = recorder.record(&result);
            state.lock().unwrap_or_else(PoisonError::into_inner).exchanges.keep(exchange);
            result
        });
        tokio::select! {
            biased;
            done = work => done.unwrap_or_else(|panic| Err(TransportError::new(Transport::BadRequest, panic))),
            () = self.stop.cancelled() => Err(TransportError::new(Transport::TimedOut, "the run was cancelled".into())),
            () = crate::clock::sleep_until(step.deadline) => {
                let error = TransportError::new(Transport::TimedOut, "no whole answer within the step's time".into());
                // Its answer is filed when it comes; the step fails now, and by this.
                let took_ms = self.run.log.ms().saturating_sub(begun.started_ms);
                let error_text = Some(error.text.clone());
                self.state().exchanges.keep(Exchange { error: error_text, took_ms, ..begun });
                Err(error)
            }
        }
    }

    /// Sends a request that may be dropped: a read, or a message.
    ///
    /// # Errors
    /// No whole answer came, or the run was cancelled.
    pub async fn fetch(
        &self,
        step: &StepRun,
        purpose: &str,
        request: Request,
    ) -> Result<Response, TransportError> {
        let began = Instant::now();
        let give_up = step.deadline.min(began + BEAR);
        let mut attempts = 0;
        loop {
            attempts += 1;
            // A read that hangs is asked again, so that one lost answer does not cost the whole step.
            let bound = match request.method == "GET" {
                true => step.deadline.min(Instant::now() + if attempts <= 3 { READ } else { SLOW_READ }),
                false => step.deadline,
            };
            let result = self.fetch_once(step, purpose, &request, bound).await;
            if request.method == "GET" && faulty(step, &result) && !self.stop.is_cancelled() {
                let next = Instant::now() + crate::run::wait::pause(began.elapsed()).max(FIRST_PAUSE);
                if next < give_up {
                    tokio::select! {
                        biased;
                        () = self.stop.cancelled() => {}
                        () = crate::clock::sleep_until(next) => {}
                    }
                    continue;
                }
            }
            let answer = result?;
            if !self.paced(step, &answer).await {
                return Ok(answer);
            }
        }
    }

    async fn fetch_once(
        &self,
        step: &StepRun,
        purpose: &str,
        request: &Request,
        bound: Instant,
    ) -> Result<Response, TransportError> {
        let recorder = Recorder::new(&self.run, Some(&self.name), step, purpose, request);
        let result = tokio::select! {
            biased;
            result = self.run.api.client.send(request, bound) => result,
            () = self.stop.cancelled() => Err(TransportError::new(Transport::TimedOut, "the run was cancelled".into())),
        };
        let exchange = recorder.record(&result);
        self.state().exchanges.keep(exchange);
        result
    }

    /// One row of the admin list; filed without the rows of everybody else.
    ///
    /// # Errors
    /// No whole answer came.
    pub async fn row_of_list(&self, step: &StepRun, id: &str) -> Result<Option<Value>, TransportError> {
        let request = self.run.api.list();
        let recorder = Recorder::new(&self.run, Some(&self.name), step, "read the list", &request);
        let sent = tokio::select! {
            biased;
            result = self.run.api.client.send(&request, step.deadline.min(Instant::now() + READ)) => result,
            () = self.stop.cancelled() => Err(TransportError::new(Transport::TimedOut, "the run was cancelled".into())),
        };
        let filed = sent.map(|mut answer| {
            let (row, is_list) = match answer.json.take() {
                Some(Value::Array(rows)) => {
                    (rows.into_iter().find(|row| record::text(row, "id") == id), true)
                }
                other => (other, false),
            };
            answer.json = Some(row.clone().unwrap_or(Value::Null));
            (answer, row.filter(|_| is_list))
        });
        let exchange =
            recorder.record(&filed.as_ref().map(|(answer, _)| answer.clone()).map_err(Clone::clone));
        self.state().exchanges.keep(exchange);
        filed.map(|(_, row)| row)
    }

    /// Files what a record shows of a workspace, when it changed.
    pub fn observe(&self, alias: &str, row: &Value, via: &str) {
        let Some(status) = record::status(row) else { return };
        let url = record::text(row, "url").to_owned();
        let observation = {
            let mut state = self.state();
            let Some(workspace) = state.workspaces.get_mut(alias) else { return };
            if workspace.seen.as_ref().is_some_and(|(s, u)| *s == status && *u == url) {
                return;
            }
            workspace.seen = Some((status.clone(), url.clone()));
            if workspace.timeline.len() < TIMELINE {
                workspace.timeline.push((status.clone(), workspace.edge));
            }
            Observation {
                scenario: self.name.to_string(),
                workspace: alias.to_owned(),
                id: workspace.id.clone(),
                status: Some(status.clone()),
                url,
                uptime_seconds: record::uptime(row),
                via: via.to_owned(),
                edge: workspace.edge,
            }
        };
        let settled = matches!(status, crate::domain::Status::Provisioning);
        self.run.ledger.settle(&observation.id, !settled);
        self.run.log.emit(EventKind::Observed(observation));
    }

    /// Registers a credential with the redactor and wraps it.
    pub fn secret(&self, name: &str, value: &str) -> Secret {
        self.run.log.redactor().register(name, value);
        Secret::new(value)
    }
}

/// Sends for the run itself, outside of any scenario; filed under a step's name.
///
/// # Errors
/// No whole answer came: the chain of causes.
pub async fn send_filed(
    run: &RunContext,
    step: &str,
    purpose: &str,
    request: &Request,
    deadline: Instant,
) -> Result<Response, TransportError> {
    let step = StepRun::new(step, (Instant::now() + Duration::from_secs(10)).min(deadline));
    let recorder = Recorder::new(run, None, &step, purpose, request);
    let result = run.api.client.send(request, step.deadline).await;
    recorder.record(&result);
    result
}

/// Files one exchange under its step.
pub struct Recorder {
    log: Log,
    exchange: Exchange,
}

impl Recorder {
    /// Begins an exchange now.
    pub fn new(
        run: &RunContext,
        scenario: Option<&str>,
        step: &StepRun,
        purpose: &str,
        request: &Request,
    ) -> Self {
        let redactor = run.log.redactor();
        let body = match &request.body {
            Payload::None => None,
            Payload::Json(value) => Some(keep_json(redactor, value, value.to_string().len())),
            Payload::Text(text) => Some(keep_text(redactor, text)),
            Payload::File { name, bytes, .. } => {
                Some(Body { json: None, text: Some(format!("file {name}")), bytes: bytes.len() as u64 })
            }
        };
        Recorder {
            log: run.log.clone(),
            exchange: Exchange {
                scenario: scenario.map(str::to_owned),
                step: step.id.clone(),
                attempt: step.exchanges.fetch_add(1, Ordering::Relaxed) + 1,
                purpose: purpose.to_owned(),
                method: request.method.clone(),
                url: request.url.clone(),
                request: body,
                identity: request.identity.clone(),
                started_ms: run.log.ms(),
                ..Exchange::default()
            },
        }
    }

    /// Ends it; what was filed comes back.
    pub fn record(mut self, result: &Result<Response, TransportError>) -> Exchange {
        const KEPT: [&str; 9] = [
            "content-type",
            "retry-after",
            "location",
            "server",
            "www-authenticate",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-request-id",
            "x-lifecycle-time-scale",
        ];
        self.exchange.took_ms = self.log.ms().saturating_sub(self.exchange.started_ms);
        match result {
            Ok(answer) => {
                self.exchange.status = Some(answer.status);
                self.exchange.headers = answer
                    .headers
                    .iter()
                    .filter(|(name, _)| KEPT.contains(&name.as_str()))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                let redactor = self.log.redactor();
                self.exchange.response = match &answer.json {
                    Some(json) => Some(keep_json(redactor, json, answer.body.len())),
                    None if answer.body.is_empty() => None,
                    None => Some(keep_text(redactor, &answer.text())),
                };
            }
            Err(error) => self.exchange.error = Some(error.text.clone()),
        }
        self.log.emit(EventKind::Exchange(Box::new(self.exchange.clone())));
        self.exchange
    }
}

/// For people: `3.2 s`.
pub fn shown(since: Instant) -> String {
    time::show(since.elapsed())
}
