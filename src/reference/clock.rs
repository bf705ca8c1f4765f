//! The platform's clock: contract time runs `scale` times as fast as real time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Turns contract time into real time and back. Copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    scale: f64,
    floor: Duration,
}

impl Clock {
    /// A clock that runs `scale` times as fast as a real one; nonsense counts as 1.
    pub fn new(scale: f64) -> Clock {
        let scale = if scale.is_finite() && scale > 0.0 { scale } else { 1.0 };
        Clock { scale, floor: Duration::ZERO }
    }

    /// The same clock, on which waits for real work last at least this long in real time: a machine
    /// does not get faster with the clock.
    #[must_use]
    pub fn with_floor(self, floor: Duration) -> Clock {
        Clock { floor, ..self }
    }

    /// The factor.
    pub fn scale(self) -> f64 {
        self.scale
    }

    /// How long a contract duration takes on this clock.
    pub fn real(self, contract: Duration) -> Duration {
        Duration::try_from_secs_f64(contract.as_secs_f64() / self.scale).unwrap_or(contract)
    }

    /// How long to wait for real work that a contract duration bounds.
    pub fn patience(self, contract: Duration) -> Duration {
        self.real(contract).max(self.floor.min(contract))
    }

    /// Contract time that passed since `then`.
    pub fn since(self, then: Instant) -> Duration {
        Duration::try_from_secs_f64(then.elapsed().as_secs_f64() * self.scale).unwrap_or(Duration::MAX)
    }

    /// Waits for a contract duration.
    #[expect(
        clippy::disallowed_methods,
        reason = "the reference platform's own clock; it never waits for the harness"
    )]
    pub async fn sleep(self, contract: Duration) {
        tokio::time::sleep(self.real(contract)).await;
    }

    /// Bounds real work by a contract duration; `None` when it did not finish.
    pub async fn within<F: Future>(self, contract: Duration, work: F) -> Option<F::Output> {
        tokio::time::timeout(self.patience(contract), work).await.ok()
    }
}

/// Wall time as the platform writes it: RFC 3339 with microseconds, UTC.
pub fn wall() -> String {
    format!("{:.6}", Timestamp::now())
}

/// Wall time in unix milliseconds, as event streams carry it.
pub fn unix_ms() -> i64 {
    Timestamp::now().as_millisecond()
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
    fn wall_time_is_rfc3339() {
        assert!(wall().parse::<Timestamp>().is_ok(), "{}", wall());
        assert!(wall().ends_with('Z'));
    }
}
