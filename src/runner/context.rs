//! What a run and a scenario share with their steps.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::exchanges::StepExchanges;
use super::outcome::Decisive;
use super::own_answers::OwnAnswers;
use super::tenant::Tenant;
use super::workspace::Workspace;
use crate::clock::Instant;
use crate::domain::Secret;
use crate::event::{Diagnosis, EventKind, Log, Observation};
use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::platform::reach::Reach;
use crate::platform::row::Row;
use crate::platform::whose::Due;
use crate::platform::{Api, Auth};
use crate::run::cancel::Cancel;
use crate::run::ledger::Ledger;
use crate::run::mutation::Mutations;
use crate::run::poller::Poller;
use crate::runner::drift::Drifts;
use crate::scenario::known::KnownReds;
use crate::scenario::model::Scenario;
pub(crate) use crate::targets::{Answers, TargetFacts};

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
    pub drifts: Arc<Drifts>,
    /// Reds that somebody knows about.
    pub known: KnownReds,
    /// Global things may be touched.
    pub exclusive: bool,
    /// What every workspace of the server has besides.
    pub tenant: Tenant,
    /// Whether clean-up still reaches the server.
    pub reach: Reach,
    /// A container of this run's workspaces was seen on the engine: it is the server's.
    pub engine_proven: AtomicBool,
    /// A person was told that answers to known questions prove little here.
    pub unproven_told: AtomicBool,
    /// A message of the run has been answered on its own connection.
    pub messages_answered: AtomicBool,
    /// What the server answers where no agent is asked.
    pub own_answers: OwnAnswers,
    /// Keep what a scenario made.
    pub destroy: Destroy,
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
pub(crate) struct ScenarioContext {
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
pub(crate) struct ScenarioState {
    /// By alias.
    pub workspaces: IndexMap<String, Workspace>,
    /// By name.
    pub captures: BTreeMap<String, Value>,
    /// Milestones that were reached.
    pub milestones: Vec<String>,
    /// Steps that passed by an answer that nobody could judge.
    pub unproven: Vec<String>,
    /// A step passed, other than by being left out.
    pub ran: bool,
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
pub(crate) struct StepRun {
    /// The step's id.
    pub id: String,
    /// Its deadline.
    pub deadline: Instant,
    /// Exchanges so far.
    pub exchanges: Arc<AtomicU32>,
    /// Statuses that the step itself judges, whoever sends them.
    pub asserted: Arc<[u16]>,
    /// What an answer must be.
    pub due: Due,
}

impl StepRun {
    /// A step that ends at a deadline.
    pub(crate) fn new(id: &str, deadline: Instant) -> Self {
        StepRun {
            id: id.to_owned(),
            deadline,
            exchanges: Arc::default(),
            asserted: Arc::default(),
            due: Due::Json,
        }
    }
}

/// So many changes of a workspace are kept; one that flaps is understood by then.
const TIMELINE: usize = 256;

impl ScenarioContext {
    /// A scenario that begins now; `stop` cancels its waits.
    pub(crate) fn new(
        run: Arc<RunContext>,
        name: &str,
        scenario: Arc<Scenario>,
        stop: CancellationToken,
    ) -> Self {
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
    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, ScenarioState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of what is known of a workspace.
    pub(crate) fn workspace(&self, alias: &str) -> Option<Workspace> {
        self.state().workspaces.get(alias).cloned()
    }

    /// Changes what is known of a workspace.
    pub(crate) fn update<T>(&self, alias: &str, change: impl FnOnce(&mut Workspace) -> T) -> Option<T> {
        self.state().workspaces.get_mut(alias).map(change)
    }

    /// The bearer of a workspace, or the admin's when it has none.
    pub(crate) fn own_auth(&self, alias: &str) -> Auth {
        match self.workspace(alias).and_then(|w| w.token) {
            Some(token) => Auth::Bearer(token, format!("workspace {alias}")),
            None => Auth::Admin,
        }
    }

    /// Files what a record shows of a workspace, when it changed.
    pub(crate) fn observe(&self, alias: &str, row: &Value, via: &str) {
        let Some(status) = row.status() else { return };
        let url = row.url().to_owned();
        let observation = {
            let mut state = self.state();
            let Some(workspace) = state.workspaces.get_mut(alias) else { return };
            workspace.beats(row, self.run.api.scale);
            if workspace.seen.as_ref().is_some_and(|(s, u)| *s == status && *u == url) {
                return;
            }
            workspace.seen = Some((status.clone(), url.clone()));
            if !url.is_empty() {
                workspace.address.clone_from(&url);
            }
            if workspace.timeline.len() < TIMELINE {
                workspace.timeline.push((status.clone(), workspace.edge));
            }
            Observation {
                scenario: self.name.to_string(),
                workspace: alias.to_owned(),
                id: workspace.id.clone(),
                status: Some(status.clone()),
                url,
                uptime_seconds: row.uptime(),
                via: via.to_owned(),
                edge: workspace.edge,
            }
        };
        let settled = matches!(status, crate::domain::Status::Provisioning);
        if status == crate::domain::Status::Online {
            self.run.ledger.online(&observation.id);
        }
        self.run.ledger.settle(&observation.id, !settled);
        self.run.log.emit(EventKind::Observed(observation));
    }

    /// The first characters of a text from elsewhere, redacted, on one line.
    pub(crate) fn excerpt(&self, text: &str, max: usize) -> String {
        self.run.log.redactor().excerpt(text, max)
    }

    /// Registers a credential with the redactor and wraps it.
    pub(crate) fn secret(&self, name: &str, value: &str) -> Secret {
        self.run.log.redactor().register(name, value);
        Secret::new(value)
    }
}
