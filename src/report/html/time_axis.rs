//! The run on one time axis: scenarios by their steps, workspaces by their statuses.

use maud::{Markup, html};

use super::anchors::{anchor, class};
use crate::event::StepOutcome;
use crate::report::scenario_state::{ScenarioState, StepState};
use crate::report::state::RunState;
use crate::report::text::{brief, clean};
use crate::report::timeline::Seen;

/// Scenarios on the run's axis, the slowest ones when there are more.
const MAX_ROWS: usize = 150;

/// All scenarios that ran, the reds first, then in the order of their start.
pub(super) fn section(state: &RunState) -> Markup {
    let mut ran: Vec<&ScenarioState> = state.scenarios.values().filter(|s| s.started_ms.is_some()).collect();
    let all = ran.len();
    ran.sort_by_key(|s| (!s.has_failure(), std::cmp::Reverse(took(state, s))));
    ran.truncate(MAX_ROWS);
    ran.sort_by_key(|s| (!s.has_failure(), s.started_ms));
    let total = state.took_ms().max(1);
    html! {
        @if !ran.is_empty() {
            section id="time" {
                details open {
                    summary { h2 { "Time" } span.dim {
                        (brief(total)) @if all > ran.len() { ", the reds and slowest " (ran.len()) " of " (all) }
                    } }
                    div.axis {
                        (scale(total))
                        @for scenario in &ran { (lane(state, scenario, total)) }
                        @if let Some(cleanup) = &state.cleanup {
                            @let took = cleanup.took_ms.unwrap_or(total.saturating_sub(cleanup.started_ms));
                            div.lane { span.who.dim { "clean-up" } span.track {
                                (stretch("st-rest", cleanup.started_ms, took, total, &format!("clean-up {}", brief(took))))
                            } }
                        }
                    }
                    p.legend { span.st-good {} "passed" span.st-bad {} "failed" span.st-busy {} "waited longest" span.st-rest {} "other" }
                }
            }
        }
    }
}

fn took(state: &RunState, scenario: &ScenarioState) -> u64 {
    let end = scenario.finished_ms.unwrap_or(state.last_ms);
    end.saturating_sub(scenario.started_ms.unwrap_or(end))
}

fn scale(total: u64) -> Markup {
    html! {
        div.lane.scale { span.who {} span.track {
            @for n in 0..=4u64 { i style={ "left:" (n * 25) "%" } { (brief(total * n / 4)) } }
        } }
    }
}

/// One scenario: a stretch for each step, coloured by how it ended; its longest wait stands out.
fn lane(state: &RunState, scenario: &ScenarioState, total: u64) -> Markup {
    let longest = scenario
        .steps
        .values()
        .filter(|s| s.wait_stats().is_some())
        .max_by_key(|s| s.result.as_ref().map_or(0, |r| r.took_ms))
        .map(|s| s.step.as_str());
    html! {
        div.lane {
            a.who.(class(scenario.verdict())) href={ "#" (anchor(state, scenario)) } { (clean(scenario.name())) }
            span.track {
                @for step in scenario.steps.values() {
                    @if let (Some(from), Some(result)) = (step.started_ms, &step.result) {
                        @let text = format!("{} {}: {}", step.step, step.title_with_values(), brief(result.took_ms));
                        (stretch(step_colour(step, longest), from, result.took_ms, total, &clean(&text)))
                    }
                }
            }
        }
    }
}

fn step_colour(step: &StepState, longest: Option<&str>) -> &'static str {
    match step.outcome() {
        Some(StepOutcome::Failed | StepOutcome::Inconclusive | StepOutcome::Error) => "st-bad",
        Some(StepOutcome::Passed) if longest == Some(step.step.as_str()) => "st-busy",
        Some(StepOutcome::Passed) => "st-good",
        _ => "st-rest",
    }
}

/// Permille without a fraction: the file is the same on every machine.
fn stretch(class: &str, from: u64, took: u64, total: u64, text: &str) -> Markup {
    let part = |ms: u64| {
        let thousandths = ms.min(total) * 100_000 / total;
        format!("{}.{:03}%", thousandths / 1_000, thousandths % 1_000)
    };
    html! { i class=(class) style={ "left:" (part(from)) ";width:" (part(took)) } title=(text) {} }
}

/// A scenario's own workspaces by status, and how long each took.
pub(super) fn of_scenario(state: &RunState, scenario: &ScenarioState) -> Markup {
    let timelines = state.timelines(scenario, scenario.failed_ms().filter(|_| scenario.has_failure()));
    html! { @for (name, seen) in &timelines { (bar(name, seen)) } }
}

fn bar(name: &str, seen: &[Seen]) -> Markup {
    let total: u64 = seen.iter().map(|s| s.took_ms).sum::<u64>().max(1);
    html! {
        div.timeline {
            span.ws { (clean(name)) }
            div.bar {
                @for stretch in seen {
                    @let share = (stretch.took_ms * 1_000 / total).max(5);
                    @let text = format!("{} {}{}", stretch.status, brief(stretch.took_ms), if stretch.still { " (still)" } else { "" });
                    div class={ "stretch " (status_class(&stretch.status)) } style={ "flex-grow:" (share) } title=(clean(&text)) {
                        (clean(&text))
                    }
                }
            }
        }
    }
}

fn status_class(status: &str) -> &'static str {
    match status {
        "online" => "st-good",
        "provisioning" | "hibernating" | "awaiting_agent" => "st-busy",
        "degraded" | "failed" | "offline" => "st-bad",
        "paused" | "hibernated" => "st-rest",
        _ => "st-other",
    }
}
