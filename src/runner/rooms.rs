//! The organisations of a run: its scenarios share one, or are spread over several.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::context::RunContext;
use super::own_answers::OwnAnswers;
use super::root;
use super::root::NoRoot;
use super::tenant::Tenant;
use crate::event::Log;
use crate::platform::reach::Reach;
use crate::platform::{Api, policy, stream};
use crate::run::ledger::Home;
use crate::run::poller::Poller;
use crate::scenario::model::Capability;
use crate::targets::saas::{Behind, Maker, Spread, purge_early};

/// Why a scenario has no organisation to run in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoom {
    /// It could not be made.
    #[error("its organisation could not be made: {0}")]
    NotMade(String),
    /// Its tenant takes no root workspace.
    #[error("the root workspace of its organisation could not be made: {0}")]
    NoRoot(NoRoot),
    /// Nobody waits for it any more.
    #[error("the run was cancelled while its organisation was made")]
    Cancelled,
}

/// The first is the target; the others are made when a scenario wants one.
pub(super) struct Rooms {
    first: Arc<RunContext>,
    others: Vec<OnceCell<Result<Arc<RunContext>, NoRoom>>>,
    /// Those that were purged.
    gone: Mutex<BTreeSet<usize>>,
    each: bool,
    stop: CancellationToken,
    _stops: DropGuard,
}

impl Rooms {
    /// For so many scenarios.
    pub(super) fn new(first: Arc<RunContext>, scenarios: usize) -> Rooms {
        let spread = first.target.behind.as_ref().map(|behind| behind.settings.spread).unwrap_or_default();
        let others = (1..spread.among(scenarios)).map(|_| OnceCell::new()).collect();
        let stop = CancellationToken::new();
        Rooms {
            first,
            others,
            gone: Mutex::default(),
            each: spread == Spread::Each,
            _stops: stop.clone().drop_guard(),
            stop,
        }
    }

    pub(super) fn log(&self) -> &Log {
        &self.first.log
    }

    /// Those that were made and are there.
    pub(super) fn made(&self) -> Vec<Arc<RunContext>> {
        let gone = self.gone();
        let there = self.others.iter().enumerate().filter(|(at, _)| !gone.contains(&(at + 1)));
        let others = there.filter_map(|(_, room)| room.get()?.as_ref().ok().cloned());
        std::iter::once(Arc::clone(&self.first)).chain(others).collect()
    }

    fn gone(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the scenario of this number runs.
    pub(super) async fn of(&self, number: usize) -> Result<Arc<RunContext>, NoRoom> {
        let room = number % (self.others.len() + 1);
        let Some(cell) = room.checked_sub(1).and_then(|at| self.others.get(at)) else {
            return Ok(Arc::clone(&self.first));
        };
        let work = cell.get_or_init(|| self.make(room));
        // What was asked for by then is in the ledger: the end of the run purges it.
        let made = self.first.cancel.steps().run_until_cancelled(work).await;
        made.map_or(Err(NoRoom::Cancelled), Clone::clone)
    }

    async fn make(&self, room: usize) -> Result<Arc<RunContext>, NoRoom> {
        let first = &*self.first;
        let Some(behind) = first.target.behind.as_deref().cloned() else {
            return Err(NoRoom::NotMade("the target has no control plane".to_owned()));
        };
        let maker = Maker { api: &behind.api, pattern: &behind.pattern };
        let made = maker.make(&behind.settings, &behind.http, &behind.desk).await;
        let org = made.map_err(|error| NoRoom::NotMade(error.what))?;
        let token = behind.settings.token_of(&org);
        first.log.redactor().register("ADMIN_TOKEN", token.expose());
        let home = Home {
            base_url: org.base_url.clone(),
            org: Some(org.id.clone()),
            credential: "ADMIN_TOKEN".to_owned(),
            seal: Home::seal(&org.base_url, Some(&org.id), &token),
        };
        let api = Api {
            base_url: org.base_url.clone(),
            admin: Some(token),
            org: Some(org.id.clone()),
            ..first.api.clone()
        };
        let poller = Poller::start(Box::new(api.clone()));
        if first.target.capabilities.contains(&Capability::Events) {
            stream::follow(api.clone(), poller.clone(), self.stop.clone()).await;
        }
        let mut target = first.target.clone();
        target.behind = Some(Arc::new(Behind { org, ..behind }));
        let context = RunContext {
            run: first.run.clone(),
            tail: first.tail.clone(),
            log: first.log.clone(),
            api,
            poller,
            ledger: first.ledger.in_room(room, home),
            cancel: first.cancel.clone(),
            target,
            catalogue: Arc::clone(&first.catalogue),
            allowlist: first.allowlist.clone(),
            env: first.env.clone(),
            root: Mutex::new(None),
            hmac_key: first.hmac_key,
            seed: first.seed,
            drifts: Arc::clone(&first.drifts),
            known: first.known.clone(),
            exclusive: first.exclusive,
            tenant: Tenant::default(),
            reach: Reach::new(policy::GIVE_UP),
            engine_proven: AtomicBool::new(false),
            unproven_told: AtomicBool::new(false),
            messages_answered: AtomicBool::new(false),
            own_answers: OwnAnswers::default(),
            destroy: first.destroy,
        };
        root::make(&context).await.map_err(NoRoom::NoRoot)?;
        Ok(Arc::new(context))
    }

    /// A scenario has ended. One that had an organisation of its own leaves it; what cannot be purged now is purged when
    /// the run ends, and so is the first, which is the target.
    pub(super) async fn leave(&self, number: usize, context: &RunContext) {
        let Some(behind) =
            context.target.behind.as_ref().filter(|b| self.each && number > 0 && !b.settings.keep)
        else {
            return;
        };
        let made = behind.desk.open().into_iter().find(|made| made.slug == behind.org.slug);
        let kept = context.ledger.all_open().iter().any(|e| e.room == number && e.scenario.is_some());
        let Some(made) = made.filter(|_| !kept) else { return };
        let purge = purge_early(&behind.api, &made, &behind.desk, behind.settings.purge());
        // An interrupted run purges what is left all at once, in the time that it still has.
        if matches!(context.cancel.steps().run_until_cancelled(purge).await, Some(Ok(()))) {
            self.gone().insert(number);
            for entry in context.ledger.open(None) {
                context.ledger.release(&entry.resource, "went with its organisation", None);
            }
        }
    }
}
