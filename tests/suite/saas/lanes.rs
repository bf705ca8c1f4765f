//! Lanes of staging: each is one command, and its nights are told apart.

use std::sync::Arc;

use serde_json::json;

use super::Plane;
use crate::harness::{Harness, Output, PASSES, pause};

#[test]
fn the_lanes_are_green_on_a_control_plane_in_this_process() {
    for (profile, says) in [("replays", "replay-tenant-isolation"), ("reconciler", "reconciler")] {
        let done = Harness::new().args(["run", "--profile", profile]).run();
        assert_eq!(done.code(), Some(0), "{profile}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{}", done.stderr);
        assert!(done.stderr.contains("organisation: purge"), "{}", done.stderr);
    }
}

/// A lock file reaches as far as its disk: another machine's run is seen by its organisation.
#[test]
fn a_reconciler_runs_alone() {
    let plane = Plane::start(&[]);
    let until = lifecycle_harness::facade::clock::wall() + jiff::SignedDuration::from_secs(600);
    let slug = "e2e-20261128-1-0badcafe";
    let name = format!("lifecycle {slug} until {}", until.strftime("%Y-%m-%dT%H:%M:%SZ"));
    let body = json!({ "slug": slug, "name": name, "owner_user_id": "o" });
    assert_eq!(plane.ask("POST", "/cp/admin/orgs", Some(body)).0, 201);
    let done = plane.run().args(["--state", "state.json"]).scenario(PASSES).run();
    assert_eq!(done.code(), Some(8), "{}", done.stderr);
    assert!(done.stderr.contains("another run works here"), "{}", done.stderr);
    let done = plane.run().scenario(PASSES).run();
    assert_eq!(done.code(), Some(0), "without a state nobody asks: {}", done.stderr);
    assert_eq!(plane.living(), [slug]);
}

#[test]
fn a_job_that_ends_before_its_lane_may_is_warned_about() {
    let job = |minutes: u32| {
        format!(
            "jobs:\n  staging:\n    timeout-minutes: {minutes}\n    steps:\n      - run: lifecycle run --profile reconciler\n"
        )
    };
    let step = |minutes: u32, step: &str| {
        format!("jobs:\n  j:\n    timeout-minutes: {minutes}\n    steps:\n      - {step}\n")
    };
    let saas = "run: lifecycle run --target saas staging-smoke";
    let ours = "uses: ./.gitea/actions/lifecycle\n        with: { args: \"--profile reconciler\" }";
    for (text, line) in [
        (job(20), Some(3)),
        (job(600), None),
        // Nothing named: all scenarios, and the organisation.
        (step(100, "run: lifecycle run --target saas"), Some(3)),
        (step(100, saas), Some(3)),
        (step(600, saas), None),
        (step(20, ours), Some(3)),
        (step(600, ours), None),
        // Its own limit, its own variables, the target by a variable, two that follow each other.
        (step(600, &format!("timeout-minutes: 30\n        {saas}")), Some(5)),
        (step(600, &format!("env: {{ E2E_PROVISION_TIMEOUT_SECS: 36000 }}\n        {saas}")), Some(3)),
        (step(60, "env: { LIFECYCLE_TARGET: saas }\n        run: lifecycle run staging-smoke"), Some(3)),
        (step(60, "run: lifecycle run staging-smoke --global-timeout 5m"), None),
        (step(15, "run: lifecycle run local-provision && lifecycle run local-provision"), Some(3)),
        (step(15, "run: lifecycle run local-provision"), None),
        // What only a forge knows is not guessed.
        (step(1, "run: lifecycle run ${{ matrix.scenario }}"), None),
    ] {
        let done = Harness::new().file("w.yml", &text).args(["check", "w.yml"]).run().exit(0);
        let found = done.stderr.contains("check::timeout-too-short");
        assert_eq!(found, line.is_some(), "{text}: {}", done.stderr);
        if let Some(line) = line {
            assert!(done.stderr.contains(&format!("w.yml:{line}:")), "{text}: {}", done.stderr);
        }
    }
    for typed in [&["plan", "--profile", "reconciler"][..], &["plan", "--target", "saas", "reconciler"]] {
        let plan = Harness::new().args(typed.iter().copied()).run().exit(0);
        assert!(plan.stdout.contains("in all, with clean-up"), "{}", plan.stdout);
    }
}

/// Nights of a cron: how each ends, and what is said.
#[test]
fn the_reconcilers_nights_are_told_apart() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let night = |more: &[&str]| {
        let args = ["run", "--profile", "reconciler", "--state", "state.json", "-i", "noticed_within=2s"];
        Harness::within(&dir).args(args).args(more.iter().copied())
    };
    let stale = ["--fault", "stale-online-after-kill"];
    let never = ["--fault", "never-online"];
    let ends = |what: &str, done: Output, code: i32, says: &str| {
        assert_eq!(done.code(), Some(code), "{what}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{what}: {}", done.stderr);
        done
    };
    for (what, more, code, says) in [
        ("green", &[][..], 0, "1 passed"),
        ("new", &stale[..], 1, "  new "),
        ("known", &stale[..], 7, "  known "),
        // Of another kind: the provider is overloaded, says the answer.
        ("another", &["--fault", "error-as-text"][..], 70, "  new "),
        ("gone", &[][..], 0, "  fixed "),
        ("flapping", &stale[..], 1, "  new "),
        ("deadline of a phase", &["--org-within", "instance=1ms"][..], 3, "instance of http"),
        (
            "hard deadline",
            &[never[0], never[1], "--global-timeout", "4s"][..],
            1,
            "did not end within 4.00 s (--global-timeout)",
        ),
    ] {
        let done = ends(what, night(more).run(), code, says);
        assert!(done.stderr.contains("organisation: purge"), "{what}: {}", done.stderr);
        let named = done.stderr.contains("[dead-instance-stays-online]");
        assert_eq!(named, more == stale, "{what}: {}", done.stderr);
    }
    // Another run is at it; then it dies without a word, and its lock is nobody's.
    let first = night(&never).spawn();
    while !first.stderr().contains("organisation: api") {
        pause();
    }
    ends("overlap", night(&[]).run(), 8, "process ");
    first.signal("KILL");
    first.output();
    ends("stale lock", night(&[]).run(), 0, "  fixed ");
}
