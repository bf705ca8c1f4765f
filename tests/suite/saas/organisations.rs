//! Organisations: made, shared among scenarios, many at once, and purged.

use super::{Plane, TOKEN, text_of};
use crate::harness::{Harness, PASSES};

#[test]
fn an_organisation_of_another_process_is_made_and_purged() {
    let plane = Plane::start(&[]);
    let done = plane.run().scenario(PASSES).run();
    assert_eq!(done.code(), Some(0), "{}", done.stderr);
    for phase in ["control plane", "create", "instance", "token", "dns", "tls", "health", "api", "purge"] {
        assert!(done.stderr.contains(&format!("organisation: {phase}")), "{phase}: {}", done.stderr);
    }
    assert!(!text_of(&done).contains(TOKEN));
    assert_eq!(plane.living(), Vec::<String>::new());
}

/// An organisation is said to be somebody's for as long as its run may take: a sweep of another machine keeps off.
#[test]
fn an_organisation_is_kept_from_sweeps_for_as_long_as_its_run_may_take() {
    let plane = Plane::start(&[]);
    let until = || {
        let (_, body) = plane.ask("GET", "/cp/admin/orgs", None);
        let name = body["orgs"].as_array().and_then(|rows| rows.last()?["name"].as_str().map(str::to_owned));
        let (_, until) = name.as_deref().and_then(|name| name.split_once(" until ")).unwrap();
        until.parse::<jiff::Timestamp>().unwrap()
    };
    let waits = "scenario: waits\nsummary: May take long.\nbudget: 9h\nsteps:\n  \
                 - http: { path: /health, auth: none, until: true, within: 8h, expect: 200 }\n";
    for (more, hours) in [
        (&[][..], 8..10),
        (&["--repeat", "3", "--jobs", "1"], 24..26),
        (&["--retries", "1"], 16..18),
        (&["--global-timeout", "5h"], 5..7),
        (&["--repeat", "30", "--jobs", "1"], 47..49),
    ] {
        let began = lifecycle_harness::facade::clock::wall();
        plane.run().args(more.iter().copied()).scenario(waits).run().exit(0);
        let held = until().duration_since(began).as_hours();
        assert!(hours.contains(&held), "{more:?}: {held} h");
    }
}

#[test]
fn a_hundred_organisations_at_once_leave_nothing() {
    let lives = "scenario: lives\nsummary: An organisation of its own.\nneeds: [org]\nsteps:\n  \
                 - org: { as: own }\n  - http: { path: \"${own.url}/workspaces\", auth: { bearer: \"${own.token}\" }, headers: { X-Molecule-Org-Id: \"${own.id}\" }, expect: 200 }\n";
    let plane = Plane::start(&[]);
    let done = plane.run().args(["--repeat", "100"]).scenario(lives).run();
    assert_eq!(done.code(), Some(0), "{}", done.stderr);
    assert_eq!(plane.living(), Vec::<String>::new());
}

/// Three runs of a scenario share an organisation, or have two, or one each; each is there but once, and none is left.
#[test]
fn scenarios_share_organisations_or_have_their_own() {
    let plane = Plane::start(&[]);
    let lives = "scenario: lives\nsummary: A workspace lives.\nneeds: [external]\nsteps:\n  \
                 - create: { as: ws, external: true, delivery_mode: poll }\n";
    for (more, made) in [(&[][..], 1), (&["--org", "2"][..], 2), (&["--org", "each"][..], 3)] {
        let done = plane.run().args(["--repeat", "3"]).args(more.iter().copied()).scenario(lives).run();
        assert_eq!(done.code(), Some(0), "{more:?}: {}", done.stderr);
        let log = text_of(&done);
        for phase in ["create", "purge"] {
            let part = format!("\"part\":\"organisation: {phase}\"");
            assert_eq!(log.matches(&part).count(), made, "{more:?}: {phase}");
        }
        assert_eq!(plane.living(), Vec::<String>::new());
    }
    for wrong in [&["--org", "0"][..], &["--org", "all"][..]] {
        let refused = plane.run().args(wrong.iter().copied()).scenario(lives).run().exit(2);
        assert!(
            refused.stderr.contains("a number of organisations from 1 to 1000, or `each`"),
            "{}",
            refused.stderr
        );
    }
    let elsewhere = Harness::new().args(["run", "--org", "2"]).scenario(lives).run().exit(2);
    assert!(elsewhere.stderr.contains("--org"), "{}", elsewhere.stderr);
}
