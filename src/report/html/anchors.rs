//! How a scenario is named in the page: its anchor and its class.

use crate::event::Verdict;
use crate::report::scenario_state::ScenarioState;
use crate::report::state::RunState;

/// The anchor of a scenario: letters and digits, and a number for what they leave out.
pub(super) fn anchor(state: &RunState, scenario: &ScenarioState) -> String {
    let n = state.scenarios.get_index_of(scenario.name()).unwrap_or_default();
    let words: String =
        scenario.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    format!("s{n}-{}", words.trim_end_matches('-'))
}

pub(super) fn class(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Passed) => "passed",
        Some(Verdict::Flaky) => "flaky",
        Some(Verdict::ExpectedFailure) => "expected",
        Some(Verdict::Skipped) => "skipped",
        Some(Verdict::Failed) => "failed",
        Some(Verdict::Inconclusive) => "inconclusive",
        Some(Verdict::UnexpectedPass) => "unexpected",
        Some(Verdict::Error) => "error",
        Some(Verdict::Cancelled) => "cancelled",
        None => "unfinished",
    }
}
