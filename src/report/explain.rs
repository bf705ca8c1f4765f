//! `lifecycle explain`: the failure block as the console showed it, then all that the log has, whole.

use super::block::{BlockLine, Size, Tone, failure_block};
use super::console::coloured;
use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::{clean, wrap};
use super::whole::{part_data, part_title, steps_text};
use crate::event::Diagnosis;

/// Which run it was, how it ended, and what is odd about its log.
pub fn explain_head(state: &RunState) -> String {
    let identity = &state.identity;
    let target = match (&identity.target, &identity.target_error) {
        (Some(target), _) => format!(" on {} {}", target.kind, target.base_url),
        (None, Some(error)) => format!(", target not reached: {error}"),
        (None, None) => String::new(),
    };
    let mut lines = vec![
        format!("run {} lifecycle {}{target}", identity.run, identity.tool_version),
        format!(
            "{}: {}",
            super::text::count(state.scenarios.len() as u64, "scenario"),
            state.totals().line()
        ),
    ];
    if let Some(finished) = &state.finished {
        lines.push(format!("exit {}: {}", finished.code, finished.reason));
    }
    lines.extend(state.remarks.iter().cloned());
    lines.iter().map(|line| clean(line) + "\n").collect()
}

/// One scenario, whole. `run` is the run's folder as a person would type it.
pub fn explain_text(state: &RunState, scenario: &ScenarioState, run: &str, width: usize) -> String {
    let mut text = String::new();
    if scenario.has_failure() {
        text.push_str(&coloured(&failure_block(state, scenario, run, Size::screen(width))));
        text.push('\n');
    } else {
        let verdict = scenario.verdict().map_or("without an end", |v| v.as_str());
        let reason =
            if scenario.reason().is_empty() { String::new() } else { format!(": {}", scenario.reason()) };
        text.push_str(&clean(&format!("{} {verdict}{reason}", scenario.name())));
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
                body.push_str(&format!("could not be had: {}\n", clean(error)));
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
    const LABEL: usize = 13;
    let mut text = String::new();
    let mut item = |label: &str, value: &str| {
        for (i, line) in wrap(&clean(value), width - LABEL, usize::MAX).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            text.push_str(format!("{label:<LABEL$}{line}").trim_end());
            text.push('\n');
        }
    };
    item("mechanism", &format!("{} ({})", diagnosis.mechanism, super::class_name(diagnosis.class)));
    item("summary", &diagnosis.summary);
    for (label, lines) in [
        ("evidence", &diagnosis.evidence),
        ("rules out", &diagnosis.rules_out),
        ("nearest", &diagnosis.nearest),
    ] {
        for (i, line) in lines.iter().enumerate() {
            item(if i == 0 { label } else { "" }, line);
        }
    }
    item("fix shape", &diagnosis.fix_shape);
    item("responsible", &diagnosis.part);
    item("known issue", diagnosis.issue.as_deref().unwrap_or_default());
    item("fingerprint", &diagnosis.fingerprint);
    item("known", scenario.known().unwrap_or_default());
    text
}
