//! Asking a control plane until an answer decides.

use std::time::Duration;

use crate::clock::{self, Backoff, Instant};
use crate::http::{Request, Response, Transport, TransportError};
use crate::platform::control_plane::ControlPlane;
use crate::platform::record;

/// One attempt may not take longer.
const EACH: Duration = Duration::from_secs(30);
/// Pauses between two looks at what the control plane is at.
pub(super) const BACKOFF: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(5));

/// What an answer that does not decide looked like.
pub(super) fn describe(answer: &Response) -> String {
    let said = record::error(answer.json.as_ref()).unwrap_or_else(|| answer.excerpt());
    let page = answer.headers.get("content-type").is_some_and(|kind| kind.contains("html"));
    let page = if page { ", a page of HTML: a gateway answers in its place" } else { "" };
    if said.is_empty() {
        format!("{}{page}, no body", answer.status)
    } else {
        format!("{}{page}: {said}", answer.status)
    }
}

/// Why asking ended without an answer that decides.
#[derive(Clone, Debug)]
pub(super) struct Undecided {
    /// The last thing that was seen.
    pub last: String,
    /// Its kind, when no answer came at all.
    pub kind: Option<Transport>,
    /// A request that changes something may have taken effect.
    pub unclear: bool,
}

/// What to make of one answer.
pub(super) enum Take<T> {
    /// It decides.
    Done(T),
    /// Not yet, and what was seen.
    Again(String),
    /// It never will.
    Never(String),
}

/// Asks until an answer decides or the deadline passes; 429, 5xx and what breaks on the way is asked again.
pub(super) async fn until<T>(
    plane: &ControlPlane,
    request: &Request,
    deadline: Instant,
    take: impl Fn(&Response) -> Take<T>,
) -> Result<T, Undecided> {
    let mut backoff = BACKOFF;
    let mut unclear = false;
    loop {
        // A limit that somebody else was told is waited for here, and is no part of one attempt.
        let free = plane.limits.now().map_or_else(Instant::now, |(free, _)| free);
        let sent = plane.send(request, deadline.min(free + EACH)).await;
        let (last, kind, wait) = match sent {
            Ok(answer) => {
                let obeyed = answer.retry_after().filter(|_| matches!(answer.status, 429 | 503));
                match passing(&answer) {
                    true => {
                        unclear |= answer.status >= 500;
                        (describe(&answer), None, obeyed)
                    }
                    false => match take(&answer) {
                        Take::Done(value) => return Ok(value),
                        Take::Again(seen) => (seen, None, obeyed),
                        Take::Never(last) => return Err(Undecided { last, kind: None, unclear }),
                    },
                }
            }
            Err(TransportError { kind: Transport::BadRequest, text }) => {
                return Err(Undecided { last: text, kind: Some(Transport::BadRequest), unclear });
            }
            Err(error) => {
                unclear |= !error.never_sent();
                (error.text, Some(error.kind), None)
            }
        };
        // What changes something is asked once when nobody knows what came of it: its name tells.
        let once = unclear && request.method == "POST";
        let wait = wait.unwrap_or(backoff.next());
        if once || Instant::now() + wait >= deadline {
            return Err(Undecided { last, kind, unclear });
        }
        clock::sleep(wait).await;
        backoff.grow();
    }
}

fn passing(answer: &Response) -> bool {
    let page = answer.is_success() && answer.json.is_none() && !answer.body.is_empty();
    answer.status == 429 || answer.status >= 500 || page
}
