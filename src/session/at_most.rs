//! How long a run may take at the most, clean-up included.

use std::time::Duration;

use super::settings::{JOBS, RunSettings};
use crate::runner::cleanup;
use crate::runner::plan::{self, Instance};

/// All instances, so many at once as the settings say; what an organisation adds is apart.
pub(crate) fn at_most<'a>(
    instances: impl IntoIterator<Item = &'a Instance>,
    asked: &RunSettings,
) -> Duration {
    let each: Vec<Duration> = instances.into_iter().map(plan::worst_case).collect();
    let rounds = u32::try_from(asked.rounds()).unwrap_or(u32::MAX);
    let attempts = asked.retries.unwrap_or_default().saturating_add(1);
    let whole = together(&each, rounds, asked.jobs.unwrap_or(JOBS)).saturating_mul(attempts);
    match asked.global_timeout {
        Some(limit) => whole.min(limit + cleanup::BUDGET),
        None => whole,
    }
}

/// Whatever the order: the last one begins once every slot is busy for its share of the others.
fn together(each: &[Duration], rounds: u32, jobs: u32) -> Duration {
    let longest = each.iter().max().copied().unwrap_or_default();
    let count = u32::try_from(each.len()).unwrap_or(u32::MAX).saturating_mul(rounds);
    if count <= jobs.max(1) {
        return longest;
    }
    let sum = each.iter().copied().fold(Duration::ZERO, Duration::saturating_add).saturating_mul(rounds);
    longest + sum.saturating_sub(longest) / jobs.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_at_once_comes_after() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        for (each, rounds, jobs, whole) in [
            (&[][..], 1, 1, 0),
            (&[2, 9, 4], 1, 3, 9),
            (&[2, 9, 4], 1, 1, 15),
            (&[4, 4, 4], 1, 2, 8),
            (&[4], 3, 1, 12),
            (&[4], 3, 3, 4),
        ] {
            let each: Vec<Duration> = each.iter().map(|n| minutes(*n)).collect();
            assert_eq!(together(&each, rounds, jobs), minutes(whole), "{each:?} {rounds} {jobs}");
        }
    }
}
