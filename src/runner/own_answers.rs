//! What the server answers where no agent is asked: the same words to a message are no agent's.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::Exchange;

/// So many different answers are remembered.
const MOST: usize = 64;
/// So much of each.
const LONGEST: usize = 400;

/// Failures and garbage that came from routes which pass on nobody's answer.
#[derive(Clone, Debug, Default)]
pub struct OwnAnswers {
    seen: Arc<Mutex<BTreeSet<(u16, String)>>>,
}

impl OwnAnswers {
    /// Remembers what an exchange came to, when it is a failure of the server's own.
    pub(crate) fn note(&self, exchange: &Exchange) {
        if is_message(exchange)
            || !(exchange.status.is_some_and(|s| s >= 500) || exchange.elsewhere.is_some())
        {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MOST
            && let Some(words) = words(exchange)
        {
            seen.insert(words);
        }
    }

    /// Whether the server answered another request, which no agent saw, with the very same.
    pub(crate) fn has(&self, exchange: &Exchange) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        words(exchange).is_some_and(|words| seen.contains(&words))
    }
}

/// The routes whose answer may be an agent's.
fn is_message(exchange: &Exchange) -> bool {
    let path = exchange.url.split(['?', '#']).next().unwrap_or_default();
    path.ends_with("/a2a") || path.contains("/a2a/")
}

/// Status and words of an answer that has any; an empty one says nothing about whose it is. Garbage is the same
/// whatever status it comes with.
fn words(exchange: &Exchange) -> Option<(u16, String)> {
    let body = exchange.response.as_ref()?;
    let mut text = body.json.as_ref().map(ToString::to_string).or_else(|| body.text.clone())?;
    text.truncate(text.floor_char_boundary(LONGEST));
    let garbage = body.json.is_none() && exchange.elsewhere.is_some();
    Some((if garbage { 0 } else { exchange.status? }, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Elsewhere;
    use crate::event::Body;

    #[test]
    fn only_the_very_same_answer_of_another_route_counts() {
        let exchange = |url: &str, status: u16, text: &str| Exchange {
            url: format!("http://h{url}"),
            status: Some(status),
            response: Some(Body { text: Some(text.to_owned()), ..Body::default() }),
            ..Exchange::default()
        };
        let message = exchange("/workspaces/a/a2a", 503, "Service Unavailable");
        for (other, same) in [
            (exchange("/workspaces/a", 503, "Service Unavailable"), true),
            (exchange("/workspaces/a?x=/a2a", 503, "Service Unavailable"), true),
            (exchange("/workspaces/a", 502, "Service Unavailable"), false),
            (exchange("/workspaces/a", 503, "workspace is restarting"), false),
            (exchange("/workspaces/b/a2a", 503, "Service Unavailable"), false),
            (exchange("/workspaces/b/a2a/queue/q", 503, "Service Unavailable"), false),
        ] {
            let own = OwnAnswers::default();
            own.note(&other);
            assert_eq!(own.has(&message), same, "{other:?}");
        }
        let garbage = |url: &str, status: u16| Exchange {
            elsewhere: Some(Elsewhere::Garbled),
            ..exchange(url, status, "\0not json {")
        };
        let own = OwnAnswers::default();
        own.note(&garbage("/workspaces/a", 200));
        assert!(own.has(&garbage("/workspaces/a/a2a", 403)), "whatever spoils answers spoils every status");
        let own = OwnAnswers::default();
        own.note(&exchange("/workspaces/a", 404, "not found"));
        assert!(
            !own.has(&exchange("/workspaces/a/a2a", 404, "not found")),
            "a refusal is no failure of the server"
        );
    }
}
