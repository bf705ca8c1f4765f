//! The whole text of a scenario for file reports: its block, steps, exchanges and all evidence.

use super::block::{Size, failure_block, plain_text};
use super::commands::run_name;
use super::scenario_state::{KeptPart, ScenarioState, StepState};
use super::state::RunState;
use super::text::{brief, clean};
use super::timeline::timeline_text;

/// The block, whole, then each gatherer's whole finding.
pub(super) fn failure_text(state: &RunState, scenario: &ScenarioState) -> String {
    let mut text = plain_text(&failure_block(state, scenario, &run_name(state), Size::WHOLE));
    if !scenario.exchanges.is_empty() {
        text.push_str("\nlast exchanges\n");
        for exchange in &scenario.exchanges {
            text.push_str(&format!("  {}\n", clean(&exchange.line())));
        }
    }
    for part in scenario.evidence.iter().flat_map(|e| &e.parts) {
        if let Some(data) = part_data(part) {
            text.push_str(&format!("\n{}\n{data}\n", part_title(part)));
        }
    }
    text
}

/// Its title, or its name where an old log has none.
pub(super) fn part_title(part: &KeptPart) -> String {
    let title = if part.title.is_empty() { &part.name } else { &part.title };
    clean(title)
}

/// The whole finding, indented; or why it is not here.
pub(super) fn part_data(part: &KeptPart) -> Option<String> {
    if part.left_out > 0 {
        return Some(format!("{} bytes are too many for a report; they are in the log", part.left_out));
    }
    let data = part.data.as_deref()?;
    let value: serde_json::Value = serde_json::from_str(data).ok()?;
    let pretty = serde_json::to_string_pretty(&value).ok()?;
    Some(pretty.lines().map(clean).collect::<Vec<_>>().join("\n"))
}

/// A line for each step, then a line for each workspace.
pub(super) fn steps_text(state: &RunState, scenario: &ScenarioState) -> String {
    let mut text: String = scenario.steps.values().map(|step| step_line(step) + "\n").collect();
    for (name, seen) in state.timelines(scenario, scenario.failed_ms()) {
        text.push_str(&format!("{name}: {}\n", timeline_text(&seen)));
    }
    text
}

/// `3 await ws online: passed in 1.2 s`.
pub(super) fn step_line(step: &StepState) -> String {
    let end = match &step.result {
        Some(result) => {
            let message =
                if result.message.is_empty() { String::new() } else { format!(": {}", result.message) };
            let advisory = if result.advisory { " (advisory)" } else { "" };
            format!("{} in {}{advisory}{message}", super::outcome_name(result.outcome), brief(result.took_ms))
        }
        None if step.started_ms.is_some() => "without an end".to_owned(),
        None => "not run".to_owned(),
    };
    let tries = if step.attempts > 1 { format!(" (try {})", step.attempts) } else { String::new() };
    clean(&format!("{} {}{tries}: {end}", step.step, step.title()))
}
