//! Verdicts that are easily wrong: what is green for the wrong reason, and what is blamed on the wrong part.

use super::harness::{Harness, Output, rows, wait_for};
use super::platform::Platform;
use super::proxy::{Mischief, Proxy, Rule};

mod the_verdict_is_of_what_happened {
    use super::*;

    /// Head, steps, exit code, what is said.
    fn row((head, steps, code, said): (&str, &str, i32, &str)) {
        let text = format!("scenario: easily-wrong\n{head}\nsteps:\n{steps}");
        let output = Harness::new().args(["run", "--allow-exec"]).scenario(&text).run();
        assert_eq!(output.code(), Some(code), "{}", output.stderr);
        assert!(output.stderr.contains(said), "no `{said}` in\n{}", output.stderr);
    }

    rows! {
        row;
        a_broken_scenario_is_no_known_issue: (
            "expect_failure: { issue: x-1, reason: known, until: 2099-12-31 }",
            "  - exec: { argv: [no-such-program-anywhere] }\n",
            1,
            "cannot run `no-such-program-anywhere`",
        ),
        a_known_issue_fails_in_the_body: (
            "expect_failure: { issue: x-1, reason: known, until: 2099-12-31 }",
            "  - http: { path: /health, expect: { status: 418 } }\n",
            0,
            "1 failed as expected",
        ),
        only_finally_fails_and_the_body_was_to: (
            "expect_failure: { issue: x-1, reason: known, until: 2099-12-31 }",
            "  - http: { path: /health }\nfinally:\n  - http: { path: /no-such-path }\n",
            1,
            "wanted a 2xx, got 404",
        ),
        an_edge_that_was_awaited_explains_no_absence: (
            "needs: [managed]",
            "  - create:  { as: ws, runtime: claude-code, model: auto }
  - await:   { workspace: ws, status: online, within: 90s }
  - restart: ws
  - await:   { workspace: ws, status: online, new_instance: true, within: 90s }
  - await:   { workspace: ws, status: online, leaves: true, within: 3s }
",
            1,
            "wanted ws to leave online: not within 3.00 s (`within: 3.00 s`); last seen: still online",
        ),
        to_enter_a_status_is_not_to_leave_it: (
            "needs: [managed]",
            "  - create:  { as: ws, runtime: claude-code, model: auto }
  - await:   { workspace: ws, status: online, within: 90s }
  - restart: ws
  - await:   { workspace: ws, status: provisioning, leaves: true, within: 30s }
  - expect:  { value: \"${ws.status}\", is: online }
",
            0,
            "1 passed",
        ),
        paused_beside_online_wants_no_url: (
            "needs: [managed]",
            "  - create:  { as: ws, runtime: claude-code, model: auto }
  - await:   { workspace: ws, status: online, within: 60s }
  - pause:   ws
  - await:   { workspace: ws, status: [online, paused], within: 5s }
",
            0,
            "1 passed",
        ),
        a_command_that_writes_as_it_reads: (
            "summary: x",
            "  - capture: { a: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" }
  - capture: { b: \"${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}\" }
  - capture: { c: \"${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}\" }
  - capture: { d: \"${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}\" }
  - exec:    { argv: [cat], stdin: \"${d}\" }
    within: 30s
",
            0,
            "1 passed",
        ),
        a_command_that_says_more_than_is_kept: (
            "summary: x",
            "  - exec: { argv: [seq, \"1\", \"400000\"] }\n    within: 30s\n",
            0,
            "1 passed",
        ),
    }
}

const NO_RUNTIME: &str = "scenario: no-runtime
summary: Leaves the runtime to the platform.
needs: [managed, env]
steps:
  - create: { as: ws }
  - await:  { workspace: ws, status: online, within: 30s }
  - expect: { env_of: ws, satisfies: provider }
  - expect: { value: \"${ws.runtime}\", is: claude-code }
";

/// What the platform chose is what its rules are about.
#[test]
fn a_create_that_names_no_runtime_is_judged_by_the_platforms_own() {
    Harness::new().args(["run", "-q"]).scenario(NO_RUNTIME).run().exit(0);
}

/// A scenario of somebody else runs nothing here, and nothing is sent before that is said.
#[test]
fn commands_run_only_where_they_are_allowed() {
    let steps = "scenario: a-command\nsteps:\n  - parallel: [{ steps: [{ exec: [true] }] }, { note: x }]\n";
    let output = Harness::new().args(["run"]).scenario(steps).run().exit(2);
    assert!(output.stderr.contains("--allow-exec"), "{}", output.stderr);
    Harness::new().args(["run", "--allow-exec"]).scenario(steps).run().exit(0);
}

const HOLDS: &str = "scenario: blind-hold
steps:
  - create: { as: ws, external: true, delivery_mode: poll }
  - hold:   { for: 3m, workspace: ws, status: awaiting_agent }
";

/// A run that sees nothing of any workspace from its hold on, until its verdict is there.
fn blind_from_the_hold_on(steps: &str, mischief: Mischief) -> Output {
    let platform = Platform::start(["--time-scale", "15"]);
    let proxy = Proxy::before(&platform, None);
    let run = Harness::new().args(["run"]).scenario(steps).at(&proxy.base).spawn();
    let log = |what: &str, text: &'static str| {
        wait_for(what, || {
            let log = std::fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
            log.contains(text).then_some(())
        });
    };
    log("the hold", "\"name\":\"hold");
    proxy.set(Rule { mischief, begins: "GET /workspaces/", every: 1, reaches: false });
    log("the verdict", "\"scenario_finished\"");
    proxy.set(Rule { mischief, begins: "NEVER", every: 1, reaches: false });
    let output = run.output();
    assert!(proxy.spoilt() > 0);
    platform.is_empty();
    output
}

/// Whoever sees nothing for the whole of a hold does not say that it held.
#[test]
fn a_hold_that_saw_nothing_is_no_pass() {
    blind_from_the_hold_on(HOLDS, Mischief::Forbidden)
        .exit(3)
        .stderr_has("nobody could see whether ws held its status");
}

const WAITS: &str = "scenario: blind-wait
needs: [managed]
steps:
  - create: { as: ws, runtime: claude-code, model: auto }
  - hold:   { for: 30s }
  - await:  { workspace: ws, status: online, within: 3s }
";

/// A wait that is over before the first look was answered says nothing about the platform.
#[test]
fn a_wait_without_an_answer_is_no_red_of_the_platform() {
    blind_from_the_hold_on(WAITS, Mischief::Hang).exit(3).stderr_has("nothing was seen yet");
}
