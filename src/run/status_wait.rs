//! The judge of `await`: status, grace of terminal states, and the new instance after an edge.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use super::instance::NotNew;
use super::look::{Seen, View};
use super::wait::Verdict;
use crate::clock::{Instant, TimeScale};
use crate::domain::{Status, time};

/// What an `await` wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Any of these.
    pub status: Vec<Status>,
    /// None of `status` any more.
    pub leaves: bool,
    /// A non-empty URL too.
    pub url: bool,
    /// Consecutive time for which a state is tolerated, in platform time.
    pub tolerate: IndexMap<Status, Duration>,
    /// States that end the wait at once.
    pub never: Vec<Status>,
    /// The clock of the target.
    pub scale: TimeScale,
}

impl Wanted {
    /// For people: `online with a URL`.
    pub(crate) fn text(&self) -> String {
        let words: Vec<&str> = self.status.iter().map(Status::as_str).collect();
        let words = words.join(" or ");
        match (self.leaves, self.url) {
            (true, _) => format!("to leave {words}"),
            (false, true) => format!("{words} with a URL"),
            (false, false) => words,
        }
    }

    /// Whether a state ends the wait once its grace is over.
    fn is_terminal(&self, status: &Status) -> bool {
        !self.status.contains(status)
            && (matches!(status, Status::Failed | Status::Removed) || self.tolerate.contains_key(status))
    }
}

/// A change of status as a wait saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transition {
    /// `None`: the record is absent.
    pub status: Option<Status>,
    /// When it was first seen.
    pub at: Instant,
}

/// Judges views one after another; keeps the time spent in the present state.
#[derive(Debug)]
pub(crate) struct StatusJudge {
    wanted: Wanted,
    present: Option<Transition>,
}

impl StatusJudge {
    /// Wants this.
    pub(crate) fn new(wanted: Wanted) -> Self {
        StatusJudge { wanted, present: None }
    }

    /// What a view means; `instance` says whether a new instance is proven (always, when none is wanted).
    pub(crate) fn judge(
        &mut self,
        view: &View,
        instance: impl FnOnce(&Value) -> Result<(), NotNew>,
    ) -> Verdict<Status> {
        self.judge_at(Instant::now(), view, instance)
    }

    /// The same, seen then.
    pub(crate) fn judge_at(
        &mut self,
        now: Instant,
        view: &View,
        instance: impl FnOnce(&Value) -> Result<(), NotNew>,
    ) -> Verdict<Status> {
        let Some(seen) = view.seen() else { return Verdict::NotYet("nothing was seen yet".into()) };
        match seen {
            Seen::Record(record) => self.judge_record(record, now, instance),
            Seen::Gone { status, text } => {
                self.enter(Some(Status::Removed), now);
                if self.wanted.status.contains(&Status::Removed) != self.wanted.leaves {
                    Verdict::Ready(Status::Removed)
                } else {
                    Verdict::Never(format!("the workspace is gone ({status}: {text})"))
                }
            }
            Seen::Refused { status, text } => {
                Verdict::Never(format!("the read was refused ({status}: {text})"))
            }
            Seen::Unavailable { text } | Seen::Transport { text, .. } => {
                Verdict::NotYet(format!("could not look: {text}"))
            }
        }
    }

    fn judge_record(
        &mut self,
        record: &Value,
        now: Instant,
        instance: impl FnOnce(&Value) -> Result<(), NotNew>,
    ) -> Verdict<Status> {
        let Some(word) = record.get("status").and_then(Value::as_str) else {
            return Verdict::NotYet("the record has no status".into());
        };
        let status = Status::from_wire(word);
        let since = self.enter(Some(status.clone()), now);
        if self.wanted.leaves {
            return if self.wanted.status.contains(&status) {
                Verdict::NotYet(format!("still {status}"))
            } else {
                Verdict::Ready(status)
            };
        }
        if self.wanted.status.contains(&status) {
            let url = record.get("url").and_then(Value::as_str).unwrap_or_default();
            // Beside online, `paused` or `failed` may be wanted too: those have neither a URL nor an instance.
            let is_up = |status: &Status| matches!(status, Status::Online | Status::Degraded);
            if !is_up(&status) && self.wanted.status.iter().any(is_up) {
                return Verdict::Ready(status);
            }
            if self.wanted.url && url.is_empty() {
                return Verdict::NotYet(format!("{status}, but without a URL"));
            }
            return match instance(record) {
                Ok(()) => Verdict::Ready(status),
                Err(why) => Verdict::NotYet(format!("{status}, but {why}")),
            };
        }
        if self.wanted.never.contains(&status) {
            return Verdict::Never(format!("{status}, which must never happen here"));
        }
        let error = record.get("last_sample_error").and_then(Value::as_str).unwrap_or_default();
        let text = if error.is_empty() { status.to_string() } else { format!("{status} ({error})") };
        if self.wanted.is_terminal(&status) {
            let grace = self.wanted.tolerate.get(&status).copied().unwrap_or_default();
            let end = since + self.wanted.scale.shorten(grace);
            let text = match grace {
                Duration::ZERO => text,
                grace => format!("{text}, tolerated for {} in a row", time::show(grace)),
            };
            return if now >= end { Verdict::Never(text) } else { Verdict::NeverAfter(text, end) };
        }
        Verdict::NotYet(text)
    }

    /// Since when the present state has been seen without another in between.
    fn enter(&mut self, status: Option<Status>, now: Instant) -> Instant {
        match &self.present {
            Some(present) if present.status == status => present.at,
            _ => {
                self.present = Some(Transition { status, at: now });
                now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn view(seen: Seen) -> View {
        View { look: Some(Arc::new(seen)), at: Some(Instant::now()), woken: false }
    }

    fn record(status: &str, url: &str) -> View {
        view(Seen::Record(Arc::new(json!({ "status": status, "url": url }))))
    }

    fn online() -> Wanted {
        Wanted { status: vec![Status::Online], url: true, ..Wanted::default() }
    }

    #[test]
    fn what_a_look_means() {
        let tolerant = Wanted {
            tolerate: [(Status::Failed, Duration::from_secs(20))].into_iter().collect(),
            ..online()
        };
        let leaving = Wanted { status: vec![Status::Online], leaves: true, ..Wanted::default() };
        let either = Wanted { status: vec![Status::Online, Status::Paused], ..online() };
        let gone = Wanted { status: vec![Status::Removed], ..Wanted::default() };
        let refused = || view(Seen::Refused { status: 401, text: "no".into() });
        let missing = || view(Seen::Gone { status: 410, text: "workspace removed".into() });
        let down = || view(Seen::Unavailable { text: "503".into() });
        let table: Vec<(&str, Wanted, View, &str)> = vec![
            ("online with a URL", online(), record("online", "http://x"), "ready"),
            ("online without a URL", online(), record("online", ""), "not yet"),
            ("provisioning", online(), record("provisioning", ""), "not yet"),
            ("degraded may recover", online(), record("degraded", "http://x"), "not yet"),
            ("an unknown status", online(), record("restarting", ""), "not yet"),
            ("failed ends it", online(), record("failed", ""), "never"),
            ("failed is tolerated for a while", tolerant, record("failed", ""), "later"),
            ("503 does not end it", online(), down(), "not yet"),
            ("401 ends it", online(), refused(), "never"),
            ("410 ends it", online(), missing(), "never"),
            ("410 is removed", gone, missing(), "ready"),
            ("down, and that was wanted too", either.clone(), record("paused", ""), "ready"),
            ("up, but without a URL", either, record("online", ""), "not yet"),
            ("still there", leaving.clone(), record("online", ""), "not yet"),
            ("left", leaving.clone(), record("offline", ""), "ready"),
            ("left for good", leaving, missing(), "ready"),
        ];
        for (name, wanted, view, means) in table {
            let got = match StatusJudge::new(wanted).judge(&view, |_| Ok(())) {
                Verdict::Ready(_) => "ready",
                Verdict::NotYet(_) => "not yet",
                Verdict::Never(_) => "never",
                Verdict::NeverAfter(..) => "later",
            };
            assert_eq!(got, means, "{name}");
        }
    }

    #[test]
    fn grace_is_consecutive_time_on_the_targets_clock() {
        let mut judge = StatusJudge::new(Wanted {
            tolerate: [(Status::Failed, Duration::from_secs(20))].into_iter().collect(),
            scale: TimeScale::new(10.0),
            ..online()
        });
        let ends = |judge: &mut StatusJudge| match judge.judge(&record("failed", ""), |_| Ok(())) {
            Verdict::NeverAfter(_, end) => end,
            other => panic!("{other:?}"),
        };
        let before = Instant::now();
        let first = ends(&mut judge);
        assert!(first >= before + Duration::from_secs(2) && first <= Instant::now() + Duration::from_secs(2));
        assert_eq!(ends(&mut judge), first);
        judge.judge(&record("provisioning", ""), |_| Ok(()));
        assert!(ends(&mut judge) > first);
    }

    #[test]
    fn an_old_instance_is_not_yet() {
        let verdict = StatusJudge::new(online()).judge(&record("online", "http://x"), |_| Err(NotNew::NoUrl));
        assert_eq!(verdict, Verdict::NotYet("online, but no URL yet".into()));
    }
}
