//! One step: its deadline, its retries, its verb.

mod a2a;
pub(in crate::runner) mod a2a_fits;
mod a2a_follow;
mod a2a_lost;
mod a2a_reply;
mod agent;
pub(crate) mod answer;
mod approval;
mod await_status;
mod before_edge;
mod container;
mod create;
mod edges;
mod expect;
mod expect_container;
pub(in crate::runner) mod expect_fits;
mod flow;
mod held;
pub(in crate::runner) mod http;
mod identity;
mod inbox_wrong;
mod instance_ends;
mod last_look;
pub(in crate::runner) mod look;
mod org;
mod settings;
mod stub;

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};

use super::cause;
use super::context::{ScenarioContext, StepRun};
use super::outcome::{Decisive, Failure, FailureKind, Origin, Passed, StepResult};
use super::scope::{Locals, StepScope};
use super::symptoms;
use crate::clock::{self, Instant};
use crate::domain::time;
use crate::event::{EventKind, StepFinished, StepOutcome, StepStarted};
use crate::scenario::model::{DurationField, Step, StepGate, Verb};
use crate::scenario::verbs::{Budget, Foreach};

/// Runs steps one after another; the first required failure ends them.
pub(crate) fn run_steps<'a>(
    context: &'a ScenarioContext,
    steps: &'a [Step],
    locals: &'a Locals,
    tag: &'a str,
) -> BoxFuture<'a, Result<(), Decisive>> {
    async move {
        for step in steps {
            run_step(context, step, locals, tag).await?;
        }
        Ok(())
    }
    .boxed()
}

async fn run_step(
    context: &ScenarioContext,
    step: &Step,
    locals: &Locals,
    tag: &str,
) -> Result<(), Decisive> {
    let id = format!("{}{tag}", step.id);
    let scope = StepScope { context, locals };
    let advisory = step.gate == Some(StepGate::Advisory);
    let began = Instant::now();
    let mut attempt = 1;
    let (attempts, pause) = step.retry.as_ref().map_or((1, Duration::ZERO), |r| (r.attempts.max(1), r.pause));
    loop {
        let budget = match budget(step, &scope) {
            Ok(budget) => budget,
            Err(failure) => return Err(Decisive { step: id, failure }),
        };
        let deadline = (Instant::now() + budget).min(context.deadline);
        // A clock that goes on makes 1m 29s of 90 s: what was asked for is said as it is.
        let given = match context.deadline == deadline {
            true => deadline.saturating_duration_since(Instant::now()),
            false => budget,
        };
        let from = limit(step, context.deadline == deadline);
        context.run.log.emit(EventKind::StepStarted(StepStarted {
            scenario: context.name.to_string(),
            step: id.clone(),
            name: step.name.clone(),
            shown: scope.filled(&step.name),
            verb: step.verb.keyword().to_owned(),
            line: step.position.line,
            budget_ms: time::ms(given),
            limit: from.clone(),
            attempt,
        }));
        let skip = match &step.when {
            Some(when) => match when.holds(&scope) {
                Ok(holds) => (!holds).then(|| format!("`when: {}` does not hold", when.text)),
                Err(error) => return Err(Decisive { step: id, failure: error.into() }),
            },
            None => None,
        };
        if let Some(reason) = skip {
            finish(context, &id, StepOutcome::Skipped, reason, began, Finish::default());
            return Ok(());
        }
        let mut run = StepRun::new(&id, deadline);
        run.asserted = (300..505).filter(|status| answer::speaks_of(&step.verb, *status)).collect();
        run.due = answer::due(&step.verb);
        context.state().exchanges.forget(&id);
        let mut result = run_verb(context, &step.verb, &run, locals, tag).await;
        if let (Ok(_), Some(failure)) = (&result, old_instance(context)) {
            result = Err(failure);
        }
        if context.stop.is_cancelled()
            && let Err(failure) = &mut result
        {
            failure.kind = FailureKind::Cancelled;
        }
        match result {
            Ok(passed) => {
                if attempt > 1 {
                    context
                        .state()
                        .flaky
                        .get_or_insert_with(|| format!("step {id} passed at attempt {attempt}"));
                }
                {
                    let mut state = context.state();
                    // A step that holds others ran when one of those did.
                    state.ran |= !matches!(step.verb, Verb::Steps(_) | Verb::Parallel(_) | Verb::Foreach(_));
                    state.milestones.extend(step.milestone.clone());
                }
                let more =
                    Finish { wait: passed.wait, milestone: step.milestone.clone(), ..Finish::default() };
                finish(context, &id, StepOutcome::Passed, passed.message, began, more);
                context.state().exchanges.forget(&id);
                return Ok(());
            }
            Err(mut failure) => {
                if failure.origin.is_none() {
                    failure.not_within(given, &from);
                }
                failure.origin.get_or_insert_with(|| {
                    let exchanges = context.state().exchanges.of(&id);
                    let (verb, asserts) = (step.verb.keyword(), symptoms::wanted(&step.verb));
                    Box::new(Origin {
                        step: id.clone(),
                        name: format!("{}{tag}", step.name),
                        verb,
                        asserts,
                        within: budget,
                        at: Instant::now(),
                        exchanges,
                    })
                });
                // A mismatch may quote a whole body: what is secret in it goes first, then what is too long.
                failure.message = shorten(&context.run.log.redactor().text(&failure.message));
                let again = attempt < attempts
                    && !matches!(
                        failure.kind,
                        FailureKind::Cancelled | FailureKind::Config | FailureKind::NotConfigured
                    )
                    && Instant::now() + pause < context.deadline;
                // What the server was seen to do as expected is no difference: whatever else it does there is a defect.
                let drifts = step.behaviour.filter(|behaviour| {
                    let contract = &context.run.target.contract;
                    !again
                        && matches!(failure.kind, FailureKind::Product | FailureKind::Inconclusive)
                        && !contract.is_kept(*behaviour)
                        && !failure
                            .origin
                            .as_ref()
                            .is_some_and(|origin| origin.exchanges.ends_in_server_error())
                });
                let more = Finish {
                    details: failure.details.clone(),
                    wait: failure.wait.clone(),
                    advisory: advisory || again || drifts.is_some(),
                    ..Finish::default()
                };
                finish(context, &id, failure.outcome(), failure.message.clone(), began, more);
                if again {
                    attempt += 1;
                    tokio::select! {
                        biased;
                        () = clock::sleep(pause) => {}
                        () = context.stop.cancelled() => {
                            failure.kind = FailureKind::Cancelled;
                            return Err(Decisive { step: id, failure });
                        }
                    }
                    continue;
                }
                if let Some(behaviour) = drifts {
                    let run = &context.run;
                    let drift = run.target.contract.drift(behaviour);
                    run.drifts.tell(&run.log, drift, Some((&context.name, &id)), &failure.message);
                    return Ok(());
                }
                if advisory && failure.kind != FailureKind::Cancelled {
                    return Ok(());
                }
                let survived = matches!(failure.kind, FailureKind::Product | FailureKind::Inconclusive);
                if step.gate == Some(StepGate::Continue) && survived {
                    // What the next steps do would change what is there now.
                    let decisive = Decisive { step: id, failure };
                    let found = cause::find(context, &decisive).await;
                    context.state().survived.push((decisive, found));
                    return Ok(());
                }
                return Err(Decisive { step: id, failure });
            }
        }
    }
}

/// A workspace whose new instance was proven, and whose old one was heard after that.
fn old_instance(context: &ScenarioContext) -> Option<Failure> {
    let state = context.state();
    let found = state.workspaces.values().find_map(|w| Some((w, w.contradicted.as_ref()?)))?;
    let (workspace, how) = found;
    let text = format!("{} is the instance from before the {}: {how}", workspace.alias, workspace.edge_name);
    Some(Failure::product(text).about(&workspace.alias))
}

/// Who said how long a step may take.
fn limit(step: &Step, by_scenario: bool) -> String {
    match &step.within {
        _ if by_scenario => "the scenario's budget".to_owned(),
        None => String::new(),
        Some(DurationField::Literal(duration)) => format!("`within: {}`", time::show(*duration)),
        Some(DurationField::Template(template)) => {
            let names = template.paths().into_iter().map(|path| match path {
                [root, name] if root == "inputs" => format!("input {name}"),
                path => path.join("."),
            });
            names.collect::<Vec<_>>().join(", ")
        }
    }
}

/// No message needs more to be understood.
const MESSAGE: usize = 600;

fn shorten(text: &str) -> String {
    if text.chars().count() <= MESSAGE {
        return text.to_owned();
    }
    text.chars().take(MESSAGE).chain(['…']).collect()
}

#[derive(Default)]
struct Finish {
    details: Vec<String>,
    wait: Option<crate::event::WaitStats>,
    milestone: Option<String>,
    advisory: bool,
}

fn finish(
    context: &ScenarioContext,
    id: &str,
    outcome: StepOutcome,
    message: String,
    began: Instant,
    more: Finish,
) {
    context.run.log.emit(EventKind::StepFinished(StepFinished {
        scenario: context.name.to_string(),
        step: id.to_owned(),
        outcome,
        message,
        details: more.details,
        took_ms: time::ms(began.elapsed()),
        wait: more.wait,
        milestone: more.milestone,
        advisory: more.advisory,
    }));
}

/// A step that takes as long as others is bounded by theirs and by the scenario's budget.
const BOUNDED_INSIDE: Duration = Duration::from_secs(24 * 3_600);

fn budget(step: &Step, scope: &StepScope<'_>) -> Result<Duration, Failure> {
    match &step.within {
        Some(within) => Ok(within.resolve(scope)?),
        None => Ok(match step.verb.budget() {
            Budget::Own(own) => own,
            Budget::AsLongAs(_) | Budget::Sum | Budget::Longest | Budget::Times(_) => BOUNDED_INSIDE,
        }),
    }
}

/// A future of its own for each verb: a poll that holds room for all of them needs 400 kB of stack in a build that is not
/// optimised, and steps stand in steps.
fn run_verb<'a>(
    context: &'a ScenarioContext,
    verb: &'a Verb,
    step: &'a StepRun,
    locals: &'a Locals,
    tag: &'a str,
) -> BoxFuture<'a, StepResult> {
    macro_rules! in_scope {
        ($run:path, $($argument:expr),*) => {
            Box::pin(async move { $run(context, $($argument),*, step, &StepScope { context, locals }).await })
        };
    }
    match verb {
        Verb::Create(verb) => in_scope!(create::run, verb),
        Verb::Register(verb) => in_scope!(agent::register, verb),
        Verb::Heartbeat(verb) => in_scope!(agent::heartbeat, verb),
        Verb::Inbox(verb) => in_scope!(agent::inbox, verb),
        Verb::Restart(edge) => in_scope!(edges::run, edges::EdgeKind::Restart, &edge.0),
        Verb::Pause(edge) => in_scope!(edges::run, edges::EdgeKind::Pause, &edge.0),
        Verb::Resume(edge) => in_scope!(edges::run, edges::EdgeKind::Resume, &edge.0),
        Verb::Hibernate(edge) => in_scope!(edges::run, edges::EdgeKind::Hibernate, &edge.0),
        Verb::Delete(edge) => in_scope!(edges::delete, &edge.0),
        Verb::Wake(verb) => Box::pin(edges::wake(context, verb, step)),
        Verb::Terminate(verb) => Box::pin(edges::terminate(context, verb, step)),
        Verb::Await(verb) => Box::pin(await_status::run(context, verb, step)),
        Verb::Hold(verb) => in_scope!(flow::hold, verb),
        Verb::A2a(verb) => in_scope!(a2a::run, verb),
        Verb::Secret(verb) => in_scope!(settings::secret, verb),
        Verb::Billing(verb) => in_scope!(settings::billing, verb),
        Verb::Model(verb) => in_scope!(settings::model, verb),
        Verb::Token(verb) => in_scope!(settings::token, verb),
        Verb::Http(verb) => in_scope!(http::run, verb),
        Verb::Expect(verb) => in_scope!(expect::run, verb),
        Verb::Exec(verb) => in_scope!(flow::exec, verb),
        Verb::Container(verb) => Box::pin(container::run(context, verb, step)),
        Verb::Stub(verb) => Box::pin(stub::run(context, verb)),
        Verb::Org(verb) => Box::pin(org::run(context, verb, step)),
        Verb::Capture(values) => {
            Box::pin(async move { flow::capture(context, &values.0, step, &StepScope { context, locals }) })
        }
        Verb::Steps(steps) => Box::pin(async move {
            match run_steps(context, &steps.0, locals, tag).await {
                Ok(()) => Ok(Passed::default()),
                Err(decisive) => Err(nested(decisive)),
            }
        }),
        Verb::Parallel(branches) => Box::pin(async move {
            let runs = branches.0.iter().map(|branch| run_step(context, branch, locals, tag));
            first_failure(join_all(runs).await)
        }),
        Verb::Foreach(each) => Box::pin(run_foreach(context, each, locals, tag)),
        Verb::Note(note) => {
            Box::pin(async move { Ok(Passed::with(note.0.render(&StepScope { context, locals })?)) })
        }
    }
}

async fn run_foreach(context: &ScenarioContext, each: &Foreach, locals: &Locals, tag: &str) -> StepResult {
    let scope = StepScope { context, locals };
    let mut items = Vec::new();
    for item in &each.items {
        items.push(item.render(&scope)?);
    }
    let run_item = |item: String| async move {
        let mut locals = locals.clone();
        locals.insert(each.alias.clone(), serde_json::Value::String(item.clone()));
        run_steps(context, &each.steps, &locals, &format!("{tag}[{item}]")).await
    };
    if each.parallel {
        return first_failure(join_all(items.into_iter().map(run_item)).await);
    }
    for item in items {
        if let Err(decisive) = run_item(item).await {
            return Err(nested(decisive));
        }
    }
    Ok(Passed::default())
}

fn first_failure(results: Vec<Result<(), Decisive>>) -> StepResult {
    match results.into_iter().find_map(Result::err) {
        Some(decisive) => Err(nested(decisive)),
        None => Ok(Passed::default()),
    }
}

fn nested(decisive: Decisive) -> Failure {
    Failure { message: format!("step {}: {}", decisive.step, decisive.failure.message), ..decisive.failure }
}
