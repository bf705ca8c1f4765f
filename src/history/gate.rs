//! Whether a lane may gate: promote, hold or demote, with the arithmetic.
//!
//! OpenShift asks fourteen runs and 95 % of a test before it may block; KubeVirt counts a flake as a failure. Both are
//! kept as defaults.

use crate::domain::words::count;
use serde::Serialize;

use super::rates::{History, wilson};

/// What is asked of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Rules {
    /// Judged runs that are needed.
    pub runs: usize,
    /// The share that must be good.
    pub rate: f64,
}

/// Fewer runs than this are too few to take a lane's gate away.
const FEW: usize = 5;

impl Default for Rules {
    fn default() -> Self {
        Rules { runs: 14, rate: 0.95 }
    }
}

/// What becomes of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// It fails too often to gate.
    Demote,
    /// Not enough is known, or it is between the bars.
    Hold,
    /// It may gate.
    Promote,
}

impl Decision {
    /// For people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Decision::Demote => "demote",
            Decision::Hold => "hold",
            Decision::Promote => "promote",
        }
    }
}

/// A decision and how it came about.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judged {
    /// The scenario.
    pub scenario: String,
    /// What it ran on.
    pub target: String,
    /// What becomes of it.
    pub decision: Decision,
    /// Good runs.
    pub good: usize,
    /// Judged runs.
    pub judged: usize,
    /// The true rate lies between these with 95 % confidence.
    pub between: (f64, f64),
    /// The arithmetic in a line.
    pub because: String,
}

/// Judges a scenario. It is demoted only where chance does not explain its failures: the whole interval is below the bar.
pub(crate) fn judge(history: &History, rules: &Rules) -> Judged {
    let (good, judged) = (history.good, history.judged);
    let between = wilson(good, judged);
    let rate = if judged == 0 { 0.0 } else { good as f64 / judged as f64 };
    let sum = format!("{good} of {} good ({:.1} %)", count(judged, "run"), rate * 100.0);
    let bar = format!("{:.1} %", rules.rate * 100.0);
    let bad = format!("{} red, {} flaky", history.bad, history.flaky);
    let (decision, because) = if between.1 < rules.rate && judged >= FEW {
        let high = between.1 * 100.0;
        (Decision::Demote, format!("{sum}: {bad}; the true rate is below {high:.1} %, the bar is {bar}"))
    } else if judged < rules.runs {
        (Decision::Hold, format!("{sum}; needed: {}", count(rules.runs, "run")))
    } else if rate >= rules.rate {
        (Decision::Promote, format!("{sum}, the bar is {bar} of at least {}", count(rules.runs, "run")))
    } else {
        (Decision::Hold, format!("{sum}: {bad}; the bar is {bar}, and chance can explain the rest"))
    };
    let (scenario, target) = (history.scenario.clone(), history.target.clone());
    Judged { scenario, target, decision, good, judged, between, because }
}

#[cfg(test)]
mod tests {
    use super::super::histories;
    use super::super::sample::{Outcome, Sample};
    use super::*;

    fn judged(good: usize, flaky: usize, bad: usize) -> Decision {
        let outcomes = [(Outcome::Good, good), (Outcome::Flaky, flaky), (Outcome::Bad, bad)];
        let sample = |outcome| Sample {
            run: "r".into(),
            at: String::new(),
            scenario: "s".into(),
            target: "embedded".into(),
            outcome,
            took_ms: 1,
            phases: std::collections::BTreeMap::new(),
            mechanism: None,
        };
        let samples: Vec<Sample> =
            outcomes.into_iter().flat_map(|(outcome, n)| std::iter::repeat_n(sample(outcome), n)).collect();
        judge(&histories(&samples)[0], &Rules::default()).decision
    }

    #[test]
    fn what_the_rules_say() {
        for (good, flaky, bad, decision) in [
            (1, 0, 0, Decision::Hold),
            (13, 0, 0, Decision::Hold),
            (14, 0, 0, Decision::Promote),
            (19, 0, 1, Decision::Promote),
            (19, 1, 0, Decision::Promote),
            // A flake is a failure.
            (18, 2, 0, Decision::Hold),
            (18, 0, 2, Decision::Hold),
            (10, 5, 5, Decision::Demote),
            (0, 0, 1, Decision::Hold),
            (0, 0, 5, Decision::Demote),
            (0, 0, 14, Decision::Demote),
        ] {
            assert_eq!(judged(good, flaky, bad), decision, "{good} good, {flaky} flaky, {bad} bad");
        }
    }
}
