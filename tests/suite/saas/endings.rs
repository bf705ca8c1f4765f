//! How a run at a control plane ends: by signals, a kill, or as it is asked to keep what it made.

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::{Plane, TOKEN};
use crate::harness::{Harness, PASSES, Process, pause, switch};

#[test]
fn a_killed_run_is_swept_and_a_live_one_is_left_alone() {
    let plane = Plane::start(&[]);
    let waits = "scenario: waits\nsummary: Holds on.\nneeds: [external]\nsteps:\n  \
                 - create: { as: ws, external: true, delivery_mode: poll }\n  - http: { path: /nowhere, until: true, within: 100s, expect: 200 }\n";
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let sweep = |dir: &Arc<TempDir>, more: &[&str]| {
        Harness::within(dir).args(["sweep", "--cp-token", TOKEN]).args(more.iter().copied()).run()
    };
    for signal in ["INT", "TERM", "KILL"] {
        let process = plane.run_in(&dir).scenario(waits).spawn();
        while !process.stderr().contains("organisation: api") {
            pause();
        }
        if signal == "KILL" {
            let by_name = ["--cp-url", &plane.base, "--older-than", "0s"];
            sweep(&dir, &by_name);
            sweep(&Arc::new(tempfile::tempdir().unwrap()), &by_name);
            assert_eq!(plane.living().len(), 1, "somebody works on it, says its name");
        }
        process.signal(signal);
        let done = process.output();
        if signal == "KILL" {
            assert_eq!(plane.living().len(), 1);
            let swept = sweep(&dir, &[]);
            assert_eq!(swept.code(), Some(0), "{}{}", swept.stdout, swept.stderr);
        } else {
            let code = if signal == "INT" { 130 } else { 143 };
            assert_eq!(done.code(), Some(code), "{}", done.stderr);
        }
        assert_eq!(plane.living(), Vec::<String>::new(), "{signal}: {}", done.stderr);
    }
    // Whatever is not of our form is never ours, however old.
    for slug in ["rt-e2e-20260101-1-0badcafe", "e2e-customer", "e2e-20260101-1-0badcafe"] {
        let body = json!({ "slug": slug, "name": slug, "owner_user_id": "o" });
        assert_eq!(plane.ask("POST", "/cp/admin/orgs", Some(body)).0, 201);
    }
    let swept = sweep(&dir, &["--cp-url", &plane.base, "--older-than", "0s"]);
    assert_eq!(swept.code(), Some(0), "{}", swept.stderr);
    assert_eq!(plane.living(), ["rt-e2e-20260101-1-0badcafe", "e2e-customer"]);
}

#[test]
fn a_kept_organisation_stays_until_a_sweep() {
    let plane = Plane::start(&[]);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let done = plane.run_in(&dir).args(["--keep-org"]).scenario(PASSES).run();
    assert_eq!(done.code(), Some(0), "{}", done.stderr);
    assert_eq!(plane.living().len(), 1);
    let swept = Harness::within(&dir).args(["sweep", "--cp-token", TOKEN]).run();
    assert_eq!(swept.code(), Some(0), "{}", swept.stderr);
    assert_eq!(plane.living(), Vec::<String>::new());
}

/// `LIFECYCLE_MOMENTS=50`: so many moments of a run for each signal; a few otherwise. Moments are counted in events.
#[test]
fn a_signal_at_any_moment_leaves_no_organisation() {
    let moments = switch("LIFECYCLE_MOMENTS").and_then(|n| n.parse().ok()).unwrap_or(3);
    let plane = Plane::start(&[]);
    let lives = "scenario: lives\nsummary: A workspace lives.\nneeds: [external]\nsteps:\n  \
                 - create: { as: ws, external: true, delivery_mode: poll }\n  - http: { path: /workspaces, expect: 200 }\n";
    for signal in ["INT", "TERM", "KILL"] {
        for moment in 0..moments {
            // A whole run has about fifty events.
            let wanted = moment * 50 / moments;
            let dir = Arc::new(tempfile::tempdir().unwrap());
            let mut process = plane.run_in(&dir).scenario(lives).spawn();
            let events = |process: &Process| {
                let log = process
                    .run_folder()
                    .and_then(|run| std::fs::read_to_string(run.join("events.jsonl")).ok());
                log.map_or(0, |log| log.lines().count())
            };
            while events(&process) < wanted && !process.ended() {
                pause();
            }
            process.signal(signal);
            let done = process.output();
            if signal == "KILL" {
                Harness::within(&dir).args(["sweep", "--cp-token", TOKEN]).run();
            }
            assert_eq!(
                plane.living(),
                Vec::<String>::new(),
                "{signal} after {wanted} events: {}",
                done.stderr
            );
        }
    }
}
