//! Looking again until the step's end: which look decides.

use std::time::Duration;

use crate::clock::Instant;
use crate::run::wait::STALE;
use crate::runner::outcome::{Failure, FailureKind};

/// A look with less time than this was cut off by the step's own end.
const IN_EARNEST: Duration = Duration::from_secs(1);

/// What the looks of a step said last.
#[derive(Default)]
pub(super) struct LastLook {
    last: Option<(Failure, Instant)>,
}

impl LastLook {
    /// A look that the step's end cut off, or that got no answer, says less than the one before it, unless that is
    /// long ago. `looked` is when it began.
    pub(super) fn of(&mut self, failure: Failure, looked: Instant, deadline: Instant) -> Failure {
        let now = Instant::now();
        let cut_off = deadline.saturating_duration_since(looked) < IN_EARNEST;
        let (failure, seen) = match self.last.take() {
            Some((before, seen))
                if failure.kind == FailureKind::Environment
                    && (before.kind != FailureKind::Environment || cut_off)
                    && now - seen < STALE =>
            {
                let said = (!cut_off).then(|| format!("the last look failed: {}", failure.message));
                (before.details(said), seen)
            }
            _ => (failure, now),
        };
        self.last = Some((failure.clone(), seen));
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_look_that_decides() {
        let now = Instant::now();
        let ago = |secs: u64| now.checked_sub(Duration::from_secs(secs)).unwrap();
        let wrong = || Failure::product("wrong");
        let other = || Failure::of(FailureKind::Environment, "other");
        let lost = || Failure::of(FailureKind::Environment, "lost");
        for (name, before, failure, looked, said, details) in [
            ("the first one", None, lost(), now, "lost", 0),
            ("cut off", Some((wrong(), ago(1))), lost(), now, "wrong", 0),
            ("in earnest, without an answer", Some((wrong(), ago(5))), lost(), ago(4), "wrong", 1),
            ("long ago", Some((wrong(), ago(9))), lost(), ago(4), "lost", 0),
            ("the newer one", Some((lost(), ago(1))), wrong(), now, "wrong", 0),
            ("cut off after another without an answer", Some((other(), ago(1))), lost(), now, "other", 0),
            ("two without an answer", Some((lost(), ago(1))), lost(), now, "lost", 0),
        ] {
            let failure = LastLook { last: before }.of(failure, looked, now);
            assert_eq!((failure.message.as_str(), failure.details.len()), (said, details), "{name}");
        }
    }
}
