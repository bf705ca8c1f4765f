//! A red on a card: cause, evidence with where it comes from, suggested fix, what to type; and all that was gathered.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::anchors::anchor;
use crate::event::{Diagnosis, EnvVar};
use crate::report::block::limit_text;
use crate::report::commands::{Command, next_steps, run_name};
use crate::report::scenario_state::{ExchangeNote, KeptPart, ScenarioState};
use crate::report::state::RunState;
use crate::report::text::{brief, clean};
use crate::report::whole::{part_data, part_title};

/// Whole findings of one scenario that stand in the file, in bytes; the log has all of them.
const MAX_DATA: usize = 48 << 10;

/// Why a scenario is red, and what to do.
pub(super) fn why(state: &RunState, scenario: &ScenarioState) -> Markup {
    let step = scenario.decisive_step();
    let message = step.and_then(|s| s.result.as_ref()).map_or("", |r| r.message.as_str());
    let named = scenario.diagnosis.as_ref().filter(|d| d.mechanism != "unclassified");
    html! {
        dl.card {
            @if let Some(step) = step {
                dt { "step" }
                dd { a href={ "#" (anchor(state, scenario)) "." (step.step) } { (scenario.position(&step.step)) " " (clean(&step.title_with_values())) }
                    " " span.dim { (clean(&scenario.place(Some(step)))) }
                    @if let Some(source) = state.source_line(scenario.file_of(step), step.line) {
                        br; code { (clean(source).trim()) }
                    }
                }
            }
            dt { "what happened" }
            dd {
                (clean(scenario.reason()))
                @if message != scenario.reason() && !message.is_empty() { br; (clean(message)) }
                @if let Some(limit) = step.and_then(|step| limit_text(scenario, step)) { br; "limit " (clean(&limit)) }
            }
            @match named {
                Some(diagnosis) => (cause(state, scenario, diagnosis)),
                None => { dt { "cause" } dd { "not known: no mechanism of the catalogue explains it" } }
            }
            @if let Some(known) = scenario.known() { dt { "known" } dd { (clean(known)) } }
            @else if scenario.is_new() { dt { "new" } dd { (clean(scenario.new_because())) } }
            dt { "next" }
            dd { @for command in next_steps(state, scenario, &run_name(state)) { (typed(&command.line())) } }
        }
    }
}

fn cause(state: &RunState, scenario: &ScenarioState, diagnosis: &Diagnosis) -> Markup {
    html! {
        dt { "cause" }
        dd { b { (clean(&diagnosis.mechanism)) } ": " (clean(&diagnosis.summary)) }
        dt { "evidence" }
        dd { ul { @for line in &diagnosis.evidence { li {
            (clean(line))
            @if let Some(source) = source_of(state, scenario, line) { " " a.source href={ "#" (source.0) } { (source.1) } }
        } } } }
        @if !diagnosis.fix_shape.is_empty() { dt { "suggested fix" } dd { (clean(&diagnosis.fix_shape)) } }
        @if !diagnosis.part.is_empty() { dt { "responsible" } dd { (clean(&diagnosis.part)) } }
        @if let Some(issue) = &diagnosis.issue { dt { "known issue" } dd { (clean(issue)) } }
        @if !diagnosis.rules_out.is_empty() {
            dt { "not the cause" }
            dd { ul { @for line in &diagnosis.rules_out { li { (clean(line)) } } } }
        }
        dt { "fingerprint" }
        dd { code { (clean(&diagnosis.fingerprint)) } }
    }
}

/// Where a line of evidence can be looked up: a variable, a request, or a line of a finding.
fn source_of(state: &RunState, scenario: &ScenarioState, line: &str) -> Option<(String, &'static str)> {
    let id = anchor(state, scenario);
    let words: BTreeSet<&str> =
        line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    if let Some((_, after)) = environment(scenario)
        && let Some(name) = after.keys().find(|name| words.contains(name.as_str()))
    {
        return Some((format!("{id}.env.{name}"), "environment"));
    }
    let asked = |exchange: &ExchangeNote| {
        let path = exchange.url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        path.is_some_and(|path| path.len() > 1 && line.contains(path) && line.contains(&exchange.method))
    };
    if let Some(n) = scenario.exchanges.iter().rposition(asked) {
        return Some((format!("{id}.x{n}"), "request"));
    }
    let parts = scenario.decisive_evidence()?.parts.iter().enumerate();
    let holds =
        |part: &KeptPart| part.lines.iter().any(|l| l == line || (line.len() > 12 && l.contains(line)));
    parts.into_iter().find(|(_, part)| holds(part)).map(|(n, _)| (format!("{id}.p{n}"), "finding"))
}

type Environment = BTreeMap<String, EnvVar>;

/// The environments before and after the last edge, as they were found.
fn environment(scenario: &ScenarioState) -> Option<(Environment, Environment)> {
    let part = scenario.decisive_evidence()?.parts.iter().find(|part| part.name == "environment")?;
    let mut data: serde_json::Value = serde_json::from_str(part.data.as_deref()?).ok()?;
    let mut take = |side: &str| data.get_mut(side).map(serde_json::Value::take);
    let after = serde_json::from_value(take("after")?).ok()?;
    let before = take("before").and_then(|before| serde_json::from_value(before).ok()).unwrap_or_default();
    Some((before, after))
}

/// All that was gathered: environment, requests, findings.
pub(super) fn evidence(state: &RunState, scenario: &ScenarioState) -> Markup {
    let id = anchor(state, scenario);
    let mut room = MAX_DATA;
    html! {
        @if let Some((before, after)) = environment(scenario) { (environments(&id, &scenario.edge, &before, &after)) }
        @if !scenario.exchanges.is_empty() {
            details.more {
                summary { "last requests " span.dim { (scenario.exchanges.len()) " of " (scenario.exchange_count) } }
                table.exchanges {
                    @for (n, exchange) in scenario.exchanges.iter().enumerate() { (request(&id, n, exchange)) }
                }
            }
        }
        @for (n, part) in scenario.evidence.iter().flat_map(|e| &e.parts).enumerate() {
            (finding(&id, n, part, &mut room))
        }
    }
}

/// Variables that differ or are not as expected first and marked, the others folded.
fn environments(id: &str, edge: &str, before: &Environment, after: &Environment) -> Markup {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let shown = |side: &Environment, name: &String| match side.get(name) {
        Some(var) if var.set => var.value.clone(),
        _ => "unset".to_owned(),
    };
    let differs = |name: &&&String| {
        let hmac = |side: &Environment| side.get(**name).and_then(|v| v.hmac.clone());
        !before.is_empty() && (hmac(before) != hmac(after) || shown(before, name) != shown(after, name))
    };
    let wrong = |name: &&&String| after.get(**name).is_some_and(|v| v.ok == Some(false));
    let (marked, rest): (Vec<&&String>, Vec<&&String>) =
        names.iter().partition(|name| differs(name) || wrong(name));
    let row = |name: &String, mark: &'static str| {
        let var = after.get(name).or(before.get(name));
        html! {
            tr class=(mark) id={ (id) ".env." (name) } {
                td { code { (clean(name)) } }
                @if !before.is_empty() { td data-label="before: " { (clean(&shown(before, name))) } }
                td data-label=(if before.is_empty() { "is: " } else { "after: " }) { (clean(&shown(after, name))) }
                td data-label="expected: " { (clean(var.and_then(|v| v.expected.as_deref()).unwrap_or_default())) }
            }
        }
    };
    // Nothing is before a create, and of what nobody saw before an edge nothing can be compared.
    let edge = if edge.is_empty() { String::new() } else { format!(" the {}", clean(edge)) };
    let heading = match (before.is_empty(), edge.as_str()) {
        (true, "") => "environment".to_owned(),
        (true, edge) => format!("environment after{edge}"),
        (false, "") => "environment before and after".to_owned(),
        (false, edge) => format!("environment before and after{edge}"),
    };
    html! {
        details.more open[!marked.is_empty()] {
            summary { (heading) " "
                span.dim { (marked.len()) " of " (names.len()) " differ or are not as expected" } }
            table.env {
                thead { tr {
                    th { "variable" }
                    @if before.is_empty() { th { "is" } } @else { th { "before" } th { "after" } }
                    th { "expected" }
                } }
                tbody { @for name in &marked { (row(name, if wrong(name) { "wrong" } else { "differs" })) } }
                tbody { @for name in &rest { (row(name, "")) } }
            }
        }
    }
}

fn request(id: &str, n: usize, exchange: &ExchangeNote) -> Markup {
    let bad = exchange.status.is_none_or(|status| status >= 400);
    html! {
        tr.bad[bad] id={ (id) ".x" (n) } {
            td.took { (brief(exchange.started_ms)) }
            td { (clean(&exchange.line())) (typed(&curl(exchange))) }
        }
    }
}

/// The same request by hand; credentials are named, not told.
fn curl(exchange: &ExchangeNote) -> String {
    let mut args = vec!["curl".to_owned(), "-i".to_owned()];
    if exchange.method != "GET" {
        args.extend(["-X".to_owned(), exchange.method.clone()]);
    }
    let bearer = match exchange.identity.as_str() {
        "" | "none" | "anonymous" => None,
        "admin" => Some("$ADMIN_TOKEN"),
        _ => Some("$TOKEN"),
    };
    let header = bearer.map(|token| format!(" -H \"Authorization: Bearer {token}\"")).unwrap_or_default();
    // A line that names a file which is nowhere cannot be typed.
    let remark = if exchange.has_body { "its body is in the log: events.jsonl" } else { "" };
    args.push(exchange.url.clone());
    let line = Command { args, remark: remark.to_owned() }.line();
    // The shell fills the token in: it stands between double quotes.
    line.replacen("curl -i", &format!("curl -i{header}"), 1)
}

fn finding(id: &str, n: usize, part: &KeptPart, room: &mut usize) -> Markup {
    let data = part_data(part);
    let fits = data.as_ref().is_none_or(|data| data.len() <= *room);
    if fits {
        *room -= data.as_ref().map_or(0, String::len);
    }
    html! {
        details.more id={ (id) ".p" (n) } {
            summary {
                (part_title(part))
                @if part.error.is_some() { " " span.tag { "not available" } }
            }
            @if let Some(error) = &part.error { p.bad { (clean(error)) } }
            @if !part.lines.is_empty() {
                ul { @for line in &part.lines { li { (clean(line)) } }
                    @if part.more_lines > 0 { li { "… " (part.more_lines) " more in the log" } } }
            }
            @match data {
                Some(data) if fits => pre { (data) },
                Some(data) => p.dim { (data.len()) " bytes more: lifecycle explain --full" },
                None => {}
            }
        }
    }
}

/// Something to type, with a button that copies it.
fn typed(line: &str) -> Markup {
    html! { div.typed { code { (clean(line)) } button.copy type="button" hidden { "copy" } } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Exchange;

    /// What the page offers to be copied, as a shell reads it.
    #[test]
    fn a_curl_line_can_be_typed() {
        let bearer = "Authorization: Bearer $ADMIN_TOKEN";
        for (method, words) in [
            ("GET", vec!["curl", "-i", "-H", bearer, "http://h/w?a=1&b=2"]),
            ("POST", vec!["curl", "-i", "-H", bearer, "-X", "POST", "http://h/w?a=1&b=2"]),
        ] {
            let exchange = Exchange {
                method: method.into(),
                url: "http://h/w?a=1&b=2".into(),
                identity: "admin".into(),
                ..Exchange::default()
            };
            let line = curl(&ExchangeNote::of(&exchange));
            assert_eq!(shlex::split(&line).unwrap(), words, "{line}");
        }
    }
}
