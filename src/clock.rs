//! The one clock: every wait, deadline and measured duration takes its time from here, so that a paused runtime can
//! run them all in simulated time. The only place that sleeps.

use std::cell::Cell;
use std::time::Duration;

use jiff::Timestamp;
pub use tokio::time::{Instant, timeout};
pub(crate) use tokio::time::{MissedTickBehavior, interval, timeout_at};

/// Sleeps for a duration.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Sleeps until an instant that may have passed.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub(crate) async fn sleep_until(instant: Instant) {
    tokio::time::sleep_until(instant).await;
}

/// Pauses between two tries: each twice as long as the one before, up to a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    first: Duration,
    limit: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, limit: Duration) -> Self {
        Backoff { next: first, first, limit }
    }

    /// How long the next pause is.
    pub(crate) fn next(&self) -> Duration {
        self.next
    }

    /// Whether something can be tried after the next pause.
    pub(crate) fn ends_before(&self, deadline: Instant) -> bool {
        Instant::now() + self.next < deadline
    }

    /// Makes the next pause longer without pausing.
    pub(crate) fn grow(&mut self) {
        self.next = (self.next * 2).min(self.limit);
    }

    /// Begins again with the shortest.
    pub(crate) fn restart(&mut self) {
        self.next = self.first;
    }

    /// Pauses.
    pub(crate) async fn pause(&mut self) {
        self.pause_up_to(self.limit).await;
    }

    /// Pauses, and lets the next pause be no longer than this.
    pub(crate) async fn pause_up_to(&mut self, limit: Duration) {
        sleep(self.next).await;
        self.grow();
        self.next = self.next.min(limit);
    }
}

thread_local! {
    static SIMULATED: Cell<Option<(Timestamp, Instant)>> = const { Cell::new(None) };
}

/// The time of day; in a simulated run its fixed beginning and what has passed since.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn wall() -> Timestamp {
    match SIMULATED.get() {
        Some((start, began)) => start.checked_add(began.elapsed()).unwrap_or(start),
        None => Timestamp::now(),
    }
}

/// The day, as `YYYY-MM-DD`.
pub(crate) fn today() -> String {
    wall().to_string().get(..10).unwrap_or_default().to_owned()
}

/// While it lives, the time of day on this thread is simulated.
#[must_use]
pub struct SimulatedWall(());

/// Lets the time of day on this thread follow the runtime's clock, from `start` on. For simulated runs, which live on
/// one thread; inside their runtime.
pub fn simulate_wall(start: Timestamp) -> SimulatedWall {
    SIMULATED.set(Some((start, Instant::now())));
    SimulatedWall(())
}

impl Drop for SimulatedWall {
    fn drop(&mut self) {
        SIMULATED.set(None);
    }
}

/// How much faster than ours a target's clock runs; 1 when it does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeScale(f64);

impl TimeScale {
    /// A factor; nonsense becomes 1.
    pub fn new(factor: f64) -> Self {
        TimeScale(if factor.is_finite() && factor > 0.0 { factor.clamp(0.001, 1e6) } else { 1.0 })
    }

    /// The factor.
    pub fn factor(self) -> f64 {
        self.0
    }

    /// Our time on the platform's clock.
    pub fn lengthen(self, ours: Duration) -> Duration {
        Duration::from_secs_f64((ours.as_secs_f64() * self.0).min(1e9))
    }

    /// Platform time in ours: for `hold`, `tolerate` and an obeyed Retry-After, never for `within`.
    pub fn shorten(self, platform: Duration) -> Duration {
        Duration::from_secs_f64((platform.as_secs_f64() / self.0).min(1e9))
    }
}

impl Default for TimeScale {
    fn default() -> Self {
        TimeScale(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_one() {
        for factor in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!(TimeScale::new(factor).factor(), 1.0, "{factor}");
        }
        assert_eq!(TimeScale::new(20.0).shorten(Duration::from_secs(20)), Duration::from_secs(1));
    }
}
