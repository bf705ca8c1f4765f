//! Series that no chance decides.

use std::time::Duration;

use lifecycle_harness::facade::behaviour::Edition;
use lifecycle_harness::facade::domain::ExitCode;
use lifecycle_harness::facade::event::{Class, EventKind, Verdict};
use lifecycle_harness::facade::reference::options::BootTiming;
use lifecycle_harness::facade::run::signals::Signal;
use lifecycle_harness::facade::wire::{Fault, Side, What};

use super::case::{Case, Cut, Matching, Rule, Server, Trouble, When};
use super::precision::SLOW;
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
pub(crate) fn local_provision(seed: u64) -> Case {
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

/// A scenario that is not shipped.
fn of_its_own(name: &str, text: &'static str, seed: u64) -> Case {
    Case { instances: vec![name.to_owned()], own: Some(text), ..local_provision(seed) }
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
        ("gone", Trouble::Down { at: Duration::from_millis(100), lasts: forever }),
        ("silent", Trouble::Frozen { at: Duration::from_millis(100), lasts: forever }),
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

/// The server's process is killed, frozen, or killed and started again with all it knew, at thirty moments of a run: the
/// environment is to blame and never the platform, and whatever is left was told.
#[test]
fn a_server_that_dies_at_thirty_moments() {
    const MOMENTS: u32 = 30;
    let whole = examine(&local_provision(7)).0;
    let length = Duration::from_millis(whole.events.last().map_or(0, |event| event.ms));
    let forever = Duration::from_secs(100_000);
    let (short, long) = (Duration::from_secs(3), Duration::from_secs(40));
    let mut reds = 0;
    for moment in 0..MOMENTS {
        let at = length * moment / MOMENTS;
        for trouble in [
            Trouble::Down { at, lasts: forever },
            Trouble::Down { at, lasts: short },
            Trouble::Frozen { at, lasts: short },
            Trouble::Frozen { at, lasts: long },
        ] {
            let name = format!("{trouble:?} of {length:?}");
            let case = Case { trouble, ..local_provision(7) };
            let (played, mut wrong) = examine(&case);
            for event in &played.events {
                match &event.event {
                    EventKind::Diagnosed(found)
                        if found.mechanism != "unclassified" && found.class != Class::Infra =>
                    {
                        wrong.push(format!("{} is {:?}", found.mechanism, found.class));
                    }
                    EventKind::ScenarioFinished(one) if one.verdict.is_red() => {
                        reds += 1;
                        if one.class != Some(Class::Infra) {
                            wrong.push(format!("{:?} {:?}: {}", one.verdict, one.class, one.reason));
                        }
                    }
                    _ => {}
                }
            }
            assert!(wrong.is_empty(), "{name}, exit {:?}:\n- {}", played.exit(), wrong.join("\n- "));
        }
    }
    assert!(reds > 0, "no run noticed anything");
}

/// A create that was done and whose answer does not come, root and workspace alike: it is made once, owned and removed.
#[test]
fn a_create_whose_answer_is_lost() {
    for what in [What::Reset, What::Hang, What::Truncated, What::Page(504), What::Garbled, What::Empty] {
        for after in 0..2 {
            let fault = Fault { what, handled: true };
            let rule = Rule { from: Side::Harness, fault, after, count: 1, matching: Matching::Creates };
            let case = Case { trouble: Trouble::Wire(rule), strangers: 0, ..local_provision(7) };
            let (played, wrong) = examine(&case);
            let name = format!("{what:?} after {after}");
            assert!(wrong.is_empty(), "{name}:\n- {}", wrong.join("\n- "));
            let made = |event: &&_| matches!(event, EventKind::Owned(owned) if owned.name.contains(" ("));
            let twice = played.events.iter().map(|event| &event.event).filter(made).count();
            assert_eq!(twice, 0, "{name}: something was made twice");
        }
    }
}

/// Something in between sends a create twice, or it comes true when nobody looks for it any more: what it made is this
/// run's by its name, and goes with the others.
#[test]
fn what_came_true_twice_or_late_is_removed() {
    let on = |what, handled, matching, after, count| Rule {
        from: Side::Harness,
        fault: Fault { what, handled },
        after,
        count,
        matching,
    };
    let creates = |what, after| on(what, true, Matching::Creates, after, 1);
    let lists = |json, count| on(What::Says(json), false, Matching::Ends("GET", "/workspaces"), 0, count);
    // Two rows of somebody else's on a page of many.
    let page = r#"[{"id":"00000000-0000-4000-8000-000000000001","name":"theirs"},{"id":"00000000-0000-4000-8000-000000000002","name":"others"}]"#;
    for (name, rules, exit, left) in [
        ("the root is made twice", vec![creates(What::Twice, 0)], ExitCode::Passed, 0),
        ("a workspace is made twice", vec![creates(What::Twice, 1)], ExitCode::Passed, 0),
        ("all are", vec![on(What::Twice, true, Matching::Creates, 0, u64::MAX)], ExitCode::Passed, 0),
        ("late", vec![creates(What::Reset, 1), lists("[]", 60)], ExitCode::Environment, 0),
        (
            "a list that is never whole",
            vec![creates(What::Reset, 0), lists(page, u64::MAX)],
            // What only the list tells of a row is not known either, and what is left is told.
            ExitCode::Environment,
            1,
        ),
    ] {
        let case = Case { trouble: Trouble::Wires(rules), strangers: 0, ..local_provision(7) };
        let (played, wrong) = examine(&case);
        assert!(wrong.is_empty(), "{name}:\n- {}", wrong.join("\n- "));
        let told = played.finished().map_or(0, |finished| finished.left.len());
        assert_eq!((played.exit(), told), (Some(exit), left), "{name}");
    }
}

/// Words that say the right thing on an answer that does not: each is red.
#[test]
fn an_answer_that_contradicts_itself_is_no_green() {
    let noop = What::Says(r#"{"status":"noop","runtime":"claude-code","message":"nothing to do"}"#);
    for (path, what, handled) in
        [("/restart", noop, false), ("/a2a", What::Status(500), true), ("/a2a", What::Status(404), true)]
    {
        let matching = Matching::Ends("POST", path);
        let rule =
            Rule { from: Side::Harness, fault: Fault { what, handled }, after: 0, count: u64::MAX, matching };
        let case = Case { trouble: Trouble::Wire(rule), strangers: 0, ..local_provision(7) };
        let (played, wrong) = examine(&case);
        assert!(wrong.is_empty(), "{path} {what:?}:\n- {}", wrong.join("\n- "));
        assert_eq!(played.exit(), Some(ExitCode::Failed), "{path} {what:?}");
    }
}

/// A message that something in between swallows: nobody blames an agent, a model or a provider that was never asked.
#[test]
fn a_message_that_never_arrives() {
    let matching = Matching::Ends("POST", "/a2a");
    let fault = Fault { what: What::Hang, handled: false };
    let rule = Rule { from: Side::Harness, fault, after: 0, count: u64::MAX, matching };
    let case = Case { trouble: Trouble::Wire(rule), strangers: 0, ..local_provision(7) };
    let (played, wrong) = examine(&case);
    assert!(wrong.is_empty(), "- {}", wrong.join("\n- "));
    assert_eq!(played.exit(), Some(ExitCode::Environment));
    let named = played.events.iter().find_map(|event| match &event.event {
        EventKind::Diagnosed(diagnosis) => Some(diagnosis.mechanism.as_str()),
        _ => None,
    });
    assert_eq!(named, Some("message-not-taken-in"));
}

/// An answer that is lost once is found in the log; where none arrives that is told, and no agent is blamed.
#[test]
fn answers_to_messages_that_never_arrive() {
    let (matching, held) = (Matching::Ends("POST", "/a2a"), Some("answers-held-back"));
    for (what, count, exit, wanted) in [
        (What::Reset, 1, ExitCode::Passed, None),
        (What::Reset, u64::MAX, ExitCode::Environment, held),
        (What::Hang, 1, ExitCode::Passed, None),
        (What::Hang, u64::MAX, ExitCode::Environment, held),
    ] {
        let fault = Fault { what, handled: true };
        let rule = Rule { from: Side::Harness, fault, after: 0, count, matching };
        let case = Case { trouble: Trouble::Wire(rule), strangers: 0, ..local_provision(7) };
        let (played, wrong) = examine(&case);
        assert!(wrong.is_empty(), "{what:?} {count}:\n- {}", wrong.join("\n- "));
        let named = played.events.iter().find_map(|event| match &event.event {
            EventKind::Diagnosed(diagnosis) => Some(diagnosis.mechanism.as_str()),
            _ => None,
        });
        assert_eq!((played.exit(), named), (Some(exit), wanted), "{what:?} {count}");
    }
}

/// A boot that a delete overtakes: its instance comes up when its row is gone. The run, or a sweep that begins at once,
/// waits for it or tells of it, and the sweep after that leaves nothing.
#[test]
fn an_instance_that_comes_up_after_its_delete() {
    let slow = || Trouble::Platform(vec!["slow-online=60".to_owned()]);
    let (mut removed, mut told) = (0, 0);
    for time_scale in [40.0, 1.0] {
        for number in (10..=26).step_by(4) {
            let at = When::Request(number);
            for cut in [Cut::Signals(vec![(at, Signal::Interrupt)]), Cut::Kill(at)] {
                let swept_at_once = matches!(cut, Cut::Kill(_));
                let name = format!("{cut:?}, time scale {time_scale}");
                let case = Case { trouble: slow(), cut, time_scale, swept_at_once, ..local_provision(7) };
                let (played, wrong) = examine(&case);
                assert!(wrong.is_empty(), "{name}:\n- {}", wrong.join("\n- "));
                let said = format!("{}{}", played.log, played.swept.said.join("\n"));
                removed += usize::from(said.contains("its instance came up after the delete"));
                told +=
                    usize::from(said.contains("should one come up yet") || said.contains("may come up yet"));
            }
        }
    }
    assert!(removed > 0 && told > 0, "{removed} removed, {told} told");
}

/// A message wakes a hibernated workspace and a restart follows at once: two new instances, the second of which may come
/// up when its row is gone.
#[test]
fn a_wake_and_a_restart_overlap() {
    const OVERLAP: &str = "
scenario: overlap
steps:
  - create:    { as: ws, model: auto }
  - await:     { workspace: ws, status: online }
  - hibernate: ws
  - a2a:       { to: ws, say: { text: good morning }, expect: { status: 503, json: { $.waking: true } } }
  - restart:   ws
  - await:     { workspace: ws, status: online, new_instance: true, within: 4m }
";
    let mut came = 0;
    for seed in 0..3 {
        for (boot, time_scale) in [(BootTiming::default(), 1.0), (BootTiming::default(), 40.0), (SLOW, 1.0)] {
            let case = Case {
                time_scale,
                server: Server { edition: Edition::MidAugust, boot, ..Server::default() },
                ..of_its_own("overlap", OVERLAP, seed)
            };
            let (played, wrong) = examine(&case);
            assert!(
                wrong.is_empty(),
                "seed {seed}, {boot:?}, time scale {time_scale}:\n- {}",
                wrong.join("\n- ")
            );
            came += usize::from(played.log.contains("its instance came up after the delete"));
        }
    }
    assert!(came > 0, "no instance came up late: nothing was tried");
}

/// What a step judged is evidence of its red, also when a second look at it is not answered.
#[test]
fn what_a_step_read_is_its_evidence() {
    const JUDGED: &str = "
scenario: judged
steps:
  - create: { as: ws, model: auto }
  - await:  { workspace: ws, status: online }
  - expect: { env_of: ws, vars: { NOT_THERE: { non_empty: true } } }
";
    let matching = Matching::Begins("GET", "/__lifecycle/workspaces/");
    let fault = Fault { what: What::Hang, handled: false };
    let rule = Rule { from: Side::Harness, fault, after: 1, count: 60, matching };
    let case = Case { trouble: Trouble::Wire(rule), ..of_its_own("judged", JUDGED, 7) };
    let (played, wrong) = examine(&case);
    assert!(wrong.is_empty(), "- {}", wrong.join("\n- "));
    let found = played.events.iter().find_map(|event| match &event.event {
        EventKind::Evidence(evidence) => evidence.parts.iter().find(|part| part.name == "environment"),
        _ => None,
    });
    let found = found.expect("a red has its environment");
    assert_eq!(found.error, None);
    assert!(found.lines.iter().any(|line| line.contains("as the step read it")), "{:?}", found.lines);
}

/// A red counts when its step fails: what fails while its evidence is still on its way is not needed any more.
#[test]
fn the_first_red_ends_a_run_before_its_evidence_is_there() {
    const ONE_BY_ONE: &str = "
scenario: one-by-one
matrix: { after: [40s, 160s] }
steps:
  - create: { as: ws, model: auto }
  - await:  { workspace: ws, status: online }
  - hold:   { for: \"${matrix.after}\" }
  - expect: { env_of: ws, vars: { NOT_THERE: { non_empty: true } } }
";
    let matching = Matching::Begins("GET", "/__lifecycle/workspaces/");
    let fault = Fault { what: What::Hang, handled: false };
    let rule = Rule { from: Side::Harness, fault, after: 1, count: 60, matching };
    let case = Case {
        jobs: 2,
        max_fail: Some(1),
        trouble: Trouble::Wire(rule),
        ..of_its_own("one-by-one", ONE_BY_ONE, 7)
    };
    let (played, wrong) = examine(&case);
    assert!(wrong.is_empty(), "- {}", wrong.join("\n- "));
    let verdicts: Vec<Verdict> = played
        .events
        .iter()
        .filter_map(|event| match &event.event {
            EventKind::ScenarioFinished(one) => Some(one.verdict),
            _ => None,
        })
        .collect();
    assert_eq!(verdicts, [Verdict::Cancelled, Verdict::Failed]);
}

/// A server that takes along what hangs below, unasked: what somebody else made under our root while we ran stays.
#[test]
fn what_others_made_below_the_root_stays() {
    let fault = Fault { what: What::Confirmed, handled: true };
    let rule = Rule { from: Side::Harness, fault, after: 0, count: u64::MAX, matching: Matching::Deletes };
    let case =
        Case { trouble: Trouble::Wire(rule), strangers: 0, late_stranger: Some(40), ..local_provision(7) };
    let (played, wrong) = examine(&case);
    assert!(wrong.is_empty(), "- {}", wrong.join("\n- "));
    assert_eq!(played.exit(), Some(ExitCode::Leak));
}

/// A scenario that brings its own key needs none of the machine that runs it.
#[test]
fn a_key_of_the_scenarios_own_is_a_key() {
    const BROUGHT: &str = "
scenario: brought
steps:
  - create: { as: ws, runtime: claude-code, model: MiniMax-M2.7, secrets: { MINIMAX_API_KEY: made-up-for-this-run } }
  - await:  { workspace: ws, status: online }
";
    let case = Case {
        keys: false,
        server: Server { closed: true, ..Server::default() },
        ..of_its_own("brought", BROUGHT, 7)
    };
    let (played, wrong) = examine(&case);
    assert!(wrong.is_empty(), "- {}", wrong.join("\n- "));
    let skipped = played.events.iter().any(
        |event| matches!(&event.event, EventKind::ScenarioFinished(one) if one.verdict == Verdict::Skipped),
    );
    assert!(!skipped && played.exit() == Some(ExitCode::Passed), "{:?}", played.finished());
}
