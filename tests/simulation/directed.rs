//! Series that no chance decides.

use std::time::Duration;

use lifecycle_harness::event::EventKind;
use lifecycle_harness::run::signals::Signal;
use lifecycle_harness::wire::{Fault, Side, What};

use super::case::{Case, Cut, Matching, Rule, Trouble, When};
use super::seeds::{examine, number};

/// So many runs to which nothing happens are green, and no mechanism fires.
#[test]
fn healthy_runs_are_green() {
    let runs = number("LIFECYCLE_HEALTHY").unwrap_or(200);
    for seed in 0..runs {
        let case = Case::healthy(1_000_000 + seed);
        let (_, wrong) = examine(&case);
        assert!(wrong.is_empty(), "{case:#?}\n- {}", wrong.join("\n- "));
    }
}

/// One scenario with all that a run does: makes, waits, restarts, talks, removes.
fn local_provision(seed: u64) -> Case {
    Case {
        instances: vec!["local-provision".to_owned()],
        jobs: 1,
        time_scale: 40.0,
        strangers: 1,
        late_stranger: None,
        latency: Duration::from_millis(2),
        ..Case::healthy(seed)
    }
}

/// An interrupt as any request leaves: every await of the run that waits for the platform is met.
#[test]
fn an_interrupt_at_every_request() {
    let whole = examine(&local_provision(7)).0;
    let requests = whole.sent;
    assert!(requests > 20, "{requests}");
    for number in 1..=requests {
        for signals in [
            vec![(When::Request(number), Signal::Interrupt)],
            vec![(When::Request(number), Signal::Terminate), (When::Request(number + 3), Signal::Interrupt)],
        ] {
            let case = Case { cut: Cut::Signals(signals), ..local_provision(7) };
            let (_, wrong) = examine(&case);
            assert!(
                wrong.is_empty(),
                "interrupted at request {number} of {requests}:\n- {}",
                wrong.join("\n- ")
            );
        }
    }
}

/// `kill -9` as any request leaves, and the sweep after it.
#[test]
fn a_kill_at_every_request() {
    let requests = examine(&local_provision(7)).0.sent;
    for number in 1..=requests {
        let case = Case { cut: Cut::Kill(When::Request(number)), ..local_provision(7) };
        let (_, wrong) = examine(&case);
        assert!(wrong.is_empty(), "killed at request {number} of {requests}:\n- {}", wrong.join("\n- "));
    }
}

/// A server that is gone, stands still or only ever refuses is not waited for longer than this, once the run is asked
/// to end.
const THIRTY: u64 = 30_000;

#[test]
fn clean_up_against_a_server_that_is_gone() {
    let forever = Duration::from_secs(100_000);
    let always = |what| {
        let fault = Fault { what, handled: false };
        let rule = Rule { from: Side::Harness, fault, after: 20, count: u64::MAX, matching: Matching::All };
        Trouble::Wire(rule)
    };
    let troubles = [
        ("gone", Trouble::Down { at: Duration::from_millis(300), lasts: forever }),
        ("silent", Trouble::Frozen { at: Duration::from_millis(300), lasts: forever }),
        ("503", always(What::Page(503))),
        ("500", always(What::Page(500))),
        ("429", always(What::TooMany(1))),
        ("429 for long", always(What::TooMany(60))),
        ("hang", always(What::Hang)),
        ("resets", always(What::Reset)),
    ];
    let mut late = Vec::new();
    for (name, trouble) in troubles {
        let cut = Cut::Signals(vec![(When::After(Duration::from_secs(2)), Signal::Interrupt)]);
        let case = Case { trouble, cut, ..local_provision(7) };
        let (played, wrong) = examine(&case);
        assert!(wrong.is_empty(), "{name}:\n- {}", wrong.join("\n- "));
        let began = played.events.iter().find(|e| matches!(e.event, EventKind::CancelBegan { .. }));
        let Some(began) = began else { panic!("{name}: nothing was cancelled: {:?}", played.exit()) };
        let ended = played.events.last().map_or(0, |event| event.ms);
        let took = ended - began.ms;
        println!("{name}: ended {took} ms after the interrupt");
        if took > THIRTY {
            late.push(format!("{name}: {took} ms"));
        }
    }
    assert!(late.is_empty(), "later than {THIRTY} ms after the interrupt: {late:?}");
}
