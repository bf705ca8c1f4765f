//! The lowest mechanism that can have made the red and whose evidence is there, or none and what the nearest lacked.

use std::cmp::Reverse;
use std::sync::LazyLock;

use regex::Regex;

use super::catalogue;
use super::condition::Truth;
use super::extract::facts_of;
use super::facts::Facts;
use super::file::Mechanism;
use super::red::red_of;
use super::template::Template;
use crate::domain::red::{Identity, place};
pub(crate) use crate::event::UNCLASSIFIED;
use crate::event::{AlsoSeen, Class, Diagnosis, Red, Symptoms};
use crate::scenario::without_round;

/// So many mechanisms are named beside it.
const NEAREST: usize = 3;
/// So many others that hold are shown.
const ALSO: usize = 4;
/// So many of the newest lines of a log are shown where no cause is known.
const NEWEST: usize = 3;
/// So many lines are quoted of each of them.
const ALSO_LINES: usize = 2;

/// Names the cause of a failure by the shipped catalogue.
pub(crate) fn diagnose(symptoms: &Symptoms) -> Diagnosis {
    by(catalogue::shipped(), symptoms)
}

/// Names the cause by these mechanisms.
pub(super) fn by(mechanisms: &[Mechanism], symptoms: &Symptoms) -> Diagnosis {
    let facts = facts_of(symptoms);
    let red = red_of(symptoms);
    let holding: Vec<&Mechanism> =
        mechanisms.iter().filter(|m| m.matches.check(&facts) == Truth::True).collect();
    let cause = choose(&holding, red, &facts);
    let identity = identity(symptoms, UNCLASSIFIED, "");
    let mut diagnosis = match cause {
        Some(mechanism) => named(mechanism, symptoms, &facts),
        None => Diagnosis {
            scenario: symptoms.scenario.clone(),
            mechanism: UNCLASSIFIED.into(),
            summary: "no known cause of such a red has its evidence here".into(),
            class: Class::Unclassified,
            evidence: seen(&facts),
            fingerprint: identity.fingerprint,
            former_fingerprint: identity.former,
            nearest: nearest(mechanisms, red, &facts),
            ..Diagnosis::default()
        },
    };
    diagnosis.also_seen = also(&holding, cause, red, &facts);
    diagnosis
}

/// Of all that hold and can have made the red, the lowest layer: whatever is broken there came first. Within it
/// fallbacks last, then the one that explains most. What only describes the red comes after every cause.
fn choose<'a>(holding: &[&'a Mechanism], red: Red, facts: &Facts) -> Option<&'a Mechanism> {
    holding
        .iter()
        .copied()
        .filter(|m| m.can_make(red, facts))
        .min_by_key(|m| (m.yields, m.layer, m.fallback, Reverse(m.matches.weight(facts)), m.name.clone()))
}

/// What holds besides. A fallback says no more than what is named.
fn also(holding: &[&Mechanism], cause: Option<&Mechanism>, red: Red, facts: &Facts) -> Vec<AlsoSeen> {
    let mut others: Vec<(&Mechanism, bool)> = holding
        .iter()
        .filter(|m| cause.is_none_or(|cause| cause.name != m.name) && !m.fallback)
        .map(|m| (*m, m.can_make(red, facts)))
        .collect();
    others.sort_by_key(|(m, explains)| (!explains, m.yields, m.layer, m.name.clone()));
    let one = |(m, explains): (&Mechanism, bool)| AlsoSeen {
        mechanism: m.name.clone(),
        summary: m.summary.sentence(facts),
        explains,
        evidence: m.evidence.iter().flat_map(|t| t.lines(facts)).take(ALSO_LINES).collect(),
    };
    others.into_iter().take(ALSO).map(one).collect()
}

fn named(mechanism: &Mechanism, symptoms: &Symptoms, facts: &Facts) -> Diagnosis {
    let key = mechanism.fingerprint_field.as_ref().and_then(|field| facts.text(field));
    let key = key.map(|text| format!("/{}", stable(&text))).unwrap_or_default();
    let identity = identity(symptoms, &mechanism.name, &key);
    Diagnosis {
        scenario: symptoms.scenario.clone(),
        mechanism: mechanism.name.clone(),
        summary: mechanism.summary.sentence(facts),
        class: mechanism.class,
        evidence: mechanism.evidence.iter().flat_map(|t| t.lines(facts)).collect(),
        rules_out: mechanism
            .rules_out
            .iter()
            .filter(|r| r.when.iter().all(|c| c.check(facts) == Truth::True))
            .flat_map(|r| r.text.lines(facts))
            .collect(),
        fix_shape: mechanism.fix_shape.sentence(facts),
        part: mechanism.part.clone(),
        issue: mechanism.issue.clone(),
        fingerprint: identity.fingerprint,
        former_fingerprint: identity.former,
        ..Diagnosis::default()
    }
}

/// What the red is called, today and by earlier versions. A log of those has no name of the step.
fn identity(symptoms: &Symptoms, mechanism: &str, key: &str) -> Identity {
    let scenario = without_round(&symptoms.scenario);
    let place = place(&stable(&symptoms.name));
    let at = |place: &str| format!("{scenario}/{place}/{mechanism}{key}");
    Identity {
        fingerprint: at(if place.is_empty() { &symptoms.step } else { &place }),
        former: at(&symptoms.step),
    }
}

/// Without what differs from run to run: ids, ports, numbers.
fn stable(text: &str) -> String {
    static CHANGING: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"[0-9a-fA-F]{8,}(-[0-9a-fA-F]{4,})*|\d{4,}").ok());
    match &*CHANGING {
        Some(changing) => changing.replace_all(text, "#").into_owned(),
        None => text.to_owned(),
    }
}

/// What was seen, for who has to find the cause without a name for it.
fn seen(facts: &Facts) -> Vec<String> {
    static LINES: LazyLock<Vec<Template>> = LazyLock::new(|| {
        let lines = [
            "answer: {http.answered}",
            "no answer: {*transport}",
            "reply ({reply.kind}): {reply.text}",
            "wait: wanted {wait.wants}; last seen {wait.last}; {wait.errors} of {wait.polls} polls failed",
            "row: {record.status}",
            "row's address: {record.url}",
            "last_sample_error: {record.last_sample_error}",
            "statuses since the {edge}: {status_since_edge}",
            "events, newest first: {event.type}",
            "event: {*event.error}",
            "instance: {instance}",
            "container: {container.status}, exit code {container.exit_code}, restarts {container.restarts}",
            "{*env_rows}",
        ];
        lines.iter().filter_map(|line| Template::parse(line).ok()).collect()
    });
    let logs = [("register.said", "register"), ("instance.log", "agent log"), ("server.log", "server log")];
    let newest = logs.iter().flat_map(|(fact, title)| {
        let lines = facts.get(fact).unwrap_or_default();
        lines[lines.len().saturating_sub(NEWEST)..].iter().map(move |line| format!("{title}: {line}"))
    });
    LINES.iter().flat_map(|line| line.lines(facts)).chain(newest).collect()
}

/// The mechanisms that can make such a red and of which most holds, and what they lack.
fn nearest(mechanisms: &[Mechanism], red: Red, facts: &Facts) -> Vec<String> {
    let mut scored: Vec<(usize, usize, &Mechanism)> = mechanisms
        .iter()
        .filter(|m| m.explains.iter().any(|e| e.reds.contains(&red)))
        .filter(|m| {
            // Something that speaks for it, not only a symptom that everything shares.
            let deep = |fact: &str| super::facts::find(fact).is_ok_and(|f| f.deep);
            m.matches
                .all
                .iter()
                .chain(m.matches.any.iter().flatten())
                .any(|c| deep(&c.fact) && c.check(facts) == Truth::True)
        })
        .map(|m| {
            let lacks = m.matches.lacking(facts).len();
            (lacks, m.matches.needed(), m)
        })
        .filter(|(lacks, needed, _)| *lacks > 0 && lacks * 2 <= *needed)
        .collect();
    scored.sort_by_key(|(lacks, needed, m)| (lacks * 100 / needed.max(&1), m.layer, m.name.clone()));
    scored
        .into_iter()
        .take(NEAREST)
        .map(|(_, _, m)| format!("{} lacks: {}", m.name, m.matches.lacking(facts).join("; ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_what_was_seen_are_read() {
        let mut facts = Facts::default();
        assert!(seen(&facts).is_empty());
        facts.set("instance", "ended");
        assert_eq!(seen(&facts), ["instance: ended"]);
    }
}
