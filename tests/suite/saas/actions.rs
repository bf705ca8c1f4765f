//! Actions behind the platform: gated ones, and the end of an instance.

use serde_json::{Value, json};

use super::Plane;
use crate::harness::wait_for;

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
