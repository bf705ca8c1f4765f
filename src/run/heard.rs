//! What the event stream has told of one workspace, each event with the latest moment at which it can have been made.

use std::collections::VecDeque;

use serde_json::Value;

use crate::clock::Instant;

/// So many events of a workspace are kept.
const KEPT: usize = 64;

/// One event of the stream.
#[derive(Clone, Debug)]
pub struct StreamEvent {
    /// When it was made at the latest: when it arrived, or before that, when a row had shown what it tells.
    pub at: Instant,
    /// `WORKSPACE_ONLINE`, ….
    pub kind: String,
    /// Its payload.
    pub payload: Value,
}

impl StreamEvent {
    /// An agent registered: only that announces ONLINE with a URL.
    pub(crate) fn is_registration(&self) -> bool {
        self.kind == "WORKSPACE_ONLINE" && !self.url().is_empty()
    }

    /// The address that it tells; empty: none.
    pub(crate) fn url(&self) -> &str {
        self.payload.get("url").and_then(Value::as_str).unwrap_or_default()
    }
}

/// The events of one workspace, oldest first. A stream may lag behind the rows: an instance that a row has shown to be
/// up registered before that, whenever its event comes.
#[derive(Debug)]
pub(super) struct Heard {
    /// Since when they are kept.
    since: Instant,
    events: VecDeque<StreamEvent>,
    /// When rows showed instances to be up whose registration was not heard yet, and at which address.
    owed: VecDeque<(Instant, String)>,
    /// Registrations of instances that no row has shown to be up yet.
    ahead: usize,
    /// The edge whose instance was shown last.
    edge: Option<u32>,
}

impl Heard {
    /// None so far, but for registrations that came before anybody knew of the workspace.
    pub(super) fn new(ahead: usize) -> Heard {
        Heard { since: Instant::now(), events: VecDeque::new(), owed: VecDeque::new(), ahead, edge: None }
    }

    /// An event arrived.
    pub(super) fn push(&mut self, kind: String, payload: Value) {
        let mut event = StreamEvent { at: Instant::now(), kind, payload };
        if event.is_registration() {
            match self.owed.pop_front() {
                Some((shown, url)) if url == event.url() => {
                    event.at = shown;
                    self.events.iter_mut().for_each(|earlier| earlier.at = earlier.at.min(shown));
                }
                // Of another instance: what was owed was lost.
                Some(_) => self.broke(),
                None => self.ahead += 1,
            }
        }
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// A row shows the instance of this edge (0: of the create) to be up, on a stream that is open since `stream`.
    pub(super) fn shown(&mut self, edge: u32, url: &str, stream: Option<Instant>) {
        if self.edge.is_some_and(|shown| shown >= edge) || stream.is_none_or(|open| open > self.since) {
            return;
        }
        self.edge = Some(edge);
        match self.ahead.checked_sub(1) {
            Some(left) => self.ahead = left,
            None => self.owed.push_back((Instant::now(), url.to_owned())),
        }
    }

    /// The stream broke: what it owed may never come.
    pub(super) fn broke(&mut self) {
        self.owed.clear();
        self.ahead = 0;
    }

    /// Whether the stream lags: the next events may tell of what was before.
    pub(super) fn lags(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Those made since then.
    pub(super) fn since(&self, since: Instant) -> Vec<StreamEvent> {
        self.events.iter().filter(|event| event.at >= since).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::clock;

    const OLD: &str = "http://localhost:1";
    const NEW: &str = "http://localhost:2";

    fn online(heard: &mut Heard, url: &str) {
        heard.push("WORKSPACE_ONLINE".into(), json!({ "url": url }));
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_is_no_younger_than_what_a_row_showed() {
        let second = || clock::sleep(Duration::from_secs(1));
        for (name, early, late, gap, next, lags, counts) in [
            ("in time", 0, false, false, NEW, false, 2),
            ("before anybody knew of it", 1, true, false, NEW, false, 2),
            ("late", 0, true, false, OLD, true, 0),
            ("late, over a gap", 0, true, true, OLD, false, 2),
            ("lost: the next one is of another instance", 0, true, false, NEW, true, 2),
        ] {
            let stream = Some(Instant::now());
            let mut heard = Heard::new(early);
            if !late {
                heard.push("WORKSPACE_PROVISIONING".into(), json!({}));
                online(&mut heard, OLD);
            }
            second().await;
            heard.shown(0, OLD, stream);
            // A second look at the same instance owes nothing more.
            heard.shown(0, OLD, stream);
            if gap {
                heard.broke();
            }
            second().await;
            let edge = Instant::now();
            assert_eq!(heard.lags(), lags, "{name}");
            heard.push("WORKSPACE_PROVISIONING".into(), json!({}));
            second().await;
            online(&mut heard, next);
            assert!(!heard.lags(), "{name}");
            assert_eq!(heard.since(edge).len(), counts, "{name}");
            // What comes after that is of after the edge.
            online(&mut heard, NEW);
            assert_eq!(heard.since(edge).len(), counts + 1, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_opened_later_owes_nothing() {
        let mut heard = Heard::new(0);
        clock::sleep(Duration::from_secs(1)).await;
        heard.shown(0, OLD, Some(Instant::now()));
        heard.shown(0, OLD, None);
        assert!(!heard.lags());
    }
}
