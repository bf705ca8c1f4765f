//! Every pattern over somebody else's sentence is shown against one that was seen, or says that none was.

use std::collections::BTreeMap;

use crate::mechanism::catalogue;
use crate::mechanism::condition::{Condition, Test, Truth};

const SENTENCES: &str = include_str!("../../../fixtures/sentences/sentences.tsv");
/// Facts that hold what others write.
const THEIRS: [&str; 12] = [
    "http.error",
    "http.code",
    "http.text",
    "event.code",
    "event.source",
    "event.error",
    "record.last_sample_error",
    "server.log",
    "provision.said",
    "container.log",
    "container.error",
    "register.said",
];

fn seen() -> BTreeMap<&'static str, Vec<String>> {
    let mut seen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in SENTENCES.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.splitn(3, '\t');
        let (fact, source, sentence) = (columns.next(), columns.next(), columns.next());
        let (Some(fact), Some(sentence)) = (fact, sentence) else { panic!("three columns: {line}") };
        assert!(source.is_some_and(|s| !s.is_empty()), "{line}");
        seen.entry(fact).or_default().push(sentence.to_owned());
    }
    seen
}

/// Each word or pattern of a condition by itself.
fn patterns(condition: &Condition) -> Vec<Test> {
    match &condition.test {
        Test::Is(values) => values.iter().map(|v| Test::Is(vec![v.clone()])).collect(),
        Test::Contains(values) => values.iter().map(|v| Test::Contains(vec![v.clone()])).collect(),
        Test::Matches(_) => vec![condition.test.clone()],
        _ => Vec::new(),
    }
}

#[test]
fn every_pattern_was_seen_or_says_that_it_was_not() {
    let seen = seen();
    let mut unseen = Vec::new();
    for mechanism in catalogue::shipped() {
        let mut missing = Vec::new();
        for condition in mechanism.matches.conditions().filter(|c| THEIRS.contains(&c.fact.as_str())) {
            let facts: &[&str] = match condition.fact.as_str() {
                "provision.said" => &["server.log", "record.last_sample_error", "event.error"],
                fact => &[fact],
            };
            let sentences: Vec<String> =
                facts.iter().flat_map(|fact| seen.get(fact).cloned().unwrap_or_default()).collect();
            let fits = |test: &Test| {
                sentences.iter().any(|s| test.check(Some(std::slice::from_ref(s))) == Truth::True)
            };
            missing.extend(patterns(condition).iter().filter(|test| !fits(test)).map(Test::words));
        }
        match (missing.is_empty(), mechanism.never_seen) {
            (true, true) => unseen.push(format!("{}: was seen, take `never_seen` out", mechanism.name)),
            (false, false) => unseen.push(format!("{}: no sentence {}", mechanism.name, missing.join("; "))),
            _ => {}
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

#[test]
fn every_sentence_is_of_a_fact_and_stands_once() {
    let seen = seen();
    for (fact, sentences) in &seen {
        assert!(crate::mechanism::facts::find(fact).is_ok(), "{fact}");
        let mut unique = sentences.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), sentences.len(), "{fact}");
    }
}
