//! One scenario instance of one run, as far as rates need it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::{RunStarted, Verdict};
use crate::http::is_loopback;
use crate::report::{RunState, ScenarioState, profile_name};
use crate::scenario::without_round;
use crate::targets::Kind;

/// What an instance's end says about the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Passed, or failed as expected.
    Good,
    /// Passed at a later try: counts as a failure where a lane is judged.
    Flaky,
    /// Red by the platform or its configuration.
    Bad,
    /// Skipped, cancelled, or the environment's: says nothing of the platform.
    Unjudged,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed | Verdict::ExpectedFailure => Outcome::Good,
            Verdict::Flaky => Outcome::Flaky,
            Verdict::Failed | Verdict::Inconclusive | Verdict::UnexpectedPass => Outcome::Bad,
            Verdict::Skipped | Verdict::Error | Verdict::Cancelled => Outcome::Unjudged,
        }
    }
}

/// An instance in a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// The run's id.
    pub run: String,
    /// When the run began, RFC 3339.
    pub at: String,
    /// The instance, without a round.
    pub scenario: String,
    /// What it ran on: rates of two servers are two rates.
    pub target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// From its first step to its verdict.
    pub took_ms: u64,
    /// Time that its workspaces spent in each status, but `online` and `removed`: how long the platform took.
    pub phases: BTreeMap<String, u64>,
    /// The cause of a red.
    pub mechanism: Option<String>,
}

/// The instances of a run that came to an end, in the order of the plan.
pub(crate) fn samples_of(state: &RunState) -> Vec<Sample> {
    state
        .scenarios
        .values()
        .filter(|s| !s.is_retry())
        .filter_map(|scenario| sample(state, scenario))
        .collect()
}

/// A profile, a live server's address, a control plane's, or the kind of what lives in this program.
fn target_of(identity: &RunStarted) -> String {
    if let Some(profile) = &identity.profile {
        return format!("profile {}", profile_name(&profile.name));
    }
    let Some(target) = &identity.target else { return "no target".to_owned() };
    let plane = identity.asked().remove("cp_url");
    match (Kind::named(&target.kind), plane) {
        (Ok(Kind::Live), _) => place_of(&target.base_url),
        (Ok(Kind::Saas), Some(plane)) => plane,
        (Ok(Kind::Saas), None) => "saas (built-in control plane)".to_owned(),
        (Ok(Kind::Embedded | Kind::Docker), _) | (Err(_), _) => target.kind.clone(),
    }
}

/// An address; without the port of a server on this machine, which may be another in each run.
fn place_of(base_url: &str) -> String {
    let authority = base_url.split("://").nth(1).unwrap_or(base_url).split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    if is_loopback(host) { format!("live {host}") } else { base_url.to_owned() }
}

fn sample(state: &RunState, scenario: &ScenarioState) -> Option<Sample> {
    let finish = scenario.finish.as_ref()?;
    let mut phases = BTreeMap::new();
    for timeline in scenario.workspaces.values() {
        for seen in timeline.seen(scenario.finished_ms.unwrap_or(state.last_ms)) {
            if !matches!(seen.status.as_str(), "online" | "removed" | "absent") {
                *phases.entry(seen.status).or_insert(0) += seen.took_ms;
            }
        }
    }
    Some(Sample {
        run: state.identity.run.clone(),
        at: state.started_at.clone(),
        scenario: without_round(scenario.name()).to_owned(),
        target: target_of(&state.identity),
        outcome: finish.verdict.into(),
        took_ms: finish.took_ms,
        phases,
        mechanism: scenario.diagnosis.as_ref().map(|d| d.mechanism.clone()),
    })
}
