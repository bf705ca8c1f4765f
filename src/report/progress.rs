//! The lines that move while a run goes on, and what SIGUSR1 prints: pure functions of the state.

use super::scenario_state::{ScenarioState, StepState};
use super::state::RunState;
use super::text::{brief, clean, count, cut, fill};
use crate::event::{CancelReason, Verdict};

/// Columns that a scenario's name gets at most.
const MAX_NAME: usize = 36;

/// One line of how far the run is, then at most `max_rows` scenarios that run, those that began
/// first first, then how many more there are. No line is wider than `width`.
pub(crate) fn progress_lines(state: &RunState, now_ms: u64, width: usize, max_rows: usize) -> Vec<String> {
    let running = state.running();
    let mut lines = vec![cut(&head(state, running.len(), now_ms), width)];
    let shown = &running[..running.len().min(max_rows)];
    let names = shown.iter().map(|s| console::measure_text_width(s.name())).max().unwrap_or(0);
    for scenario in shown {
        let name = fill(&clean(scenario.name()), names.min(MAX_NAME));
        lines.push(cut(&format!("  {name}  {}", what_runs(scenario, now_ms)), width));
    }
    if running.len() > shown.len() {
        lines.push(cut(&format!("  … {} more", running.len() - shown.len()), width));
    }
    lines
}

fn head(state: &RunState, running: usize, now_ms: u64) -> String {
    let totals = state.totals();
    let ended = totals.scenarios - totals.unfinished;
    let mut head = format!("{}  {ended}/{} ended", brief(now_ms), totals.scenarios);
    for (verdict, n) in totals.counted().filter(|(v, _)| *v != Verdict::Passed) {
        head.push_str(&format!(", {n} {verdict}"));
    }
    match (&state.cleanup, state.cancelled) {
        (Some(cleanup), _) if cleanup.took_ms.is_none() => {
            let since = brief(now_ms.saturating_sub(cleanup.started_ms));
            let left = state.resources.owned.len();
            head.push_str(&format!(" · clean-up for {since}, {} to remove", count(left as u64, "resource")));
        }
        (_, Some(reason)) => {
            let left = count(state.resources.owned.len() as u64, "resource");
            head.push_str(&format!(" · {}: {left} to remove", super::cancel_text(reason)));
            if reason < CancelReason::SecondInterrupt {
                head.push_str("; Ctrl-C again leaves them");
            }
        }
        _ => head.push_str(&format!(" · {running} running")),
    }
    head
}

/// `5/7 await ws online 12.3 s · saw provisioning for 11.9 s`.
fn what_runs(scenario: &ScenarioState, now_ms: u64) -> String {
    let steps = scenario.running_steps();
    let shown = steps.iter().find(|s| s.waiting.is_some()).or(steps.first());
    let Some(step) = shown else {
        let since = now_ms.saturating_sub(scenario.started_ms.unwrap_or(now_ms));
        return format!("between steps, {}", brief(since));
    };
    let since = brief(now_ms.saturating_sub(step.started_ms.unwrap_or(now_ms)));
    let limit = if step.budget_ms > 0 { format!(" of {}", brief(step.budget_ms)) } else { String::new() };
    let mut text = format!("{} {} {since}{limit}", scenario.position(&step.step), clean(&step.title()));
    if step.attempts > 1 {
        text.push_str(&format!(" (try {})", step.attempts));
    }
    if let Some(waiting) = &step.waiting {
        let for_ms = brief(now_ms.saturating_sub(waiting.since_ms));
        let slow = if waiting.slow { "slow, " } else { "" };
        text.push_str(&format!(" · {slow}saw {} for {for_ms}", clean(&waiting.last)));
    }
    if steps.len() > 1 {
        text.push_str(&format!(" (and {} beside it)", steps.len() - 1));
    }
    text
}

/// What every running scenario is waiting for, since when, what it last saw. No line is cut.
pub(crate) fn dump_lines(state: &RunState, now_ms: u64) -> Vec<String> {
    let running = state.running();
    let mut lines = vec![format!("waiting at {}", head(state, running.len(), now_ms))];
    for scenario in &running {
        let steps = scenario.running_steps();
        if steps.is_empty() {
            lines.push(format!("  {}: between steps", clean(scenario.name())));
        }
        for step in steps {
            lines.push(format!("  {}: {}", clean(scenario.name()), dump_step(scenario, step, now_ms)));
        }
    }
    if running.is_empty() {
        lines.push("  no scenario is running".to_owned());
        for resource in state.resources.owned.values() {
            lines.push(format!("  still owned: {} {}", resource.kind, clean(&resource.name)));
        }
    }
    lines
}

fn dump_step(scenario: &ScenarioState, step: &StepState, now_ms: u64) -> String {
    let since = brief(now_ms.saturating_sub(step.started_ms.unwrap_or(now_ms)));
    let mut text = format!(
        "step {} {} ({}), for {since} of {}",
        scenario.position(&step.step),
        clean(&step.title()),
        scenario.place(Some(step)),
        brief(step.budget_ms)
    );
    match &step.waiting {
        Some(waiting) => {
            let for_ms = brief(now_ms.saturating_sub(waiting.since_ms));
            text.push_str(&format!(
                "; expects {}; last saw {} (for {for_ms})",
                clean(&waiting.wants),
                clean(&waiting.last)
            ));
        }
        None => match scenario.exchanges.back() {
            Some(last) => text.push_str(&format!("; last exchange {}", clean(&last.line()))),
            None => text.push_str("; nothing seen yet"),
        },
    }
    text
}
