//! What of a run must have happened for it to be green.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::words::count;
use crate::event::{ScenarioFinished, Verdict};
use crate::scenario::scenario_of;

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

impl Demand {
    /// Why what ran is too little to be green.
    pub(crate) fn unmet(&self, finished: &[ScenarioFinished]) -> Option<String> {
        if let Some(why) = self.not_live(finished) {
            return Some(why);
        }
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

    /// Why live work was demanded and did not happen. Nothing may be lacking, and something must have passed: what failed
    /// as expected proves that it ran, and not that anything works.
    fn not_live(&self, finished: &[ScenarioFinished]) -> Option<String> {
        if !self.live {
            return None;
        }
        let counted = || finished.iter().filter(|one| !one.retry);
        let demanded: Vec<&ScenarioFinished> = counted().filter(|one| !one.advisory).collect();
        let validated = demanded.iter().filter(|one| passes(one) && lacks(one).is_none()).count();
        if let Some(first) = demanded.iter().find_map(|one| lacks(one)) {
            let all = count(demanded.len(), "scenario");
            return Some(match demanded.len() {
                1 => first,
                _ => format!("live work was demanded, and {validated} of {all} did it; {first}"),
            });
        }
        let as_expected = counted().filter(|one| one.verdict == Verdict::ExpectedFailure).count();
        let passed = counted().any(|one| passes(one) && lacks(one).is_none());
        (as_expected > 0 && !passed).then(|| {
            let failed = count(as_expected, "scenario");
            format!("live work was demanded, and nothing passed: {failed} failed as expected")
        })
    }
}

fn passes(one: &ScenarioFinished) -> bool {
    matches!(one.verdict, Verdict::Passed | Verdict::Flaky | Verdict::UnexpectedPass)
}

/// What a scenario lacks to be live work, in words; a red lacks nothing, it is red.
fn lacks(one: &ScenarioFinished) -> Option<String> {
    let name = &one.scenario;
    if one.verdict == Verdict::Skipped {
        return Some(format!("{name} skipped: {}", one.reason));
    }
    if !passes(one) {
        return None;
    }
    if !one.missing_milestones.is_empty() {
        return Some(format!("{name}: milestones not reached: {}", one.missing_milestones.join(", ")));
    }
    if let Some((first, more)) = one.unproven.split_first() {
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        return Some(format!(
            "{name}: nobody could judge the answer of step {first}{more}: `--answers` says what these agents can answer"
        ));
    }
    one.idle.then(|| format!("{name}: none of its steps ran"))
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

    #[test]
    fn live_work_is_proven_or_it_is_none() {
        use Verdict::{ExpectedFailure, Failed, Flaky, Passed, Skipped};
        let live = Demand { live: true, allow_none: true, ..Demand::default() };
        let unproven = |steps: &[&str]| ScenarioFinished {
            unproven: steps.iter().map(|step| (*step).to_owned()).collect(),
            ..ended("a", Passed)
        };
        let missing = ScenarioFinished { missing_milestones: vec!["online".into()], ..ended("a", Flaky) };
        let idle = ScenarioFinished { idle: true, ..ended("a", Passed) };
        let of =
            |one: &ScenarioFinished, advisory, retry| ScenarioFinished { advisory, retry, ..one.clone() };
        for (seen, why) in [
            (vec![ended("a", Passed)], None),
            (vec![ended("a", Passed), ended("b", ExpectedFailure)], None),
            (vec![ended("a", Failed)], None),
            (
                vec![ended("a", Passed), ended("b", Skipped)],
                Some("live work was demanded, and 1 of 2 scenarios did it; b skipped: needs env"),
            ),
            (vec![missing.clone()], Some("a: milestones not reached: online")),
            (vec![of(&missing, true, false), ended("b", Passed)], None),
            (vec![of(&missing, false, true), ended("b", Passed)], None),
            (
                vec![unproven(&["7"])],
                Some(
                    "a: nobody could judge the answer of step 7: `--answers` says what these agents can answer",
                ),
            ),
            (
                vec![unproven(&["7", "9"]), idle.clone(), ended("b", Passed)],
                Some(
                    "live work was demanded, and 1 of 3 scenarios did it; a: nobody could judge the answer of step 7 and 1 more: `--answers` says what these agents can answer",
                ),
            ),
            (vec![idle.clone()], Some("a: none of its steps ran")),
            (
                vec![ended("a", ExpectedFailure), of(&idle, true, false)],
                Some("live work was demanded, and nothing passed: 1 scenario failed as expected"),
            ),
        ] {
            assert_eq!(live.unmet(&seen).as_deref(), why, "{seen:?}");
            let asks_less = Demand { live: false, ..live.clone() };
            assert_eq!(asks_less.unmet(&seen), None, "{seen:?}");
        }
    }
}
