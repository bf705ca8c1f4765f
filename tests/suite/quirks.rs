//! The shipped suite against a server as it should be, and against one as it was seen (contract §13, §14.2).

use super::harness::{Harness, Output, of_kind, word};

/// What an observed server does and should not, so that these fail as expected there.
const SEEN: [&str; 4] =
    ["external-kimi-stays-online", "external-resume", "local-delete-leaves-nothing", "local-hibernate-wake"];

fn suite(quirks: &str, scale: &str) -> Harness {
    Harness::new().args(["run", "-q", "--quirks", quirks, "--time-scale", scale])
}

/// Who did neither pass nor lack an engine.
fn others(output: &Output) -> Vec<(String, String)> {
    let events = output.events();
    let finished: Vec<_> = of_kind(&events, "scenario_finished").collect();
    assert!(finished.len() > 80, "only {}: {}", finished.len(), output.stderr);
    finished
        .into_iter()
        .map(|e| (word(&e["scenario"]), word(&e["verdict"]), word(&e["reason"])))
        .filter(|(_, verdict, why)| {
            verdict != "passed" && !(verdict == "skipped" && why.contains("containers"))
        })
        .map(|(scenario, verdict, _)| (scenario, verdict))
        .collect()
}

#[test]
fn the_shipped_suite_is_green_where_the_quirks_are_mended() {
    // Three at once, one of them so fast that what waits too short shows.
    let runs = ["40", "40", "80"].map(|scale| suite("intended", scale).spawn());
    for run in runs {
        let output = run.output();
        assert_eq!(others(&output), [], "{}", output.stderr);
        let left = output.events();
        for cleaned in of_kind(&left, "cleanup_finished") {
            assert_eq!((&cleaned["leaks"], &cleaned["left_by_platform"]), (&0.into(), &0.into()));
        }
        output.exit(0);
    }
}

#[test]
fn what_was_seen_and_should_not_be_is_expected_to_fail() {
    let output = suite("observed", "40").run();
    let mut seen = others(&output);
    seen.sort();
    assert_eq!(seen, SEEN.map(|name| (name.to_owned(), "expected_failure".to_owned())), "{}", output.stderr);
    output.exit(0);
}
