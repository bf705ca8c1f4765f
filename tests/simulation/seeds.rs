//! Seeds, shared among as many tests as there is work for cores.

use std::time::Instant;

use super::case::Case;
use super::invariants;
use super::play::{self, Played};

/// So many seeds are played unless `LIFECYCLE_SEEDS` says otherwise; CI says 2,000.
const SEEDS: u64 = 200;
/// So many tests share them, so that every core has work.
pub(crate) const SHARDS: u64 = 4;

/// Seeds of one kind.
pub(crate) struct Series {
    pub of: fn(u64) -> Case,
    /// The variable with how many, and how many without it.
    pub seeds: (&'static str, u64),
    /// The variable with one seed.
    pub one: &'static str,
    /// What to type after `cargo test --test simulation`.
    pub filter: &'static str,
}

const RUNS: Series =
    Series { of: Case::of, seeds: ("LIFECYCLE_SEEDS", SEEDS), one: "LIFECYCLE_SEED", filter: "seeds" };

pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Plays a seed and names what is wrong with it.
pub(crate) fn examine(case: &Case) -> (Played, Vec<String>) {
    let played = play::play(case);
    let wrong = invariants::broken(case, &played);
    (played, wrong)
}

/// Every shard plays its part of the seeds; the first failing one is told with the command that repeats it.
pub(crate) fn shard(series: &Series, own: u64) {
    let verbose = std::env::var("LIFECYCLE_VERBOSE").is_ok();
    if let Some(seed) = number(series.one) {
        if own == 0 {
            one(series, &(series.of)(seed), true);
        }
        return;
    }
    let first = number("LIFECYCLE_FIRST_SEED").unwrap_or(0);
    let last = first + number(series.seeds.0).unwrap_or(series.seeds.1);
    let keep_going = std::env::var("LIFECYCLE_KEEP_GOING").is_ok();
    let began = Instant::now();
    let mut failed = Vec::new();
    for seed in (first..last).filter(|seed| seed % SHARDS == own) {
        match std::panic::catch_unwind(|| one(series, &(series.of)(seed), verbose)) {
            Ok(()) => {}
            Err(panic) if !keep_going => std::panic::resume_unwind(panic),
            Err(_) => failed.push(seed),
        }
    }
    println!("seeds {first}..{last}, shard {own} of {SHARDS}: {:.1} s", began.elapsed().as_secs_f64());
    assert!(failed.is_empty(), "{} seeds failed: {failed:?}", failed.len());
}

fn one(series: &Series, case: &Case, verbose: bool) {
    let began = Instant::now();
    let (played, mut wrong) = examine(case);
    // The whole of a run follows from its seed: now and then that is looked at too.
    if wrong.is_empty() && (case.seed.is_multiple_of(10) || verbose) {
        let again = play::play(case);
        wrong.extend(invariants::differs(&played.log, &again.log));
    }
    if verbose {
        println!(
            "seed {}: exit {:?}, {} events, {} requests, {:.1} s simulated in {} ms",
            case.seed,
            played.exit(),
            played.events.len(),
            played.asked,
            played.simulated.as_secs_f64(),
            began.elapsed().as_millis()
        );
        keep_log(&played);
    }
    assert!(
        wrong.is_empty(),
        "{case:#?}\n\nseed {}:\n- {}\n\nrepeat with: {}={} cargo test --test simulation {}\n",
        case.seed,
        wrong.join("\n- "),
        series.one,
        case.seed,
        series.filter
    );
}

/// Writes the log of a run, and what a sweep did after it, to where `LIFECYCLE_KEEP_LOG` says.
pub(crate) fn keep_log(played: &Played) {
    let Ok(path) = std::env::var("LIFECYCLE_KEEP_LOG") else { return };
    let swept = played.swept.events.iter().map(|event| serde_json::to_string(event).unwrap());
    let lines: Vec<String> = swept.chain(played.swept.said.iter().cloned()).collect();
    std::fs::write(path, format!("{}{}\n", played.log, lines.join("\n"))).unwrap();
}

#[test]
fn first_shard() {
    shard(&RUNS, 0);
}

#[test]
fn second_shard() {
    shard(&RUNS, 1);
}

#[test]
fn third_shard() {
    shard(&RUNS, 2);
}

#[test]
fn fourth_shard() {
    shard(&RUNS, 3);
}
