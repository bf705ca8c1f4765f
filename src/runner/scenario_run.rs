//! One scenario instance, from its first step to its verdict.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::context::{Destroy, ScenarioContext};
use super::ending::{can_be_remembered, identity_of};
use super::outcome::{Decisive, Failure, FailureKind};
use super::plan::Instance;
use super::scope::Locals;
use super::steps::run_steps;
use super::{cause, cleanup};
use crate::behaviour::Behaviour;
use crate::clock::{Instant, today};
use crate::domain::time;
use crate::event::{CancelReason, Class, Diagnosis, EventKind, ScenarioFinished, Verdict};
use crate::mechanism::UNCLASSIFIED;
use crate::platform::ask::Asker;
use crate::platform::{Auth, policy};
use crate::run::mutation::panic_text;
use crate::scenario::known::Standing;
use crate::scenario::model::Gate;
use crate::scenario::need::Need;

/// Mutations that are under way when the body ends are waited for so long.
const SETTLE: Duration = Duration::from_secs(65);

/// Runs an instance; its last event is its verdict, then its resources are removed. `failing` is told as soon as the
/// step has failed that makes it red: evidence and clean-up come after that.
pub(crate) async fn run(
    context: ScenarioContext,
    instance: &Instance,
    failing: impl FnOnce(),
) -> (ScenarioFinished, Option<Diagnosis>) {
    let began = Instant::now();
    context.run.log.emit(EventKind::ScenarioStarted { scenario: context.name.to_string() });
    let locals = Locals::new();
    let body = run_steps(&context, &context.scenario.steps, &locals, "");
    let result = guarded(body).await;
    let took_ms = time::ms(began.elapsed());
    let mut diagnosis = None;
    if let Err(decisive) = &result
        && !matches!(decisive.failure.kind, FailureKind::Cancelled | FailureKind::NotConfigured)
        && goes_on(&context)
    {
        if instance.expects_failure.is_none() {
            failing();
        }
        diagnosis = Some(cause::find(&context, decisive).await);
    }
    let (result, diagnosis) = with_survived(&context, result, diagnosis);
    if let Some(found) = &diagnosis {
        context.run.log.emit(EventKind::Diagnosed(Box::new(found.clone())));
    }
    let body_failed = result.is_err();
    let mut result = result;
    if goes_on(&context) && !context.scenario.finally.is_empty() {
        let mut last = context.clone();
        last.deadline = Instant::now() + Duration::from_secs(60);
        let finally = guarded(run_steps(&last, &context.scenario.finally, &locals, "")).await;
        result = result.and(finally);
    }
    let body_failed = body_failed && result.is_err();
    context.background.cancel();
    let finished = verdict(&context, instance, &Ended { result, body_failed }, diagnosis.as_ref(), took_ms);
    context.run.log.emit(EventKind::ScenarioFinished(Box::new(finished.clone())));
    // A request that is under way may still make something: its answer comes before clean-up begins.
    tokio::select! {
        biased;
        () = context.mutations.settled() => {}
        () = given_up(&context) => {}
        () = crate::clock::sleep(SETTLE) => {}
        () = context.run.cancel.cleanup().cancelled() => {}
    }
    let keep = match context.run.destroy {
        Destroy::Always => false,
        Destroy::OnPass => finished.verdict.is_red(),
        Destroy::Never => true,
    };
    let open = context.run.ledger.open(Some(&context.name));
    if keep {
        for entry in open {
            context.run.log.emit(EventKind::Warning {
                scenario: Some(context.name.to_string()),
                text: format!(
                    "kept: {} ({}); `lifecycle sweep` removes it",
                    entry.name,
                    entry.id.unwrap_or_default()
                ),
            });
        }
    } else {
        cleanup::clean(&context.run, open, Instant::now() + cleanup::BUDGET, "clean-up").await;
    }
    (finished, diagnosis)
}

/// Nobody is in a hurry: where enough is red, what is red by then still says why.
fn goes_on(context: &ScenarioContext) -> bool {
    matches!(context.run.cancel.reason(), None | Some(CancelReason::EnoughReds))
}

/// What a scenario went on after came first, and is what it is red by; the rest is told beside it.
fn with_survived(
    context: &ScenarioContext,
    result: Result<(), Decisive>,
    diagnosis: Option<Diagnosis>,
) -> (Result<(), Decisive>, Option<Diagnosis>) {
    let cut_off = result
        .as_ref()
        .is_err_and(|last| matches!(last.failure.kind, FailureKind::Cancelled | FailureKind::NotConfigured));
    let mut survived = std::mem::take(&mut context.state().survived).into_iter();
    let Some((first, found)) = survived.next().filter(|_| !cut_off) else { return (result, diagnosis) };
    let last = result.err().map(|decisive| decisive.step).zip(diagnosis);
    let later = survived.map(|(decisive, found)| (decisive.step, found)).chain(last);
    (Err(first), Some(cause::first_of(found, later)))
}

/// Ends when the server is given up: then the answer to a request that is under way does not come either.
async fn given_up(context: &ScenarioContext) {
    let run = &context.run;
    loop {
        crate::clock::sleep(policy::LOOK.within).await;
        let asker = Asker { reach: Some(&run.reach), ..run.asker("cleanup", context.deadline + SETTLE) };
        let health = run.api.request("GET", "/health", &Auth::Anonymous);
        asker.ask("does the server live", health, &policy::LOOK).await;
        if run.reach.left("GET").is_zero() {
            return;
        }
    }
}

/// A step that panics is a failure of the harness; clean-up still runs.
async fn guarded(body: impl Future<Output = Result<(), Decisive>>) -> Result<(), Decisive> {
    match std::panic::AssertUnwindSafe(body).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(Decisive {
            step: "?".into(),
            failure: Failure::of(FailureKind::Harness, panic_text(&*panic)),
        }),
    }
}

/// How body and `finally` ended.
struct Ended {
    result: Result<(), Decisive>,
    body_failed: bool,
}

/// The one behaviour that an expected failure hangs on, where nobody has seen it: a pass says how it is.
fn mended(context: &ScenarioContext) -> Option<Behaviour> {
    let when = &context.scenario.expect_failure.as_ref()?.when;
    let mut behaviours = when.keys().filter_map(|need| match need {
        Need::Behaviour(behaviour) => Some(*behaviour),
        Need::Capability(_) => None,
    });
    let (first, more) = (behaviours.next()?, behaviours.next());
    (more.is_none() && context.run.target.contract.told(first).is_none()).then_some(first)
}

fn verdict(
    context: &ScenarioContext,
    instance: &Instance,
    Ended { result, body_failed }: &Ended,
    diagnosis: Option<&Diagnosis>,
    took_ms: u64,
) -> ScenarioFinished {
    let state = context.state();
    let expected = instance.expects_failure.as_ref();
    let mut finished = ScenarioFinished {
        scenario: context.name.to_string(),
        advisory: context.scenario.gate == Gate::Advisory,
        milestones: state.milestones.clone(),
        missing_milestones: context
            .scenario
            .milestones
            .iter()
            .filter(|m| !state.milestones.contains(m))
            .cloned()
            .collect(),
        unproven: state.unproven.clone(),
        idle: result.is_ok() && !state.ran,
        took_ms,
        platform_ms: time::ms(state.platform),
        retry: instance.retry,
        ..ScenarioFinished::default()
    };
    match result {
        Ok(()) => match (expected, &state.flaky) {
            (Some(_), _) if mended(context).is_some() => {
                if let Some(behaviour) = mended(context) {
                    let run = &context.run;
                    let drift = run.target.contract.drift(behaviour);
                    let text = "the scenario passed that is expected to fail where this is as expected";
                    run.drifts.tell(&run.log, drift, Some((&context.name, "")), text);
                }
            }
            (Some(expected), _) => {
                finished.verdict = Verdict::UnexpectedPass;
                finished.reason = format!(
                    "expected to fail ({}: {}), and passed: take `expect_failure` out",
                    expected.issue, expected.reason
                );
            }
            (None, Some(flaky)) => {
                finished.verdict = Verdict::Flaky;
                finished.reason.clone_from(flaky);
            }
            (None, None) => {}
        },
        Err(decisive) => {
            finished.step = Some(decisive.step.clone());
            finished.reason.clone_from(&decisive.failure.message);
            let named = diagnosis.filter(|d| d.mechanism != UNCLASSIFIED).map(|d| d.class);
            // A cause that is named says more than how the step failed; what this tool or the file did wrong stays so.
            let class = match (decisive.failure.class(), named) {
                (Class::Unclassified | Class::Infra, Some(named)) => named,
                (Class::Unclassified, None) => diagnosis.map_or(Class::Unclassified, |d| d.class),
                (known, _) => known,
            };
            finished.class = Some(class);
            finished.verdict = match decisive.failure.kind {
                FailureKind::Cancelled => Verdict::Cancelled,
                FailureKind::NotConfigured => Verdict::Skipped,
                // The answer that was missing was the agent's or the provider's: no error of the environment.
                FailureKind::Environment if !matches!(class, Class::Infra | Class::Harness) => {
                    Verdict::Failed
                }
                FailureKind::Environment | FailureKind::Harness => Verdict::Error,
                FailureKind::Inconclusive => Verdict::Inconclusive,
                FailureKind::Product | FailureKind::Config => Verdict::Failed,
            };
            // A known issue of the product is not what a broken machine, a bad file or `finally` shows.
            let of_product = !matches!(class, Class::Infra | Class::Harness)
                && decisive.failure.kind != FailureKind::Config
                && *body_failed;
            let named = expected.and_then(|e| e.mechanism.as_deref());
            let by_name = named.is_some() && named == diagnosis.map(|d| d.mechanism.as_str());
            if let (Verdict::Failed | Verdict::Inconclusive, Some(expected)) = (finished.verdict, expected)
                && (of_product || by_name)
            {
                let by = diagnosis.map(|d| d.mechanism.as_str());
                match &expected.mechanism {
                    Some(wanted) if Some(wanted.as_str()) != by => {
                        finished.reason = format!(
                            "expected to fail by `{wanted}` ({}), but failed by `{}`: {}",
                            expected.issue,
                            by.unwrap_or("unclassified"),
                            finished.reason
                        );
                    }
                    _ => {
                        finished.verdict = Verdict::ExpectedFailure;
                        finished.reason =
                            format!("{}: {} ({})", expected.issue, expected.reason, finished.reason);
                    }
                }
            }
        }
    }
    if finished.verdict.is_red()
        && let Some(diagnosis) = diagnosis
    {
        let identity = identity_of(diagnosis, context.run.log.redactor());
        match context.run.known.standing(&identity, &today()) {
            Standing::Known(told) => finished.known = Some(told),
            Standing::New => finished.new = can_be_remembered(&finished),
            Standing::Back(told) => (finished.new, finished.came_back) = (true, Some(told)),
            Standing::Untold => {}
        }
    }
    finished
}
