//! What a run came to: its exit code and why, and what it saw of reds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::context::RunContext;
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
use crate::scenario::{scenario_of, without_round};

/// What of a run must have happened for it to be green.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demand {
    /// Skips and milestones that were not reached are red.
    pub live: bool,
    /// Somebody chose what runs: of that something must.
    pub chosen: bool,
    /// Scenarios that were named one by one: not all of them may be skipped.
    pub named: BTreeSet<String>,
    /// Reds of an earlier run: each of them runs again, or is still red.
    pub reds: bool,
    /// A run of which nothing ran is green.
    pub allow_none: bool,
    /// How long the run may take.
    pub within: Option<Duration>,
}

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
                Verdict::Skipped if demand.live => add(ExitCode::NotLive, line),
                Verdict::Passed if demand.live && !one.missing_milestones.is_empty() => add(
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
                None if exit == ExitCode::Passed => "passed".to_owned(),
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

impl Demand {
    /// Why what ran is too little to be green.
    pub(crate) fn unmet(&self, finished: &[ScenarioFinished]) -> Option<String> {
        let skipped = |one: &&ScenarioFinished| one.verdict == Verdict::Skipped;
        let told = |one: &ScenarioFinished| format!("{}: {}", one.scenario, one.reason);
        if self.reds
            && let Some(one) = finished.iter().find(skipped)
        {
            let n = finished.iter().filter(skipped).count();
            let reds = count(n, "red");
            return Some(format!("{reds} of the earlier run did not run again; {}", told(one)));
        }
        if self.allow_none && !self.live {
            return None;
        }
        let ran = finished.iter().any(|f| !matches!(f.verdict, Verdict::Skipped | Verdict::Cancelled));
        if !ran && !self.chosen && !self.live && !finished.is_empty() {
            // Nobody asked for any of it: the skips are shown and counted.
            return None;
        }
        if !ran {
            return Some(match finished.iter().find(skipped) {
                Some(one) => {
                    format!("nothing ran: {} skipped; {}", finished.iter().filter(skipped).count(), told(one))
                }
                None => "nothing ran: no scenario was there to run".to_owned(),
            });
        }
        let mut named = finished.iter().filter(|f| self.named.contains(scenario_of(&f.scenario))).peekable();
        let first = named.peek().copied()?;
        named
            .all(|one| one.verdict == Verdict::Skipped)
            .then(|| format!("what was named did not run: {}", told(first)))
    }
}

/// Whether a later run may call this red an old one: the environment and the harness say nothing of the platform.
pub(super) fn can_be_remembered(finished: &ScenarioFinished) -> bool {
    matches!(finished.verdict, Verdict::Failed | Verdict::Inconclusive)
        && !matches!(finished.class, Some(Class::Infra | Class::Harness))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(scenario: &str, verdict: Verdict) -> ScenarioFinished {
        ScenarioFinished {
            scenario: scenario.into(),
            verdict,
            reason: "needs env".into(),
            ..ScenarioFinished::default()
        }
    }

    #[test]
    fn too_little_work_is_no_green() {
        use Verdict::{Cancelled, Failed, Passed, Skipped};
        let chosen = || Demand { chosen: true, ..Demand::default() };
        let named = || Demand { named: BTreeSet::from(["b".into(), "c".into()]), ..chosen() };
        let reds = || Demand { reds: true, ..Demand::default() };
        let none = |demand: Demand| Demand { allow_none: true, ..demand };
        let live = || Demand { live: true, ..Demand::default() };
        for (demand, seen, why) in [
            (Demand::default(), vec![("a", Passed), ("b", Skipped)], None),
            (Demand::default(), vec![("a", Skipped), ("b", Skipped)], None),
            (Demand::default(), vec![], Some("nothing ran: no scenario was there to run")),
            (chosen(), vec![("a", Passed), ("b", Skipped)], None),
            (chosen(), vec![("a", Skipped), ("b", Skipped)], Some("nothing ran: 2 skipped; a: needs env")),
            (chosen(), vec![("a", Cancelled)], Some("nothing ran: no scenario was there to run")),
            (none(chosen()), vec![("a", Skipped)], None),
            (none(chosen()), vec![], None),
            (none(Demand::default()), vec![], None),
            (none(live()), vec![], Some("nothing ran: no scenario was there to run")),
            (
                named(),
                vec![("a", Passed), ("b[x=1]", Skipped), ("c", Skipped)],
                Some("what was named did not run: b[x=1]: needs env"),
            ),
            (named(), vec![("a", Passed), ("b[x=1]", Skipped), ("b[x=2]", Passed)], None),
            (named(), vec![("a", Skipped), ("b", Failed)], None),
            (none(named()), vec![("a", Passed), ("b", Skipped)], None),
            (
                reds(),
                vec![("a", Passed), ("b", Skipped)],
                Some("1 red of the earlier run did not run again; b: needs env"),
            ),
            (
                none(reds()),
                vec![("b", Skipped)],
                Some("1 red of the earlier run did not run again; b: needs env"),
            ),
            (reds(), vec![("a", Passed)], None),
        ] {
            let finished: Vec<_> = seen.iter().map(|(name, verdict)| ended(name, *verdict)).collect();
            assert_eq!(demand.unmet(&finished).as_deref(), why, "{demand:?} {seen:?}");
        }
    }
}
