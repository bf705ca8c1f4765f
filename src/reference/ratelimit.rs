//! The rate limit of a production server (contract §1.5).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;

use super::clock::Clock;
use crate::clock::Instant;

/// One window.
const WINDOW: Duration = Duration::from_secs(60);
/// Requests in a window unless the server's `RATE_LIMIT` says otherwise.
const USUAL: u64 = 600;
/// One window of the limit on new organisation tokens (contract §1.6).
const MINT_WINDOW: Duration = Duration::from_secs(3_600);
/// New organisation tokens that one address may ask for in it.
const MINTS: u64 = 10;
/// How many keys are remembered.
const KEYS: usize = 10_000;

/// Counts requests by key in fixed windows.
pub(super) struct RateLimit {
    limit: u64,
    window: Duration,
    clock: Clock,
    buckets: Mutex<HashMap<String, (Instant, u64)>>,
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    pub limit: u64,
    pub remaining: u64,
    /// Contract seconds until the window is over.
    pub reset: u64,
    pub allowed: bool,
}

impl RateLimit {
    pub(super) fn new(server_env: &BTreeMap<String, String>, clock: Clock) -> RateLimit {
        let limit =
            server_env.get("RATE_LIMIT").and_then(|v| v.parse().ok()).filter(|n| *n > 0).unwrap_or(USUAL);
        RateLimit { limit, window: WINDOW, clock, buckets: Mutex::default() }
    }

    /// The limit on new organisation tokens, which no variable changes.
    pub(super) fn of_mints(clock: Clock) -> RateLimit {
        RateLimit { limit: MINTS, window: MINT_WINDOW, clock, buckets: Mutex::default() }
    }

    /// Counts a request.
    pub(super) fn take(&self, key: &str) -> Allowance {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEYS && !buckets.contains_key(key) {
            buckets.retain(|_, (start, _)| self.clock.since(*start) < self.window);
        }
        let (start, used) = buckets.entry(key.to_owned()).or_insert_with(|| (Instant::now(), 0));
        if self.clock.since(*start) >= self.window {
            (*start, *used) = (Instant::now(), 0);
        }
        let allowed = *used < self.limit;
        *used += u64::from(allowed);
        let left = self.window.saturating_sub(self.clock.since(*start));
        Allowance { limit: self.limit, remaining: self.limit - *used, reset: left.as_secs().max(1), allowed }
    }
}

/// Whose requests are counted together: the organisation's, else the bearer's, else the address's.
pub(super) fn key(headers: &HeaderMap, address: &str) -> String {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    if let Some(org) = text("x-molecule-org-id") {
        return format!("org:{org}");
    }
    match text("authorization").and_then(|v| v.strip_prefix("Bearer ")) {
        Some(token) => format!("token:{token}"),
        None => format!("ip:{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_limit_and_keys_are_apart() {
        let limits =
            RateLimit::new(&BTreeMap::from([("RATE_LIMIT".to_owned(), "2".to_owned())]), Clock::new(1.0));
        let seen: Vec<(bool, u64)> =
            (0..3).map(|_| limits.take("a")).map(|a| (a.allowed, a.remaining)).collect();
        assert_eq!(seen, [(true, 1), (true, 0), (false, 0)]);
        assert!(limits.take("b").allowed);
        let quick =
            RateLimit::new(&BTreeMap::from([("RATE_LIMIT".to_owned(), "1".to_owned())]), Clock::new(1e12));
        assert!(quick.take("a").allowed && quick.take("a").allowed);
    }
}
