//! Rates and durations of one scenario over many runs.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use super::sample::{Outcome, Sample};

/// Passes that a baseline needs before a later one is called slow.
const BASELINE: usize = 8;
/// A pass is slow when it took more than this many times the 95th percentile of those before it.
const SLOW: f64 = 1.5;
/// … and this much longer, so that milliseconds are never a finding.
const SLOW_MS: u64 = 500;

/// Durations in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Spread {
    /// The middle.
    pub p50: u64,
    /// 95 of 100 took no longer.
    pub p95: u64,
}

impl Spread {
    /// The spread of some durations, by the nearest rank; `None` of none.
    pub(crate) fn of(mut durations: Vec<u64>) -> Option<Spread> {
        durations.sort_unstable();
        let rank =
            |share: usize| durations.get((durations.len() * share).div_ceil(100).saturating_sub(1)).copied();
        Some(Spread { p50: rank(50)?, p95: rank(95)? })
    }
}

/// One scenario instance over many runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct History {
    /// The instance.
    pub scenario: String,
    /// What it ran on.
    pub target: String,
    /// Runs in which it said something of the platform.
    pub judged: usize,
    /// Of these: passed at the first try, or failed as expected.
    pub good: usize,
    /// Of these: passed at a later try.
    pub flaky: usize,
    /// Of these: red.
    pub bad: usize,
    /// Runs besides in which it was skipped, cancelled or the environment's.
    pub unjudged: usize,
    /// The flake rate is below this with 95 % confidence (Wilson's upper bound); `None` without a judged run.
    pub flake_rate_below: Option<f64>,
    /// How long passes took.
    pub took: Option<Spread>,
    /// How long the platform spent in each status, of passes.
    pub phases: BTreeMap<String, Spread>,
    /// The newest pass took so much longer than those before it.
    pub slow: Option<Slow>,
    /// Causes of its reds, with how often each was named.
    pub causes: BTreeMap<String, usize>,
    /// Newest last: `.` good, `f` flaky, `x` bad, `-` not judged; the last forty.
    pub strip: String,
}

/// A pass that took much longer than usual.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Slow {
    /// The run.
    pub run: String,
    /// How long it took.
    pub took_ms: u64,
    /// What 95 of 100 before it did not exceed.
    pub p95: u64,
}

/// Histories in the order in which scenarios first appear on a target; samples come oldest first.
pub(crate) fn histories(samples: &[Sample]) -> Vec<History> {
    let mut by: IndexMap<(&str, &str), Vec<&Sample>> = IndexMap::new();
    for sample in samples {
        by.entry((&sample.scenario, &sample.target)).or_default().push(sample);
    }
    by.into_iter().map(|(of, samples)| history(of, &samples)).collect()
}

fn history((scenario, target): (&str, &str), samples: &[&Sample]) -> History {
    let count = |outcome| samples.iter().filter(|s| s.outcome == outcome).count();
    let (good, flaky, bad) = (count(Outcome::Good), count(Outcome::Flaky), count(Outcome::Bad));
    let judged = good + flaky + bad;
    let passes: Vec<&&Sample> = samples.iter().filter(|s| s.outcome == Outcome::Good).collect();
    let mut phases: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (phase, took) in passes.iter().flat_map(|s| &s.phases) {
        phases.entry(phase.clone()).or_default().push(*took);
    }
    let mut causes = BTreeMap::new();
    for cause in samples.iter().filter(|s| s.outcome == Outcome::Bad).filter_map(|s| s.mechanism.clone()) {
        *causes.entry(cause).or_insert(0) += 1;
    }
    History {
        scenario: scenario.to_owned(),
        target: target.to_owned(),
        judged,
        good,
        flaky,
        bad,
        unjudged: samples.len() - judged,
        flake_rate_below: (judged > 0).then(|| wilson(flaky, judged).1),
        took: Spread::of(passes.iter().map(|s| s.took_ms).collect()),
        phases: phases.into_iter().filter_map(|(name, took)| Some((name, Spread::of(took)?))).collect(),
        slow: slow(&passes),
        causes,
        strip: strip(samples),
    }
}

fn slow(passes: &[&&Sample]) -> Option<Slow> {
    let (last, before) = passes.split_last()?;
    if before.len() < BASELINE {
        return None;
    }
    let p95 = Spread::of(before.iter().map(|s| s.took_ms).collect())?.p95;
    let slow = last.took_ms as f64 > p95 as f64 * SLOW && last.took_ms > p95 + SLOW_MS;
    slow.then(|| Slow { run: last.run.clone(), took_ms: last.took_ms, p95 })
}

fn strip(samples: &[&Sample]) -> String {
    const KEPT: usize = 40;
    let newest = samples.iter().skip(samples.len().saturating_sub(KEPT));
    newest
        .map(|s| match s.outcome {
            Outcome::Good => '.',
            Outcome::Flaky => 'f',
            Outcome::Bad => 'x',
            Outcome::Unjudged => '-',
        })
        .collect()
}

/// Wilson's score interval for `hits` of `all`, at 95 %: where the true rate lies.
pub(super) fn wilson(hits: usize, all: usize) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if all == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (all as f64, hits as f64 / all as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    (((centre - half) / whole).max(0.0), ((centre + half) / whole).min(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(run: usize, outcome: Outcome, took_ms: u64) -> Sample {
        Sample {
            run: format!("r{run}"),
            at: String::new(),
            scenario: "s".into(),
            target: "embedded".into(),
            outcome,
            took_ms,
            phases: BTreeMap::from([("provisioning".to_owned(), took_ms / 2)]),
            mechanism: (outcome == Outcome::Bad).then(|| "projection-missing".to_owned()),
        }
    }

    #[test]
    fn rates_and_durations_are_of_what_was_judged() {
        use Outcome::{Bad, Flaky, Good, Unjudged};
        let samples: Vec<Sample> = [Good, Bad, Unjudged, Flaky, Good, Bad]
            .into_iter()
            .enumerate()
            .map(|(run, outcome)| sample(run, outcome, 100 * (run as u64 + 1)))
            .collect();
        let all = histories(&samples);
        let [one] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((one.judged, one.good, one.flaky, one.bad, one.unjudged), (5, 2, 1, 2, 1));
        assert_eq!(one.took, Some(Spread { p50: 100, p95: 500 }));
        assert_eq!(one.phases["provisioning"], Spread { p50: 50, p95: 250 });
        assert_eq!(one.causes["projection-missing"], 2);
        assert_eq!(one.strip, ".x-f.x");
        assert!(one.slow.is_none(), "two passes are no baseline");
    }

    #[test]
    fn two_targets_have_two_rates() {
        let here = sample(1, Outcome::Good, 100);
        let there = Sample { target: "https://staging.example".into(), ..sample(2, Outcome::Bad, 900) };
        let found = histories(&[here.clone(), there, here]);
        let told: Vec<_> = found.iter().map(|one| (one.target.as_str(), one.good, one.bad)).collect();
        assert_eq!(told, [("embedded", 2, 0), ("https://staging.example", 0, 1)]);
    }

    #[test]
    fn a_slow_pass_is_told_against_its_own_baseline() {
        for (last, told) in [(1_000, false), (1_499, false), (1_501, true), (60_000, true)] {
            let mut samples: Vec<Sample> =
                (0..BASELINE).map(|run| sample(run, Outcome::Good, 1_000)).collect();
            samples.push(sample(99, Outcome::Good, last));
            let slow = histories(&samples)[0].slow.clone();
            assert_eq!(slow.map(|s| s.run), told.then(|| "r99".to_owned()), "{last} ms");
        }
        // Twice of nearly nothing is nothing.
        let mut samples: Vec<Sample> = (0..BASELINE).map(|run| sample(run, Outcome::Good, 10)).collect();
        samples.push(sample(99, Outcome::Good, 400));
        assert!(histories(&samples)[0].slow.is_none());
    }

    #[test]
    fn percentiles_by_the_nearest_rank() {
        for (durations, p50, p95) in [
            (vec![7], 7, 7),
            (vec![1, 2], 1, 2),
            (vec![3, 1, 2], 2, 3),
            ((1..=20).collect(), 10, 19),
            ((1..=100).collect(), 50, 95),
        ] {
            assert_eq!(Spread::of(durations.clone()), Some(Spread { p50, p95 }), "{durations:?}");
        }
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn wilson_at_known_points() {
        for (hits, all, low, high) in [(0, 14, 0.0, 0.2153), (14, 14, 0.7847, 1.0), (5, 100, 0.0215, 0.1118)]
        {
            let (l, h) = wilson(hits, all);
            assert!((l - low).abs() < 1e-3 && (h - high).abs() < 1e-3, "{hits} of {all}: {l} {h}");
        }
    }

    proptest! {
        #[test]
        fn the_rate_lies_in_its_interval(all in 1usize..10_000, share in 0.0f64..=1.0) {
            let hits = ((all as f64) * share) as usize;
            let (low, high) = wilson(hits, all);
            let rate = hits as f64 / all as f64;
            prop_assert!(0.0 <= low && low <= rate + 1e-12 && rate <= high + 1e-12 && high <= 1.0);
        }
    }
}
