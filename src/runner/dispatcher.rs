//! Runs a plan: one task owns the truth of the run, everything else reports to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::context::{RunContext, ScenarioContext};
use super::ending::Ending;
use super::plan::{self, Instance};
use super::rooms::{NoRoom, Rooms};
use super::root::NoRoot;
use super::twins;
use super::{cleanup, root, scenario_run};
use crate::clock::{self, Instant};
use crate::domain::time;
use crate::event::{CancelReason, Class, Diagnosis, EventKind, Planned, ScenarioFinished, Verdict};
use crate::run::mutation::Panicked;
use crate::run::signals::{Signal, Signals};
use crate::scenario::model::Gate;

/// After a TERM that follows an INT, clean-up has so much more.
const LAST: Duration = Duration::from_secs(2);
/// The last look at what is gone takes no longer.
const LATE_LOOK: Duration = Duration::from_secs(10);
/// The run's own root is removed within this.
const ROOT: Duration = Duration::from_secs(60);

/// How a run is run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Scenarios at once; waiting is not work.
    pub jobs: usize,
    /// After so many reds the run ends.
    pub max_fail: Option<usize>,
    /// How often a red runs again.
    pub retries: u32,
    /// When the run ends whatever happens, clean-up excepted.
    pub until: Option<Instant>,
    /// Cancelled once a reporter cannot write: the run ends, its clean-up does not.
    pub unreported: CancellationToken,
}

/// Everything that can happen to a run, in one type.
enum Input {
    Signal(Signal),
    TargetDead,
    CannotWrite,
    LastSecondsOver,
    Overtime,
    /// The step has failed that makes this instance red.
    Failing(String),
    /// A task ended: a scenario, or the root's making or removal.
    Task(Result<Done, Panicked>),
}

/// What a task of the run comes to.
enum Done {
    Rooted(Result<(), NoRoot>),
    /// Every attempt.
    Scenario(Vec<(ScenarioFinished, Option<Diagnosis>)>),
    Unrooted,
}

/// Runs all instances; the log's last event is written by the caller, after the target is down.
pub(crate) async fn run(
    context: Arc<RunContext>,
    instances: Vec<Instance>,
    options: &Options,
    signals: &mut Signals,
) -> Ending {
    context
        .log
        .emit(EventKind::Planned(Planned { scenarios: instances.iter().map(plan::planned).collect() }));
    let (skipped, ready): (Vec<_>, Vec<_>) = instances.into_iter().partition(|i| i.skip.is_some());
    let (tell_failing, mut told_failing) = mpsc::unbounded_channel();
    let mut dispatcher = Dispatcher {
        context: Arc::clone(&context),
        rooms: Arc::new(Rooms::new(Arc::clone(&context), ready.len())),
        started: 0,
        places: options.jobs.max(1),
        tasks: JoinSet::new(),
        ready: ready.into(),
        finished: Vec::new(),
        diagnoses: BTreeMap::new(),
        set_up: None,
        last_seconds: None,
        phase: Phase::Root,
        max_fail: options.max_fail,
        failing: BTreeSet::new(),
        tell_failing,
        retries: options.retries,
    };
    for instance in &skipped {
        dispatcher.finish(unrun(instance, Verdict::Skipped, instance.skip.clone().unwrap_or_default()));
    }
    dispatcher.begin();
    let (broken, dead) = (context.log.broken(), context.poller.dead());
    let unreported = options.unreported.clone();
    let (mut said_broken, mut said_dead, mut said_unreported, mut said_overtime) =
        (false, false, false, false);
    while dispatcher.phase != Phase::Over {
        let last = dispatcher.last_seconds;
        let input = tokio::select! {
            biased;
            signal = signals.next() => Input::Signal(signal),
            () = dead.cancelled(), if !said_dead => { said_dead = true; Input::TargetDead }
            () = broken.cancelled(), if !said_broken => { said_broken = true; Input::CannotWrite }
            () = unreported.cancelled(), if !said_unreported => { said_unreported = true; Input::CannotWrite }
            () = async { match last { Some(at) => clock::sleep_until(at).await, None => std::future::pending().await } } => Input::LastSecondsOver,
            () = async { match options.until { Some(at) => clock::sleep_until(at).await, None => std::future::pending().await } }, if !said_overtime => { said_overtime = true; Input::Overtime }
            Some(name) = told_failing.recv() => Input::Failing(name),
            Some(done) = dispatcher.tasks.join_next() => Input::Task(done.map_err(Panicked::of)),
        };
        dispatcher.handle(input);
    }
    let Dispatcher { finished, diagnoses, set_up, .. } = dispatcher;
    Ending { finished, diagnoses, set_up }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Root,
    Scenarios,
    CleanUp,
    Over,
}

struct Dispatcher {
    context: Arc<RunContext>,
    rooms: Arc<Rooms>,
    /// Scenarios that were started.
    started: usize,
    /// How many more scenarios may run now. Only `handle` gives a place on: what a verdict decides is decided before the
    /// next scenario begins.
    places: usize,
    tasks: JoinSet<Done>,
    ready: VecDeque<Instance>,
    finished: Vec<ScenarioFinished>,
    diagnoses: BTreeMap<String, Diagnosis>,
    set_up: Option<String>,
    last_seconds: Option<Instant>,
    phase: Phase,
    max_fail: Option<usize>,
    /// Instances that are sure to be red and have not ended yet.
    failing: BTreeSet<String>,
    tell_failing: mpsc::UnboundedSender<String>,
    retries: u32,
}

impl Dispatcher {
    fn begin(&mut self) {
        if self.ready.is_empty() {
            self.phase = Phase::Over;
            return;
        }
        let context = Arc::clone(&self.context);
        self.tasks.spawn(async move { Done::Rooted(root::make(&context).await) });
    }

    /// Synchronous: one input, one change of the run's state.
    fn handle(&mut self, input: Input) {
        match input {
            Input::Signal(Signal::Interrupt)
                if self.context.cancel.reason() >= Some(CancelReason::Terminated) =>
            {
                self.cancel(CancelReason::SecondInterrupt);
                self.context.cancel.cleanup().cancel();
            }
            Input::Signal(Signal::Interrupt) => self.cancel(CancelReason::Interrupted),
            Input::Signal(Signal::Terminate)
                if self.context.cancel.reason() >= Some(CancelReason::Terminated) =>
            {
                self.last_seconds.get_or_insert(Instant::now() + LAST);
            }
            Input::Signal(Signal::Terminate) => self.cancel(CancelReason::Terminated),
            Input::LastSecondsOver => {
                self.last_seconds = None;
                self.context.cancel.cleanup().cancel();
            }
            Input::TargetDead => self.cancel(CancelReason::TargetDead),
            Input::CannotWrite => self.cancel(CancelReason::CannotWrite),
            Input::Overtime => self.cancel(CancelReason::Overtime),
            Input::Signal(Signal::Dump) => self.context.log.emit(EventKind::DumpRequested),
            Input::Failing(name) => {
                self.failing.insert(name);
                self.end_if_enough();
            }
            Input::Task(done) => self.task_ended(done),
        }
    }

    /// Ends the run where as many are red, or sure to be, as somebody wants to see.
    fn end_if_enough(&mut self) {
        let counts = |f: &&ScenarioFinished| f.verdict.is_red() && !f.advisory && f.known.is_none();
        let reds = self.finished.iter().filter(counts).count() + self.failing.len();
        if self.max_fail.is_some_and(|most| reds >= most) {
            self.cancel(CancelReason::EnoughReds);
        }
    }

    fn cancel(&mut self, reason: CancelReason) {
        if self.context.cancel.raise(reason) {
            self.context.log.emit(EventKind::CancelBegan { reason });
        }
        if self.phase == Phase::Scenarios {
            self.go_on();
        }
    }

    fn task_ended(&mut self, done: Result<Done, Panicked>) {
        match done {
            Ok(Done::Rooted(Ok(()))) => {
                self.phase = Phase::Scenarios;
                self.go_on();
            }
            Ok(Done::Rooted(Err(why))) => {
                self.set_up = Some(format!("the run's own root workspace could not be made: {why}"));
                for instance in std::mem::take(&mut self.ready) {
                    self.finish(unrun(&instance, Verdict::Error, self.set_up.clone().unwrap_or_default()));
                }
                self.unroot();
                return;
            }
            Ok(Done::Scenario(attempts)) => {
                for (finished, diagnosis) in attempts {
                    self.failing.remove(&finished.scenario);
                    self.diagnoses.extend(diagnosis.map(|d| (finished.scenario.clone(), d)));
                    self.finished.push(finished);
                }
                self.end_if_enough();
                self.place_free();
            }
            Ok(Done::Unrooted) => self.phase = Phase::Over,
            Err(panic) => {
                self.set_up.get_or_insert(panic.to_string());
                self.place_free();
            }
        }
        if self.phase == Phase::Scenarios && self.tasks.is_empty() {
            self.unroot();
        }
    }

    fn place_free(&mut self) {
        if self.phase == Phase::Scenarios {
            self.places += 1;
            self.go_on();
        }
    }

    /// Starts what has a place, in order; a run that was cancelled starts nothing more.
    fn go_on(&mut self) {
        let cancelled = self.context.cancel.steps().is_cancelled();
        while (cancelled || self.places > 0)
            && let Some(instance) = self.ready.pop_front()
        {
            if cancelled {
                let why = "the run was cancelled before it began".to_owned();
                self.finish(unrun(&instance, Verdict::Cancelled, why));
            } else {
                self.places -= 1;
                self.start(instance);
            }
        }
    }

    fn start(&mut self, instance: Instance) {
        let (rooms, retries, number) = (Arc::clone(&self.rooms), self.retries, self.started);
        self.started += 1;
        // A red that may be known, or may pass yet, is one only when it has ended.
        let sure = retries == 0 && instance.scenario.gate != Gate::Advisory && self.context.known.is_empty();
        let failing = sure.then(|| self.tell_failing.clone());
        self.tasks.spawn(async move {
            let context = match rooms.of(number).await {
                Ok(context) => context,
                Err(why) => {
                    let verdict = match why {
                        NoRoom::Cancelled => Verdict::Cancelled,
                        NoRoom::NotMade(_) | NoRoom::NoRoot(_) => Verdict::Error,
                    };
                    let finished = unrun(&instance, verdict, why.to_string());
                    rooms.log().emit(EventKind::ScenarioFinished(Box::new(finished.clone())));
                    return Done::Scenario(vec![(finished, None)]);
                }
            };
            let stop = context.cancel.steps().child_token();
            let attempts = attempts(&context, instance, retries, failing.as_ref(), &stop).await;
            rooms.leave(number, &context).await;
            Done::Scenario(attempts)
        });
    }

    /// Files the verdict of an instance that never ran.
    fn finish(&mut self, finished: ScenarioFinished) {
        self.context.log.emit(EventKind::ScenarioFinished(Box::new(finished.clone())));
        self.finished.push(finished);
    }

    /// What is left belongs to the run itself: its root, and whatever a scenario could not remove yet.
    fn unroot(&mut self) {
        self.phase = Phase::CleanUp;
        let (context, rooms) = (Arc::clone(&self.context), Arc::clone(&self.rooms));
        self.tasks.spawn(async move {
            let began = Instant::now();
            let all = rooms.made();
            let late = join_all(all.iter().map(|room| twins::look(room, began + LATE_LOOK)));
            // A second interrupt waits for nothing.
            let _ = context.cancel.cleanup().run_until_cancelled(late).await;
            let own: Vec<_> = all.iter().map(|room| room.ledger.open(None)).collect();
            context.log.emit(EventKind::CleanupStarted { resources: own.iter().map(Vec::len).sum() });
            let keeps = !context.ledger.all_open().iter().all(|e| e.scenario.is_none());
            if !keeps {
                let until = Instant::now() + ROOT;
                let cleaned =
                    all.iter().zip(own).map(|(room, own)| cleanup::clean(room, own, until, "clean-up"));
                join_all(cleaned).await;
            }
            let until = Instant::now() + LATE_LOOK;
            join_all(all.iter().map(|room| cleanup::last_look(room, until))).await;
            let tally = context.ledger.tally();
            context.log.emit(EventKind::CleanupFinished {
                removed: tally.removed,
                left_by_platform: tally.left_by_platform,
                leaks: tally.left,
                took_ms: time::ms(began.elapsed()),
            });
            Done::Unrooted
        });
    }
}

/// Runs an instance, and as long as it is red again; what passes then is flaky.
async fn attempts(
    context: &Arc<RunContext>,
    mut instance: Instance,
    retries: u32,
    failing: Option<&mpsc::UnboundedSender<String>>,
    stop: &CancellationToken,
) -> Vec<(ScenarioFinished, Option<Diagnosis>)> {
    let name = instance.name.clone();
    let mut all: Vec<(ScenarioFinished, Option<Diagnosis>)> = Vec::new();
    for attempt in 1..=retries.saturating_add(1) {
        if attempt > 1 {
            instance.name = format!("{name}#{attempt}");
            instance.retry = true;
        }
        let scenario = ScenarioContext {
            inputs: Arc::new(instance.inputs.clone()),
            matrix: Arc::new(instance.matrix.clone()),
            ..ScenarioContext::new(
                Arc::clone(context),
                &instance.name,
                Arc::clone(&instance.scenario),
                stop.child_token(),
            )
        };
        let tell = || {
            // Who counted them is gone: the run is over.
            let _ = failing.map(|failing| failing.send(instance.name.clone()));
        };
        let (finished, diagnosis) = scenario_run::run(scenario, &instance, tell).await;
        let verdict = finished.verdict;
        all.push((finished, diagnosis));
        if attempt > 1
            && verdict == Verdict::Passed
            && let Some((first, _)) = all.first_mut()
        {
            first.reason =
                format!("passed at attempt {attempt}; at first {}: {}", first.verdict, first.reason);
            (first.verdict, first.class, first.known, first.new) = (Verdict::Flaky, None, None, false);
            first.came_back = None;
            context.log.emit(EventKind::ScenarioFinished(Box::new(first.clone())));
        }
        let red = matches!(verdict, Verdict::Failed | Verdict::Inconclusive | Verdict::Error);
        if !red || stop.is_cancelled() {
            break;
        }
    }
    all
}

fn unrun(instance: &Instance, verdict: Verdict, reason: String) -> ScenarioFinished {
    ScenarioFinished {
        scenario: instance.name.clone(),
        verdict,
        advisory: instance.scenario.gate == Gate::Advisory,
        class: (verdict == Verdict::Error).then_some(Class::Infra),
        reason,
        missing_milestones: instance.scenario.milestones.clone(),
        ..ScenarioFinished::default()
    }
}
