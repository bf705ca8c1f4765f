//! Whether the instance ended that an edge takes away: a row may say so while it goes on running.

use std::time::Duration;

use crate::clock::Instant;
use crate::domain::instance::same;
use crate::domain::time;
use crate::event::EventKind;
use crate::run::instance::Baseline;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::Failure;
use crate::runner::workspace::Workspace;
use crate::runner::{container, environment, instances};

/// An instance is gone so long after the answer: on an engine in real time, elsewhere on the platform's clock.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// However fast a platform's clock is, its machine stops things in real time.
const LEAST: Duration = Duration::from_secs(5);
/// Between two looks at an engine or a platform, and at a control plane.
const LOOK: Duration = Duration::from_millis(200);
const LOOK_BEHIND: Duration = Duration::from_secs(1);

/// What one look shows of the instance from before the edge.
enum Sight {
    Ended,
    Runs,
    Unseen(String),
}

/// Words for the step's message; nothing where no instance was there to end. Of `verb` the answer and the row were right.
///
/// # Errors
/// The instance goes on running.
pub(super) async fn after(
    context: &ScenarioContext,
    workspace: &Workspace,
    before: &Baseline,
    verb: &str,
    step: &StepRun,
) -> Result<String, Failure> {
    let target = &context.run.target;
    if !workspace.managed {
        return Ok(String::new());
    }
    if !environment::in_reach(target) && target.behind.is_none() {
        return Ok("; whether its instance ended is unproven: this target shows no instances".to_owned());
    }
    if let Some(why) = &before.unseen {
        return Ok(format!("; whether its instance ended is unproven: none could be seen before ({why})"));
    }
    let Some(old) = before.instance.as_deref() else { return Ok(String::new()) };
    let limit = match &target.engine {
        Some(_) => ENDS_WITHIN,
        None => context.run.api.scale.shorten(ENDS_WITHIN).max(LEAST),
    };
    let pause = if environment::in_reach(target) { LOOK } else { LOOK_BEHIND };
    let began = Instant::now();
    let until = began + limit;
    loop {
        let sight = look(context, workspace, old, step).await;
        if matches!(sight, Sight::Ended) {
            // A control plane that does not answer shows none either.
            let by_itself = environment::in_reach(target);
            let said = if by_itself {
                ", and its instance ended"
            } else {
                "; the control plane shows no instance of it"
            };
            return Ok(said.to_owned());
        }
        if context.stop.is_cancelled() || Instant::now() + pause >= until.min(step.deadline) {
            let took = time::show(began.elapsed());
            return match sight {
                Sight::Unseen(why) => {
                    Ok(format!("; whether its instance ended is unproven: after {took}, {why}"))
                }
                // Too short a step has not waited long enough to say anything.
                _ if context.stop.is_cancelled() || Instant::now() + pause < until => Ok(format!(
                    "; whether its instance ended is unproven: it runs after {took}, and the step ends before the {} \
                     that it has for it",
                    time::show(limit)
                )),
                _ => runs_on(context, workspace, old, verb, limit),
            };
        }
        context.pause(pause).await;
    }
}

fn runs_on(
    context: &ScenarioContext,
    workspace: &Workspace,
    old: &str,
    verb: &str,
    limit: Duration,
) -> Result<String, Failure> {
    let alias = &workspace.alias;
    let text = format!(
        "{verb} was answered with success and stored, but the instance {} of {alias} goes on running, limit {} for it \
         to end",
        old.get(..12).unwrap_or(old),
        time::show(limit)
    );
    // A control plane tells what it has read of its cloud last: late is not never.
    if !environment::in_reach(&context.run.target) {
        context.run.log.emit(EventKind::Warning {
            scenario: Some(context.name.to_string()),
            text: format!("{text}, as far as the control plane shows"),
        });
        return Ok("; the control plane shows its instance running yet".to_owned());
    }
    context.update(alias, |w| w.outlived = true);
    Err(Failure { purpose: Some(verb.to_owned()), ..Failure::product(text).about(alias) })
}

async fn look(context: &ScenarioContext, workspace: &Workspace, old: &str, step: &StepRun) -> Sight {
    let target = &context.run.target;
    let seen = if let Some(engine) = &target.engine {
        match container::of_workspace(context, engine, &workspace.id, step.deadline).await {
            Ok(found) => Ok(found.filter(|c| c.running).map(|c| c.instance())),
            Err(error) => Err(error.what),
        }
    } else {
        instances::in_sight(context, &workspace.id, step).await
    };
    match seen {
        Ok(Some(now)) if same(old, &now) => Sight::Runs,
        Ok(_) => Sight::Ended,
        Err(why) => Sight::Unseen(why),
    }
}
