//! How patiently each kind of request is asked: one table. `docs/transport.md` shows it.

use std::time::Duration;

use crate::clock::Instant;
use crate::run::wait;

/// How patiently one kind of request is asked.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Its name in the table.
    pub name: &'static str,
    /// What is asked so.
    pub about: &'static str,
    /// One attempt takes no longer.
    pub attempt: Duration,
    /// The fourth and later attempts take no longer: perhaps the server is slow.
    pub later: Duration,
    /// All of it takes no longer, whatever the step's end.
    pub within: Duration,
    /// It has so much time even when the step's is over.
    pub own: Duration,
    /// No whole answer came.
    pub silent: Again,
    /// A gateway answered that the server cannot be had.
    pub gateway: Again,
    /// Another answer of somebody else came.
    pub elsewhere: Again,
    /// The platform's own 502, 503 or 504 came.
    pub failing: Again,
    /// The platform's own 500 or 501 came.
    pub broken: Again,
    /// 429.
    pub limited: Again,
    /// Between two attempts.
    pub pause: Pause,
    /// The request goes on when its step has ended, to record its answer.
    pub outlives: Option<Duration>,
}

/// For how long a request is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Not at all.
    Never,
    /// For so long.
    For(Duration),
    /// Until its time is over.
    ToTheEnd,
}

/// The pause between two attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Grows with the time waited, as that of a wait.
    Growing,
    /// Always the same.
    Same(Duration),
    /// Doubles from the first to the second.
    Doubling(Duration, Duration),
}

/// No pause is shorter, so that a refusal is not asked for thousands of times.
const LEAST_PAUSE: Duration = Duration::from_millis(50);

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A server that has given clean-up no answer for so long is given up: one that only restarts is back by then.
pub(crate) const GIVE_UP: Duration = secs(27);

const BORNE: Again = Again::For(secs(30));

/// A read of a step.
pub(crate) const READ: Policy = Policy {
    name: "read",
    about: "a read of a step",
    attempt: secs(4),
    later: secs(10),
    within: Duration::MAX,
    own: Duration::ZERO,
    silent: BORNE,
    gateway: BORNE,
    elsewhere: BORNE,
    failing: BORNE,
    broken: Again::Never,
    limited: Again::ToTheEnd,
    pause: Pause::Growing,
    outlives: None,
};

/// One look of a step that looks again by itself: a server that hangs is "not yet".
pub(crate) const LOOK: Policy =
    Policy { name: "look", about: "one look of a step that looks again", within: secs(5), ..READ };

/// A look for what an answer that was lost has done: worth time of its own at the end of a step.
pub(crate) const SECOND_LOOK: Policy = Policy {
    name: "second look",
    about: "the activity log, for a reply whose answer was lost",
    within: secs(10),
    own: secs(2),
    ..READ
};

/// The list, for a workspace whose create was not answered.
pub(crate) const FIND_BY_NAME: Policy = Policy {
    name: "find by name",
    about: "the list, for a workspace whose create was not answered",
    within: secs(5),
    own: secs(2),
    ..READ
};

/// One row of the admin list, beside a single read.
pub(crate) const ROW_OF_LIST: Policy = Policy {
    name: "row of the list",
    about: "the list, beside a single read",
    within: secs(4),
    silent: Again::Never,
    gateway: Again::Never,
    elsewhere: Again::Never,
    limited: Again::Never,
    failing: Again::Never,
    ..READ
};

/// Changes something.
pub(crate) const MUTATE: Policy = Policy {
    name: "mutate",
    about: "what changes something",
    attempt: secs(60),
    later: secs(60),
    silent: Again::Never,
    gateway: Again::Never,
    elsewhere: Again::Never,
    outlives: Some(secs(5)),
    failing: Again::Never,
    ..READ
};

/// Makes a workspace: whoever limits rates may stand before the platform, so that the name is looked for first.
pub(crate) const CREATE: Policy =
    Policy { name: "create", about: "the create of a workspace", limited: Again::Never, ..MUTATE };

/// A message: it may be dropped, and is never sent twice.
pub(crate) const MESSAGE: Policy = Policy {
    name: "message",
    about: "a message to an agent",
    attempt: Duration::MAX,
    later: Duration::MAX,
    silent: Again::Never,
    gateway: Again::Never,
    elsewhere: Again::Never,
    failing: Again::Never,
    ..READ
};

/// A heartbeat in the background: the next one comes soon.
pub(crate) const HEARTBEAT: Policy = Policy {
    name: "heartbeat",
    about: "heartbeats in the background",
    attempt: secs(10),
    later: secs(10),
    limited: Again::Never,
    ..MESSAGE
};

/// Evidence about a failure: all gatherers at once, and none for long.
pub(crate) const EVIDENCE: Policy = Policy {
    name: "evidence",
    about: "what is gathered about a failure",
    // Time for three attempts: two reads in a row may hang.
    attempt: ms(2_500),
    later: secs(5),
    within: secs(8),
    silent: Again::ToTheEnd,
    gateway: Again::ToTheEnd,
    elsewhere: Again::ToTheEnd,
    pause: Pause::Same(LEAST_PAUSE),
    failing: Again::ToTheEnd,
    ..READ
};

/// The environment of an instance: without it an old instance may pass for a new one.
pub(crate) const ENVIRONMENT: Policy = Policy {
    name: "environment",
    about: "the environment of an instance",
    attempt: ms(2_500),
    later: secs(5),
    within: secs(15),
    own: secs(2),
    silent: Again::ToTheEnd,
    gateway: Again::ToTheEnd,
    elsewhere: Again::ToTheEnd,
    failing: Again::ToTheEnd,
    broken: Again::ToTheEnd,
    pause: Pause::Same(LEAST_PAUSE),
    ..READ
};

/// A read about the run's own root.
pub(crate) const ROOT: Policy = Policy {
    name: "root",
    about: "reads about the run's own root, and its move",
    silent: Again::ToTheEnd,
    gateway: Again::ToTheEnd,
    elsewhere: Again::ToTheEnd,
    pause: Pause::Same(LEAST_PAUSE),
    failing: Again::ToTheEnd,
    ..READ
};

/// The root's create: settled by its name, not by asking again here.
pub(crate) const MAKE_ROOT: Policy = Policy {
    name: "make the root",
    about: "the create of the run's own root",
    attempt: secs(10),
    later: secs(10),
    limited: Again::Never,
    outlives: None,
    ..MUTATE
};

/// Removes something: asked until it is done.
pub(crate) const CLEAN_UP: Policy = Policy {
    name: "clean-up",
    about: "deletes and lists of clean-up",
    attempt: secs(10),
    later: secs(10),
    silent: Again::ToTheEnd,
    gateway: Again::ToTheEnd,
    elsewhere: Again::ToTheEnd,
    failing: Again::ToTheEnd,
    broken: Again::ToTheEnd,
    limited: Again::ToTheEnd,
    pause: Pause::Doubling(ms(100), secs(2)),
    ..READ
};

/// A read of clean-up: there is another way to what it says.
pub(crate) const CLEAN_UP_LOOK: Policy = Policy {
    name: "clean-up look",
    about: "reads of clean-up, which have another way",
    silent: Again::For(secs(10)),
    gateway: Again::For(secs(10)),
    elsewhere: Again::For(secs(2)),
    failing: Again::For(secs(10)),
    broken: Again::For(secs(10)),
    ..CLEAN_UP
};

/// One read of the poller: the next one comes soon.
pub(crate) const POLL: Policy = Policy {
    name: "poll",
    about: "reads of waits",
    attempt: Duration::MAX,
    later: Duration::MAX,
    silent: Again::Never,
    gateway: Again::Never,
    elsewhere: Again::Never,
    limited: Again::Never,
    failing: Again::Never,
    ..READ
};

/// What a server offers, before anything runs.
pub(crate) const PROBE: Policy = Policy {
    name: "probe",
    about: "what a server offers",
    // One that hangs is asked again: what is not seen here is skipped by every scenario.
    attempt: secs(5),
    later: secs(10),
    within: secs(20),
    silent: Again::For(secs(10)),
    gateway: Again::For(secs(5)),
    elsewhere: Again::For(secs(5)),
    failing: Again::For(secs(5)),
    broken: Again::For(secs(5)),
    pause: Pause::Same(ms(200)),
    ..READ
};

/// The first answer of a server that may just be starting: for as long as `--patience` says.
pub(crate) const FIRST_ANSWER: Policy = Policy {
    name: "first answer",
    about: "the first answer of a server (`--patience`)",
    attempt: secs(10),
    later: secs(10),
    within: Duration::MAX,
    silent: Again::ToTheEnd,
    gateway: Again::ToTheEnd,
    elsewhere: Again::For(secs(2)),
    failing: Again::ToTheEnd,
    broken: Again::ToTheEnd,
    ..PROBE
};

#[cfg(test)]
/// All of them, in the order of the table.
pub(crate) const ALL: [&Policy; 18] = [
    &READ,
    &LOOK,
    &SECOND_LOOK,
    &ROW_OF_LIST,
    &POLL,
    &ENVIRONMENT,
    &MUTATE,
    &CREATE,
    &MESSAGE,
    &HEARTBEAT,
    &FIND_BY_NAME,
    &EVIDENCE,
    &MAKE_ROOT,
    &ROOT,
    &CLEAN_UP,
    &CLEAN_UP_LOOK,
    &FIRST_ANSWER,
    &PROBE,
];

/// The policy of the first answer, with the patience that was given.
pub(crate) fn first_answer(patience: Duration) -> Policy {
    let again = Again::For(patience);
    let elsewhere = Again::For(patience.min(secs(2)));
    Policy {
        silent: again,
        gateway: again,
        failing: again,
        broken: again,
        limited: again,
        elsewhere,
        ..FIRST_ANSWER
    }
}

impl Policy {
    /// Until when it is asked at all, of a step that ends then.
    pub fn end(&self, step: Instant, began: Instant) -> Instant {
        let own = later(began, self.own);
        step.min(later(began, self.within)).max(own)
    }

    /// Until when a first attempt waits for a limit of rates to end, of a step that ends then.
    pub fn bears_limit(&self, step: Instant, began: Instant) -> Instant {
        self.limited.until(began, step.max(later(began, self.own)))
    }

    /// Until when one attempt is waited for.
    pub fn bound(&self, attempt: u32, now: Instant, end: Instant) -> Instant {
        end.min(later(now, if attempt <= 3 { self.attempt } else { self.later }))
    }

    /// The pause after an attempt.
    pub fn pause(&self, attempt: u32, waited: Duration) -> Duration {
        match self.pause {
            Pause::Growing => wait::pause(waited).max(LEAST_PAUSE),
            Pause::Same(pause) => pause,
            Pause::Doubling(first, last) => (first * 2u32.pow((attempt - 1).min(16))).min(last),
        }
    }
}

impl Again {
    /// Until when, of a request that was first sent then and whose time is over at `end`.
    pub fn until(self, began: Instant, end: Instant) -> Instant {
        match self {
            Again::Never => began,
            Again::For(time) => end.min(later(began, time)),
            Again::ToTheEnd => end,
        }
    }
}

/// No time is so long that it overflows.
fn later(from: Instant, time: Duration) -> Instant {
    from + time.min(secs(365 * 24 * 3_600))
}
