//! What a workspace has spent and may spend (divergences B1 to B5).

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::Instant;

/// The periods, in the order in which exceeded ones are named, with the window that each looks back.
pub(crate) const PERIODS: [(&str, Duration); 4] = [
    ("hourly", Duration::from_secs(3_600)),
    ("daily", Duration::from_secs(24 * 3_600)),
    ("weekly", Duration::from_secs(7 * 24 * 3_600)),
    ("monthly", Duration::from_secs(30 * 24 * 3_600)),
];
/// Which of them `budget_limit` is.
pub(crate) const MONTHLY: usize = 3;
/// Entries of one ledger; the two oldest become one beyond that.
const ENTRIES: usize = 2_000;

/// Limits by period, and the ledger that answers them. Nothing is ever taken back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    pub limits: [Option<i64>; 4],
    ledger: VecDeque<(Instant, i64)>,
}

impl Budget {
    /// More was spent.
    pub(crate) fn spend(&mut self, cents: i64) {
        if cents > 0 {
            self.ledger.push_back((Instant::now(), cents));
        }
        if self.ledger.len() > ENTRIES
            && let Some((_, oldest)) = self.ledger.pop_front()
            && let Some((_, next)) = self.ledger.front_mut()
        {
            *next = next.saturating_add(oldest);
        }
    }

    /// What was spent within a window.
    fn spent(&self, window: Duration, age: impl Fn(Instant) -> Duration) -> i64 {
        let within = self.ledger.iter().rev().take_while(|(at, _)| age(*at) < window);
        within.fold(0, |sum, (_, cents)| sum.saturating_add(*cents))
    }

    /// The periods whose limit is reached.
    pub(crate) fn exceeded(&self, age: impl Fn(Instant) -> Duration) -> Vec<&'static str> {
        let over = |(limit, (_, window)): &(&Option<i64>, &(&str, Duration))| {
            limit.is_some_and(|limit| self.spent(*window, &age) >= limit)
        };
        self.limits.iter().zip(&PERIODS).filter(over).map(|(_, (name, _))| *name).collect()
    }

    /// As the route shows it.
    pub(crate) fn show(&self, age: impl Fn(Instant) -> Duration) -> Value {
        let mut periods = Map::new();
        for (limit, (name, window)) in self.limits.iter().zip(PERIODS) {
            let spend = self.spent(window, &age);
            let remaining = limit.map(|limit| limit.saturating_sub(spend));
            periods
                .insert(name.to_owned(), json!({ "limit": limit, "spend": spend, "remaining": remaining }));
        }
        let monthly = periods[PERIODS[MONTHLY].0].clone();
        json!({
            "periods": periods,
            "budget_limit": monthly["limit"],
            "monthly_spend": monthly["spend"],
            "budget_remaining": monthly["remaining"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_forgets_and_names_come_in_order() {
        let mut budget = Budget { limits: [Some(10), None, Some(0), Some(11)], ..Budget::default() };
        budget.spend(6);
        budget.spend(4);
        let aged = |seconds: u64| move |_: Instant| Duration::from_secs(seconds);
        assert_eq!(budget.exceeded(aged(0)), ["hourly", "weekly"]);
        assert_eq!(budget.exceeded(aged(3_600)), ["weekly"]);
        budget.spend(1);
        assert_eq!(budget.exceeded(aged(0)), ["hourly", "weekly", "monthly"]);
        let shown = budget.show(aged(0));
        assert_eq!(shown["periods"]["daily"], json!({ "limit": null, "spend": 11, "remaining": null }));
        assert_eq!((&shown["budget_limit"], &shown["budget_remaining"]), (&json!(11), &json!(0)));
        for _ in 0..ENTRIES * 2 {
            budget.spend(1);
        }
        assert!(budget.ledger.len() <= ENTRIES);
        assert_eq!(budget.spent(PERIODS[MONTHLY].1, aged(0)), 11 + 2 * i64::try_from(ENTRIES).unwrap());
    }
}
