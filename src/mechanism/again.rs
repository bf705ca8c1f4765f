//! Causes looked for again in a run that is over: what today's catalogue says of its reds, and whether it would have
//! said anything of what passed.

use std::collections::BTreeMap;
use std::path::Path;

use super::condition::Truth;
use super::diagnose::{self, UNCLASSIFIED};
use super::extract::facts_of;
use super::file::Mechanism;
use super::red::red_of;
use crate::event::{
    Diagnosis, EventKind, Evidence, EvidencePart, Exchange, LogError, LogReader, Red, StepOutcome, Subject,
    Symptoms,
};

/// More exchanges of one step are not looked at.
const EXCHANGES: usize = 64;

/// A red, as it was named and as it is named now.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    /// Which scenario.
    pub scenario: String,
    /// Which step.
    pub step: String,
    /// As it was named then.
    pub then: Diagnosis,
    /// As it is named now; `None`: its log is of a version that did not keep how the step failed.
    pub now: Option<Diagnosis>,
}

impl Again {
    /// Another name than then.
    pub(crate) fn changed(&self) -> bool {
        self.now.as_ref().is_some_and(|now| now.mechanism != self.then.mechanism)
    }
}

/// A mechanism that holds for a step that passed and would explain it, had it failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fired {
    /// Which mechanism.
    pub mechanism: String,
    /// Where.
    pub scenario: String,
    /// At which step.
    pub step: String,
}

/// What today's catalogue says of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    /// Its reds, in the order in which they were named.
    pub reds: Vec<Again>,
    /// Mechanisms that hold for steps that passed.
    pub fired: Vec<Fired>,
    /// Steps that passed and were looked at.
    pub passed: u64,
}

impl Judged {
    /// How many reds have no name now.
    pub(crate) fn unclassified(&self) -> usize {
        self.reds.iter().filter(|r| r.now.as_ref().unwrap_or(&r.then).mechanism == UNCLASSIFIED).count()
    }
}

/// What is remembered of a scenario while its log is read.
#[derive(Default)]
struct Open {
    failed: Option<Symptoms>,
    evidence: Option<Evidence>,
    verbs: BTreeMap<String, String>,
    exchanges: BTreeMap<String, Vec<Exchange>>,
}

/// Looks for every cause of a run again.
///
/// # Errors
/// Its log cannot be read.
pub(crate) fn judge(mechanisms: &[Mechanism], run: &Path) -> Result<Judged, LogError> {
    let mut judged = Judged::default();
    let mut open: BTreeMap<String, Open> = BTreeMap::new();
    let mut log = LogReader::open(run)?;
    while let Some(event) = log.next()? {
        match event.event {
            EventKind::StepStarted(started) => {
                let scenario = open.entry(started.scenario).or_default();
                scenario.exchanges.remove(&started.step);
                scenario.verbs.insert(started.step, started.verb);
            }
            EventKind::Exchange(exchange) => {
                let Some(scenario) = exchange.scenario.clone() else { continue };
                let kept =
                    open.entry(scenario).or_default().exchanges.entry(exchange.step.clone()).or_default();
                if kept.len() < EXCHANGES {
                    kept.push(*exchange);
                }
            }
            EventKind::StepFinished(ended) => {
                let scenario = open.entry(ended.scenario.clone()).or_default();
                let exchanges = scenario.exchanges.remove(&ended.step).unwrap_or_default();
                let verb = scenario.verbs.remove(&ended.step).unwrap_or_default();
                if ended.outcome == StepOutcome::Passed {
                    judged.passed += 1;
                    fire(
                        mechanisms,
                        passed(&ended.scenario, &ended.step, &verb, exchanges),
                        &mut judged.fired,
                    );
                }
            }
            EventKind::Evidence(evidence) => {
                let scenario = open.entry(evidence.scenario.clone()).or_default();
                scenario.evidence = Some(*evidence);
            }
            EventKind::Failed(symptoms) => {
                let scenario = open.entry(symptoms.scenario.clone()).or_default();
                let evidence = scenario.evidence.take().unwrap_or_default();
                // A scenario that went on after a failure is red by the first one.
                scenario.failed.get_or_insert(Symptoms { evidence, ..*symptoms });
            }
            EventKind::Diagnosed(then) => {
                let scenario = open.entry(then.scenario.clone()).or_default();
                let failed = scenario.failed.take();
                let gathered = scenario.evidence.take().map(|evidence| evidence.step);
                let step = failed.as_ref().map(|f| f.step.clone()).or(gathered).unwrap_or_default();
                let now = failed.map(|failed| diagnose::by(mechanisms, &failed));
                judged.reds.push(Again { scenario: then.scenario.clone(), step, then: *then, now });
            }
            EventKind::ScenarioFinished(ended) => {
                open.remove(&ended.scenario);
            }
            _ => {}
        }
    }
    Ok(judged)
}

/// Reds of a run that the shipped catalogue names otherwise than then, or explains by other evidence, a line each.
///
/// # Errors
/// Its log cannot be read.
pub fn named_otherwise(run: &Path) -> Result<Vec<String>, LogError> {
    // What was seen of later failures stands beside the first one, and is not of its own.
    let own = |one: &Diagnosis| (one.mechanism.clone(), one.fingerprint.clone(), one.evidence.clone());
    let other = |red: &Again| red.now.as_ref().map(own) != Some(own(&red.then));
    let line = |red: Again| {
        let now = red.now.unwrap_or_default();
        let place = format!("{} step {}", red.scenario, red.step);
        format!(
            "{place}: {} {:?} → {} {:?}",
            red.then.mechanism, red.then.evidence, now.mechanism, now.evidence
        )
    };
    let reds = judge(super::catalogue::shipped(), run)?.reds;
    Ok(reds.into_iter().filter(other).map(line).collect())
}

/// A step that passed, as if it had failed.
fn passed(scenario: &str, step: &str, verb: &str, exchanges: Vec<Exchange>) -> Symptoms {
    let asserts = match verb {
        "a2a" => Red::Reply,
        "await" | "wake" => Red::Online,
        "hold" => Red::Hold,
        "create" => Red::Create,
        "delete" => Red::Gone,
        "expect" => Red::Row,
        _ => Red::Answer,
    };
    Symptoms {
        scenario: scenario.to_owned(),
        step: step.to_owned(),
        verb: verb.to_owned(),
        asserts,
        exchanges,
        exchanges_whole: true,
        workspace: Some(Subject { managed: true, edge: "create".into(), ..Subject::default() }),
        evidence: Evidence {
            parts: vec![EvidencePart {
                name: "server".into(),
                data: serde_json::json!({ "health_state": "ok", "data_state": "ok" }),
                ..EvidencePart::default()
            }],
            ..Evidence::default()
        },
        time_scale: 1.0,
        ..Symptoms::default()
    }
}

fn fire(mechanisms: &[Mechanism], symptoms: Symptoms, into: &mut Vec<Fired>) {
    let facts = facts_of(&symptoms);
    let red = red_of(&symptoms);
    let fires = |m: &&Mechanism| m.can_make(red, &facts) && m.matches.check(&facts) == Truth::True;
    into.extend(mechanisms.iter().filter(fires).map(|m| Fired {
        mechanism: m.name.clone(),
        scenario: symptoms.scenario.clone(),
        step: symptoms.step.clone(),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Log, StepFinished, StepStarted};
    use crate::mechanism::catalogue;
    use crate::redact::Redactor;

    #[test]
    fn a_red_is_named_again_and_what_passed_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path(), Redactor::new()).unwrap();
        let exchange = |step: &str, status: u16| {
            EventKind::Exchange(Box::new(Exchange {
                scenario: Some("s".into()),
                step: step.into(),
                purpose: "read".into(),
                method: "GET".into(),
                url: "http://h/x".into(),
                status: Some(status),
                ..Exchange::default()
            }))
        };
        let started = |step: &str| {
            EventKind::StepStarted(StepStarted {
                scenario: "s".into(),
                step: step.into(),
                verb: "http".into(),
                ..StepStarted::default()
            })
        };
        let symptoms = Symptoms {
            scenario: "s".into(),
            step: "3".into(),
            asserts: Red::Answer,
            exchanges: vec![Exchange { status: Some(500), purpose: "x".into(), ..Exchange::default() }],
            ..Symptoms::default()
        };
        let then = diagnose::by(catalogue::shipped(), &symptoms);
        assert_eq!(then.mechanism, "server-error");
        log.emit(started("1"));
        log.emit(exchange("1", 200));
        for (step, status) in [("1", 200), ("2", 429)] {
            log.emit(started(step));
            log.emit(exchange(step, status));
            log.emit(EventKind::StepFinished(StepFinished {
                scenario: "s".into(),
                step: step.into(),
                outcome: StepOutcome::Passed,
                ..StepFinished::default()
            }));
        }
        for named in ["server-error", "something-else"] {
            log.emit(EventKind::Failed(Box::new(symptoms.clone())));
            log.emit(EventKind::Diagnosed(Box::new(Diagnosis { mechanism: named.into(), ..then.clone() })));
        }
        log.emit(EventKind::Diagnosed(Box::new(Diagnosis { scenario: "old".into(), ..then.clone() })));
        log.close();
        let judged = judge(catalogue::shipped(), folder.path()).unwrap();
        let seen: Vec<(bool, bool)> = judged.reds.iter().map(|r| (r.changed(), r.now.is_some())).collect();
        assert_eq!(seen, [(false, true), (true, true), (false, false)]);
        assert_eq!(judged.reds[0].now.as_ref(), Some(&then));
        assert_eq!((judged.passed, judged.unclassified()), (2, 0));
        let fired: Vec<(&str, &str)> =
            judged.fired.iter().map(|f| (f.mechanism.as_str(), f.step.as_str())).collect();
        assert_eq!(fired, [("rate-limited", "2")]);
    }
}
