use proptest::prelude::*;

use super::sample::{FAILING, Sample, everything, failing, healthy};
use crate::domain::Status;
use crate::event::{EventKind, Verdict};
use crate::report::{RunState, fold};

fn folded(sample: &Sample) -> RunState {
    let folder = tempfile::tempdir().unwrap();
    fold(&sample.write(folder.path())).unwrap()
}

#[test]
fn expected_failures_and_skips_are_never_inside_passed() {
    let totals = everything().state().totals();
    assert_eq!(totals.scenarios, 8);
    assert_eq!(totals.of(Verdict::Passed), 1);
    assert_eq!(totals.of(Verdict::ExpectedFailure), 1);
    assert_eq!(totals.of(Verdict::Skipped), 2);
    assert_eq!((totals.advisory_reds(), totals.unfinished), (1, 0));
    assert_eq!(
        totals.line(),
        "1 passed, 1 flaky, 1 failed as expected, 2 skipped, 1 failed, 1 inconclusive (advisory), 1 cancelled"
    );
}

#[test]
fn timelines_end_where_the_failure_was_certain() {
    let state = everything().state();
    let scenario = &state.scenarios[FAILING];
    let lines = state.timelines(scenario, scenario.failed_ms());
    assert_eq!(
        crate::report::timeline::timeline_text(&lines[0].1),
        "provisioning 0.5 s → online 3.2 s → provisioning 20.0 s (still)"
    );
}

#[test]
fn repeated_observations_are_one_stretch_and_many_transitions_are_bounded() {
    let mut s = Sample::default();
    s.begin("a");
    for i in 0..2_000_u64 {
        let status = if i / 2 % 2 == 0 { Status::Online } else { Status::Degraded };
        s.at(i).saw("a", Some(status), 0);
    }
    let state = s.state();
    let timeline = &state.scenarios["a"].workspaces["ws"];
    assert_eq!(timeline.moments.len() + timeline.dropped, 1_000);
    assert!(timeline.moments.len() <= 256);
    assert_eq!(timeline.moments.last().map(|m| m.ms), Some(1_998));
}

#[test]
fn exchanges_are_the_last_few_and_gone_when_the_scenario_passes() {
    let mut s = Sample::default();
    s.begin("a").begin("b");
    for i in 0..100 {
        s.at(i).exchange("a", "1", 200).exchange("b", "1", 200);
    }
    s.end("a", Verdict::Passed, "", |_| {}).end("b", Verdict::Failed, "", |_| {});
    let state = s.state();
    assert_eq!(state.exchanges, 200);
    assert_eq!(state.scenarios["a"].exchanges.len(), 0);
    assert_eq!(state.scenarios["b"].exchanges.len(), 12);
    assert_eq!(state.scenarios["b"].exchange_count, 100);
}

#[test]
fn huge_evidence_is_left_out_and_said() {
    let mut s = Sample::default();
    failing(&mut s, FAILING, 5_000);
    let state = s.state();
    let parts = &state.scenarios[FAILING].evidence[0].parts;
    assert!(parts[0].data.is_none() && parts[0].left_out > 256 << 10);
    assert!(parts[1].data.is_some());
}

#[test]
fn a_run_without_an_end_says_what_was_still_owned() {
    let mut s = everything();
    s.events.retain(|e| !matches!(e.event, EventKind::RunFinished(_) | EventKind::Left(_)));
    let state = folded(&s);
    assert_eq!(
        state.left(),
        ["workspace lc-w1 (8c0c5f6e-6f0a-4b57-9a37-0f0f5f1b2c3d): not released when the log ended"]
    );
    assert_eq!(state.remarks, ["the log has no end: the run was killed or is still running"]);
}

#[test]
fn live_and_folded_states_give_the_same_reports() {
    for sample in [healthy(), everything()] {
        let (live, read) = (sample.state(), folded(&sample));
        for kind in crate::report::FileKind::ALL {
            assert_eq!(kind.render(&live).unwrap(), kind.render(&read).unwrap(), "{kind:?}");
        }
    }
}

/// A run that was killed at any byte leaves a log that every report can be made of.
#[test]
fn a_log_that_ends_anywhere_gives_reports() {
    let folder = tempfile::tempdir().unwrap();
    let path = everything().write(folder.path());
    let whole = std::fs::read(&path).unwrap();
    for end in (0..whole.len()).step_by(211) {
        std::fs::write(&path, &whole[..end]).unwrap();
        let state = fold(&path).unwrap();
        assert!(state.finished.is_none() && !state.remarks.is_empty());
        let text = crate::report::FileKind::Markdown.render(&state).unwrap();
        assert!(text.contains("the run has no end"), "{text}");
        let json = crate::report::FileKind::Json.render(&state).unwrap();
        assert!(json.contains("\"complete\": false"));
    }
}

proptest! {
    /// A number that was measured is the same one when it was read from the log.
    #[test]
    fn numbers_of_evidence_survive_the_log(number in proptest::num::f64::NORMAL) {
        let mut s = Sample::default();
        failing(&mut s, FAILING, 1);
        for event in &mut s.events {
            if let EventKind::Evidence(e) = &mut event.event {
                e.parts[0].data = serde_json::json!(number);
            }
        }
        let data = |state: RunState| state.scenarios[FAILING].evidence[0].parts[0].data.clone();
        prop_assert_eq!(data(s.state()), data(folded(&s)));
    }

    /// Any part of a log, in any order, is survived by every report.
    #[test]
    fn no_order_of_events_is_a_panic(picks in proptest::collection::vec(0usize..200, 0..60)) {
        let all = everything().events;
        let mut state = RunState::default();
        for pick in picks {
            state.apply(&all[pick % all.len()]);
        }
        for kind in crate::report::FileKind::ALL {
            kind.render(&state).unwrap();
        }
        crate::report::progress::progress_lines(&state, state.last_ms, 80, 8);
        crate::report::progress::dump_lines(&state, 0);
        crate::report::summary::summary_lines(&state, None, 80);
    }
}
