//! Waits: three-valued, bounded by an instant, and they remember the last thing they saw.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::look::View;
use super::poller::Watch;
use crate::clock::{self, Instant};
use crate::domain::time;
use crate::event::{Away, WaitEnd, WaitStats};

/// What a look at the platform means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<T> {
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
pub(crate) struct WaitError {
    /// How it ended.
    pub end: WaitEnd,
    /// The last thing it saw.
    pub last: String,
    /// What it cost and saw.
    pub stats: WaitStats,
}

/// So many looks that failed one after another, over so long a time, are a server that was away; fewer are the wire's.
const AWAY: (u64, Duration) = (3, Duration::from_secs(1));

/// Whether the server was away for a part of a wait.
pub(crate) fn was_away(stats: &WaitStats) -> Option<&Away> {
    let long = |away: &&Away| away.to_ms.saturating_sub(away.from_ms) >= time::ms(AWAY.1);
    stats.away.as_ref().filter(|away| away.looks >= AWAY.0).filter(long)
}

/// The runs of looks that failed.
#[derive(Default)]
struct Absence {
    now: Option<Away>,
    longest: Option<Away>,
}

impl Absence {
    fn failed(&mut self, at: Duration, error: &str) {
        let at = time::ms(at);
        let first = || Away { from_ms: at, first: error.to_owned(), ..Away::default() };
        let now = self.now.get_or_insert_with(first);
        (now.to_ms, now.looks) = (at, now.looks + 1);
        error.clone_into(&mut now.last);
        let long = |away: &Away| away.to_ms - away.from_ms;
        if self.longest.as_ref().is_none_or(|longest| long(now) >= long(longest)) {
            self.longest = Some(now.clone());
        }
    }

    fn answered(&mut self) {
        self.now = None;
    }

    fn longest(&self) -> Option<Away> {
        self.longest.clone()
    }
}

/// What was seen longer ago says nothing about now, when every look since has failed.
pub(crate) const STALE: Duration = Duration::from_secs(8);

/// The pause after a look: 5 ms, then 2 % of the time waited, at most a second; jittered by a tenth.
pub(crate) fn pause(waited: Duration) -> Duration {
    let base = (waited / 50).clamp(Duration::from_millis(5), Duration::from_secs(1));
    base.mul_f64(crate::chance::factor(0.9..1.1))
}

/// Waits until `judge` says ready. `note` hears what was last seen, when it changes, and once more
/// when the wait takes longer than usual.
///
/// # Errors
/// How it ended instead, with the last thing seen.
pub(crate) async fn until<T>(
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
    let mut absence = Absence::default();
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
                stats.last_error_kind = view.transport();
                absence.failed(now - began, stats.last_error.as_deref().unwrap_or_default());
                stats.away = absence.longest();
            } else {
                absence.answered();
                stats.longest_gap_ms = stats.longest_gap_ms.max(time::ms(now - last_good));
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
            stats.longest_gap_ms = stats.longest_gap_ms.max(time::ms(now - last_good));
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
    fn a_server_that_was_away_is_told_from_a_bad_wire() {
        type Case = (&'static str, &'static [(u64, bool)], Option<(u64, u64, u64)>);
        let cases: [Case; 5] = [
            ("never", &[(0, true), (900, true)], None),
            ("every second look", &[(0, false), (500, true), (1_500, false), (2_500, true)], None),
            ("one look that hung", &[(0, true), (5_000, false), (5_100, true)], None),
            (
                "away",
                &[(0, true), (100, false), (600, false), (1_400, false), (2_000, true)],
                Some((100, 1_400, 3)),
            ),
            (
                "twice, the longer one",
                &[
                    (0, false),
                    (500, false),
                    (1_100, false),
                    (1_200, true),
                    (2_000, false),
                    (3_000, false),
                    (4_000, false),
                ],
                Some((2_000, 4_000, 3)),
            ),
        ];
        for (name, looks, wanted) in cases {
            let mut absence = Absence::default();
            for (at, answered) in looks {
                match answered {
                    true => absence.answered(),
                    false => absence.failed(Duration::from_millis(*at), "503"),
                }
            }
            let stats = WaitStats { away: absence.longest(), ..WaitStats::default() };
            let away = was_away(&stats).map(|away| (away.from_ms, away.to_ms, away.looks));
            assert_eq!(away, wanted, "{name}");
        }
    }

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
