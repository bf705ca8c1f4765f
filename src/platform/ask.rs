//! The one way to ask a workspace-server: whose answer it is, whether to ask again, and what is written down.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::filing::Record;
use super::policy::{Again, Policy};
use super::reach::Reach;
use super::whose::{Due, whose};
use super::{Api, record};
use crate::clock::{self, Instant};
use crate::domain::{Elsewhere, Transport, time};
use crate::http::{Request, Response, TransportError};
use crate::run::mutation::Mutations;

/// Before a server is given up the last attempt has at least this.
const LEAST_ATTEMPT: Duration = Duration::from_secs(1);
/// A Retry-After of nothing is still a pause.
const LEAST_WAIT: Duration = Duration::from_millis(20);

/// What came of asking.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A whole answer of the platform.
    Answer(Response),
    /// A whole answer of somebody in between.
    Elsewhere(Response, Elsewhere),
    /// 429, whoever sent it: nothing was done.
    Limited(Response),
    /// No whole answer.
    Silent(TransportError),
    /// The run was cancelled.
    Cancelled,
}

/// Who asks: how its requests are recorded, and what ends them early.
#[derive(Clone)]
pub struct Asker<'a> {
    /// The server.
    pub api: &'a Api,
    /// Files every exchange.
    pub record: Arc<dyn Record>,
    /// When the step ends.
    pub deadline: Instant,
    /// Ends it early.
    pub stop: Option<&'a CancellationToken>,
    /// Requests that must not be dropped run here.
    pub mutations: Option<&'a Mutations>,
    /// Statuses that the step itself judges, whoever sends them.
    pub asserted: Arc<[u16]>,
    /// What an answer must be.
    pub due: Due,
    /// A server that is gone is given up for all at once.
    pub reach: Option<&'a Reach>,
}

impl<'a> Asker<'a> {
    /// Asks until then, for nobody in particular.
    pub fn new(api: &'a Api, record: Arc<dyn Record>, deadline: Instant) -> Self {
        Asker {
            api,
            record,
            deadline,
            stop: None,
            mutations: None,
            asserted: Arc::default(),
            due: Due::Json,
            reach: None,
        }
    }

    /// Asks, and asks again where the policy bears what came.
    pub async fn ask(&self, purpose: &str, request: Request, policy: &Policy) -> Outcome {
        if let Some(reach) = self.reach
            && reach.left(&request.method).is_zero()
        {
            return given_up(reach, &request.method);
        }
        if let Some(outcome) = self.held(purpose, &request, policy).await {
            return outcome;
        }
        let began = Instant::now();
        let end = policy.end(self.deadline, began);
        let mut attempt = 1;
        loop {
            let sent = Instant::now();
            let end_of_reach = match self.reach {
                Some(reach) => end.min(sent + reach.left(&request.method).max(LEAST_ATTEMPT)),
                None => end,
            };
            let outcome = self.once(purpose, &request, policy, attempt, end_of_reach).await;
            if let Some(reach) = self.reach
                && !matches!(outcome, Outcome::Cancelled)
            {
                let answered = matches!(&outcome, Outcome::Answer(answer) if !is_failing(answer));
                reach.asked(&request.method, sent, answered);
                // Looked at before the pause: whoever says how long to wait is asked once more after it.
                if !answered && reach.left(&request.method).is_zero() {
                    return outcome;
                }
            }
            let Some((again, wait)) = self.again(&outcome, policy, attempt, began) else { return outcome };
            let mut next = Instant::now() + wait;
            loop {
                if next >= again.until(began, end) {
                    return outcome;
                }
                if !self.sleep_until(next).await {
                    return Outcome::Cancelled;
                }
                // Meanwhile somebody else may have been told to wait longer.
                match self.limit() {
                    Some((until, _)) => next = until,
                    None => break,
                }
            }
            attempt += 1;
        }
    }

    /// Until when the server takes no request; one that expects to be limited is not held back.
    fn limit(&self) -> Option<(Instant, Response)> {
        self.api.limits.now().filter(|_| !self.asserts(429))
    }

    /// Waits while the server wants no request of anybody; an outcome when that is longer than it can be waited for.
    async fn held(&self, purpose: &str, request: &Request, policy: &Policy) -> Option<Outcome> {
        let began = Instant::now();
        let end = policy.bears_limit(self.deadline, began);
        while let Some((until, answer)) = self.limit() {
            if until >= end {
                self.record.held(purpose, request, &answer);
                return Some(Outcome::Limited(answer));
            }
            if !self.sleep_until(until).await {
                return Some(Outcome::Cancelled);
            }
        }
        None
    }

    /// Whether what came is worth another attempt: for how long, and after which pause.
    pub fn again(
        &self,
        outcome: &Outcome,
        policy: &Policy,
        attempt: u32,
        began: Instant,
    ) -> Option<(Again, Duration)> {
        let pause = policy.pause(attempt, began.elapsed());
        let again = match outcome {
            Outcome::Answer(answer) if is_failing(answer) && !self.asserts(answer.status) => {
                if answer.status < 502 { policy.broken } else { policy.failing }
            }
            Outcome::Answer(_) | Outcome::Cancelled => Again::Never,
            Outcome::Elsewhere(_, Elsewhere::Gateway) => policy.gateway,
            Outcome::Elsewhere(..) => policy.elsewhere,
            Outcome::Silent(error) => match error.kind {
                Transport::BadRequest | Transport::Panicked | Transport::Cancelled | Transport::GivenUp => {
                    Again::Never
                }
                _ => policy.silent,
            },
            Outcome::Limited(answer) => {
                let wait = self.api.come_back(answer).max(LEAST_WAIT);
                return (policy.limited != Again::Never).then_some((policy.limited, wait));
            }
        };
        (again != Again::Never).then_some((again, pause))
    }

    /// One attempt.
    pub async fn once(
        &self,
        purpose: &str,
        request: &Request,
        policy: &Policy,
        attempt: u32,
        end: Instant,
    ) -> Outcome {
        let now = Instant::now();
        let sent = match (policy.outlives, self.mutations) {
            (Some(grace), Some(mutations)) => {
                let bound = policy.bound(attempt, now, end + grace);
                let (client, sent) = (self.api.client.clone(), request.clone());
                let filed = self.record.begin(purpose, request);
                let work = mutations.run(async move {
                    let result = client.send(&sent, bound).await;
                    filed(&result);
                    result
                });
                tokio::select! {
                    biased;
                    done = work => done.unwrap_or_else(|panic| {
                        Err(TransportError::new(Transport::Panicked, panic.to_string()))
                    }),
                    () = self.stopped() => Err(TransportError::cancelled()),
                    () = clock::sleep_until(end) => {
                        let text = "no whole answer within the step's time".to_owned();
                        let error = TransportError::new(Transport::TimedOut, text);
                        self.record.missed(purpose, request, &error, now.elapsed());
                        Err(error)
                    }
                }
            }
            _ => {
                let bound = policy.bound(attempt, now, end);
                let filed = self.record.begin(purpose, request);
                let result = tokio::select! {
                    biased;
                    result = self.api.client.send(request, bound) => result,
                    () = self.stopped() => Err(TransportError::cancelled()),
                };
                filed(&result);
                result
            }
        };
        if let Ok(answer) = &sent {
            self.api.note_limit(request, answer);
        }
        self.outcome(sent)
    }

    fn outcome(&self, sent: Result<Response, TransportError>) -> Outcome {
        match sent {
            Err(error) if error.kind == Transport::Cancelled => Outcome::Cancelled,
            Err(error) => Outcome::Silent(error),
            Ok(answer) if answer.status == 429 && !self.asserts(429) => Outcome::Limited(answer),
            Ok(answer) => match whose(&answer, self.due) {
                Some(_) if self.asserts(answer.status) && !answer.is_garbled() => Outcome::Answer(answer),
                Some(kind) => Outcome::Elsewhere(answer, kind),
                None => Outcome::Answer(answer),
            },
        }
    }

    fn asserts(&self, status: u16) -> bool {
        self.asserted.contains(&status)
    }

    async fn stopped(&self) {
        match self.stop {
            Some(stop) => stop.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Says whether it slept to the end.
    async fn sleep_until(&self, instant: Instant) -> bool {
        tokio::select! {
            biased;
            () = self.stopped() => false,
            () = clock::sleep_until(instant) => true,
        }
    }
}

/// The platform answers that it cannot now. That an instance could not be stopped is an answer about that instance.
fn is_failing(answer: &Response) -> bool {
    let about_one = answer.json.as_ref().is_some_and(|body| body.get("stop_failures").is_some());
    matches!(answer.status, 500..=504) && !about_one
}

fn given_up(reach: &Reach, method: &str) -> Outcome {
    let silent = time::show(reach.silent_for(method));
    let text = format!("not asked again: no answer for {silent}");
    Outcome::Silent(TransportError::new(Transport::GivenUp, text))
}

impl Outcome {
    /// The answer, whoever sent it; or why there is none.
    ///
    /// # Errors
    /// No whole answer came, or the run was cancelled.
    pub fn result(self) -> Result<Response, TransportError> {
        match self {
            Outcome::Answer(answer) | Outcome::Elsewhere(answer, _) | Outcome::Limited(answer) => Ok(answer),
            Outcome::Silent(error) => Err(error),
            Outcome::Cancelled => Err(TransportError::cancelled()),
        }
    }

    /// For people: `404: workspace not found`, or why no answer came.
    pub fn said(&self) -> String {
        match self {
            Outcome::Answer(answer) | Outcome::Elsewhere(answer, _) | Outcome::Limited(answer) => {
                record::said(answer)
            }
            Outcome::Silent(error) => error.text.clone(),
            Outcome::Cancelled => TransportError::cancelled().text,
        }
    }

    /// The answer, whoever sent it.
    pub fn response(&self) -> Option<&Response> {
        match self {
            Outcome::Answer(answer) | Outcome::Elsewhere(answer, _) | Outcome::Limited(answer) => {
                Some(answer)
            }
            Outcome::Silent(_) | Outcome::Cancelled => None,
        }
    }

    /// The platform's own answer.
    pub fn answer(self) -> Option<Response> {
        match self {
            Outcome::Answer(answer) => Some(answer),
            _ => None,
        }
    }
}
