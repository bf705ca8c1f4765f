//! What a step sent and heard, as far as a failure is explained by it: of each purpose the first exchange, the last that
//! was answered, and the last that was not. Bounded, and whatever is asked afterwards takes nothing away.

use std::collections::BTreeMap;

use crate::event::Exchange;

/// More purposes of one step are not told apart.
const PURPOSES: usize = 24;
/// More steps are not under way at once; of those that ended nothing is kept.
const STEPS: usize = 512;
/// A larger body is kept as its beginning.
const BODY: u64 = 8 << 10;

/// Of one purpose.
#[derive(Clone, Debug, Default)]
struct Kept {
    first: Option<Exchange>,
    answered: Option<Exchange>,
    lost: Option<Exchange>,
}

/// Of one step.
#[derive(Clone, Debug, Default)]
struct OfStep {
    by_purpose: BTreeMap<String, Kept>,
    /// One was forgotten that is neither first nor last of its kind.
    forgot: bool,
}

/// Of the steps that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepExchanges {
    steps: BTreeMap<String, OfStep>,
}

/// What is kept of a step, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copied {
    /// The exchanges.
    pub exchanges: Vec<Exchange>,
    /// These are all that there were.
    pub whole: bool,
}

impl Copied {
    /// Whether the last answer of all says that the server itself failed.
    pub(crate) fn ends_in_server_error(&self) -> bool {
        let last = self.exchanges.iter().rev().find_map(|exchange| exchange.status);
        last.is_some_and(|status| status >= 500)
    }
}

impl StepExchanges {
    /// Keeps what matters of one.
    pub(crate) fn keep(&mut self, mut exchange: Exchange) {
        for body in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            if body.bytes > BODY {
                let text = body.text.take().or(body.json.take().map(|j| j.to_string())).unwrap_or_default();
                body.text = Some(crate::redact::excerpt_of_redacted(&text, 400));
            }
        }
        if !self.steps.contains_key(&exchange.step) && self.steps.len() >= STEPS {
            self.steps.pop_first();
        }
        let step = self.steps.entry(exchange.step.clone()).or_default();
        if !step.by_purpose.contains_key(&exchange.purpose) && step.by_purpose.len() >= PURPOSES {
            step.forgot = true;
            return;
        }
        let kept = step.by_purpose.entry(exchange.purpose.clone()).or_default();
        if kept.first.is_none() {
            kept.first = Some(exchange.clone());
        }
        let last = if exchange.status.is_some() { &mut kept.answered } else { &mut kept.lost };
        let old = last.replace(exchange);
        step.forgot |= old.is_some_and(|old| kept.first.as_ref() != Some(&old));
    }

    /// A copy of what is kept of a step.
    pub(crate) fn of(&self, step: &str) -> Copied {
        let Some(of) = self.steps.get(step) else {
            return Copied { whole: true, ..Copied::default() };
        };
        let mut exchanges: Vec<Exchange> = Vec::new();
        for kept in of.by_purpose.values() {
            for exchange in [&kept.first, &kept.answered, &kept.lost].into_iter().flatten() {
                if !exchanges.iter().any(|known| place(known) == place(exchange) && known == exchange) {
                    exchanges.push(exchange.clone());
                }
            }
        }
        exchanges.sort_by_key(place);
        Copied { exchanges, whole: !of.forgot }
    }

    /// The step ended well: nothing of it has to be explained.
    pub(crate) fn forget(&mut self, step: &str) {
        self.steps.remove(step);
    }
}

/// When it began, and which one of its step.
fn place(exchange: &Exchange) -> (u64, u32) {
    (exchange.started_ms, exchange.attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(purpose: &str, at: u64, status: Option<u16>) -> Exchange {
        let error = status.is_none().then(|| "refused".to_owned());
        let (step, attempt) = ("3".to_owned(), u32::try_from(at).unwrap());
        Exchange {
            step,
            attempt,
            purpose: purpose.into(),
            started_ms: at,
            status,
            error,
            ..Exchange::default()
        }
    }

    /// A hundred looks afterwards do not push out what decided.
    #[test]
    fn the_exchange_that_failed_is_there_whatever_came_after_it() {
        let mut kept = StepExchanges::default();
        kept.keep(exchange("message", 1, Some(500)));
        kept.keep(exchange("message", 2, None));
        for at in 3..120 {
            kept.keep(exchange("look for the lost answer", at, Some(200)));
        }
        let copied = kept.of("3");
        let shown: Vec<(&str, u64)> =
            copied.exchanges.iter().map(|e| (e.purpose.as_str(), e.started_ms)).collect();
        let look = "look for the lost answer";
        assert_eq!(shown, [("message", 1), ("message", 2), (look, 3), (look, 119)]);
        assert!(!copied.whole);
        kept.forget("3");
        assert!(kept.of("3").exchanges.is_empty() && kept.of("3").whole);
    }

    #[test]
    fn memory_is_bounded() {
        let mut kept = StepExchanges::default();
        for at in 0..100 {
            kept.keep(exchange(&format!("p{at}"), at, Some(200)));
        }
        assert_eq!(kept.of("3").exchanges.len(), PURPOSES);
        for step in 0..2_000 {
            kept.keep(Exchange { step: format!("s{step:05}"), ..Exchange::default() });
        }
        assert_eq!(kept.steps.len(), STEPS);
        assert!(!kept.of("s01999").exchanges.is_empty());
    }
}
