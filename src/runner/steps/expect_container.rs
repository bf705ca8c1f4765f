//! `expect: {container_of: …}`: the container that bears the workspace's name, and its volumes.

use serde_json::json;

use super::await_status::known;
use super::look::{Look, unseen};
use crate::clock::{self, Instant};
use crate::docker::{Engine, EngineError, names};
use crate::platform::policy;
use crate::runner::container;
use crate::runner::container_contract::{Made, broken};
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::evidence::container::{WINDOW, facts};
use crate::runner::outcome::{Failure, FailureKind, Passed};
use crate::runner::scope::StepScope;
use crate::runner::workspace::Workspace;
use crate::scenario::model::ContainerExpect;

/// One look: right, or what is not so yet.
pub(super) async fn look(
    context: &ScenarioContext,
    wanted: &ContainerExpect,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> Result<Look, Failure> {
    let alias = &wanted.workspace.name;
    let workspace = known(context, alias)?;
    let Some(engine) = context.run.target.engine.clone() else {
        let text = "`expect: {container_of: …}` needs a target whose containers can be reached";
        return Err(Failure::of(FailureKind::Config, format!("{text}: say `needs: [containers]`")));
    };
    if let Some(why) = workspace.replaced.unseen.as_deref().filter(|_| wanted.wants_one()) {
        return Err(unseen(&workspace, why));
    }
    let bound = policy::LOOK.end(step.deadline, Instant::now());
    let seen = tokio::select! {
        biased;
        seen = see(context, &engine, wanted, &workspace, (scope, bound)) => seen,
        () = clock::sleep_until(bound) => {
            let text = format!("the container of {alias}: no answer of the engine in time");
            return Ok(Look::NotYet(Failure::of(FailureKind::Environment, text).about(alias)));
        }
    };
    let wrong = match seen {
        Ok(Ok(message)) => return Ok(Look::Right(Passed::with(message))),
        Ok(Err(wrong)) => wrong,
        Err(error) => {
            let failure = Failure::of(FailureKind::Environment, error.what).details(error.check);
            return Ok(Look::NotYet(failure.about(alias)));
        }
    };
    let mut wrong = wrong.into_iter();
    let first = wrong.next().unwrap_or_default();
    let text = format!("container of {alias}: {first}");
    Ok(Look::NotYet(Failure::product(text).details(wrong).about(alias)))
}

type Seen = Result<String, Vec<String>>;

async fn see(
    context: &ScenarioContext,
    engine: &Engine,
    wanted: &ContainerExpect,
    workspace: &Workspace,
    (scope, bound): (&StepScope<'_>, Instant),
) -> Result<Seen, EngineError> {
    let found = container::of_workspace(context, engine, &workspace.id, bound).await?;
    // One that is on its way out is as good as gone.
    let found = found.filter(|c| c.status != "removing");
    let mut wrong = Vec::new();
    let state = found.as_ref().map_or("absent", |c| c.status.as_str());
    if !(wanted.states.is_empty() || wanted.states.iter().any(|s| s == state)) {
        wrong.push(format!("it is {state}, expected {}", wanted.states.join(" or ")));
    }
    let message = match &found {
        None if wanted.wants_one() => {
            wrong.push(format!("there is no {}", names::container(&workspace.id)));
            String::new()
        }
        None => "there is none".to_owned(),
        Some(container) if wanted.wants_one() => {
            let instance = container.instance();
            if workspace.replaced.holds(&instance) && container.status == "running" {
                let text = format!("{instance}, from before the {}, still runs", workspace.edge_name);
                return Ok(Err(vec![text]));
            }
            if wanted.contract {
                let made = Made::from_create(&workspace.id, &workspace.runtime, &workspace.sent);
                let made = Made { limited: engine.keeps_limits(), ..made };
                wrong.extend(broken(container, &made));
            }
            if !wanted.json.is_empty() {
                let mut shown = facts(container);
                let asks = |field| wanted.json.iter().any(|(path, _)| path.text.contains(field));
                if asks("events") || asks("oom_killed") {
                    let events = engine.events(&container.name, WINDOW).await?;
                    let events: Vec<String> = events.into_iter().map(|(_, what)| what).collect();
                    // The flag goes with the container, and an engine forgets events when it is busy.
                    shown["oom_killed"] = json!(container.oom_killed || events.iter().any(|e| e == "oom"));
                    shown["events"] = json!(events);
                }
                let tests = wanted.json.iter().flat_map(|(p, m)| p.check(Some(&shown), m, scope));
                wrong.extend(tests.map(|mismatch| mismatch.to_string()));
            }
            format!("{instance} is {state}")
        }
        Some(_) => String::new(),
    };
    if !wanted.volumes.is_empty() {
        let there = engine.volumes_of_workspace(&workspace.id).await?;
        for (kind, present) in &wanted.volumes {
            let name = match kind.as_str() {
                "configs" => names::configs(&workspace.id),
                "workspace" => names::workspace(&workspace.id),
                _ => names::sessions(&workspace.id),
            };
            match (there.iter().any(|v| v.name == name), present) {
                (true, false) => wrong.push(format!("the volume {name} is there")),
                (false, true) => wrong.push(format!("there is no volume {name}")),
                _ => {}
            }
        }
    }
    Ok(if wrong.is_empty() { Ok(message) } else { Err(wrong) })
}
