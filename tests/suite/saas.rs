//! Runs against a control plane: embedded, and in a process of its own; what goes wrong on the way; nothing is left.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{Harness, Output, PASSES, Process, pause, switch, wait_for};
use super::tls::Front;

const TOKEN: &str = "cp-token-of-the-tests";

/// A control plane in a process of its own.
struct Plane {
    _process: Process,
    base: String,
}

impl Plane {
    fn start(more: &[&str]) -> Plane {
        Plane::at_pace("40", more)
    }

    /// Its clock is so much faster than real time.
    fn at_pace(scale: &str, more: &[&str]) -> Plane {
        let args = [
            "serve",
            "control-plane",
            "--listen",
            "127.0.0.1:0",
            "--time-scale",
            scale,
            "--admin-token",
            TOKEN,
        ];
        let process = Harness::new().args(args).args(more.iter().copied()).spawn();
        loop {
            let said = process.stdout();
            if let Some(base) = said.lines().next() {
                return Plane { base: base.to_owned(), _process: process };
            }
            pause();
        }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = client.request(method, format!("{}{path}", self.base)).bearer_auth(TOKEN);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, answer.json().await.unwrap_or(Value::Null))
        })
    }

    fn rule(&self, rule: Value) {
        assert_eq!(self.ask("POST", "/__stub/routes", Some(rule)).0, 201);
    }

    /// Slugs of organisations that are not purged.
    fn living(&self) -> Vec<String> {
        let (_, body) = self.ask("GET", "/cp/admin/orgs", None);
        let rows = body["orgs"].as_array().cloned().unwrap_or_default();
        let living = rows.into_iter().filter(|row| row["status"] != "purged");
        living.filter_map(|row| row["slug"].as_str().map(str::to_owned)).collect()
    }

    fn run(&self) -> Harness {
        self.run_in(&Arc::new(tempfile::tempdir().unwrap()))
    }

    fn run_in(&self, dir: &Arc<TempDir>) -> Harness {
        let args = ["run", "--target", "saas", "--cp-url", &self.base, "--cp-token", TOKEN];
        Harness::within(dir).args(args)
    }
}

/// The log of its run.
fn text_of(done: &Output) -> String {
    std::fs::read_to_string(done.run_folder().join("events.jsonl")).unwrap()
}

#[test]
fn the_lanes_are_green_on_a_control_plane_in_this_process() {
    for (profile, says) in [("replays", "replay-tenant-isolation"), ("reconciler", "reconciler")] {
        let done = Harness::new().args(["run", "--profile", profile]).run();
        assert_eq!(done.code(), Some(0), "{profile}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{}", done.stderr);
        assert!(done.stderr.contains("organisation: purge"), "{}", done.stderr);
    }
}

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

/// What a control plane does, how the run ends, and what it says; nothing is left in any case.
#[test]
fn what_goes_wrong_on_the_way_is_named() {
    let orgs = "/cp/admin/orgs";
    for (what, rules, code, says) in [
        ("down for a moment", vec![json!({ "path": "/health", "status": 503, "times": 2 })], 0, "passed"),
        ("down", vec![json!({ "path": "/health", "status": 503 })], 3, "control plane of http"),
        (
            "a page",
            vec![
                json!({ "path": orgs, "method": "GET", "status": 200, "body": "<html>hi</html>", "headers": { "content-type": "text/html" } }),
            ],
            3,
            "a page of HTML",
        ),
        ("slow", vec![json!({ "path": orgs, "method": "POST", "delay_ms": 300, "times": 1 })], 0, "passed"),
        (
            "refused token",
            vec![json!({ "path": orgs, "method": "GET", "status": 401 })],
            3,
            "refuses the token",
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
            "rate limit",
            vec![
                json!({ "path": orgs, "method": "POST", "status": 429, "headers": { "retry-after": "1" }, "times": 1 }),
            ],
            0,
            "passed",
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
            "the list fails for a moment",
            vec![json!({ "path": orgs, "method": "GET", "status": 500, "times": 3 })],
            0,
            "passed",
        ),
        (
            "purge answers 500 once",
            vec![json!({ "path": "/cp/admin/tenants/*", "method": "DELETE", "status": 500, "times": 1 })],
            0,
            "passed",
        ),
        (
            "purge answers 500 and does it",
            vec![
                json!({ "path": "/cp/admin/tenants/*", "method": "DELETE", "status": 500, "after": true, "times": 1 }),
            ],
            0,
            "passed",
        ),
        (
            "purge answers 409 first",
            vec![json!({ "path": "/cp/admin/tenants/*", "method": "DELETE", "status": 409, "times": 2 })],
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

/// A gated action: approved and sent once more, denied, decided by nobody in time, decided where nobody may, approved in vain.
#[test]
fn an_action_that_waits_for_an_approval_is_decided_on() {
    let tenant = ["--tenant-env", "MOLECULE_PLATFORM_WORKSPACE_ID=anchor"];
    let plane = Plane::start(&tenant);
    let step = |decision: &str, within: &str, wants: u16| {
        format!(
            "scenario: gated\nsummary: An action waits.\nneeds: [external]\nsteps:\n  \
             - create: {{ as: ws, external: true, delivery_mode: poll }}\n  \
             - http: {{ method: POST, path: /org/tokens, json: {{ name: n }}, within: {within}, expect: {wants}, approval: {{ workspace: \"${{ws.id}}\", decision: {decision} }} }}\n"
        )
    };
    let of_decisions = |rule: Value| {
        let mut rule = rule;
        (rule["method"], rule["path"], rule["org"]) = (json!("POST"), json!("/workspaces/*"), json!("*"));
        rule
    };
    for (what, decision, within, wants, rule, code, says) in [
        ("approved", "approved", "30s", 200, None, 0, ""),
        ("denied", "denied", "30s", 202, None, 0, ""),
        ("approved, and another answer is wanted", "approved", "30s", 201, None, 1, "200"),
        (
            "not decided in time",
            "approved",
            "1s",
            200,
            Some(json!({ "hang": true })),
            3,
            "decide on the approval that POST /org/tokens waits for",
        ),
        (
            "refused",
            "approved",
            "30s",
            200,
            Some(json!({ "status": 403, "body": { "error": "not yours to decide" } })),
            1,
            "and `approved` was not taken: 403: not yours to decide",
        ),
        (
            "in vain",
            "approved",
            "30s",
            200,
            Some(json!({ "status": 200, "body": { "status": "approved" } })),
            1,
            "and waits for the same approval when it is sent once more",
        ),
    ] {
        plane.ask("DELETE", "/__stub/routes", None);
        if let Some(rule) = rule {
            plane.rule(of_decisions(rule));
        }
        let done = plane.run().scenario(&step(decision, within, wants)).run();
        assert_eq!(done.code(), Some(code), "{what}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{what}: {}", done.stderr);
        plane.ask("DELETE", "/__stub/routes", None);
        assert_eq!(plane.living(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn a_compose_file_that_calls_elsewhere_is_found_with_its_line() {
    let compose = "services:\n  tenant:\n    environment:\n      MOLECULE_ORG_ID: o\n      CP_UPSTREAM_URL: http://cp-stub:9090\n";
    let done = Harness::new().file("compose.yml", compose).args(["check", "compose.yml"]).run();
    assert_eq!(done.code(), Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("compose.yml:5") && done.stderr.contains("#2863"), "{}", done.stderr);
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

/// A cloud's own command ends what the control plane cannot.
#[test]
fn an_instance_can_be_ended_by_a_command() {
    let plane = Plane::start(&[]);
    let ends = "scenario: ends\nsummary: An instance is ended.\nneeds: [instances]\nsteps:\n  \
                - create: { as: ws, runtime: claude-code, model: auto }\n  - await: { workspace: ws, status: online, within: 60s }\n  \
                - terminate: ws\n  - await: { workspace: ws, status: online, new_instance: true, within: 60s }\n";
    let script = "echo \"$1\" > asked.tmp && mv asked.tmp asked\nuntil [ -e done ]; do sleep 0.05; done\n";
    let process = plane.run().file("end.sh", script).env("LIFECYCLE_TERMINATE", "sh end.sh {instance}");
    let process = process
        .env("PATH", "/usr/bin:/bin")
        .env("MINIMAX_API_KEY", "a-key-of-the-tests")
        .scenario(ends)
        .spawn();
    let asked = process.dir().path().join("asked");
    let instance = wait_for("the command was asked", || std::fs::read_to_string(&asked).ok());
    let path = format!("/cp/admin/instances/{}/terminate", instance.trim());
    assert_eq!(plane.ask("POST", &path, None).0, 200);
    std::fs::write(process.dir().path().join("done"), "").unwrap();
    process.output().exit(0);
    let (_, seen) = plane.ask("GET", "/__stub/requests?path=/cp/admin/instances", None);
    assert_eq!(seen["requests"].as_array().map(Vec::len), Some(1), "only the test asked: {seen}");
    assert_eq!(plane.living(), Vec::<String>::new());

    let run = || plane.run().scenario(ends);
    let fails = run()
        .env("LIFECYCLE_TERMINATE", "false {instance}")
        .env("MINIMAX_API_KEY", "k")
        .env("PATH", "/usr/bin:/bin");
    assert!(fails.run().exit(3).stderr.contains("`false` ended with 1"));
    let lacks = run().env("LIFECYCLE_TERMINATE", "aws ec2 terminate-instances").run().exit(2);
    assert!(lacks.stderr.contains("LIFECYCLE_TERMINATE has none of {instance}"), "{}", lacks.stderr);
}
