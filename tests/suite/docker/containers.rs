//! What is expected of containers, what happens to them, and what it is called.

use super::{all_passed, docker, engine};
use crate::engine_proxy::{EngineProxy, Silence};
use crate::harness::{Harness, Output, of_kind, word};

/// A scenario that fails on purpose: its body after the create.
pub(super) fn red(body: &str) -> String {
    format!(
        "scenario: red\nsummary: Fails on purpose.\nneeds: [managed, containers]\nbudget: 2m\nsteps:\n{body}"
    )
}

/// The mechanism of the one red, the exit code, and everything that was said.
#[track_caller]
pub(super) fn mechanism_of(output: &Output) -> String {
    let events = output.events();
    let found: Vec<String> = of_kind(&events, "diagnosed").map(|d| word(&d["mechanism"])).collect();
    assert_eq!(found.len(), 1, "{}", output.stderr);
    found[0].clone()
}

/// The text was said, however the lines are broken.
#[track_caller]
pub(super) fn tells(output: &Output, text: &str) {
    let said = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(text), "`{text}` was not said:\n{}", output.stderr);
}

pub(super) const CREATE: &str = "  - create: { as: ws, runtime: claude-code, model: auto }\n";
pub(super) const ONLINE: &str = "  - await: { workspace: ws, status: online, within: 90s }\n";

#[test]
fn what_is_expected_of_a_container_is_looked_at() {
    let Some(held) = engine() else { return };
    let table = [
        ("satisfies: contract, json: { $.memory_mib: 256 }", "expected $.memory_mib to be 256, got 512"),
        ("state: exited", "it is running, expected exited"),
        ("state: absent, volumes: { configs: absent }", "it is running, expected absent"),
        ("volumes: { sessions: absent }", "-claude-sessions is there"),
    ];
    for (expected, said) in table {
        let body = format!("{CREATE}{ONLINE}  - expect: {{ container_of: ws, {expected}, within: 500ms }}\n");
        docker().scenario(&red(&body)).run().exit(1).stderr_has(said);
    }
    held.as_before("after what was not so");
}

#[test]
fn what_happens_to_a_container_is_made_and_seen() {
    let Some(held) = engine() else { return };
    all_passed(docker().args(["docker-as-made", "docker-out-of-memory", "docker-exits-at-once"]).run());
    held.as_before("after out of memory and exits");
}

/// The reds that only an engine can explain.
#[test]
fn a_container_that_dies_is_named_by_its_cause() {
    let Some(held) = engine() else { return };
    let agent = |fault: &str| {
        let secrets = format!("secrets: {{ LIFECYCLE_AGENT_FAULTS: {fault} }}");
        let wait = "  - await: { workspace: ws, status: online, within: 10s }\n";
        format!("  - create: {{ as: ws, runtime: claude-code, model: auto, {secrets} }}\n{wait}")
    };
    let acted = |action: &str| {
        let act = format!("  - container: {{ workspace: ws, action: {action} }}\n");
        format!("{CREATE}{ONLINE}{act}  - a2a: {{ to: ws, say: known-answer, within: 5s }}\n")
    };
    let table = [
        (agent("exit-at-once"), "container-keeps-exiting", 1, "exit code 3"),
        (agent("takes-all-memory"), "container-out-of-memory", 1, "oom"),
        (acted("pause"), "container-frozen", 3, "paused"),
        (acted("disconnect"), "container-cut-off", 3, "from inside"),
    ];
    for (body, mechanism, code, said) in table {
        let output = docker().scenario(&red(&body)).run().exit(code).stderr_has(said);
        assert_eq!(mechanism_of(&output), mechanism, "{}", output.stderr);
    }
    held.as_before("after reds");
}

/// The neighbour that asks is removed when its answer is known, and the answer does not wait for that.
#[test]
fn an_answer_from_inside_does_not_wait_for_the_removal() {
    let Some(held) = engine() else { return };
    let silence = Silence { method: "DELETE", about: "/lifecycle-probe-", reaches: true, closes: false };
    let Some(proxy) = EngineProxy::before(&held.engine, silence) else { return };
    let pause = "  - container: { workspace: ws, action: pause }\n";
    let asks = "  - expect: { container_of: ws, state: running, within: 1ms }\n";
    let run = docker().scenario(&red(&format!("{CREATE}{ONLINE}{pause}{asks}")));
    let output = run.env("DOCKER_HOST", &proxy.host).run();
    assert_eq!(proxy.met(), 1, "{}", output.stderr);
    let whole = output.then(["explain", "last", "--full"]).run().exit(0);
    whole.stdout_has("asked from its network:").stdout_has("answered 200");
    held.as_before("after a removal of which nobody heard");
}

/// What evidence runs inside says within its time that nobody answers.
#[test]
fn a_probe_of_a_silent_address_is_told_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/health", silent.local_addr().unwrap());
    let output = Harness::new().args(["probe", &url]).run().exit(3);
    let output = output.stdout_has("\"answered\":false");
    assert!(output.stdout.contains("1.50 s"), "{}", output.stdout);
}

/// After the restart the old container goes on with its heartbeats, so that the row turns online by them.
#[test]
fn an_old_container_that_still_speaks_is_no_new_instance() {
    let Some(held) = engine() else { return };
    let body = "  - restart: ws
  - await: { workspace: ws, status: online, url: false, within: 60s }
  - await: { workspace: ws, status: online, new_instance: true, within: 120s }
  - expect: { event_of: ws, event: WORKSPACE_ONLINE, within: 1ms }
  - a2a: { to: ws, say: known-answer }
";
    let output = docker()
        .args(["--fault", "old-lingers=10"])
        .scenario(&red(&format!("{CREATE}{ONLINE}{body}")).replace("scenario: red", "scenario: lingers"))
        .run();
    let output = all_passed(output);
    let events = output.events();
    let online = of_kind(&events, "observed").filter(|o| o["edge"] == 1 && o["status"] == "online");
    let by_the_old: Vec<_> = online.filter(|o| word(&o["url"]).is_empty()).collect();
    assert!(!by_the_old.is_empty(), "the old one's heartbeats did turn the row online");
    held.as_before("after a lingering container");
}
