//! `lifecycle explain`: the failure block as the console showed it, then all that the log has, whole.

use indexmap::IndexMap;

use super::block::{BlockLine, Size, Tone, failure_block};
use super::console::coloured;
use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::{clean, count, cut, wrap};
use super::whole::{part_data, part_title, steps_text};
use crate::event::Diagnosis;

/// Which run it was, how it ended, and what is odd about its log.
pub(crate) fn explain_head(state: &RunState) -> String {
    let identity = &state.identity;
    let target = match (&identity.target, &identity.target_error) {
        (Some(target), _) => format!(" on {} {}", target.kind, target.base_url),
        (None, Some(error)) => format!(", target not reached: {error}"),
        (None, None) => String::new(),
    };
    let mut lines = vec![
        format!("run {} lifecycle {}{target}", identity.run, identity.tool_version),
        format!("{}: {}", count(state.totals().scenarios, "scenario"), state.totals().line()),
    ];
    if state.reds().count() > 1
        && let Some(line) = lines.last_mut()
    {
        line.push_str(&format!(" ({})", state.causes_line()));
    }
    if let Some(finished) = &state.finished {
        let exit = format!("exit {}: {}", finished.code, finished.reason);
        // A red says the same in its block.
        lines.push(if state.reds().next().is_some() { cut(&clean(&exit), 100) } else { exit });
    }
    lines.extend(state.remarks.iter().cloned());
    lines.iter().map(|line| clean(line) + "\n").collect()
}

/// Lines of two screens.
const SCREENS: usize = 46;
/// Lines of one.
const SCREEN: usize = 24;
/// Lines of the head.
const HEAD: usize = 3;
/// Lines of a block, so that it, the head and the last line fit one.
const BLOCK: usize = SCREEN - HEAD - 3;

/// Why these scenarios are red, in two screens: the first of each cause with its block, the others by name. `run` is the
/// run's folder as a person would type it.
pub(crate) fn explain_brief(
    state: &RunState,
    scenarios: &[&ScenarioState],
    run: &str,
    width: usize,
) -> String {
    let size = Size { width: width.min(100), lines: Some(BLOCK), explained: true };
    let mut lines: Vec<String> = Vec::new();
    let mut told: Vec<(String, String)> = Vec::new();
    let mut left: Vec<&ScenarioState> = Vec::new();
    for scenario in scenarios {
        let (cause, key) = scenario.cause();
        let key = (cause.into_owned(), key.to_owned());
        let fits = lines.len() + BLOCK < SCREENS;
        if scenario.has_failure() && (told.contains(&key) || !fits) {
            left.push(scenario);
            continue;
        }
        told.push(key);
        lines.push(String::new());
        if scenario.has_failure() {
            let block = failure_block(state, scenario, run, size);
            lines.extend(block.iter().map(BlockLine::coloured));
        } else {
            lines.push(verdict_line(scenario));
        }
    }
    let steps =
        if let ([one], []) = (scenarios, left.as_slice()) { steps_text(state, one) } else { String::new() };
    let steps: Vec<&str> = steps.lines().collect();
    // What it did, where there is room on the screen.
    let room = SCREEN.saturating_sub(lines.len() + HEAD + 3);
    if !steps.is_empty() && (room >= steps.len() || !scenarios.iter().any(|s| s.has_failure())) {
        let room = SCREENS.saturating_sub(lines.len() + 4);
        lines.push(String::new());
        lines.extend(steps.iter().skip(steps.len().saturating_sub(room)).map(|line| cut(line, width)));
    }
    let mut causes: IndexMap<(String, String), Vec<&str>> = IndexMap::new();
    for scenario in &left {
        let (cause, key) = scenario.cause();
        causes.entry((cause.into_owned(), key.to_owned())).or_default().push(scenario.name());
    }
    let room = SCREENS.saturating_sub(lines.len() + 3).max(2);
    for (n, ((cause, key), names)) in causes.iter().enumerate() {
        if n == 0 {
            lines.push(String::new());
        }
        if n + 1 == room && n + 1 < causes.len() {
            lines.push(format!("… {}", count((causes.len() - n) as u64, "more cause")));
            break;
        }
        let key = if key.is_empty() { String::new() } else { format!(" ({key})") };
        let text = format!("{} red by {cause}{key}: {}", names.len(), names.join(", "));
        lines.push(cut(&clean(&text), width));
    }
    if !scenarios.is_empty() {
        lines.push(String::new());
        lines.push(format!("all that was gathered: lifecycle explain {run} --full"));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn verdict_line(scenario: &ScenarioState) -> String {
    let verdict = scenario.verdict().map_or("without an end", |v| v.as_str());
    let reason =
        if scenario.reason().is_empty() { String::new() } else { format!(": {}", scenario.reason()) };
    clean(&format!("{} {verdict}{reason}", scenario.name()))
}

/// One scenario, whole. `run` is the run's folder as a person would type it.
pub(crate) fn explain_text(state: &RunState, scenario: &ScenarioState, run: &str, width: usize) -> String {
    let mut text = String::new();
    if scenario.has_failure() {
        text.push_str(&coloured(&failure_block(state, scenario, run, Size::screen(width, None))));
        text.push('\n');
    } else {
        text.push_str(&verdict_line(scenario));
        text.push('\n');
    }
    let mut section = |title: &str, body: &str| {
        if !body.trim().is_empty() {
            let title = BlockLine { label: String::new(), text: format!("── {title}"), tone: Tone::Good };
            text.push_str(&format!("\n{}\n{}\n", title.coloured(), body.trim_end_matches('\n')));
        }
    };
    if let Some(diagnosis) = &scenario.diagnosis {
        section("diagnosis", &diagnosis_text(scenario, diagnosis, width.clamp(60, 120)));
    }
    section("steps", &steps_text(state, scenario));
    let exchanges: String = scenario.exchanges.iter().map(|e| clean(&e.line()) + "\n").collect();
    section("last exchanges", &exchanges);
    for evidence in &scenario.evidence {
        for part in &evidence.parts {
            let mut body: String = part.lines.iter().map(|line| clean(line) + "\n").collect();
            if let Some(error) = &part.error {
                body.push_str(&format!("not available: {}\n", clean(error)));
            }
            if let Some(data) = part_data(part).filter(|data| data.trim() != body.trim()) {
                body.push_str(&data);
            }
            section(&part_title(part), &body);
        }
    }
    text
}

/// All of a diagnosis, nothing cut.
fn diagnosis_text(scenario: &ScenarioState, diagnosis: &Diagnosis, width: usize) -> String {
    const LABEL: usize = 15;
    let mut text = String::new();
    let mut item = |label: &str, value: &str| {
        for (i, line) in wrap(&clean(value), width - LABEL, usize::MAX).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            text.push_str(format!("{label:<LABEL$}{line}").trim_end());
            text.push('\n');
        }
    };
    item("cause", &format!("{} ({})", diagnosis.mechanism, super::class_name(diagnosis.class)));
    item("summary", &diagnosis.summary);
    for (label, lines) in [
        ("evidence", &diagnosis.evidence),
        ("not the cause", &diagnosis.rules_out),
        ("nearest", &diagnosis.nearest),
    ] {
        for (i, line) in lines.iter().enumerate() {
            item(if i == 0 { label } else { "" }, line);
        }
    }
    item("suggested fix", &diagnosis.fix_shape);
    item("responsible", &diagnosis.part);
    item("known issue", diagnosis.issue.as_deref().unwrap_or_default());
    item("fingerprint", &diagnosis.fingerprint);
    item("known", scenario.known().unwrap_or_default());
    text
}
