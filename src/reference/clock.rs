//! The platform's clock: contract time runs `scale` times as fast as real time.

use crate::clock::Instant;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a fast clock looks whether this process is run at all.
const LOOK: Duration = Duration::from_millis(10);
/// A look that comes so much later than it should is a stall; less is a busy machine, on which whoever holds for a
/// time of the platform's must not be surprised by a slower clock.
const GRAIN: Duration = Duration::from_millis(100);
/// So many stalls are remembered one by one.
const KEPT: usize = 4_096;

/// Turns contract time into real time and back.
///
/// A fast clock stands still while the machine does not run this process: forty times a second's stall is more than
/// the grace that the contract gives to a heartbeat. At scale 1 time is real time.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    scale: f64,
    floor: Duration,
    born: Instant,
    stalls: Arc<Mutex<Stalls>>,
}

/// When the process stood still, and for how long altogether up to the end of each stall.
#[derive(Debug, Default)]
struct Stalls {
    ends: VecDeque<(Instant, Duration)>,
    forgotten: Duration,
    /// When the last look began, while somebody looks: a stall may be under way that no look has seen.
    looking: Option<Instant>,
}

impl Stalls {
    fn total(&self) -> Duration {
        self.ends.back().map_or(self.forgotten, |(_, total)| *total)
    }

    fn up_to(&self, then: Instant) -> Duration {
        let before = self.ends.partition_point(|(end, _)| *end <= then);
        let total = before.checked_sub(1).and_then(|last| self.ends.get(last));
        let total = total.map_or(self.forgotten, |(_, total)| *total);
        // Of the stall that `then` lies in, only what came after it counts against it.
        let within = self.ends.get(before).map_or(Duration::ZERO, |(end, next)| {
            next.saturating_sub(total).saturating_sub(end.saturating_duration_since(then))
        });
        total + within
    }

    /// The part after `then` of a stall that has not ended for the one who looks.
    fn under_way(&self, then: Instant) -> Duration {
        let Some(due) = self.looking.map(|began| began + LOOK) else { return Duration::ZERO };
        let late = due.elapsed();
        if late > GRAIN { late.min(then.elapsed()) } else { Duration::ZERO }
    }

    fn add(&mut self, end: Instant, length: Duration) {
        let total = self.total() + length;
        self.ends.push_back((end, total));
        if self.ends.len() > KEPT
            && let Some((_, total)) = self.ends.pop_front()
        {
            self.forgotten = total;
        }
    }
}

impl Clock {
    /// A clock that runs `scale` times as fast as a real one; nonsense counts as 1.
    pub(crate) fn new(scale: f64) -> Clock {
        let scale = if scale.is_finite() && scale > 0.0 { scale } else { 1.0 };
        Clock { scale, floor: Duration::ZERO, born: Instant::now(), stalls: Arc::default() }
    }

    /// The same clock, on which waits for real work last at least this long in real time: a machine
    /// does not get faster with the clock.
    #[must_use]
    pub(crate) fn with_floor(self, floor: Duration) -> Clock {
        Clock { floor, ..self }
    }

    /// The factor.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// Contract time that passed since this clock was made.
    pub(crate) fn passed(&self) -> Duration {
        self.since(self.born)
    }

    /// How long a contract duration takes on this clock.
    pub(crate) fn real(&self, contract: Duration) -> Duration {
        Duration::try_from_secs_f64(contract.as_secs_f64() / self.scale).unwrap_or(contract)
    }

    /// How long to wait for real work that a contract duration bounds.
    pub(crate) fn patience(&self, contract: Duration) -> Duration {
        self.real(contract).max(self.floor.min(contract))
    }

    /// Contract time that passed since `then`.
    pub(crate) fn since(&self, then: Instant) -> Duration {
        let stood = {
            let stalls = self.stalls();
            stalls.total().saturating_sub(stalls.up_to(then)) + stalls.under_way(then)
        };
        let ran = then.elapsed().saturating_sub(stood);
        Duration::try_from_secs_f64(ran.as_secs_f64() * self.scale).unwrap_or(Duration::MAX)
    }

    /// Waits for a contract duration.
    pub(crate) async fn sleep(&self, contract: Duration) {
        let began = Instant::now();
        let mut left = contract;
        loop {
            crate::clock::sleep(self.real(left)).await;
            left = contract.saturating_sub(self.since(began));
            // Less than the timer can tell apart is over.
            if self.real(left) < Duration::from_millis(1) {
                return;
            }
        }
    }

    /// Bounds real work by a contract duration; `None` when it did not finish.
    pub(crate) async fn within<F: Future>(&self, contract: Duration, work: F) -> Option<F::Output> {
        let bound = self.patience(contract).mul_f64(self.scale.min(1e9));
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(bound) => None,
        }
    }

    /// Looks for stalls for as long as it is polled; nothing to do for a clock that is not fast.
    pub(crate) async fn watch(&self) {
        if self.scale <= 1.0 {
            return;
        }
        // Without one who looks there is no stall under way: a clock that stood still for ever would hold whoever
        // sleeps on it after the watcher was stopped.
        let _unwatched = Watching(self);
        loop {
            let before = Instant::now();
            self.stalls().looking = Some(before);
            crate::clock::sleep(LOOK).await;
            let now = Instant::now();
            let late = now.duration_since(before).saturating_sub(LOOK);
            let mut stalls = self.stalls();
            stalls.looking = None;
            if late > GRAIN {
                stalls.add(now, late);
            }
        }
    }

    fn stalls(&self) -> MutexGuard<'_, Stalls> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says at its end that nobody looks any more.
struct Watching<'a>(&'a Clock);

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.stalls().looking = None;
    }
}

/// Wall time as the platform writes it: RFC 3339 with microseconds, UTC.
pub(crate) fn wall() -> String {
    format!("{:.6}", crate::clock::wall())
}

/// Wall time in unix milliseconds, as event streams carry it.
pub(crate) fn unix_ms() -> i64 {
    crate::clock::wall().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_time_is_divided_and_nonsense_is_one() {
        for (scale, contract, real) in [(1.0, 180, 180_000), (50.0, 180, 3_600), (0.5, 10, 20_000)] {
            assert_eq!(
                Clock::new(scale).real(Duration::from_secs(contract)),
                Duration::from_millis(real),
                "{scale}"
            );
        }
        for scale in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Clock::new(scale).scale().to_bits(), 1.0_f64.to_bits(), "{scale}");
        }
    }

    #[test]
    fn real_work_gets_its_floor_but_never_more_than_the_contract() {
        let clock = Clock::new(100.0).with_floor(Duration::from_secs(5));
        for (contract, real) in [(90, 5_000), (3, 3_000), (1_800, 18_000)] {
            assert_eq!(
                clock.patience(Duration::from_secs(contract)),
                Duration::from_millis(real),
                "{contract}"
            );
        }
    }

    #[test]
    fn a_fast_clock_stands_still_while_the_process_does() {
        let clock = Clock::new(40.0);
        let ago = |ms: u64| Instant::now().checked_sub(Duration::from_millis(ms)).unwrap();
        let (early, late) = (ago(1_000), ago(200));
        for (end, length) in [(ago(900), 50), (ago(500), 300), (ago(100), 40)] {
            clock.stalls().add(end, Duration::from_millis(length));
        }
        for (then, stood) in [(early, 390), (ago(700), 240), (ago(520), 60), (late, 40), (ago(50), 0)] {
            let ran = then.elapsed().saturating_sub(Duration::from_millis(stood)).as_secs_f64() * 40.0;
            let since = clock.since(then).as_secs_f64();
            assert!((since - ran).abs() < 4.0, "{stood}: {since} and not {ran}");
        }
    }

    #[test]
    fn a_stall_that_nobody_has_seen_end_counts_too() {
        let clock = Clock::new(40.0);
        let ago = |ms: u64| Instant::now().checked_sub(Duration::from_millis(ms)).unwrap();
        clock.stalls().looking = Some(ago(3_000));
        for (then, ran_ms) in [(ago(3_500), 510.0), (ago(1_000), 0.0)] {
            let since = clock.since(then).as_secs_f64();
            assert!((since - ran_ms / 1e3 * 40.0).abs() < 4.0, "{since}");
        }
        clock.stalls().looking = Some(ago(20));
        assert!(clock.since(ago(1_000)).as_secs_f64() > 39.0, "a late look is no stall yet");
    }

    #[tokio::test]
    async fn a_clock_whose_watcher_was_stopped_goes_on() {
        let clock = Clock::new(40.0);
        let mut watching = Box::pin(clock.watch());
        assert!(futures_util::poll!(&mut watching).is_pending());
        assert!(clock.stalls().looking.is_some());
        drop(watching);
        assert_eq!(clock.stalls().looking, None, "a stall that nobody will ever see the end of");
    }

    #[test]
    fn old_stalls_are_forgotten_one_by_one_and_still_counted() {
        let mut stalls = Stalls::default();
        let start = Instant::now();
        let at = |n: usize| start + Duration::from_millis(n as u64);
        for n in 0..KEPT + 10 {
            stalls.add(at(n), Duration::from_millis(1));
        }
        assert_eq!(stalls.ends.len(), KEPT);
        assert_eq!(stalls.total(), Duration::from_millis(KEPT as u64 + 10));
        assert_eq!(stalls.up_to(at(3)), Duration::from_millis(10), "before what is remembered");
        assert_eq!(stalls.up_to(at(20)), Duration::from_millis(21));
    }

    #[test]
    fn wall_time_is_rfc3339() {
        assert!(wall().parse::<jiff::Timestamp>().is_ok(), "{}", wall());
        assert!(wall().ends_with('Z'));
    }
}
