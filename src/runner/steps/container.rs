//! `container:` acts on the container of a workspace, behind the platform's back.

use std::collections::BTreeMap;

use super::await_status::known;
use super::before_edge::{baseline, remember_activity};
use crate::clock;
use crate::docker::{Action, Engine, EngineError, ErrorKind, names};
use crate::run::instance::Baseline;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::workspace::Workspace;
use crate::scenario::model::ContainerVerb;

/// What `fill_volume` writes.
const FILL: usize = 64 << 20;

/// Runs the step.
pub(super) async fn run(context: &ScenarioContext, verb: &ContainerVerb, step: &StepRun) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let Some(engine) = context.run.target.engine.clone() else {
        let text = format!("`container: {}` needs a target whose containers can be reached", verb.action);
        return Err(Failure::of(FailureKind::Config, format!("{text}: say `needs: [containers]`")));
    };
    let action = verb.action.as_str();
    if !matches!(action, "unpause" | "connect" | "start" | "fill_volume") {
        remember_activity(context, alias, step).await;
    }
    let before = baseline(context, &workspace, step).await;
    if matches!(action, "kill" | "stop" | "remove" | "restart" | "remove_volume") {
        // The platform may be making a new instance from now on.
        context.run.ledger.disturb(&workspace.id, true);
    }
    let work = act(context, &engine, &workspace, action);
    tokio::select! {
        biased;
        done = work => done?,
        () = clock::sleep_until(step.deadline) => {
            let text = format!("{action} of the container of {alias}: no answer of the engine in time");
            return Err(Failure::of(FailureKind::Environment, text).about(alias));
        }
    }
    let old = before.instance.clone();
    context.update(alias, |w| match action {
        // The same instance again: nothing new is to be waited for.
        "unpause" | "connect" | "start" if w.baseline.instance == old => {
            w.baseline = Baseline::default();
            w.replaced = Baseline::default();
            w.edge = 0;
        }
        "unpause" | "connect" | "start" | "fill_volume" => {}
        // It still runs: a later wait may ask for a new instance, but need not.
        "pause" | "disconnect" => {
            w.edge_at = before.edge_at;
            w.baseline = before;
        }
        _ => w.begin_edge(&format!("container {action}"), before),
    });
    let was = old.map(|instance| format!(" ({instance})")).unwrap_or_default();
    Ok(Passed::with(format!("{action}{was}")))
}

/// Does it, never dropped half-way.
///
/// # Errors
/// There is no container, or the engine refuses.
pub(super) async fn act(
    context: &ScenarioContext,
    engine: &Engine,
    workspace: &Workspace,
    action: &str,
) -> Result<(), Failure> {
    let (engine, id, name) = (engine.clone(), workspace.id.clone(), action.to_owned());
    let work = async move { on_engine(&engine, &id, &name).await };
    let done = context
        .mutations
        .run(work)
        .await
        .map_err(|panic| Failure::of(FailureKind::Harness, panic.to_string()))?;
    done.map_err(|error| {
        let kind = match error.kind {
            ErrorKind::NotFound | ErrorKind::Conflict => FailureKind::Product,
            _ => FailureKind::Environment,
        };
        Failure::of(kind, error.what).details(error.check).about(&workspace.alias)
    })
}

async fn on_engine(engine: &Engine, id: &str, action: &str) -> Result<(), EngineError> {
    // By its id: the name may be another's by the time it is acted on.
    let found = engine.of_workspace(id).await?;
    if action == "remove_volume" {
        if let Some(container) = &found {
            // A volume in use cannot be removed.
            engine.remove(&container.id).await?;
        }
        return engine.remove_volume(&names::configs(id)).await.map(|_| ());
    }
    let gone = || EngineError::new(ErrorKind::NotFound, format!("there is no {}", names::container(id)));
    let container = found.ok_or_else(gone)?;
    // People know it by its name.
    let named = |e: EngineError| EngineError { what: e.what.replace(&container.id, &container.name), ..e };
    let known = match action {
        "kill" => Action::Kill,
        "stop" => Action::Stop,
        "start" => Action::Start,
        "restart" => Action::Restart,
        "pause" => Action::Pause,
        "unpause" => Action::Unpause,
        "remove" => Action::Remove,
        "disconnect" => return engine.disconnect(names::NETWORK, &container.id).await.map_err(named),
        "connect" => {
            let connected = engine.connect_network(names::NETWORK, &container.id, &container.name).await;
            return connected.map_err(named);
        }
        "fill_volume" => {
            let files = BTreeMap::from([("lifecycle-fill".to_owned(), vec![0; FILL])]);
            return engine.put_files(&container.id, "/workspace", &files, 0).await.map_err(named);
        }
        other => {
            let text = format!("`{other}` is not an action on containers");
            return Err(EngineError::new(ErrorKind::BadSettings, text));
        }
    };
    engine.act(&container.id, known).await.map_err(named)
}
