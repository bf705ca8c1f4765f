//! How steps ask: what is theirs of an asking, and the policies by their everyday names.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::context::{RunContext, ScenarioContext, StepRun};
use crate::behaviour::Behaviour;
use crate::clock::{self, Instant};
use crate::domain::Status;
use crate::event::Exchange;
use crate::http::{Request, Response, TransportError};
use crate::platform::ask::{Asker, Outcome};
use crate::platform::filing::{Filing, Keep, row_of};
use crate::platform::policy::{self, Policy};
use crate::platform::starts::{Starts, starts};

impl ScenarioContext {
    /// Asks for a step; ends when the body is cancelled.
    pub(crate) async fn ask(
        &self,
        step: &StepRun,
        policy: &Policy,
        purpose: &str,
        request: Request,
    ) -> Outcome {
        let starts = starts(&self.run.api, &request);
        let (ids, put_off) = match starts {
            Starts::Nobody => (Vec::new(), false),
            Starts::Now(id) => (vec![id], false),
            Starts::Later(id) => (vec![id], true),
            Starts::All => (self.run.ledger.managed_ids(), true),
            Starts::Asleep(id) if self.wakes(&id) => (vec![id], true),
            Starts::Asleep(_) => (Vec::new(), false),
        };
        // Its answer may be lost, and the run may be killed while it is waited for.
        ids.iter().for_each(|id| self.run.ledger.disturb(id, put_off));
        let outcome = self.asker(step, self.filing(step)).ask(purpose, request, policy).await;
        ids.iter().for_each(|id| self.run.ledger.disturbed_again(id, put_off));
        outcome
    }

    /// Whether a message starts this workspace: it was last seen at rest, on a server that wakes it.
    pub(crate) fn wakes(&self, id: &str) -> bool {
        let state = self.state();
        let seen = state.workspaces.values().find(|w| w.id == id).and_then(|w| w.seen.as_ref());
        seen.is_some_and(|(status, _)| matches!(status, Status::Hibernated | Status::Hibernating))
            && self.run.target.contract.has(Behaviour::HibernateWakes)
    }

    /// A read, or a message: it may be dropped.
    ///
    /// # Errors
    /// No whole answer came, or the run was cancelled.
    pub(crate) async fn fetch(
        &self,
        step: &StepRun,
        purpose: &str,
        request: Request,
    ) -> Result<Response, TransportError> {
        let policy = if request.method == "GET" { &policy::READ } else { &policy::MESSAGE };
        self.ask(step, policy, purpose, request).await.result()
    }

    /// The pause of a step: it ends when the scenario is cancelled.
    pub(crate) async fn pause(&self, pause: Duration) {
        self.pause_until(Instant::now() + pause).await;
    }

    /// The same, until then.
    pub(crate) async fn pause_until(&self, at: Instant) {
        // The step looks itself whether it goes on.
        let _ = self.stop.run_until_cancelled(clock::sleep_until(at)).await;
    }

    /// One look of a step that looks again.
    ///
    /// # Errors
    /// As [`ScenarioContext::fetch`].
    pub(crate) async fn look(
        &self,
        step: &StepRun,
        purpose: &str,
        request: Request,
    ) -> Result<Response, TransportError> {
        self.ask(step, &policy::LOOK, purpose, request).await.result()
    }

    /// A request that changes something: never dropped half-way, its answer always recorded.
    ///
    /// # Errors
    /// No whole answer came, or the run was cancelled; the request goes on.
    pub(crate) async fn mutate(
        &self,
        step: &StepRun,
        purpose: &str,
        request: Request,
    ) -> Result<Response, TransportError> {
        self.ask(step, &policy::MUTATE, purpose, request).await.result()
    }

    /// The admin list, and one row of it; filed without the rows of everybody else.
    ///
    /// # Errors
    /// No whole answer came.
    pub(crate) async fn row_of_list(
        &self,
        step: &StepRun,
        id: &str,
    ) -> Result<(Response, Option<Value>), TransportError> {
        let filing = Filing { only: Some(id.to_owned()), ..self.filing(step) };
        let asker = self.asker(step, filing);
        let answer = asker.ask("read the list", self.run.api.list(), &policy::ROW_OF_LIST).await.result()?;
        let row = row_of(answer.json.as_ref(), id).filter(|row| !row.is_null());
        Ok((answer, row))
    }

    fn asker(&self, step: &StepRun, filing: Filing) -> Asker<'_> {
        Asker {
            stop: Some(&self.stop),
            mutations: Some(&self.mutations),
            asserted: Arc::clone(&step.asserted),
            due: step.due,
            ..Asker::new(&self.run.api, Arc::new(filing), step.deadline)
        }
    }

    fn filing(&self, step: &StepRun) -> Filing {
        let (state, own) = (Arc::clone(&self.state), self.run.own_answers.clone());
        let keep: Keep = Arc::new(move |exchange: &Exchange| {
            own.note(exchange);
            state.lock().unwrap_or_else(PoisonError::into_inner).exchanges.keep(exchange.clone());
        });
        Filing { keep: Some(keep), ..self.unkept(step) }
    }

    /// Files under a step, and keeps nothing in memory: what is gathered about a failure is not what made it.
    pub(crate) fn unkept(&self, step: &StepRun) -> Filing {
        let own = self.run.own_answers.clone();
        Filing {
            keep: Some(Arc::new(move |exchange: &Exchange| own.note(exchange))),
            scenario: Some(self.name.to_string()),
            exchanges: Arc::clone(&step.exchanges),
            due: step.due,
            ..Filing::of_run(&self.run.log, &step.id)
        }
    }
}

impl RunContext {
    /// Asks for the run itself, outside of any scenario; filed under a step's name.
    pub fn asker(&self, step: &str, deadline: Instant) -> Asker<'_> {
        Asker::new(&self.api, Arc::new(Filing::of_run(&self.log, step)), deadline)
    }
}
