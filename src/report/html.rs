//! One HTML file that needs nothing else: no script, no network, everything escaped by `maud`.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::block::{Size, failure_block, plain_text};
use super::files::run_name;
use super::junit::identity;
use super::scenario_state::{KeptPart, ScenarioState, StepState};
use super::state::RunState;
use super::text::{brief, clean, count};
use super::timeline::Seen;
use super::whole::{part_data, part_title};
use crate::event::{StepOutcome, Verdict};

const CSS: &str = include_str!("report.css");

/// The file, whole.
pub fn render(state: &RunState) -> String {
    let totals = state.totals();
    let filters = filters(state);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "lifecycle " (clean(&state.identity.run)) ": " (totals.line()) }
                style { (PreEscaped(CSS)) (PreEscaped(filter_rules(&filters))) }
            }
            body {
                input type="radio" name="filter" id="f-all" checked;
                @for filter in &filters { input type="radio" name="filter" id={ "f-" (filter.class) }; }
                (head(state, &totals.line()))
                nav {
                    label for="f-all" { "all " b { (totals.scenarios) } }
                    @for filter in &filters {
                        label for={ "f-" (filter.class) } class=(filter.class) { (filter.title) " " b { (filter.number) } }
                    }
                }
                main { @for scenario in state.by_importance() { (scenario_part(state, scenario)) } }
                (foot(state))
            }
        }
    }
    .into_string()
        + "\n"
}

struct Filter {
    class: &'static str,
    title: &'static str,
    number: usize,
}

fn filters(state: &RunState) -> Vec<Filter> {
    let totals = state.totals();
    let mut filters: Vec<Filter> = totals
        .counted()
        .map(|(verdict, number)| Filter { class: class(Some(verdict)), title: verdict.as_str(), number })
        .collect();
    if totals.unfinished > 0 {
        filters.push(Filter { class: class(None), title: "no end", number: totals.unfinished });
    }
    filters
}

/// A radio button that is checked hides all that is not its own; no script is needed.
fn filter_rules(filters: &[Filter]) -> String {
    filters
        .iter()
        .map(|Filter { class, .. }| {
            format!(
                "#f-{class}:checked~main>details:not(.{class}){{display:none}}\
                 #f-{class}:checked~nav label.{class}{{outline:2px solid currentColor}}"
            )
        })
        .collect()
}

fn class(verdict: Option<Verdict>) -> &'static str {
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

fn head(state: &RunState, totals: &str) -> Markup {
    let red = state.finished.as_ref().is_none_or(|f| f.code != 0);
    html! {
        header.red[red] {
            h1 { "lifecycle " small { (clean(&state.identity.run)) } }
            p.totals { (totals) " in " (brief(state.took_ms())) }
            @match &state.finished {
                Some(finished) => p { "exit " b { (finished.code) } ": " (clean(&finished.reason)) },
                None => p { "no exit code: the run has no end" },
            }
            @for remark in &state.remarks { p.remark { (clean(remark)) } }
            @let left = state.left();
            @if !left.is_empty() {
                div.left {
                    b { "left behind" } " (remove with " code { "lifecycle sweep" } ")"
                    ul { @for line in &left { li { (clean(line)) } } }
                }
            }
        }
    }
}

fn scenario_part(state: &RunState, scenario: &ScenarioState) -> Markup {
    let verdict = scenario.verdict();
    let red = verdict.is_some_and(Verdict::is_red);
    let timelines = state.timelines(scenario, scenario.failed_ms().filter(|_| scenario.has_failure()));
    let took = scenario.finish.as_ref().map(|f| f.took_ms);
    html! {
        details class=(class(verdict)) open[red && !scenario.is_advisory()] {
            summary {
                span.badge { (verdict.map_or("no end", Verdict::as_str)) }
                span.name { (clean(scenario.name())) }
                @if scenario.is_advisory() { span.gate { "advisory" } }
                span.why {
                    @if let Some(known) = scenario.known() { span.gate { "known " (clean(known)) } " " }
                    @else if scenario.is_new() { span.gate { "new" } " " }
                    @if let Some(d) = &scenario.diagnosis { b { (clean(&d.mechanism)) } " " }
                    @if verdict != Some(Verdict::Passed) { (clean(scenario.reason())) }
                }
                span.took { @if let Some(took) = took { (brief(took)) } }
            }
            @if !scenario.plan.summary.is_empty() { p.summary { (clean(&scenario.plan.summary)) } }
            @if scenario.has_failure() {
                pre.block { (plain_text(&failure_block(state, scenario, &run_name(state), Size::WHOLE))) }
            }
            @for (name, seen) in &timelines { (bar(name, seen)) }
            (steps(scenario))
            @if !scenario.exchanges.is_empty() {
                details.more {
                    summary { "last exchanges" }
                    pre { @for exchange in &scenario.exchanges { (clean(&exchange.line())) "\n" } }
                }
            }
            @for part in scenario.evidence.iter().flat_map(|e| &e.parts) { (evidence(part)) }
            (facts(state, scenario))
        }
    }
}

/// A bar whose stretches are as wide as they took long.
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

fn steps(scenario: &ScenarioState) -> Markup {
    html! {
        table.steps {
            @for step in scenario.steps.values() {
                tr class=(step_class(step)) {
                    td { (clean(&step.step)) }
                    td { (clean(&step.title())) @if step.attempts > 1 { " (try " (step.attempts) ")" } }
                    td {
                        (step.outcome().map_or(if step.started_ms.is_some() { "no end" } else { "not run" }, super::outcome_name))
                        @if scenario.advisory_steps().any(|s| s.step == step.step) { " (advisory)" }
                    }
                    td.took { @if let Some(result) = &step.result { (brief(result.took_ms)) } }
                    td {
                        @if let Some(result) = &step.result {
                            @if step.outcome() != Some(StepOutcome::Passed) { (clean(&result.message)) }
                            @if let Some(milestone) = &result.milestone { span.gate { "milestone " (clean(milestone)) } }
                        }
                        @if let Some(wait) = step.wait_stats() {
                            " " span.dim { (count(wait.polls, "look")) ", " (wait.errors) " failed" }
                        }
                    }
                }
            }
        }
    }
}

fn step_class(step: &StepState) -> &'static str {
    match step.outcome() {
        Some(StepOutcome::Passed) => "ok",
        Some(StepOutcome::Failed | StepOutcome::Inconclusive | StepOutcome::Error) => "bad",
        _ => "dim",
    }
}

fn evidence(part: &KeptPart) -> Markup {
    html! {
        details.more {
            summary {
                (part_title(part))
                @if part.error.is_some() { span.gate { "could not be had" } }
            }
            @if let Some(error) = &part.error { p.bad { (clean(error)) } }
            @if !part.lines.is_empty() {
                ul { @for line in &part.lines { li { (clean(line)) } }
                    @if part.more_lines > 0 { li { "… " (part.more_lines) " more in the log" } } }
            }
            @if let Some(data) = part_data(part) { pre { (data) } }
        }
    }
}

fn facts(state: &RunState, scenario: &ScenarioState) -> Markup {
    let inputs: Vec<_> = state.identity.inputs.iter().filter(|i| i.scenario == scenario.name()).collect();
    html! {
        p.dim {
            code { (clean(&scenario.plan.file)) }
            @for tag in &scenario.plan.tags { " @" (clean(tag)) }
            @for input in inputs { " · " (clean(&input.name)) "=" (clean(&input.value)) " (" (clean(&input.source)) ")" }
            @if scenario.exchange_count > 0 { " · " (count(scenario.exchange_count, "exchange")) }
        }
    }
}

fn foot(state: &RunState) -> Markup {
    let skips = state.skips();
    html! {
        footer {
            @if !skips.is_empty() {
                h2 { "Skipped" }
                ul { @for (reason, names) in &skips { li { (clean(reason)) ": " (clean(&names.join(", "))) } } }
            }
            @if !state.warnings.is_empty() {
                h2 { "Warnings" }
                ul {
                    @for (scenario, text) in &state.warnings {
                        li { @if let Some(s) = scenario { (clean(s)) ": " } (clean(text)) }
                    }
                    @if state.more_warnings > 0 { li { (state.more_warnings) " more in the log" } }
                }
            }
            h2 { "Run" }
            table.run {
                tr { td { "started" } td { (clean(&state.started_at)) } }
                @for (name, value) in identity(state) { tr { td { (name.replace('_', " ")) } td { (clean(&value)) } } }
                @for (name, value) in &state.identity.asked() { tr { td { "flag " (clean(name)) } td { (clean(value)) } } }
                @for source in &state.identity.scenarios {
                    tr { td { "scenario file" } td { code { (clean(&source.file.name)) } " " (clean(&source.file.sha256)) } }
                }
                tr { td { "requests" } td { (state.exchanges) ", " (state.transport_errors) " without an answer" } }
            }
        }
    }
}
