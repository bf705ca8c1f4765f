//! What a run came to: its exit code and why, and what it saw of reds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::context::RunContext;
use super::demand::Demand;
use crate::clock::today;
use crate::domain::red::Identity;
use crate::domain::words::count;
use crate::domain::{ExitCode, time};
use crate::event::{
    CancelReason, Class, Diagnosis, RunFinished, ScenarioFinished, UNCLASSIFIED, Verdict, cause_of,
};
use crate::redact::Redactor;
use crate::scenario::known::{KnownRed, KnownReds};
use crate::scenario::remembered::Sighting;
use crate::scenario::without_round;

/// What a red is called, as everybody reads it, which is how it is written down and typed.
pub(crate) fn identity_of(diagnosis: &Diagnosis, redactor: &Redactor) -> Identity {
    let shown = |text: &str| redactor.text(text).into_owned();
    Identity { fingerprint: shown(&diagnosis.fingerprint), former: shown(&diagnosis.former_fingerprint) }
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Every instance's verdict.
    pub finished: Vec<ScenarioFinished>,
    /// The diagnoses, by scenario instance.
    pub diagnoses: BTreeMap<String, Diagnosis>,
    /// Why the run could not even begin, or a panic.
    pub set_up: Option<String>,
}

impl Ending {
    /// Known reds whose scenario passed, and those that are not known any more, in words.
    pub(crate) fn unseen(&self, known: &KnownReds) -> Vec<String> {
        let of = |one: &ScenarioFinished, fingerprint: &str| {
            let rest = fingerprint.strip_prefix(without_round(&one.scenario));
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let passed = |fingerprint: &str| {
            let mut rounds = self.finished.iter().filter(|one| of(one, fingerprint)).peekable();
            rounds.peek().is_some() && rounds.all(|one| one.verdict == Verdict::Passed)
        };
        let today = today();
        let one = |(fingerprint, red): (&str, &KnownRed)| match passed(fingerprint) {
            true => Some(format!("the known red {fingerprint} ({}) did not show: take it out", red.issue)),
            false => red.over(fingerprint, &today),
        };
        known.iter().filter_map(one).collect()
    }

    /// What it saw of reds, for who remembers them.
    pub(crate) fn sightings(&self, context: &RunContext) -> Vec<Sighting> {
        let today = today();
        let one = |one: &ScenarioFinished| {
            let scenario = without_round(&one.scenario).to_owned();
            if matches!(one.verdict, Verdict::Passed | Verdict::Flaky | Verdict::UnexpectedPass) {
                return Sighting::Passed { scenario };
            }
            let diagnosis = self.diagnoses.get(&one.scenario).filter(|_| can_be_remembered(one));
            let Some(diagnosis) = diagnosis else { return Sighting::Nothing { scenario } };
            let red = identity_of(diagnosis, context.log.redactor());
            match context.known.find(&red, &today) {
                Some(_) => Sighting::Listed { scenario, red },
                None if diagnosis.mechanism == UNCLASSIFIED => Sighting::Nothing { scenario },
                None => Sighting::Red { scenario, red, mechanism: diagnosis.mechanism.clone() },
            }
        };
        let drifts = context.drifts.sightings(&context.target.contract);
        self.finished.iter().filter(|one| !one.retry).map(one).chain(drifts).collect()
    }

    /// The run's last event: counts, exit code and why.
    pub(crate) fn conclude(&self, context: &RunContext, demand: &Demand, took: Duration) -> RunFinished {
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
            Some(CancelReason::Overtime) => {
                let open = self.finished.iter().filter(|f| f.verdict == Verdict::Cancelled).count();
                let limit = demand.within.map(time::show).unwrap_or_default();
                add(
                    ExitCode::Failed,
                    format!("{} did not end within {limit} (--global-timeout)", count(open, "scenario")),
                );
            }
            // The reds decide.
            Some(CancelReason::EnoughReds) | None => {}
        }
        if let Some(why) = &self.set_up {
            add(ExitCode::Environment, why.clone());
        }
        let mut counts = BTreeMap::new();
        let mut advisory_reds = 0;
        let mut reds: BTreeMap<ExitCode, Vec<&ScenarioFinished>> = BTreeMap::new();
        for one in self.finished.iter().filter(|one| !one.retry) {
            *counts.entry(one.verdict).or_default() += 1;
            let line = format!("{} {}: {}", one.scenario, one.verdict, one.reason);
            if one.advisory {
                advisory_reds += usize::from(one.verdict.is_red());
                continue;
            }
            match one.verdict {
                _ if one.known.is_some() => reds.entry(ExitCode::KnownRed).or_default().push(one),
                Verdict::Failed | Verdict::Inconclusive => {
                    reds.entry(one.class.unwrap_or_default().exit()).or_default().push(one);
                }
                Verdict::Error => reds.entry(one.class.unwrap_or(Class::Infra).exit()).or_default().push(one),
                Verdict::UnexpectedPass | Verdict::Flaky => add(ExitCode::Flaky, line),
                _ => {}
            }
        }
        for (code, reds) in &reds {
            codes.entry(*code).or_insert_with(|| self.told(reds));
        }
        let mut add = |code: ExitCode, why: String| {
            codes.entry(code).or_insert(why);
        };
        for (code, known) in [(Class::Contract.exit(), false), (ExitCode::KnownRed, true)] {
            let drifts = context.drifts.lines().into_iter().filter(|(_, is_known)| *is_known == known);
            let lines: Vec<String> = drifts.map(|(line, _)| line).collect();
            if !lines.is_empty() && !context.drifts.advisory {
                add(code, format!("the server's contract differs: {}", lines.join("; ")));
            }
        }
        if let Some(why) = demand.unmet(&self.finished) {
            add(ExitCode::NotLive, why);
        }
        let left: Vec<String> = context
            .ledger
            .left()
            .iter()
            .map(|e| format!("{} {} {}", e.kind, e.name, e.id.as_deref().unwrap_or("(id unknown)")))
            .collect();
        if !left.is_empty() {
            add(ExitCode::Leak, format!("{} could not be removed", count(left.len(), "resource")));
        }
        let exit = ExitCode::worst(&codes.keys().copied().collect::<BTreeSet<_>>());
        RunFinished {
            exit,
            code: exit.code(),
            reason: match codes.get(&exit) {
                Some(reason) => reason.clone(),
                None if exit == ExitCode::Passed => match counts.get(&Verdict::Skipped) {
                    Some(skipped) => {
                        format!("passed, {skipped} of {} skipped", counts.values().sum::<usize>())
                    }
                    None => "passed".to_owned(),
                },
                None => exit.meaning().to_owned(),
            },
            counts,
            advisory_reds,
            left,
            took_ms: time::ms(took),
        }
    }
    /// What reds have in common: one in its own words, several by their causes.
    fn told(&self, reds: &[&ScenarioFinished]) -> String {
        const NAMED: usize = 3;
        let cause = |one: &ScenarioFinished| {
            let (name, key) = cause_of(self.diagnoses.get(&one.scenario), &one.reason);
            (name.into_owned(), key.to_owned())
        };
        let classified = |one: &ScenarioFinished| {
            self.diagnoses.get(&one.scenario).filter(|diagnosis| diagnosis.mechanism != UNCLASSIFIED)
        };
        if let [one] = reds {
            let cause = classified(one).map(|d| format!(" ({})", d.mechanism)).unwrap_or_default();
            return format!("{} {}{cause}: {}", one.scenario, one.verdict, one.reason);
        }
        // In the words of the first: what differs from one to the next says nothing.
        let title = |one: &ScenarioFinished| match (classified(one), cause(one)) {
            (None, _) => one.reason.clone(),
            (_, (name, key)) if key.is_empty() => name,
            (_, (name, key)) => format!("{name} ({key})"),
        };
        let mut causes: BTreeMap<(String, String), (String, usize)> = BTreeMap::new();
        for one in reds {
            causes.entry(cause(one)).or_insert_with(|| (title(one), 0)).1 += 1;
        }
        let mut named: Vec<(String, usize)> = causes.into_values().collect();
        named.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let all = named.len();
        let plural = if all == 1 { "" } else { "s" };
        let mut words: Vec<String> = named
            .into_iter()
            .take(NAMED)
            .map(|(cause, n)| if all == 1 { cause } else { format!("{cause} × {n}") })
            .collect();
        if all > NAMED {
            words.push(format!("{} more", all - NAMED));
        }
        format!("{} reds, {all} cause{plural}: {}", reds.len(), words.join(", "))
    }
}

/// Whether a later run may call this red an old one: the environment and the harness say nothing of the platform.
pub(super) fn can_be_remembered(finished: &ScenarioFinished) -> bool {
    matches!(finished.verdict, Verdict::Failed | Verdict::Inconclusive)
        && !matches!(finished.class, Some(Class::Infra | Class::Harness))
}
