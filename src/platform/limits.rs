//! A server's limit of rates, shared by all that ask it: what one of them was told, the others do not ask for again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Instant;
use crate::http::{Request, Response};

/// Until when a server wants no request; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Limits(Arc<Mutex<Option<Limit>>>);

/// One limit that was told.
#[derive(Clone, Debug)]
struct Limit {
    until: Instant,
    /// What it was told with.
    answer: Response,
}

impl Limits {
    /// An answer came; a 429 that says when to come back stops everybody until then.
    pub fn note(&self, request: &Request, answer: &Response, come_back: Duration) {
        if !is_of_server(request, answer) {
            return;
        }
        let until = Instant::now() + come_back;
        let mut limit = self.lock();
        if limit.as_ref().is_none_or(|known| known.until < until) {
            *limit = Some(Limit { until, answer: answer.clone() });
        }
    }

    /// When the server may be asked again, and what it said; nothing when it may be asked now.
    pub fn now(&self) -> Option<(Instant, Response)> {
        let limit = self.lock();
        let limit = limit.as_ref().filter(|limit| limit.until > Instant::now())?;
        Some((limit.until, limit.answer.clone()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Limit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a 429 is about all requests: without a time it is about one thing (50 live tokens, contract §1.6), and that
/// of a message may be its agent's, unless the server's own headers stand in it.
fn is_of_server(request: &Request, answer: &Response) -> bool {
    let path = request.url.split(['?', '#']).next().unwrap_or_default();
    let may_be_an_agents = path.ends_with("/a2a") && !answer.headers.contains_key("x-ratelimit-limit");
    answer.status == 429 && answer.retry_after().is_some() && !may_be_an_agents
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::clock;
    use crate::redact::Redactor;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Response {
        Response {
            status,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: Bytes::new(),
            json: None,
            redactor: Redactor::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn which_answers_stop_everybody() {
        let told = ("retry-after", "20");
        for (path, status, headers, stops) in [
            ("/workspaces", 429, &[told][..], true),
            ("/workspaces", 429, &[], false),
            ("/workspaces", 503, &[told], false),
            ("/workspaces/w/a2a", 429, &[told], false),
            ("/workspaces/w/a2a?x=1", 429, &[told, ("x-ratelimit-limit", "600")], true),
        ] {
            let limits = Limits::default();
            let request = Request { url: format!("http://h:1{path}"), ..Request::default() };
            limits.note(&request, &answer(status, headers), Duration::from_secs(20));
            assert_eq!(limits.now().is_some(), stops, "{path} {status} {headers:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_later_of_two_limits_holds_and_ends() {
        let (limits, request) = (Limits::default(), Request::default());
        let answer = answer(429, &[("retry-after", "20")]);
        let seen = limits.clone();
        limits.note(&request, &answer, Duration::from_secs(20));
        limits.note(&request, &answer, Duration::from_secs(1));
        assert_eq!(seen.now().map(|(until, _)| until), Some(Instant::now() + Duration::from_secs(20)));
        clock::sleep(Duration::from_secs(20)).await;
        assert!(seen.now().is_none());
    }
}
