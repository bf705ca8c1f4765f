//! Which red a failure is: what the step wanted, or that nobody of the platform answered at all.

use crate::event::{Ended, Kind, Red, Symptoms};

/// The red of a failure.
pub(crate) fn red_of(symptoms: &Symptoms) -> Red {
    if symptoms.kind == Kind::Harness {
        return Red::Panic;
    }
    // Whether a message was answered is asked of many: the network, the platform, the agent, its provider.
    if symptoms.asserts == Red::Reply {
        return Red::Reply;
    }
    match &symptoms.wait {
        Some(wait) if wait.stats.blind || wait.end == Ended::Dead => Red::NoAnswer,
        // An edge asserts its answer and then the row.
        Some(_) if symptoms.asserts == Red::Answer => Red::Status,
        Some(_) => symptoms.asserts,
        None if symptoms.kind == Kind::Environment => Red::NoAnswer,
        None => symptoms.asserts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Wait, WaitStats};

    #[test]
    fn what_was_wanted_or_that_nobody_answered() {
        let wait = |blind, end| {
            Some(Wait { end, stats: WaitStats { blind, ..Default::default() }, ..Default::default() })
        };
        let seen = || wait(false, Ended::TimedOut);
        let blind = || wait(true, Ended::TimedOut);
        for (asserts, kind, wait, red) in [
            (Red::Online, Kind::Harness, None, Red::Panic),
            (Red::Online, Kind::Product, seen(), Red::Online),
            (Red::Online, Kind::Environment, blind(), Red::NoAnswer),
            (Red::Hold, Kind::Environment, wait(false, Ended::Dead), Red::NoAnswer),
            (Red::Answer, Kind::Product, seen(), Red::Status),
            (Red::Answer, Kind::Product, None, Red::Answer),
            (Red::Answer, Kind::Environment, None, Red::NoAnswer),
            (Red::Reply, Kind::Environment, None, Red::Reply),
            (Red::Row, Kind::Inconclusive, None, Red::Row),
        ] {
            assert_eq!(
                red_of(&Symptoms { asserts, kind, wait, ..Symptoms::default() }),
                red,
                "{asserts:?} {kind:?}"
            );
        }
    }
}
