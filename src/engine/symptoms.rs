//! What the mechanisms are tried against: the failure, its evidence, and what was seen on the way.

use super::context::ScenarioContext;
use super::outcome::FailureKind;
use super::plan::Instance;
use super::steps::Decisive;
use crate::event::Evidence;
use crate::mechanism::Symptoms;

/// Collects them for a failure.
pub fn of(
    context: &ScenarioContext,
    instance: &Instance,
    decisive: &Decisive,
    evidence: Evidence,
) -> Symptoms {
    let failure = &decisive.failure;
    let workspace = failure.workspace.as_ref().and_then(|alias| context.workspace(alias));
    let verb = crate::engine::plan::planned(instance).steps.into_iter().find(|s| {
        decisive.step.starts_with(&s.step)
            && s.step.len() == decisive.step.split('[').next().unwrap_or_default().len()
    });
    Symptoms {
        scenario: instance.name.clone(),
        step: decisive.step.clone(),
        verb: verb.map(|s| s.verb).unwrap_or_default(),
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
        edge: workspace.map(|w| w.edge_name).unwrap_or_default(),
        evidence,
    }
}
