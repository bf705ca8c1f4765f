//! The end of a run for people: who is red and why, what is skipped, what is left, why this code.

use console::measure_text_width;

use super::block::{BlockLine, Tone};
use super::causes::Cause;
use super::drifted::{self, Difference};
use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::{brief, clean, count, listed, short, wrap};
use crate::event::{Fixed, Verdict};

/// Scenarios that are named of one kind before `… N more`.
const MAX_NAMED: usize = 20;

/// Lines that one of them gets.
const MAX_LINES: usize = 3;

/// The summary's lines; `log` is where the log is, as a person would type it.
pub(crate) fn summary_lines(state: &RunState, log: Option<&str>, width: usize) -> Vec<BlockLine> {
    let mut out = Out { lines: Vec::new(), columns: width.saturating_sub(16).max(30) };
    let totals = state.totals();
    let red = state.finished.as_ref().is_none_or(|f| f.code != 0);
    let title = format!(
        "{}: {}, in {}",
        count(totals.scenarios as u64, "scenario"),
        totals.line(),
        brief(state.took_ms())
    );
    let tone = if red { Tone::Title } else { Tone::Good };
    out.lines.push(BlockLine { label: String::new(), text: title, tone });

    let causes = state.causes();
    if state.reds().count() > 1 {
        out.push("", &state.causes_line(), Tone::Strong);
    }
    // A cause is told once for those who are new, old, and neither.
    let mut standings: [(&str, Vec<Item>); 4] =
        [("new", vec![]), ("red", vec![]), ("known", vec![]), ("advisory", vec![])];
    for cause in &causes {
        for (label, lines) in &mut standings {
            let of_label = |red: &&&ScenarioState| standing(red) == *label;
            let reds: Vec<&ScenarioState> = cause.reds.iter().filter(of_label).copied().collect();
            lines.extend(cause_lines(cause, &reds));
        }
    }
    let [new, red, known, (_, mut advisory)] = standings;
    for (label, items) in [new, red, known] {
        out.items(label, items);
    }
    out.list("fixed", state.fixed.iter().map(fixed_line).collect());
    for scenario in state.scenarios.values() {
        let own = scenario.advisory_lines();
        advisory.extend(own.iter().map(|line| Item::Line(format!("{} {line}", scenario.name()))));
    }
    out.items("advisory", advisory);
    out.list("contract", drifted::all(state).iter().map(Difference::line).collect());
    out.list("expected", of(state, Verdict::ExpectedFailure).map(expected_line).collect());
    out.list("flaky", of(state, Verdict::Flaky).map(flaky_line).collect());
    out.items("skipped", skips(state));
    out.names("cancelled", of(state, Verdict::Cancelled).collect());
    let unfinished = state.scenarios.values().filter(|s| s.verdict().is_none() && s.started_ms.is_some());
    out.names("no end", unfinished.collect());
    out.list("warning", warning_lines(state));
    out.list(
        "removed",
        state.resources.left_by_platform.iter().map(|w| format!("left by the platform: {w}")).collect(),
    );
    let left = state.left();
    out.list("LEFT", left.clone());
    if !left.is_empty() {
        out.push("", "remove it with: lifecycle sweep", Tone::Command);
    }
    for remark in &state.remarks {
        out.push("log", remark, Tone::Plain);
    }
    if let Some(log) = log {
        out.push("log", log, Tone::Plain);
    }
    match &state.finished {
        Some(finished) => {
            let text = format!("exit {}: {}", finished.code, clean(&finished.reason));
            out.push("", &text, Tone::Strong);
        }
        None => out.push("", "no exit code: the run has no end", Tone::Strong),
    }
    out.lines
}

/// Of one red whose block is on the same screen, a line is enough; why the run ended so is there too.
pub(super) fn one_red(lines: &mut Vec<BlockLine>, state: &RunState, log: &str, width: usize) {
    // Nothing else is to be told: how it ended, and where the log is.
    let told = |line: &BlockLine| matches!(line.label.as_str(), "" | "red" | "new" | "known" | "log");
    if let Some(finished) = &state.finished
        && state.scenarios.len() == 1
        && state.remarks.is_empty()
        && lines.iter().all(told)
    {
        let line = |label: &str, text: String, tone| BlockLine { label: label.to_owned(), text, tone };
        let ended =
            format!("exit {}: {} in {}", finished.code, state.totals().line(), brief(state.took_ms()));
        let together = format!("{ended}; log {log}");
        *lines = match measure_text_width(&together) <= width {
            true => vec![line("", together, Tone::Title)],
            false => vec![line("", ended, Tone::Title), line("log", log.to_owned(), Tone::Copy)],
        };
        return;
    }
    let mut of_red = false;
    lines.retain(|line| {
        if !line.label.is_empty() {
            of_red = matches!(line.label.as_str(), "red" | "new");
            return true;
        }
        !of_red
    });
    if let Some(exit) = lines.last_mut() {
        exit.text = short(&exit.text, width.saturating_sub(16).max(30));
    }
}

struct Out {
    lines: Vec<BlockLine>,
    columns: usize,
}

impl Out {
    fn push(&mut self, label: &str, text: &str, tone: Tone) {
        self.lines.push(BlockLine { label: label.to_owned(), text: text.to_owned(), tone });
    }

    fn list(&mut self, label: &str, lines: Vec<String>) {
        self.items(label, lines.into_iter().map(Item::Line).collect());
    }

    /// Scenarios that have nothing in common but how they ended: after an interrupt they may be many.
    fn names(&mut self, label: &str, scenarios: Vec<&ScenarioState>) {
        if !scenarios.is_empty() {
            self.items(label, vec![Item::Names(scenarios.len().to_string(), names(&scenarios))]);
        }
    }

    fn items(&mut self, label: &str, items: Vec<Item>) {
        let total = items.len();
        let tone = if label == "LEFT" { Tone::Strong } else { Tone::Plain };
        for (i, item) in items.into_iter().take(MAX_NAMED).enumerate() {
            for (j, text) in item.lines(self.columns).into_iter().enumerate() {
                self.push(if i + j == 0 { label } else { "" }, &text, tone);
            }
        }
        if total > MAX_NAMED {
            self.push("", &format!("… {} more", total - MAX_NAMED), Tone::Dim);
        }
    }
}

/// What is told on a few lines.
enum Item {
    Line(String),
    /// Scenarios, and what they have in common.
    Names(String, Vec<String>),
}

impl Item {
    fn lines(&self, columns: usize) -> Vec<String> {
        match self {
            Item::Line(text) => wrap(&clean(text), columns, MAX_LINES),
            Item::Names(head, names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                listed(&clean(head), &names, columns, MAX_LINES)
            }
        }
    }
}

fn names(scenarios: &[&ScenarioState]) -> Vec<String> {
    scenarios.iter().map(|scenario| clean(scenario.name())).collect()
}

fn of(state: &RunState, verdict: Verdict) -> impl Iterator<Item = &ScenarioState> {
    state.scenarios.values().filter(move |s| s.verdict() == Some(verdict))
}

fn standing(red: &ScenarioState) -> &'static str {
    match red {
        red if red.is_advisory() => "advisory",
        red if red.known().is_some() => "known",
        red if red.is_new() => "new",
        _ => "red",
    }
}

/// One red is told whole, several by what they have in common.
fn cause_lines(cause: &Cause<'_>, reds: &[&ScenarioState]) -> Vec<Item> {
    match reds {
        [] => Vec::new(),
        [red] if red.started_ms.is_some() => {
            let known = red.known().map(|known| format!("{known}: ")).unwrap_or_default();
            vec![Item::Line(format!("{known}{}", red_line(red)))]
        }
        reds => {
            // What stopped the run before it began is why it ended so, and stands there.
            let head = match cause.title() {
                title if reds.iter().any(|red| red.started_ms.is_some()) => format!("{} {title}", reds.len()),
                _ => format!("{} did not begin", reds.len()),
            };
            let known = reds.iter().find_map(|red| red.known());
            let known = known.map(|known| Item::Line(format!("known: {known}")));
            [Item::Names(head, names(reds))].into_iter().chain(known).collect()
        }
    }
}

fn fixed_line(fixed: &Fixed) -> String {
    format!("{} {}", fixed.fingerprint, fixed.told)
}

fn red_line(scenario: &ScenarioState) -> String {
    let step = scenario.decisive_step();
    let mechanism = scenario.diagnosis.as_ref().map_or("", |d| d.mechanism.as_str());
    let mechanism = if mechanism.is_empty() || mechanism == "unclassified" {
        String::new()
    } else {
        format!(" [{mechanism}]")
    };
    format!("{}{mechanism} {} {}", scenario.name(), scenario.place(step), scenario.reason())
}

fn expected_line(scenario: &ScenarioState) -> String {
    match &scenario.plan.expects_failure {
        Some(expected) => {
            format!("{} {} until {}: {}", scenario.name(), expected.issue, expected.until, expected.reason)
        }
        None => format!("{} {}", scenario.name(), scenario.reason()),
    }
}

fn flaky_line(scenario: &ScenarioState) -> String {
    let retried: Vec<String> = scenario
        .steps
        .values()
        .filter(|s| s.attempts > 1)
        .map(|s| format!("step {} passed at try {}", s.step, s.attempts))
        .collect();
    let why = if retried.is_empty() { scenario.reason().to_owned() } else { retried.join(", ") };
    format!("{} {why}", scenario.name())
}

fn skips(state: &RunState) -> Vec<Item> {
    let skips = state.skips();
    skips
        .iter()
        .map(|(reason, names)| {
            let reason = if reason.is_empty() { "no reason given" } else { reason };
            let head = format!("{} ({reason})", names.len());
            Item::Names(head, names.iter().map(|name| clean(name)).collect())
        })
        .collect()
}

fn warning_lines(state: &RunState) -> Vec<String> {
    let mut lines: Vec<String> = state
        .warnings
        .iter()
        .map(|(scenario, text)| match scenario {
            Some(scenario) => format!("{scenario}: {text}"),
            None => text.clone(),
        })
        .collect();
    if state.more_warnings > 0 {
        lines.push(format!("{} more in the log", count(state.more_warnings, "warning")));
    }
    lines
}
