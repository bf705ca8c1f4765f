//! How steps end, and what a scenario makes of it.

use std::time::Duration;

use super::exchanges::Copied;
use crate::clock::Instant;
use crate::domain::time;
use crate::event::{Class, Ended, InboxProblem, Kind, Red, StepOutcome, Wait, WaitEnd, WaitStats};
use crate::http::{Transport, TransportError};
use crate::run::wait::{WaitError, was_away};
use crate::scenario::template::TemplateError;

/// A server that was not seen for so long may have made a final status by its own absence: its agents cannot reach it.
const LONG_AWAY: Duration = Duration::from_secs(10);

/// A step that did as it should.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed {
    /// One line: what was seen.
    pub message: String,
    /// Of a wait.
    pub wait: Option<WaitStats>,
}

impl Passed {
    /// With a line.
    pub(crate) fn with(message: impl Into<String>) -> Self {
        Passed { message: message.into(), wait: None }
    }
}

/// A step that did not.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// How it counts.
    pub kind: FailureKind,
    /// One line: what was wanted and what was seen.
    pub message: String,
    /// More lines.
    pub details: Vec<String>,
    /// Of a wait.
    pub wait: Option<WaitStats>,
    /// The workspace that it is about.
    pub workspace: Option<String>,
    /// The innermost step that failed.
    pub origin: Option<Box<Origin>>,
    /// What the wait wanted and saw last.
    pub waited: Option<Box<Wait>>,
    /// What the request was for that got no whole answer.
    pub purpose: Option<String>,
    /// Its step says of a wait more than that it ran out.
    pub has_own_words: bool,
    /// What is wrong with messages that were read in poll mode.
    pub inbox: Option<InboxProblem>,
}

/// The innermost step of a failure.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Its id.
    pub step: String,
    /// Its name, or its verb and subject, with the item of a `foreach`.
    pub name: String,
    /// Its verb.
    pub verb: &'static str,
    /// What it wanted.
    pub asserts: Red,
    /// How long it might take.
    pub within: Duration,
    /// When it failed.
    pub at: Instant,
    /// What it sent and heard, copied when it failed.
    pub exchanges: Copied,
}

/// A step that decided over its scenario.
#[derive(Clone, Debug)]
pub(crate) struct Decisive {
    /// The step's id.
    pub step: String,
    /// What happened.
    pub failure: Failure,
}

/// How a failure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The platform did something else than it should.
    Product,
    /// There was no evidence either way.
    Inconclusive,
    /// The environment: unreachable, dead.
    Environment,
    /// This tool.
    Harness,
    /// The scenario asks for what cannot be.
    Config,
    /// A credential that nobody configured: a skip.
    NotConfigured,
    /// The run was cancelled.
    Cancelled,
}

/// What a step comes to.
pub(crate) type StepResult = Result<Passed, Failure>;

impl Failure {
    /// The platform did something else.
    pub(crate) fn product(message: impl Into<String>) -> Self {
        Failure::of(FailureKind::Product, message)
    }

    /// Of a kind.
    pub(crate) fn of(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure {
            kind,
            message: message.into(),
            details: Vec::new(),
            wait: None,
            workspace: None,
            origin: None,
            waited: None,
            purpose: None,
            has_own_words: false,
            inbox: None,
        }
    }

    /// About a workspace.
    pub(crate) fn about(mut self, alias: &str) -> Self {
        self.workspace.get_or_insert_with(|| alias.to_owned());
        self
    }

    /// With more lines.
    pub(crate) fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// No whole answer came to a request.
    pub(crate) fn transport(purpose: &str, error: &TransportError) -> Self {
        let kind = match error.kind {
            Transport::BadRequest => FailureKind::Config,
            Transport::Cancelled => FailureKind::Cancelled,
            Transport::Panicked => FailureKind::Harness,
            _ => FailureKind::Environment,
        };
        let failure = Failure::of(kind, format!("{purpose}: {}", error.text));
        Failure { purpose: Some(purpose.to_owned()), ..failure }
    }

    /// Says of a wait that ran out how long it had, and who said so.
    pub(crate) fn not_within(&mut self, given: Duration, from: &str) {
        if let Some(wait) = self.waited.as_deref().filter(|wait| wait.end == Ended::TimedOut) {
            let from = if from.is_empty() { String::new() } else { format!(" ({from})") };
            let given = time::show(given);
            self.message = match self.has_own_words {
                true => format!("{}; limit {given}{from}", self.message),
                false => format!("wanted {}: not within {given}{from}; last seen: {}", wait.wants, wait.last),
            };
        }
    }

    /// A wait that ended without its object.
    pub(crate) fn wait(wants: &str, error: WaitError) -> Self {
        let kind = match error.end {
            WaitEnd::TimedOut | WaitEnd::Hopeless => FailureKind::Product,
            WaitEnd::Cancelled => FailureKind::Cancelled,
            WaitEnd::TargetDead => FailureKind::Environment,
        };
        // A wait that saw nothing but errors, or for a while, says nothing about the product: what was asked for may
        // have been lost with the server.
        let away = match error.end {
            WaitEnd::TimedOut => was_away(&error.stats).is_some(),
            // A status that is final was seen; that it came of the server's own absence takes a long one.
            _ => error.stats.longest_gap_ms >= time::ms(LONG_AWAY),
        };
        let unseen = error.stats.blind || away;
        let kind = if kind == FailureKind::Product && unseen { FailureKind::Environment } else { kind };
        let how = match error.end {
            WaitEnd::TimedOut => "not in time",
            WaitEnd::Hopeless => "gave up early: this status is final",
            WaitEnd::Cancelled => "cancelled",
            WaitEnd::TargetDead => "the target is dead",
        };
        let text = match error.end {
            WaitEnd::Cancelled => {
                format!("the run was cancelled while {wants} was waited for; last seen: {}", error.last)
            }
            _ => format!("wanted {wants}: {how}; last seen: {}", error.last),
        };
        let mut failure = Failure::of(kind, text);
        if let Some(last) = &error.stats.last_error {
            failure.details.push(format!(
                "{} of {} looks failed, the last: {last}",
                error.stats.errors, error.stats.polls
            ));
        }
        if let Some(away) = was_away(&error.stats) {
            let at = |ms: u64| time::show(Duration::from_millis(ms));
            failure.details.push(format!(
                "the server was away within the wait, from {} to {}: {} looks failed, first: {}; last: {}",
                at(away.from_ms),
                at(away.to_ms),
                away.looks,
                away.first,
                away.last
            ));
        }
        failure.waited = Some(Box::new(Wait {
            end: match error.end {
                WaitEnd::TimedOut => Ended::TimedOut,
                WaitEnd::Hopeless => Ended::Hopeless,
                WaitEnd::Cancelled => Ended::Cancelled,
                WaitEnd::TargetDead => Ended::Dead,
            },
            wants: wants.to_owned(),
            last: error.last,
            within_ms: 0,
            stats: error.stats.clone(),
        }));
        failure.wait = Some(WaitStats { end: Some(error.end), ..error.stats });
        failure
    }

    /// The outcome of the step.
    pub(crate) fn outcome(&self) -> StepOutcome {
        match self.kind {
            FailureKind::Product | FailureKind::Config => StepOutcome::Failed,
            FailureKind::Inconclusive => StepOutcome::Inconclusive,
            FailureKind::Environment | FailureKind::Harness => StepOutcome::Error,
            FailureKind::NotConfigured => StepOutcome::Skipped,
            FailureKind::Cancelled => StepOutcome::Cancelled,
        }
    }

    /// How it counts before any cause is known.
    pub(crate) fn counts(&self) -> Kind {
        match self.kind {
            FailureKind::Environment => Kind::Environment,
            FailureKind::Harness => Kind::Harness,
            FailureKind::Config => Kind::Config,
            FailureKind::Inconclusive => Kind::Inconclusive,
            FailureKind::Product | FailureKind::NotConfigured | FailureKind::Cancelled => Kind::Product,
        }
    }

    /// Its class before any mechanism is known.
    pub(crate) fn class(&self) -> Class {
        match self.kind {
            FailureKind::Environment => Class::Infra,
            FailureKind::Harness => Class::Harness,
            FailureKind::Config => Class::Config,
            _ => Class::Unclassified,
        }
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        Failure::of(FailureKind::Config, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Away;

    /// A wait that was blind, or for a part of which the server was away, is the environment's; what was seen is the
    /// platform's.
    #[test]
    fn a_wait_that_saw_nothing_is_no_red_of_the_platform() {
        let away = |looks, to_ms| Some(Away { looks, from_ms: 100, to_ms, ..Away::default() });
        let seen = WaitStats::default;
        let gap = |ms| WaitStats { longest_gap_ms: ms, ..seen() };
        use WaitEnd::{Cancelled, Hopeless, TargetDead, TimedOut};
        for (name, end, stats, kind) in [
            ("ran out", TimedOut, seen(), FailureKind::Product),
            ("ran out blind", TimedOut, WaitStats { blind: true, ..seen() }, FailureKind::Environment),
            (
                "away meanwhile",
                TimedOut,
                WaitStats { away: away(3, 1_100), ..seen() },
                FailureKind::Environment,
            ),
            (
                "two looks failed",
                TimedOut,
                WaitStats { away: away(2, 9_000), ..seen() },
                FailureKind::Product,
            ),
            (
                "failed for a moment",
                TimedOut,
                WaitStats { away: away(9, 1_099), ..seen() },
                FailureKind::Product,
            ),
            ("a final status", Hopeless, gap(9_999), FailureKind::Product),
            ("a final status after a long absence", Hopeless, gap(10_000), FailureKind::Environment),
            ("cancelled", Cancelled, gap(60_000), FailureKind::Cancelled),
            ("the target died", TargetDead, seen(), FailureKind::Environment),
        ] {
            let failure = Failure::wait("ws online", WaitError { end, last: "failed".to_owned(), stats });
            assert_eq!(failure.kind, kind, "{name}");
            assert_eq!(failure.wait.and_then(|stats| stats.end), Some(end), "{name}");
        }
    }

    #[test]
    fn each_kind_counts_as_what_it_is() {
        for (kind, outcome, counts, class) in [
            (FailureKind::Product, StepOutcome::Failed, Kind::Product, Class::Unclassified),
            (FailureKind::Inconclusive, StepOutcome::Inconclusive, Kind::Inconclusive, Class::Unclassified),
            (FailureKind::Environment, StepOutcome::Error, Kind::Environment, Class::Infra),
            (FailureKind::Harness, StepOutcome::Error, Kind::Harness, Class::Harness),
            (FailureKind::Config, StepOutcome::Failed, Kind::Config, Class::Config),
            (FailureKind::NotConfigured, StepOutcome::Skipped, Kind::Product, Class::Unclassified),
            (FailureKind::Cancelled, StepOutcome::Cancelled, Kind::Product, Class::Unclassified),
        ] {
            let failure = Failure::of(kind, "why");
            assert_eq!(
                (failure.outcome(), failure.counts(), failure.class()),
                (outcome, counts, class),
                "{kind:?}"
            );
        }
        for (transport, kind) in [
            (Transport::BadRequest, FailureKind::Config),
            (Transport::Cancelled, FailureKind::Cancelled),
            (Transport::Panicked, FailureKind::Harness),
            (Transport::Connect, FailureKind::Environment),
            (Transport::TimedOut, FailureKind::Environment),
            (Transport::GivenUp, FailureKind::Environment),
        ] {
            let error = TransportError::new(transport, "why".to_owned());
            assert_eq!(Failure::transport("read", &error).kind, kind, "{transport:?}");
        }
    }

    /// A step with words of its own keeps them, and only a wait that ran out says its limit.
    #[test]
    fn the_limit_of_a_wait_stands_with_who_set_it() {
        let ended = |end| {
            Failure::wait(
                "ws online",
                WaitError { end, last: "provisioning".to_owned(), stats: WaitStats::default() },
            )
        };
        let five = Duration::from_secs(5);
        for (mut failure, own, from, wanted) in [
            (
                ended(WaitEnd::TimedOut),
                false,
                "input a",
                "wanted ws online: not within 5.00 s (input a); last seen: provisioning",
            ),
            (ended(WaitEnd::TimedOut), true, "", "own words; limit 5.00 s"),
            (
                ended(WaitEnd::Hopeless),
                false,
                "input a",
                "wanted ws online: gave up early: this status is final; last seen: provisioning",
            ),
        ] {
            if own {
                failure.has_own_words = true;
                failure.message = "own words".to_owned();
            }
            failure.not_within(five, from);
            assert_eq!(failure.message, wanted);
        }
    }
}
