//! The lowest mechanism whose evidence is there, or none and what the nearest lacked.

use std::cmp::Reverse;
use std::sync::LazyLock;

use regex::Regex;

use super::condition::Truth;
use super::extract::facts_of;
use super::facts::Facts;
use super::file::Mechanism;
use super::{Symptoms, catalogue};
use crate::event::{Class, Diagnosis};
use crate::scenario::without_round;

/// What a failure is called that no mechanism explains.
pub const UNCLASSIFIED: &str = "unclassified";
/// So many mechanisms are named beside it.
const NEAREST: usize = 3;

/// Names the cause of a failure by the shipped catalogue.
pub fn diagnose(symptoms: &Symptoms) -> Diagnosis {
    by(catalogue::shipped(), symptoms)
}

/// Names the cause by these mechanisms.
pub fn by(mechanisms: &[Mechanism], symptoms: &Symptoms) -> Diagnosis {
    let facts = facts_of(symptoms);
    match choose(mechanisms, &facts) {
        Some(mechanism) => named(mechanism, symptoms, &facts),
        None => Diagnosis {
            scenario: symptoms.scenario.clone(),
            mechanism: UNCLASSIFIED.into(),
            summary: "no known mechanism has its evidence here".into(),
            class: Class::Unclassified,
            fingerprint: format!("{}/{}/{UNCLASSIFIED}", without_round(&symptoms.scenario), symptoms.step),
            nearest: nearest(mechanisms, &facts),
            ..Diagnosis::default()
        },
    }
}

/// Of all that match, the lowest layer; within it fallbacks last, then the one that explains most.
fn choose<'a>(mechanisms: &'a [Mechanism], facts: &Facts) -> Option<&'a Mechanism> {
    mechanisms
        .iter()
        .filter(|m| m.matches.check(facts) == Truth::True)
        .min_by_key(|m| (m.layer, m.fallback, Reverse(m.matches.weight(facts)), m.name.clone()))
}

fn named(mechanism: &Mechanism, symptoms: &Symptoms, facts: &Facts) -> Diagnosis {
    let key = mechanism.fingerprint_field.as_ref().and_then(|field| facts.text(field));
    let key = key.map(|text| format!("/{}", stable(&text))).unwrap_or_default();
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
        fingerprint: format!(
            "{}/{}/{}{key}",
            without_round(&symptoms.scenario),
            symptoms.step,
            mechanism.name
        ),
        nearest: Vec::new(),
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

/// The mechanisms of which most holds, and what they lack.
fn nearest(mechanisms: &[Mechanism], facts: &Facts) -> Vec<String> {
    let mut scored: Vec<(usize, usize, &Mechanism)> = mechanisms
        .iter()
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
        .collect();
    scored.sort_by_key(|(lacks, needed, m)| (lacks * 100 / needed.max(&1), m.layer, m.name.clone()));
    scored
        .into_iter()
        .take(NEAREST)
        .map(|(_, _, m)| format!("{} lacks: {}", m.name, m.matches.lacking(facts).join("; ")))
        .collect()
}
