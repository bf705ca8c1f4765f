//! Waits: three-valued, bounded by an instant, and they remember the last thing they saw.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::look::View;
use super::poller::Watch;
use crate::clock::{self, Instant};
use crate::event::WaitStats;

/// What a look at the platform means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// What was waited for.
    Ready(T),
    /// This is what is there instead.
    NotYet(String),
    /// It cannot come any more.
    Never(String),
    /// It cannot come unless something changes before this instant.
    NeverAfter(String, Instant),
}

/// A wait that ended without its object.
#[derive(Clone, Debug)]
pub struct WaitError {
    /// How it ended.
    pub end: WaitEnd,
    /// The last thing it saw.
    pub last: String,
    /// What it cost and saw.
    pub stats: WaitStats,
}

/// How a wait ended without its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEnd {
    /// The deadline passed.
    TimedOut,
    /// It could not come any more.
    Hopeless,
    /// The run was cancelled.
    Cancelled,
    /// The target has been dead for a minute.
    TargetDead,
}

/// What was seen longer ago says nothing about now, when every look since has failed.
pub const STALE: Duration = Duration::from_secs(8);

/// The pause after a look: 5 ms, then 2 % of the time waited, at most a second; jittered by a tenth.
pub fn pause(waited: Duration) -> Duration {
    let base = (waited / 50).clamp(Duration::from_millis(5), Duration::from_secs(1));
    base.mul_f64(crate::chance::factor(0.9..1.1))
}

/// Waits until `judge` says ready. `note` hears what was last seen, when it changes, and once more
/// when the wait takes longer than usual.
///
/// # Errors
/// How it ended instead, with the last thing seen.
pub async fn until<T>(
    watch: &mut Watch,
    deadline: Instant,
    cancel: &CancellationToken,
    mut judge: impl FnMut(&View) -> Verdict<T>,
    mut note: impl FnMut(&str, Duration, bool),
) -> Result<(T, WaitStats), WaitError> {
    let began = Instant::now();
    let slow_at = began + (deadline.saturating_duration_since(began) / 2).min(Duration::from_secs(15));
    let mut said_slow = false;
    let mut stats = WaitStats::default();
    let mut last = "nothing was seen yet".to_owned();
    let mut last_good = began;
    let mut seen_well = false;
    let mut wake: Option<Instant> = None;
    watch.want(began);
    let dead = watch.dead();
    loop {
        let limit = [Some(deadline), wake, (!said_slow).then_some(slow_at)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(deadline);
        let mut looked = false;
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(WaitError { end: WaitEnd::Cancelled, last, stats }),
            () = dead.cancelled() => return Err(WaitError { end: WaitEnd::TargetDead, last: watch.death(), stats }),
            () = watch.changed() => looked = true,
            () = clock::sleep_until(limit) => {}
        }
        let now = Instant::now();
        let view = watch.view();
        if looked {
            stats.polls += 1;
            stats.woken += u64::from(view.woken);
            if let Some(error) = view.error() {
                stats.errors += 1;
                stats.last_error = Some(error);
            } else {
                stats.longest_gap_ms = stats.longest_gap_ms.max(crate::domain::time::ms(now - last_good));
                last_good = now;
                seen_well = true;
            }
        }
        stats.blind = !seen_well || (view.error().is_some() && now - last_good >= STALE);
        if view.is_some() {
            wake = None;
            let seen = match judge(&view) {
                Verdict::Ready(value) => return Ok((value, stats)),
                Verdict::Never(why) => return Err(WaitError { end: WaitEnd::Hopeless, last: why, stats }),
                Verdict::NeverAfter(why, at) if now >= at => {
                    return Err(WaitError { end: WaitEnd::Hopeless, last: why, stats });
                }
                Verdict::NeverAfter(why, at) => {
                    wake = Some(at);
                    why
                }
                Verdict::NotYet(seen) => seen,
            };
            if seen != last {
                last = seen;
                note(&last, now - began, said_slow);
            }
        }
        if now >= deadline {
            stats.longest_gap_ms = stats.longest_gap_ms.max(crate::domain::time::ms(now - last_good));
            return Err(WaitError { end: WaitEnd::TimedOut, last, stats });
        }
        if !said_slow && now >= slow_at {
            said_slow = true;
            note(&last, now - began, true);
        }
        if looked {
            watch.want(now + pause(now - began));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_time_waited_and_are_bounded() {
        for (waited, low, high) in
            [(0, 4, 6), (100, 4, 6), (1_000, 18, 22), (10_000, 180, 220), (600_000, 900, 1_100)]
        {
            let pause = pause(Duration::from_millis(waited)).as_millis();
            assert!((low..=high).contains(&pause), "after {waited} ms: {pause} ms");
        }
    }
}
