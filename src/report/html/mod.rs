//! One HTML file to look at, that needs nothing else: one script of its own by its hash, no network, everything escaped
//! by `maud`.
//!
//! The head says verdict, causes and identity; then the whole run on one time axis, a card for each cause, and every
//! scenario with an anchor of its own.

mod anchors;
mod card;
mod diff;
mod time_axis;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use anchors::{anchor, class};
pub(crate) use diff::diff;

use super::causes::Cause;
use super::junit::identity;
use super::scenario_state::{ScenarioState, StepState};
use super::state::RunState;
use super::text::{brief, clean, count, moment};
use crate::event::{Class, StepOutcome, Verdict};

const CSS: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");
/// Beyond so many scenarios those that passed are told in a line: the file stays small enough to be opened.
const MANY: usize = 200;
/// Beyond so many rows those out of sight are drawn when they come into it.
const LAZY: usize = 2_000;

/// The file, whole.
pub(super) fn render(state: &RunState) -> String {
    let totals = state.totals();
    let causes = state.causes();
    let mut filters: Vec<Filter> =
        totals.counted().map(|(verdict, number)| (class(Some(verdict)), verdict.as_str(), number)).collect();
    if totals.unfinished > 0 {
        filters.push((class(None), "no end", totals.unfinished));
    }
    whole(&Page {
        title: &format!("lifecycle {}: {}", clean(&state.identity.run), totals.line()),
        before: html! {
            (head(state, &totals.line(), &causes))
            @if !causes.is_empty() {
                section id="causes" {
                    h2 { "Causes" }
                    @for (n, cause) in causes.iter().enumerate() { (of_cause(state, cause, n)) }
                }
            }
            (contract(state))
            (time_axis::section(state))
        },
        what: "Scenarios",
        filters: &filters,
        rows: state.by_importance().into_iter().map(|scenario| row(state, scenario)).collect(),
        after: foot(state),
    })
}

/// A class, a word, and how many rows are of it.
pub(crate) type Filter = (&'static str, &'static str, usize);

/// A page: a head, then rows that are searched, sorted and filtered.
pub(crate) struct Page<'a> {
    /// Of the window.
    pub title: &'a str,
    /// Before the rows.
    pub before: Markup,
    /// What the rows are.
    pub what: &'a str,
    /// Classes of rows.
    pub filters: &'a [Filter],
    /// `details.row`, each with `data-name`.
    pub rows: Vec<Markup>,
    /// After them.
    pub after: Markup,
}

/// The file of a page.
pub(crate) fn whole(page: &Page<'_>) -> String {
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'",
        STANDARD.encode(Sha256::digest(SCRIPT))
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (page.title) }
                style { (PreEscaped(CSS)) }
            }
            body {
                (page.before)
                section id="scenarios" {
                    h2 { (page.what) }
                    (tools(page))
                    main.many[page.rows.len() > LAZY] { @for row in &page.rows { (row) } }
                    p.empty hidden { "nothing matches" }
                }
                (page.after)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
        + "\n"
}

/// Where the server's contract differs: a cause beside the others.
fn contract(state: &RunState) -> Markup {
    let drifts = super::drifted::all(state);
    html! {
        @if !drifts.is_empty() {
            section id="contract" {
                h2 { "The server's contract differs " span.tag { (super::class_name(Class::Contract)) } }
                ul { @for drift in &drifts { li title=(clean(drift.text())) { (clean(&drift.line())) } } }
                p.dim { code { "lifecycle drift" } " shows them, " code { "--accept" } " takes them in" }
            }
        }
    }
}

fn head(state: &RunState, totals: &str, causes: &[Cause<'_>]) -> Markup {
    let red = state.finished.as_ref().is_none_or(|f| f.code != 0);
    let identity = &state.identity;
    html! {
        header.red[red] {
            p.run { "lifecycle " (clean(&identity.tool_version)) " · run " code { (clean(&identity.run)) } }
            h1 { (totals) }
            // The reason of a run with reds is its causes, which stand here with their links.
            @let told = state.finished.as_ref().filter(|f| !causes.is_empty() && f.reason.starts_with(&state.causes_line()));
            @match (&state.finished, told) {
                (_, Some(_)) => {},
                (Some(finished), None) => p.exit { "exit " b { (finished.code) } ": " (clean(&finished.reason)) },
                (None, None) => p.exit { "no exit code: the run has no end" },
            }
            @if !causes.is_empty() {
                p {
                    @if let Some(finished) = told { "exit " b { (finished.code) } ": " }
                    b { (state.causes_line()) } ": "
                    @for (n, cause) in causes.iter().take(12).enumerate() {
                        @if n > 0 { ", " }
                        a href={ "#cause-" (n) } { (clean(&cause.title())) } " × " (cause.reds.len())
                    }
                    @if causes.len() > 12 { ", … " (causes.len() - 12) " more" }
                }
            }
            dl.facts {
                div { dt { "took" } dd { (brief(state.took_ms())) } }
                div { dt { "started" } dd { time datetime=(clean(&state.started_at)) { (clean(&moment(&state.started_at))) } } }
                @if let Some(target) = &identity.target {
                    div { dt { "target" } dd { (clean(&target.kind)) " " (clean(&target.base_url)) } }
                    @if let Some(sha) = target.buildinfo.as_ref().and_then(|b| b.get("git_sha")).and_then(|s| s.as_str()) {
                        div { dt { "server build" } dd { code { (clean(sha)) } } }
                    }
                }
                @if let Some(error) = &identity.target_error { div { dt { "target" } dd.bad { (clean(error)) } } }
                @let faults = identity.asked().remove("faults");
                @if let Some(faults) = faults { div { dt { "with fault" } dd { (clean(&faults)) } } }
                @for (key, title) in [("commit", "commit"), ("run", "CI run"), ("job", "CI job")] {
                    @if let Some(value) = identity.ci.get(key) { div { dt { (title) } dd { (clean(value)) } } }
                }
            }
            @for remark in &state.remarks { p.remark { (clean(remark)) } }
            @let left = state.left();
            @if !left.is_empty() {
                div.left {
                    b { "left behind" } " (remove with " code { "lifecycle sweep" } ")"
                    ul { @for line in left.iter().take(50) { li { (clean(line)) } } }
                }
            }
        }
    }
}

fn of_cause(state: &RunState, cause: &Cause<'_>, n: usize) -> Markup {
    let red = cause.representative();
    html! {
        article.cause.soft[cause.is_advisory() || cause.is_known()] id={ "cause-" (n) } {
            h3 {
                a href={ "#cause-" (n) } { (clean(&cause.title())) }
                @if let Some(class) = cause.class { " " span.tag { (super::class_name(class)) } }
                @if cause.is_advisory() { " " span.tag { "advisory" } }
                @if cause.is_known() { " " span.tag { "known" } }
                " " span.dim { (count(cause.reds.len() as u64, "red")) }
            }
            p.dim { "shown by " a href={ "#" (anchor(state, red)) } { (clean(red.name())) } }
            (card::why(state, red))
            @if !cause.others().is_empty() {
                details.more {
                    summary { "also red by this cause: " (cause.others().len()) }
                    ul.names { @for other in cause.others() {
                        li { a href={ "#" (anchor(state, other)) } { (clean(other.name())) } }
                    } }
                }
            }
        }
    }
}

/// What filters and sorts; it does nothing where no script runs, and everything is shown.
fn tools(page: &Page<'_>) -> Markup {
    html! {
        div.tools role="search" {
            input type="search" id="search" placeholder="search: name, cause, tag, file  ( / )" aria-label="search scenarios";
            select id="sort" aria-label="sort" {
                option value="importance" { "important first" }
                option value="name" { "by name" }
                option value="took" { "slowest first" }
                option value="start" { "by start" }
            }
            button type="button" id="open-all" { "open all" }
            button type="button" id="close-all" { "close all" }
            span.filters {
                button type="button" data-filter="" aria-pressed="true" { "all " b { (page.rows.len()) } }
                @for (class, word, number) in page.filters {
                    button type="button" class=(class) data-filter=(class) aria-pressed="false" {
                        (word) " " b { (number) }
                    }
                }
            }
            p.keys.dim { "keys: / search · j k next and previous · o open or close · e open all · c close all" }
        }
    }
}

fn row(state: &RunState, scenario: &ScenarioState) -> Markup {
    let verdict = scenario.verdict();
    let took = scenario.finish.as_ref().map(|f| f.took_ms);
    let brief_form =
        state.scenarios.len() > MANY && !scenario.has_failure() && verdict != Some(Verdict::Flaky);
    html! {
        details.row.(class(verdict)) id=(anchor(state, scenario)) data-name=(clean(scenario.name()))
            data-took=[took] data-start=[scenario.started_ms] {
            summary {
                span.badge { (verdict.map_or("no end", Verdict::as_str)) }
                span.name { (clean(scenario.name())) }
                @if scenario.is_advisory() { span.tag { "advisory" } }
                span.why {
                    @if let Some(known) = scenario.known() { span.tag { "known " (clean(known)) } " " }
                    @else if scenario.is_new() { span.tag { "new" } " " }
                    @if let Some(d) = &scenario.diagnosis { b { (clean(&d.mechanism)) } " " }
                    @if verdict != Some(Verdict::Passed) { (clean(scenario.reason())) }
                }
                span.took { @if let Some(took) = took { (brief(took)) } }
            }
            @if brief_form {
                p.dim { code { (clean(&scenario.plan.file)) } " · " (count(scenario.steps.len() as u64, "step")) }
            } @else {
                @if !scenario.plan.summary.is_empty() { p.summary { (clean(&scenario.plan.summary)) } }
                @if scenario.has_failure() { (card::why(state, scenario)) }
                (time_axis::of_scenario(state, scenario))
                (steps(state, scenario))
                @if scenario.has_failure() { (card::evidence(state, scenario)) }
                (facts(state, scenario))
            }
        }
    }
}

fn steps(state: &RunState, scenario: &ScenarioState) -> Markup {
    let id = anchor(state, scenario);
    html! {
        table.steps {
            @for step in scenario.steps.values() {
                tr class=(step_class(step)) id={ (id) "." (step.step) } {
                    td { a href={ "#" (id) "." (step.step) } { (clean(&step.step)) } }
                    td { (clean(&step.title_with_values())) @if step.attempts > 1 { " (try " (step.attempts) ")" } }
                    td {
                        (step.outcome().map_or(if step.started_ms.is_some() { "no end" } else { "not run" }, super::outcome_name))
                        @if step.result.as_ref().is_some_and(|r| r.advisory) { " (advisory)" }
                    }
                    td.took { @if let Some(result) = &step.result { (brief(result.took_ms)) } }
                    td {
                        @if let Some(result) = &step.result {
                            @if step.outcome() != Some(StepOutcome::Passed) { (clean(&result.message)) }
                            @if let Some(milestone) = &result.milestone { span.tag { "milestone " (clean(milestone)) } }
                        }
                        @if let Some(wait) = step.wait_stats() { " " span.dim { (clean(&super::block::wait_text(wait))) } }
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

fn facts(state: &RunState, scenario: &ScenarioState) -> Markup {
    let inputs: Vec<_> = state.identity.inputs.iter().filter(|i| i.scenario == scenario.name()).collect();
    html! {
        p.dim.facts-line {
            code { (clean(&scenario.plan.file)) }
            @for tag in &scenario.plan.tags { " @" (clean(tag)) }
            @for input in inputs { " · " (clean(&input.name)) "=" (clean(&input.value)) " (" (clean(&input.source.to_string())) ")" }
            @if scenario.exchange_count > 0 { " · " (count(scenario.exchange_count, "request")) }
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
                tr { td { "started" } td { (clean(&moment(&state.started_at))) } }
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
