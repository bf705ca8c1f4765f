//! What a run came to: its exit code and why, and what it saw of reds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::context::RunContext;
use crate::domain::{ExitCode, time};
use crate::event::{CancelReason, Class, Diagnosis, RunFinished, ScenarioFinished, Verdict};
use crate::mechanism::UNCLASSIFIED;
use crate::scenario::known::KnownReds;
use crate::scenario::remembered::Sighting;
use crate::scenario::without_round;

/// What a run came to.
#[derive(Debug)]
pub struct Ending {
    /// Every instance's verdict.
    pub finished: Vec<ScenarioFinished>,
    /// The diagnoses, by scenario instance.
    pub diagnoses: BTreeMap<String, Diagnosis>,
    /// Why the run could not even begin, or a panic.
    pub set_up: Option<String>,
}

impl Ending {
    /// Known reds whose scenario passed, in words.
    pub fn unseen(&self, known: &KnownReds) -> Vec<String> {
        let of = |one: &ScenarioFinished, fingerprint: &str| {
            let rest = fingerprint.strip_prefix(without_round(&one.scenario));
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let passed = |fingerprint: &str| {
            let mut rounds = self.finished.iter().filter(|one| of(one, fingerprint)).peekable();
            rounds.peek().is_some() && rounds.all(|one| one.verdict == Verdict::Passed)
        };
        known
            .iter()
            .filter(|(fingerprint, _)| passed(fingerprint))
            .map(|(fingerprint, red)| {
                format!("the known red {fingerprint} ({}) did not show: take it out", red.issue)
            })
            .collect()
    }

    /// What it saw of reds, for who remembers them.
    pub fn sightings(&self, context: &RunContext) -> Vec<Sighting> {
        let today = today();
        let one = |one: &ScenarioFinished| {
            let scenario = without_round(&one.scenario).to_owned();
            if matches!(one.verdict, Verdict::Passed | Verdict::Flaky | Verdict::UnexpectedPass) {
                return Sighting::Passed { scenario };
            }
            let diagnosis = self.diagnoses.get(&one.scenario).filter(|_| can_be_remembered(one));
            let Some(diagnosis) = diagnosis else { return Sighting::Nothing { scenario } };
            let fingerprint = context.log.redactor().text(&diagnosis.fingerprint).into_owned();
            match context.known.find(&fingerprint, &today) {
                Some(_) => Sighting::Listed { scenario, fingerprint },
                None if diagnosis.mechanism == UNCLASSIFIED => Sighting::Nothing { scenario },
                None => Sighting::Red { scenario, fingerprint, mechanism: diagnosis.mechanism.clone() },
            }
        };
        self.finished.iter().map(one).collect()
    }

    /// The run's last event: counts, exit code and why.
    pub fn conclude(&self, context: &RunContext, require_live: bool, took: Duration) -> RunFinished {
        let mut codes: BTreeMap<ExitCode, String> = BTreeMap::new();
        let mut add = |code: ExitCode, why: String| {
            codes.entry(code).or_insert(why);
        };
        match context.cancel.reason() {
            Some(CancelReason::Interrupted | CancelReason::SecondInterrupt) => {
                add(ExitCode::Interrupted, "interrupted".into())
            }
            Some(CancelReason::Terminated) => add(ExitCode::Terminated, "terminated".into()),
            Some(CancelReason::TargetDead) => add(ExitCode::Environment, context.poller.death()),
            Some(CancelReason::CannotWrite) => {
                let why = context.log.take_error().map(|e| e.to_string());
                add(
                    ExitCode::Environment,
                    why.unwrap_or_else(|| "the log or a report cannot be written".into()),
                );
            }
            None => {}
        }
        if let Some(why) = &self.set_up {
            add(ExitCode::Environment, why.clone());
        }
        let mut counts = BTreeMap::new();
        let mut advisory_reds = 0;
        for one in &self.finished {
            *counts.entry(one.verdict).or_default() += 1;
            let line = format!("{} {}: {}", one.scenario, one.verdict, one.reason);
            if one.advisory {
                advisory_reds += usize::from(one.verdict.is_red());
                continue;
            }
            match one.verdict {
                _ if one.known.is_some() => add(ExitCode::KnownRed, line),
                Verdict::Failed | Verdict::Inconclusive => add(one.class.unwrap_or_default().exit(), line),
                Verdict::Error => add(one.class.unwrap_or(Class::Infra).exit(), line),
                Verdict::UnexpectedPass | Verdict::Flaky => add(ExitCode::Flaky, line),
                Verdict::Skipped if require_live => add(ExitCode::NotLive, line),
                Verdict::Passed if require_live && !one.missing_milestones.is_empty() => add(
                    ExitCode::NotLive,
                    format!(
                        "{}: milestones not reached: {}",
                        one.scenario,
                        one.missing_milestones.join(", ")
                    ),
                ),
                _ => {}
            }
        }
        let drifts = context.drifts.lines();
        if !drifts.is_empty() && !context.drifts.advisory {
            add(ExitCode::Failed, format!("the server's contract differs: {}", drifts.join("; ")));
        }
        let ran = self.finished.iter().any(|f| !matches!(f.verdict, Verdict::Skipped | Verdict::Cancelled));
        if require_live && !ran {
            add(ExitCode::NotLive, "nothing ran, and live work was demanded".into());
        }
        let left: Vec<String> = context
            .ledger
            .left()
            .iter()
            .map(|e| format!("{} {} {}", e.kind, e.name, e.id.as_deref().unwrap_or("(id unknown)")))
            .collect();
        if !left.is_empty() {
            add(ExitCode::Leak, format!("{} resources could not be removed", left.len()));
        }
        let exit = ExitCode::worst(&codes.keys().copied().collect::<BTreeSet<_>>());
        RunFinished {
            exit,
            code: exit.code(),
            reason: codes.get(&exit).cloned().unwrap_or_else(|| exit.meaning().to_owned()),
            counts,
            advisory_reds,
            left,
            took_ms: time::ms(took),
        }
    }
}

/// Whether a later run may call this red an old one: the environment and the harness say nothing of the platform.
pub(super) fn can_be_remembered(finished: &ScenarioFinished) -> bool {
    matches!(finished.verdict, Verdict::Failed | Verdict::Inconclusive)
        && !matches!(finished.class, Some(Class::Infra | Class::Harness))
}

/// `YYYY-MM-DD`.
pub(super) fn today() -> String {
    crate::clock::wall().to_string().get(..10).unwrap_or_default().to_owned()
}
