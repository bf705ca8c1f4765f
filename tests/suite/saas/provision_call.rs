//! The call by which a server asks for an instance: what came of it, and what was wrong with it.

use serde_json::json;

use super::{Plane, text_of};
use crate::harness::{Harness, Output};

/// The pair of #2316 in a copy of the staging lane's workflow, and sent on purpose.
#[test]
fn a_vendors_model_on_the_platforms_path_is_found_and_explained() {
    let healthy =
        concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/workflows/healthy/e2e-staging-reconciler.yml");
    let healthy = std::fs::read_to_string(healthy).unwrap();
    let line = healthy.lines().position(|line| line.trim().starts_with("E2E_LLM_PATH:")).unwrap() + 1;
    let written = healthy.lines().nth(line - 1).unwrap().to_owned();
    let planted = written.replace(written.trim(), "E2E_MODEL_SLUG: MiniMax-M2");
    let broken = healthy.replacen(&written, &format!("{written}\n{planted}"), 1);
    Harness::new().file("w.yml", &healthy).args(["check", "w.yml"]).run().exit(0);
    let found = Harness::new().file("w.yml", broken).args(["check", "w.yml"]).run().exit(2);
    for part in ["model::C1", &format!("w.yml:{line}:"), "MiniMax-M2", "E2E_LLM_PATH: platform"] {
        assert!(found.stderr.contains(part), "{part}: {}", found.stderr);
    }
    let on_purpose = "scenario: on-purpose\nsummary: A vendor's model without a key.\nneeds: [managed]\nsteps:\n  \
                      - create: { as: ws, runtime: claude-code, model: MiniMax-M2, llm_path: platform, credentials: none, contradiction: C1 }\n";
    let done = Harness::new().args(["run", "--target", "saas"]).scenario(on_purpose).run().exit(1);
    for part in ["platform-path-with-vendor-model", "#2316", "sent: model MiniMax-M2, no secrets"] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
}

const BOOTS: &str = "scenario: boots\nsummary: A workspace comes online.\nneeds: [managed]\nsteps:\n  \
                     - create: { as: ws, runtime: claude-code, model: auto }\n  - await: { workspace: ws, status: online, within: 30s }\n";

/// The row is the same each time; the record and the log tell what it was.
#[test]
fn answers_to_the_provision_call_have_names_of_their_own() {
    for (answer, mechanism, class) in [
        ("200", "cp-answers-200-instead-of-201", "infra"),
        ("401", "cp-refuses-credentials", "infra"),
        ("500", "cp-answers-server-error", "infra"),
        ("garbage", "cp-answer-is-garbled", "infra"),
        ("reset", "cp-does-not-answer", "infra"),
        ("502x3", "cp-behind-a-gateway-error", "infra"),
    ] {
        let rule = format!("POST /cp/workspaces/provision={answer}");
        let done =
            Harness::new().args(["run", "--target", "saas", "--cp-route", &rule]).scenario(BOOTS).run();
        assert!(done.stderr.contains(mechanism), "{answer}: {}", done.stderr);
        assert!(text_of(&done).contains(&format!("\"class\":\"{class}\"")), "{answer}");
    }
}

/// The same answers where neither the record nor the log can be read: one name, and what is missing to decide.
#[test]
fn without_record_and_log_one_honest_name_is_left() {
    let plane = Plane::start(&[]);
    for answer in [
        json!({ "status": 200 }),
        json!({ "status": 401 }),
        json!({ "status": 500 }),
        json!({ "status": 201, "body": "\u{1}not json {" }),
        json!({ "reset": true }),
        json!({ "status": 502, "times": 3 }),
    ] {
        let mut rule = answer.clone();
        rule["path"] = json!("/cp/workspaces/provision");
        plane.rule(rule);
        for path in ["/__stub/requests", "/__stub/state"] {
            plane.rule(json!({ "path": path, "status": 404 }));
        }
        plane.rule(json!({ "path": "/__lifecycle*", "org": "*", "status": 404 }));
        let done = plane.run().env("MINIMAX_API_KEY", "a-key-of-the-tests").scenario(BOOTS).run().exit(3);
        for part in
            ["cp-provision-failed", "Undecided without the server's log or the control plane's record"]
        {
            assert!(done.stderr.contains(part), "{answer}: {}", done.stderr);
        }
        plane.ask("DELETE", "/__stub/routes", None);
        assert_eq!(plane.living(), Vec::<String>::new(), "{answer}");
    }
}

/// #2863: the server has CP_UPSTREAM_URL only, so its calls never arrive here.
#[test]
fn a_provision_call_that_went_elsewhere_is_named() {
    let elsewhere = ["--tenant-env", "CP_PROVISION_URL=", "--tenant-env", "MOLECULE_CP_URL="];
    let named = |done: Output| {
        for part in ["cp-call-went-elsewhere", "CP_UPSTREAM_URL", "#2863", "provision_calls 0"] {
            assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
        }
        assert!(text_of(&done).contains("\"class\":\"config\""));
    };
    let ours = Harness::new().args(["run", "--target", "saas"]).args(elsewhere);
    named(ours.scenario(BOOTS).run().exit(1));
    // A stub that keeps no record has counters, and they stay at zero.
    let plane = Plane::start(&elsewhere);
    plane.rule(json!({ "path": "/__stub/requests", "status": 404 }));
    named(plane.run().env("MINIMAX_API_KEY", "a-key-of-the-tests").scenario(BOOTS).run().exit(1));
    assert_eq!(plane.ask("GET", "/__stub/state", None).1["provision_calls"], 0);
}

#[test]
fn a_compose_file_that_calls_elsewhere_is_found_with_its_line() {
    let compose = "services:\n  tenant:\n    environment:\n      MOLECULE_ORG_ID: o\n      CP_UPSTREAM_URL: http://cp-stub:9090\n";
    let done = Harness::new().file("compose.yml", compose).args(["check", "compose.yml"]).run();
    assert_eq!(done.code(), Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("compose.yml:5") && done.stderr.contains("#2863"), "{}", done.stderr);
}
