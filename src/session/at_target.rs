//! From a target that is opened to one that is closed, with everything that runs in between.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::brought_up::{self, Had};
use super::busy;
use super::failure::SessionError;
use super::settings::JOBS;
use super::work::Work;
use crate::behaviour::contract::Told;
use crate::behaviour::{Behaviour, Contract, Edition};
use crate::clock::{self, Instant};
use crate::docker::Engine;
use crate::domain::ExitCode;
use crate::domain::words::count;
use crate::event::{EventKind, Log, RunFinished};
use crate::platform::policy;
use crate::platform::reach::Reach;
use crate::platform::stream;
use crate::run::cancel::Cancel;
use crate::run::folder::RunFolder;
use crate::run::ledger::{Home, Ledger};
use crate::run::poller::Poller;
use crate::run::signals::Signals;
use crate::runner::context::RunContext;
use crate::runner::dispatcher;
use crate::runner::drift::Drifts;
use crate::runner::plan::{self, InputSources};
use crate::runner::tenant::Tenant;
use crate::scenario::Scenario;
use crate::scenario::model::{Capability, Gate};
use crate::targets::profile::lane::{Died, Lane};
use crate::targets::saas::Stage;
use crate::targets::{self, TargetFacts};

/// The pieces of one run, each made once.
pub(super) struct Pieces<'a> {
    pub log: &'a Log,
    pub folder: &'a RunFolder,
    pub tail: &'a str,
    pub seed: u64,
    pub began: Instant,
    /// Cancelled once a reporter cannot write.
    pub unreported: CancellationToken,
}

/// Opens the target, which a profile may have to bring up first.
async fn open(
    settings: &mut targets::Settings,
    sources: &mut InputSources,
    lane: Option<&mut Lane>,
    stage: Option<&mut Stage>,
) -> Result<targets::Target, targets::OpenError> {
    if let Some(lane) = lane {
        brought_up::up(lane, settings, sources).await?;
    }
    if let Some(stage) = stage {
        stage.up(settings).await?;
    }
    targets::open(settings).await
}

impl Work<'_> {
    /// Brings up, opens, runs, closes; gives what is left beside how it ended.
    pub(super) async fn at_target(
        &mut self,
        scenarios: &[Arc<Scenario>],
        mut lane: Option<&mut Lane>,
        stage: Option<&mut Stage>,
        pieces: &Pieces<'_>,
        signals: &mut Signals,
    ) -> (Result<RunFinished, SessionError>, Vec<String>, Option<Had>) {
        let early = match &lane {
            Some(_) => "interrupted while the profile was brought up",
            None if stage.is_some() => "interrupted while the organisation was made",
            None if self.settings.kind.makes_containers() => "interrupted while the target was opened",
            None => "interrupted before anything was made",
        };
        let opened = tokio::select! {
            biased;
            opened = open(&mut self.settings, &mut self.sources, lane.as_deref_mut(), stage) => opened.map_err(SessionError::from),
            code = signals.interrupted() => Err(SessionError::Interrupted { code, why: early }),
        };
        let mut target = match opened {
            Ok(target) => target,
            Err(error) => {
                let left = self.unmade(&error, signals).await;
                self.tell_left(&left);
                return (Err(error), left, None);
            }
        };
        if let Some(admin) = &target.api.admin {
            pieces.log.redactor().register("ADMIN_TOKEN", admin.expose());
        }
        let died = lane.as_deref().map(Lane::died);
        target.facts.log = lane.and_then(|lane| lane.server_log());
        let ended = self.with_target(scenarios, &target, pieces, died, signals).await;
        let (mut ended, had) = match ended {
            Ok((finished, had)) => (Ok(finished), Some(had)),
            Err(error) => (Err(error), None),
        };
        let left = close(target, signals, &mut ended).await;
        self.tell_left(&left);
        (ended, left, had)
    }

    fn tell_left(&self, left: &[String]) {
        for what in left {
            // A terminal that is gone cannot be told.
            let _ = self.shell.printer.talk(&left_on_engine(what));
        }
    }

    /// What a target made that was interrupted while it was opened is removed again; gives what is left.
    async fn unmade(&self, error: &SessionError, signals: &mut Signals) -> Vec<String> {
        let interrupted = matches!(error.code(), ExitCode::Interrupted | ExitCode::Terminated);
        if !self.settings.kind.makes_containers() || !interrupted {
            return Vec::new();
        }
        let why = tokio::select! {
            biased;
            left = targets::docker::abandon(&self.settings.docker) => return left,
            () = clock::sleep(TWICE) => "the engine did not answer in time",
            _ = signals.interrupted() => "interrupted before it was removed",
        };
        vec![format!("what the run may have made: {why}")]
    }

    async fn with_target(
        &self,
        scenarios: &[Arc<Scenario>],
        target: &targets::Target,
        pieces: &Pieces<'_>,
        died: Option<watch::Receiver<Died>>,
        signals: &mut Signals,
    ) -> Result<(RunFinished, Had), SessionError> {
        let Pieces { log, folder, tail, seed, began, unreported } = pieces;
        let instances = plan::plan(scenarios, &self.only, &self.sources, &target.facts, self.asked.rounds())
            .map_err(SessionError::Problems)?;
        if self.told_early() {
            log.emit(EventKind::TargetFound(Box::new(target.identity.clone())));
        } else {
            let identity = self.identity(&folder.run, scenarios, &instances, Some(&target.identity), None);
            log.emit(EventKind::RunStarted(Box::new(identity)));
        }
        for drift in &target.facts.drift {
            log.emit(EventKind::Warning { scenario: None, text: format!("drift: {drift}") });
        }
        if target.identity.insecure {
            log.emit(EventKind::Warning {
                scenario: None,
                text: "TLS certificates are not verified (--insecure)".into(),
            });
        }
        let poller = Poller::start(Box::new(target.api.clone()));
        if target.facts.capabilities.contains(&Capability::Events) {
            stream::follow(target.api.clone(), poller.clone(), target.stop.clone()).await;
        }
        let home = Home {
            base_url: target.api.base_url.clone(),
            org: target.api.org.clone(),
            credential: "ADMIN_TOKEN".into(),
            seal: target
                .api
                .admin
                .as_ref()
                .and_then(|admin| Home::seal(&target.api.base_url, target.api.org.as_deref(), admin)),
        };
        // Runtimes are retired with their models: a server that was seen to have June's last one has June's catalogue,
        // whatever is expected of it.
        let contract = &target.facts.contract;
        let edition = match contract.has(Behaviour::GoogleAdkRuntime) {
            true => Edition::MidJune,
            false => contract.edition,
        };
        let (catalogue, allowlist) = self.library.of_edition(edition);
        let context = Arc::new(RunContext {
            run: folder.run.clone(),
            tail: (*tail).to_owned(),
            log: (*log).clone(),
            api: target.api.clone(),
            poller,
            ledger: Ledger::new((*log).clone(), home),
            cancel: Cancel::new(),
            target: target.facts.clone(),
            catalogue,
            allowlist,
            env: self.shell.env.vars().clone(),
            root: Mutex::new(None),
            hmac_key: crate::chance::random(),
            seed: *seed,
            drifts: Arc::new(self.drifts(&target.facts.contract, log)),
            known: self.known.clone(),
            exclusive: self.asked.exclusive,
            tenant: Tenant::default(),
            reach: Reach::new(policy::GIVE_UP),
            engine_proven: AtomicBool::new(target.engine_proven()),
            unproven_told: AtomicBool::new(false),
            messages_answered: AtomicBool::new(false),
            own_answers: crate::runner::own_answers::OwnAnswers::default(),
            destroy: self.asked.destroy,
        });
        let jobs = self.jobs(&target.facts, log);
        if let Some(engine) = target.facts.engine.clone() {
            watch_engine(engine, context.poller.clone(), target.stop.clone());
        }
        if let Some(died) = died {
            brought_up::watch(died, &context, target.stop.clone());
        }
        let options = dispatcher::Options {
            jobs,
            max_fail: self.asked.max_fail.map(|n| n as usize),
            retries: self.asked.retries.unwrap_or_default(),
            until: self.asked.global_timeout.map(|limit| *began + limit),
            unreported: unreported.clone(),
        };
        let ending = dispatcher::run(Arc::clone(&context), instances, &options, signals).await;
        for text in ending.unseen(&context.known) {
            log.emit(EventKind::Warning { scenario: None, text });
        }
        // A fault that somebody asked for may hang it on any machine.
        let ours = self.asked.target.kind.is_some_and(targets::Kind::ends_with_the_process);
        if ours
            && self.asked.target.faults.is_empty()
            && let Some(text) = busy::told(&ending.diagnoses)
        {
            log.emit(EventKind::Warning { scenario: None, text });
        }
        let finished = ending.conclude(&context, &self.demand, began.elapsed());
        let seen = ending.sightings(&context);
        Ok((finished, Had { seen, ledger: context.ledger.clone(), engine: target.facts.engine.clone() }))
    }

    /// What a probe saw that differs from what was promised.
    fn drifts(&self, contract: &Contract, log: &Log) -> Drifts {
        let gate = self.profile.as_ref().map(|chosen| chosen.profile.drift).unwrap_or_default();
        let drifts = Drifts::new(gate == Gate::Advisory, self.known.clone());
        for drift in contract.drifts() {
            let text = match contract.told(drift.behaviour) {
                Some(Told::Server) => "the server says so",
                _ => "a read-only probe",
            };
            drifts.tell(log, drift, None, text);
        }
        drifts
    }

    /// A server that limits requests is not asked by more scenarios at once than it can answer.
    fn jobs(&self, facts: &TargetFacts, log: &Log) -> usize {
        let wanted = self.asked.jobs.unwrap_or(JOBS) as usize;
        let Some(limit) = facts.rate_limit else { return wanted };
        let jobs = wanted.min((limit as usize / 100).max(1));
        if jobs < wanted {
            let text =
                format!("the server allows {limit} requests a minute: {} at once", count(jobs, "scenario"));
            log.emit(EventKind::Warning { scenario: None, text });
        }
        jobs
    }
}

/// What is said of something that stays there.
pub(crate) fn left_on_engine(what: &str) -> String {
    format!("left on the engine: {what}; `lifecycle sweep --docker`")
}

/// A target stops within this: every call of an engine has its own bound, and there may be many.
const CLOSE: Duration = Duration::from_secs(90);
/// Whoever interrupts does not wait so long.
const HURRIED: Duration = Duration::from_secs(30);
/// And whoever has interrupted twice by then only for what is a matter of a moment.
const TWICE: Duration = Duration::from_secs(5);
/// A TERM that follows an interrupt leaves so much more.
const LAST: Duration = Duration::from_secs(2);

/// Stops the target and removes what it made, interrupted or not; gives what is left.
async fn close(
    target: targets::Target,
    signals: &mut Signals,
    ended: &mut Result<RunFinished, SessionError>,
) -> Vec<String> {
    let makes = target.makes_containers();
    let mut until = Instant::now()
        + match signals.interrupts() {
            0 => CLOSE,
            1 => HURRIED,
            _ => TWICE,
        };
    let mut closed = std::pin::pin!(target.close());
    let why = loop {
        let code = tokio::select! {
            biased;
            left = &mut closed => return left,
            () = clock::sleep_until(until) => break "the engine did not remove it in time",
            code = signals.interrupted() => code,
        };
        brought_up::interrupt(ended, code, "interrupted while the target was stopped");
        match code {
            _ if signals.interrupts() == 1 => until = until.min(Instant::now() + HURRIED),
            ExitCode::Terminated => until = until.min(Instant::now() + LAST),
            _ => break "interrupted before it was removed",
        }
    };
    // What is left of anything else goes with this process.
    if makes { vec![format!("what the run made: {why}")] } else { Vec::new() }
}

/// An engine that does not answer any more takes every container with it: the run ends.
fn watch_engine(engine: Engine, poller: Poller, stop: CancellationToken) {
    const EVERY: Duration = Duration::from_secs(2);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut silent = 0;
        while silent < 3 {
            clock::sleep(EVERY).await;
            silent = if engine.ping().await.is_ok() { 0 } else { silent + 1 };
        }
        engine.give_up();
        poller.give_up("the container engine does not answer any more");
    }));
}
