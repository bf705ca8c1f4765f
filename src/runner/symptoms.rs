//! What the mechanisms are tried against: the failure, its evidence, and what was seen on the way.

use std::time::Duration;

use super::context::{RECENT, ScenarioContext};
use super::outcome::FailureKind;
use super::plan::Instance;
use super::steps::Decisive;
use super::workspace::Workspace;
use crate::behaviour::Behaviour;
use crate::event::Evidence;
use crate::mechanism::{Subject, Symptoms, Wait};

/// Collects them for a failure.
pub fn of(
    context: &ScenarioContext,
    instance: &Instance,
    decisive: &Decisive,
    evidence: Evidence,
) -> Symptoms {
    let failure = &decisive.failure;
    let (step, verb) = match &failure.origin {
        Some(origin) => (origin.step.clone(), origin.verb.to_owned()),
        None => (decisive.step.clone(), String::new()),
    };
    let workspace = super::evidence::target(context, &decisive.step, failure);
    let (exchanges, exchanges_whole) = {
        let state = context.state();
        let of_step = state.recent.iter().filter(|e| e.step == step).cloned().collect();
        (of_step, state.recent.len() < RECENT)
    };
    let within = failure.origin.as_ref().map_or(Duration::ZERO, |o| o.within);
    let target = &context.run.target;
    Symptoms {
        scenario: instance.name.clone(),
        step,
        verb,
        message: failure.message.clone(),
        details: failure.details.clone(),
        kind: match failure.kind {
            FailureKind::Environment => "environment",
            FailureKind::Harness => "harness",
            FailureKind::Config => "config",
            FailureKind::Inconclusive => "inconclusive",
            _ => "product",
        }
        .to_owned(),
        wait: failure.waited.as_deref().cloned().map(|wait| Wait { within, ..wait }),
        workspace: workspace.map(|w| subject(context, w)),
        exchanges,
        exchanges_whole,
        evidence,
        time_scale: context.run.api.scale.factor(),
        wakes: Some(target.contract.has(Behaviour::HibernateWakes)),
    }
}

fn subject(context: &ScenarioContext, workspace: Workspace) -> Subject {
    let parent_gone = {
        let state = context.state();
        state.workspaces.values().any(|w| w.gone && workspace.parent_id.as_deref() == Some(w.id.as_str()))
    };
    Subject {
        deleted: workspace.gone || parent_gone,
        id: workspace.id,
        managed: workspace.managed,
        runtime: workspace.runtime,
        model: workspace.model,
        provider: workspace.provider,
        edge: workspace.edge_name,
        edges: workspace.edge,
        instance_before: workspace.baseline.instance,
        activity_before: (workspace.activity_for == workspace.edge)
            .then(|| workspace.activity_before.into_iter().collect()),
        timeline: workspace.timeline,
    }
}
