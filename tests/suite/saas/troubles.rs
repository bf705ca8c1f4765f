//! What goes wrong between a run and its tenant has a name, and nothing is left.

use std::sync::Arc;

use serde_json::json;

use super::{Plane, TOKEN};
use crate::harness::{Harness, PASSES, pause};
use crate::tls::Front;

/// What a control plane does, how the run ends, and what it says; nothing is left in any case. Most rows are in simulated
/// time: `whatever_goes_wrong_has_an_end_and_a_name`.
#[test]
fn what_goes_wrong_on_the_way_is_named() {
    let orgs = "/cp/admin/orgs";
    for (what, rules, code, says) in [
        ("down", vec![json!({ "path": "/health", "status": 503 })], 3, "control plane of http"),
        (
            "a page",
            vec![
                json!({ "path": orgs, "method": "GET", "status": 200, "body": "<html>hi</html>", "headers": { "content-type": "text/html" } }),
            ],
            3,
            "a page of HTML",
        ),
        (
            "name taken",
            vec![json!({ "path": orgs, "method": "POST", "status": 409, "body": { "error": "exists" } })],
            3,
            "is taken",
        ),
        (
            "name refused",
            vec![json!({ "path": orgs, "method": "POST", "status": 400, "body": { "error": "slug" } })],
            3,
            "does not take",
        ),
        (
            "create done, answer lost",
            vec![json!({ "path": orgs, "method": "POST", "after": true, "reset": true, "times": 1 })],
            0,
            "passed",
        ),
        (
            "no room",
            vec![
                json!({ "path": "/cp/admin/quota", "status": 200, "body": { "orgs": { "used": 3, "limit": 3 } } }),
            ],
            3,
            "no room",
        ),
        (
            "purge answers 500 and does it",
            vec![
                json!({ "path": "/cp/admin/tenants/*", "method": "DELETE", "status": 500, "after": true, "times": 1 }),
            ],
            0,
            "passed",
        ),
    ] {
        let plane = Plane::start(&[]);
        rules.into_iter().for_each(|rule| plane.rule(rule));
        let done = plane.run().args(["--org-within", "control-plane=2s"]).scenario(PASSES).run();
        assert_eq!(done.code(), Some(code), "{what}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{what}: {}", done.stderr);
        plane.ask("DELETE", "/__stub/routes", None);
        assert_eq!(plane.living(), Vec::<String>::new(), "{what}");
    }
}

/// Half up, and purges that are not what they seem: what is left is told, and a sweep removes it.
#[test]
fn what_a_purge_cannot_prove_is_a_leak() {
    const LEAKS: &str = "E2E_AWS_LEAK_CHECK";
    let plane = Plane::start(&[]);
    let purge = |status: u16, after: bool| json!({ "path": "/cp/admin/tenants/*", "method": "DELETE", "status": status, "after": after });
    let instances = |status: u16| {
        let living = json!({ "instances": [{ "instance_id": "i-forgotten", "state": "running" }] });
        json!({ "path": "/cp/admin/orgs/*/instances", "method": "GET", "status": status, "body": living })
    };
    let end =
        json!({ "path": "/cp/admin/instances/*/terminate", "method": "POST", "status": 202, "body": {} });
    for (what, rules, env, code, says) in [
        (
            "half up",
            vec![json!({ "path": "/cp/admin/orgs", "method": "GET", "status": 503 })],
            vec![],
            3,
            "control plane of http",
        ),
        ("a purge that is done later", vec![purge(202, true)], vec![], 0, "passed"),
        ("a purge that never comes", vec![purge(202, false)], vec![], 4, "the list still has it"),
        ("an instance outlives it", vec![instances(200)], vec![], 4, "instances outlive it: i-forgotten"),
        ("nobody looks", vec![instances(200)], vec![(LEAKS, "off")], 0, "passed"),
        ("no list", vec![instances(404)], vec![(LEAKS, "auto")], 0, "passed"),
        (
            "no list where one is required",
            vec![instances(404)],
            vec![(LEAKS, "required")],
            4,
            "is not known: 404",
        ),
        ("required, and listed", vec![], vec![(LEAKS, "required")], 0, "passed"),
        (
            "what outlives it is ended",
            vec![instances(200), end],
            vec![("E2E_AWS_TERMINATE_LEAKS", "1"), ("E2E_AWS_LEAK_CHECK_SECS", "0")],
            4,
            "i-forgotten was told to end",
        ),
        ("no word of it", vec![], vec![(LEAKS, "maybe")], 2, "one of off, auto, required"),
        ("no number", vec![], vec![("E2E_PROVISION_TIMEOUT_SECS", "soon")], 2, "a whole number of seconds"),
    ] {
        plane.ask("DELETE", "/__stub/routes", None);
        rules.into_iter().for_each(|rule| plane.rule(rule));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let run = plane.run_in(&dir).args(["--org-within", "control-plane=1s", "--org-within", "purge=1s"]);
        let run = env.into_iter().fold(run, |run, (name, value)| run.env(name, value));
        let done = run.scenario(PASSES).run();
        assert_eq!(done.code(), Some(code), "{what}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{what}: {}", done.stderr);
        plane.ask("DELETE", "/__stub/routes", None);
        if code == 4 {
            Harness::within(&dir).args(["sweep", "--cp-token", TOKEN]).run().exit(0);
        }
        assert_eq!(plane.living(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn bad_input_is_refused_before_anything_is_sent() {
    let plane = Plane::start(&[]);
    let path = ("E2E_LLM_PATH", "platform");
    let slug = |slug| vec![path, ("E2E_MODEL_SLUG", slug)];
    for (args, env, says) in [
        (vec!["reconciler"], slug("MiniMax-M2"), "`MiniMax-M2` is served by minimax with your own key"),
        (vec!["staging-smoke"], slug("MiniMax-M2.7"), "model::C1"),
        (vec!["staging-full"], slug("sonnet"), "model::C1"),
        (vec!["reconciler"], slug("no-such-model"), "model::C2"),
        (vec!["reconciler"], vec![path, ("E2E_DEFAULT_PLATFORM_MODEL", "MiniMax-M2")], "model::C1"),
        (vec!["reconciler", "-i", "model=MiniMax-M2"], vec![path], "model::C1"),
        // The reconciler's own path is the platform's.
        (vec!["reconciler"], vec![("E2E_MODEL_SLUG", "MiniMax-M2")], "model::C1"),
        (vec!["--org-prefix", "cp455-claude-code-"], vec![], "18 characters, limit 13"),
        (vec!["--org-prefix", "E2E"], vec![], "begins with a letter"),
        (vec!["--cp-route", "GET /x=1"], vec![], "is not a rule"),
        (vec!["--org-within", "moon=1s"], vec![], "one of control-plane"),
    ] {
        let mut harness = plane.run().args(args.iter().copied());
        for (name, value) in env {
            harness = harness.env(name, value);
        }
        let done = harness.run();
        assert_eq!(done.code(), Some(2), "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{args:?}: {}", done.stderr);
    }
    let done =
        Harness::new().args(["run", "--target", "saas", "--cp-url", &plane.base]).scenario(PASSES).run();
    assert_eq!(done.code(), Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("--cp-token"), "{}", done.stderr);
    let (_, seen) = plane.ask("GET", "/__stub/requests?path=/cp/admin", None);
    let posts = seen["requests"].as_array().unwrap().iter().filter(|r| r["method"] == "POST").count();
    assert_eq!(posts, 0, "{seen}");
}

/// What a tenant lacks is named by its phase, with its limit; what was made of it is purged.
#[test]
fn a_tenant_that_is_not_ready_is_named_by_its_phase() {
    let plane = Plane::at_pace("0.2", &[]);
    let done = plane.run().args(["--org-within", "instance=1s"]).scenario(PASSES).run().exit(3);
    assert!(done.stderr.contains("instance_status provisioning (after"), "{}", done.stderr);
    assert_eq!(plane.living(), Vec::<String>::new());

    let plane = Plane::start(&[]);
    let nowhere = "http://{slug}.nowhere.invalid";
    let done = plane
        .run()
        .args(["--tenant-domain", nowhere, "--org-within", "dns=1s"])
        .scenario(PASSES)
        .run()
        .exit(3);
    assert!(done.stderr.contains("FAILED     organisation: dns"), "{}", done.stderr);
    assert_eq!(plane.living(), Vec::<String>::new());

    let early = Front::of(&plane.base, "*.localhost", 2099);
    let tenants = early.base.replace("127.0.0.1", "{slug}.localhost");
    let done =
        plane.run().file("ca.pem", &early.ca).args(["--tenant-domain", &tenants, "--ca-cert", "ca.pem"]);
    let done = done.args(["--org-within", "tls=1s"]).scenario(PASSES).run().exit(3);
    assert!(done.stderr.contains("FAILED     organisation: tls"), "{}", done.stderr);
    assert!(done.stderr.contains("not valid yet"), "{}", done.stderr);
    assert_eq!(plane.living(), Vec::<String>::new());
}

/// The tenant refuses in the middle what it took before: the run says so, and the control plane purges all the same.
#[test]
fn a_token_that_expires_in_the_middle_is_named() {
    let plane = Plane::start(&[]);
    let asks = "scenario: asks\nsummary: Asks until somebody refuses.\nsteps:\n  \
                - http: { path: /workspaces, until: true, within: 60s, expect: 401 }\n  - create: { as: ws, external: true, delivery_mode: poll }\n";
    let process = plane.run().scenario(asks).spawn();
    while !process.stderr().contains("PLAN") {
        pause();
    }
    plane.rule(json!({ "path": "/workspaces*", "org": "*", "status": 401, "body": { "error": "invalid admin auth token" } }));
    let done = process.output().exit(1);
    assert!(done.stderr.contains("admin-token-refused"), "{}", done.stderr);
    plane.ask("DELETE", "/__stub/routes", None);
    assert_eq!(plane.living(), Vec::<String>::new());
}

/// One question without a credential: whoever answers below 500 is up. Nothing is made when it is not.
#[test]
fn the_proxy_of_the_platforms_models_is_asked_before_an_organisation_is_made() {
    let plane = Plane::start(&[]);
    let route = "/api/v1/internal/llm/openai/v1/chat/completions";
    let there = format!("{}{route}", plane.base);
    let down = json!({ "path": route, "status": 503 });
    let cut = json!({ "path": route, "reset": true });
    for (what, rule, url, code, says) in [
        ("a refusal is up", None, Some(there.as_str()), 0, "answered 401: it is up"),
        ("down", Some(&down), Some(&there), 70, "exit 70: DEP-DOWN:staging-llm http"),
        ("cut", Some(&cut), Some(&there), 70, "exit 70: DEP-DOWN:staging-llm http"),
        ("the control plane's own", Some(&down), None, 70, "exit 70: DEP-DOWN:staging-llm http"),
        (
            "nobody there",
            None,
            Some("http://127.0.0.1:1/v1"),
            70,
            "DEP-DOWN:staging-llm http://127.0.0.1:1/v1",
        ),
        ("no address", None, Some("staging"), 71, "exit 71: CONFIG-MISSING:staging-llm-proxy-url staging"),
    ] {
        plane.ask("DELETE", "/__stub/routes", None);
        if let Some(rule) = rule {
            plane.rule(rule.clone());
        }
        let run = match url {
            Some(url) => plane.run().env("E2E_LLM_PROXY_URL", url).scenario(PASSES),
            None => plane.run().args(["staging-platform-boot"]),
        };
        let done = run.run();
        assert_eq!(done.code(), Some(code), "{what}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{what}: {}", done.stderr);
        assert_eq!(done.stderr.contains("organisation: create"), code == 0, "{what}: {}", done.stderr);
    }
    assert_eq!(plane.living(), Vec::<String>::new());
}
