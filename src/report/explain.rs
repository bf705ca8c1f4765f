//! `lifecycle explain`: the failure block as the console showed it, then all that the log has, whole.

use indexmap::IndexMap;

use super::block::{BlockLine, Size, Tone, failure_block};
use super::commands::{by_fault, quote};
use super::console::coloured;
use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::{clean, count, cut, listed, wrap};
use super::whole::{part_data, part_title, steps_text};
use crate::domain::ExitCode;
use crate::event::Diagnosis;
use crate::scenario::without_round;
use crate::targets::Kind;

/// Which run it was, how it ended, and what is odd about its log.
pub(crate) fn explain_head(state: &RunState, width: usize) -> String {
    let identity = &state.identity;
    let target = match (&identity.target, &identity.target_error) {
        // What lived in that process answers nowhere now.
        (Some(target), _) if Kind::named(&target.kind).is_ok_and(Kind::ends_with_the_process) => {
            format!(" on {}", target.kind)
        }
        (Some(target), _) => format!(" on {} {}", target.kind, target.base_url),
        (None, Some(error)) => format!(", target not reached: {error}"),
        (None, None) => String::new(),
    };
    let mut lines = vec![
        format!("run {}{target}{} (v{})", identity.run, by_fault(identity), identity.tool_version),
        format!("{}: {}", count(state.totals().scenarios, "scenario"), state.totals().line()),
    ];
    if state.reds().count() > 1
        && let Some(line) = lines.last_mut()
    {
        line.push_str(&format!(" ({})", state.causes_line()));
    }
    match &state.finished {
        // Why stands in the blocks of the reds.
        Some(finished) if finished.exit == ExitCode::Failed && state.reds().next().is_some() => {
            if let Some(line) = lines.last_mut() {
                *line = format!("exit {}: {line}", finished.code);
            }
        }
        Some(finished) => lines.push(format!("exit {}: {}", finished.code, finished.reason)),
        None => {}
    }
    lines.extend(state.remarks.iter().cloned());
    let wrapped = lines.iter().flat_map(|line| wrap(&clean(line), width, usize::MAX));
    wrapped.map(|line| line + "\n").collect()
}

/// Lines of a screen, of which the prompt has one.
const SCREEN: usize = 23;
/// Lines of the steps of one scenario, where nothing of it failed.
const STEPS: usize = 40;
/// Lines of a block that would be of no use with fewer.
const BLOCK: usize = 12;
/// Lines of the reds that are named only.
const NAMED: usize = 4;

/// Why these scenarios are red, on one screen: the first of the cause with most reds with its block, the others by name.
/// `run` is the run's folder as a person would type it.
pub(crate) fn explain_brief(
    state: &RunState,
    scenarios: &[&ScenarioState],
    run: &str,
    width: usize,
) -> String {
    let (failed, ended): (Vec<&ScenarioState>, Vec<&ScenarioState>) =
        scenarios.iter().partition(|scenario| scenario.has_failure());
    let causes = by_cause(&failed);
    let named = named_lines(&causes, width);
    let head = explain_head(state, width).lines().count();
    let mut lines: Vec<String> = Vec::new();
    if let Some(first) = causes.first().and_then(|reds| reds.first()) {
        let gaps = 2 + usize::from(!named.is_empty()) + usize::from(causes.len() > 1);
        let room = SCREEN.saturating_sub(head + gaps + named.len() + 1).max(BLOCK);
        let size = Size { width: width.min(100), terminal: width, lines: Some(room), explained: true };
        lines.push(String::new());
        lines.extend(failure_block(state, first, run, size).iter().map(BlockLine::coloured));
    }
    if !ended.is_empty() {
        lines.push(String::new());
        let room = SCREEN.saturating_sub(head + lines.len() + 3).max(3);
        lines.extend(ended.iter().take(room).map(|scenario| verdict_line(scenario)));
        if ended.len() > room {
            lines.push(format!("… {} more", ended.len() - room));
        }
    }
    if let [one] = scenarios {
        let steps = steps_text(state, one);
        let steps: Vec<&str> = steps.lines().collect();
        // What it did, where there is room on the screen.
        let room = SCREEN.saturating_sub(lines.len() + head + 3);
        if !steps.is_empty() && (room >= steps.len() || !one.has_failure()) {
            lines.push(String::new());
            lines.extend(steps.iter().skip(steps.len().saturating_sub(STEPS)).map(|line| cut(line, width)));
        }
    }
    if !named.is_empty() {
        lines.push(String::new());
        lines.extend(named);
    }
    if !scenarios.is_empty() {
        lines.push(String::new());
        if let Some(other) = causes.get(1).and_then(|reds| reds.first()) {
            let name = quote(without_round(other.name()));
            lines.push(format!("the next cause: lifecycle explain {} {name}", quote(run)));
        }
        lines.push(format!("all that was gathered: lifecycle explain {} --full", quote(run)));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Scenarios by cause: what counts first, then the cause with most of them; first of each what stands for it.
fn by_cause<'a>(failed: &[&'a ScenarioState]) -> Vec<Vec<&'a ScenarioState>> {
    let mut causes: IndexMap<(String, String), Vec<&ScenarioState>> = IndexMap::new();
    for scenario in failed.iter().copied() {
        let (cause, key) = scenario.cause();
        causes.entry((cause.into_owned(), key.to_owned())).or_default().push(scenario);
    }
    let mut causes: Vec<Vec<&ScenarioState>> = causes.into_values().collect();
    for reds in &mut causes {
        reds.sort_by_key(|red| red.is_advisory());
    }
    causes.sort_by_key(|reds| {
        let advisory = reds.iter().all(|red| red.is_advisory());
        let known = reds.iter().all(|red| red.known().is_some());
        (advisory, known, std::cmp::Reverse(reds.len()))
    });
    causes
}

/// The reds that have no block, a line or a few for each cause.
fn named_lines(causes: &[Vec<&ScenarioState>], width: usize) -> Vec<String> {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for (n, reds) in causes.iter().enumerate() {
        let left = if n == 0 { reds.get(1..).unwrap_or_default() } else { reds };
        let Some(first) = left.first() else { continue };
        let (cause, key) = first.cause();
        let key = if key.is_empty() { String::new() } else { format!(" ({key})") };
        let more = if n == 0 { "more " } else { "" };
        let head = clean(&format!("{} {more}red by {cause}{key}", left.len()));
        rows.push((head, left.iter().map(|red| clean(red.name())).collect()));
    }
    let shown = if rows.len() > NAMED { NAMED - 1 } else { rows.len() };
    let each = (NAMED / rows.len().max(1)).clamp(1, NAMED - 1);
    let mut lines: Vec<String> = Vec::new();
    for (head, names) in rows.iter().take(shown) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        lines.extend(listed(head, &names, width, each));
    }
    if rows.len() > shown {
        lines.push(format!("… {}", count((rows.len() - shown) as u64, "more cause")));
    }
    lines
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
        text.push_str(&coloured(&failure_block(state, scenario, run, Size::screen(width, None, false))));
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
