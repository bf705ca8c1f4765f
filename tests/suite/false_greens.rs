//! What the old scripts passed and should not have: each is red here (`docs/old-scripts.md`).

use super::harness::{Harness, of_kind, rows, wait_for, word};
use super::platform::Platform;
use super::proxy::{Mischief, Proxy, Rule};

/// A scenario with an external agent that does as `script` says.
fn agent(script: &str, steps: &str) -> String {
    format!(
        "scenario: told\nsummary: An agent that does as it is told.\nbudget: 60s\nsteps:\n  \
         - stub: {{ as: peer, script: [{script}] }}\n  \
         - create: {{ as: ws, external: true, url: \"${{peer}}\" }}\n{steps}"
    )
}

const ASK: &str = "  - a2a: { to: ws, say: known-answer, within: 10s }\n";

/// It ends red as a failure of the platform, for this reason.
#[track_caller]
fn red(harness: Harness, why: &str) {
    let output = harness.run();
    // 70: the mechanism is one of the model's provider.
    assert!(matches!(output.code(), Some(1 | 70)), "{}", output.stderr);
    let events = output.events();
    let reasons: Vec<String> = of_kind(&events, "scenario_finished")
        .filter(|e| e["verdict"] == "failed" || e["verdict"] == "inconclusive")
        .map(|e| word(&e["reason"]))
        .collect();
    assert!(reasons.iter().any(|r| r.contains(why)), "`{why}` is not in {reasons:?}");
}

fn run() -> Harness {
    Harness::new().args(["run", "-q"])
}

fn shipped(name: &str, fault: &str) -> Harness {
    run().args([name, "--fault", fault])
}

const UNSEEN: &str = "scenario: unseen
summary: Restarts while nobody can look.
budget: 3m
steps:
  - create:  { as: ws, runtime: claude-code, model: auto, credentials: auto }
  - await:   { workspace: ws, status: online, within: 20s }
  - restart: { workspace: ws }
    within: 40s
  - expect:  { env_of: ws, satisfies: provider }
    within: 10s
";

/// Nobody could look at what ran before the restart, so the old instance, which still runs, may not pass for new.
#[test]
fn an_instance_that_nobody_saw_before_the_edge() {
    let platform = Platform::start(["--time-scale", "10", "--fault", "old-lingers=600"]);
    let rule = |begins| Rule { mischief: Mischief::Status503, begins, every: 1, reaches: false };
    let proxy = Proxy::before(&platform, Some(rule("GET /__lifecycle/workspaces/")));
    let run = run().scenario(UNSEEN).at(&proxy.base).spawn();
    wait_for("the restart", || {
        let log = std::fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
        log.contains("\"purpose\":\"restart\"").then_some(())
    });
    proxy.set(rule("GET /nothing"));
    let output = run.output();
    assert_eq!(output.code(), Some(3), "{}", output.stderr);
    assert!(output.stderr.contains("this may be the old instance"), "{}", output.stderr);
}

#[test]
fn another_text() {
    red(run().scenario(&agent("other", ASK)), "wanted the known answer PONG");
}

/// The word is in the question: whoever says the question again has not answered it.
#[test]
fn the_question_again() {
    red(run().scenario(&agent("echo", ASK)), "wanted the known answer PONG, only the question again");
}

#[test]
fn restart_noop() {
    red(shipped("local-provision", "restart-noop"), "restart answered 200, but the row is still online");
}

#[test]
fn secret_write_ignored() {
    red(shipped("local-secret-write", "secret-write-ignored"), "it is not stored");
}

#[test]
fn the_word_result() {
    red(run().scenario(&agent("500", ASK)), "no result: stub 500");
}

#[test]
fn another_length() {
    let talk = "  - foreach: { in: [a, b, c], as: text, steps: [{ a2a: { to: ws, say: { text: \"${text}\" } } }] }\n";
    let look =
        "  - http: { path: \"/workspaces/${ws.id}/activity\", expect: { json: { $: { length: 2 } } } }\n";
    red(run().scenario(&agent("answer", &format!("{talk}{look}"))), "expected $ to be a length of 2");
}

/// `[]` is part of the text, and the list is not empty.
#[test]
fn an_empty_list_inside() {
    let made = "scenario: inside\nsteps:\n  - create: { as: ws, external: true, delivery_mode: poll }\n";
    let log = "{ activity_type: agent_log, summary: x, request_body: { parts: [] } }";
    let path = "path: \"/workspaces/${ws.id}/activity\"";
    let write = format!("  - http: {{ method: POST, {path}, json: {log}, expect: 200 }}\n");
    let read = format!(
        "  - http: {{ {path}, expect: {{ text: {{ contains: \"[]\" }}, json: {{ $: {{ length: 0 }} }} }} }}\n"
    );
    red(run().scenario(&format!("{made}{write}{read}")), "expected $ to be a length of 0");
}

#[test]
fn status_ok_of_another_row() {
    let send = "  - a2a: { to: ws, say: { text: hello }, expect: 500 }\n";
    let look = "  - expect: { activity_of: ws, status: error, has: false }\n";
    red(run().scenario(&agent("500", &format!("{send}{look}"))), "there is such a row");
}

#[test]
fn a_failed_row() {
    red(run().scenario(&agent("500", ASK)), "wanted an answer, got 500");
}

#[test]
fn no_json() {
    red(run().scenario(&agent("garbage", ASK)), "no JSON");
}

#[test]
fn role_is_no_answer() {
    red(run().scenario(&agent("empty", ASK)), "an empty completion");
    red(run().scenario(&agent("error-text", ASK)), "an error wrapped in a 200");
}

/// An agent may answer with a task that it works on; what comes of it is the answer.
#[test]
fn a_task_is_followed_to_its_end() {
    run().scenario(&agent("task", ASK)).run().exit(0);
}

/// The child's answer is not empty, and none.
#[test]
fn a_child_that_says_something() {
    red(shipped("a2a-delegation", "error-as-text"), "an error wrapped in a 200");
}

/// Every row of a matrix of models asks the same workspace.
#[test]
fn the_model_that_was_never_sent() {
    let rows =
        "scenario: rows\nneeds: [managed, env]\nmatrix:\n  model: [MiniMax-M2.7, MiniMax-M3]\nsteps:\n";
    let secret = "secrets: { MINIMAX_API_KEY: \"lifecycle-${random(24)}\" }";
    let made = format!(
        "  - create: {{ as: ws, runtime: claude-code, model: MiniMax-M2.7, credentials: none, {secret} }}\n"
    );
    let online = "  - await: { workspace: ws, status: online, within: 60s }\n";
    let look = "  - expect: { env_of: ws, vars: { MODEL: \"${matrix.model}\" } }\n";
    red(
        run().scenario(&format!("{rows}{made}{online}{look}")),
        "expected \"MiniMax-M3\", got \"MiniMax-M2.7\"",
    );
}

/// A failure that is only written down is shown and counted, and nobody calls it passed.
#[test]
fn a_failure_that_is_only_noted() {
    let noted = "scenario: noted\ngate: advisory\nsteps:\n  - http: { path: /nope, expect: 200 }\n";
    let output = run().scenario(noted).run().exit(0).stderr_has("(advisory)").stderr_lacks("1 passed");
    assert_eq!(output.verdicts(), [("noted".to_owned(), "failed".to_owned())]);
}

/// A known failure runs its body, and turns red once it passes; one whose date is over is none.
#[test]
fn a_known_failure_that_passes() {
    let known = |until: &str| {
        format!(
            "scenario: known\nexpect_failure: {{ issue: i, reason: it was broken once, until: {until} }}\nsteps:\n  \
             - create: {{ as: ws, external: true, delivery_mode: poll }}\n"
        )
    };
    run().scenario(&known("2099-01-01")).run().exit(6).stderr_has("1 passed unexpectedly");
    assert_ne!(run().scenario(&known("2020-01-01")).run().code(), Some(0));
}

#[test]
fn an_error_of_the_platform() {
    let deaf =
        "scenario: deaf\nsteps:\n  - create: { as: ws, external: true, url: \"http://localhost:1/\" }\n";
    red(run().scenario(&format!("{deaf}{ASK}")), "failed to reach workspace agent");
}

#[test]
fn ordinary_words() {
    let say =
        "  - a2a: { to: ws, say: { text: \"No error, no exception, and room 401 is free\" }, within: 10s }\n";
    run().scenario(&agent("answer", say)).run().exit(0);
}

#[test]
fn healed_by_failing() {
    red(shipped("local-instance-terminated", "config-volume-lost"), "failed");
}

#[test]
fn never_noticed() {
    red(
        shipped("local-instance-terminated", "stale-online-after-kill").args(["-i", "noticed_within=5s"]),
        "online",
    );
}

#[test]
fn require_live_is_the_real_one() {
    let skipped = "local-crash-recovers";
    run().args([skipped]).run().exit(5).stderr_has("1 skipped");
    run().args([skipped, "--allow-none"]).run().exit(0).stderr_has("1 skipped");
    run().args([skipped, "--require-live"]).run().exit(5);
    run().args(["mock", skipped, "--require-live"]).run().exit(5);
    run().args(["mock", "--require-live"]).run().exit(0);
    // Reached twice counts once, and one more than asked for harms nobody.
    let some = |milestones: &str, second: &str| {
        format!(
            "scenario: some\nmilestones: [{milestones}]\nsteps:\n  - note: one\n    milestone: first\n  - note: two\n    \
             milestone: first\n  - note: three\n    when: \"{second} == yes\"\n    milestone: second\n"
        )
    };
    for (milestones, second, code) in
        [("first, second", "yes", 0), ("first, second", "no", 5), ("first", "yes", 0), ("second", "no", 5)]
    {
        let text = some(milestones, second)
            .replace("\"yes ==", "\"${inputs.go} ==")
            .replace("\"no ==", "\"${inputs.go} ==");
        let text = text.replace("steps:", "inputs: { go: no }\nsteps:");
        let go = format!("go={second}");
        run().args(["--require-live", "-i", &go]).scenario(&text).run().exit(code);
        run().args(["-i", &go]).scenario(&text).run().exit(0);
    }
    // An answer that nobody could judge is no live work, nor is a scenario whose steps are all left out.
    const LEFT_OUT: &str =
        "scenario: idle\ninputs: { go: no }\nsteps:\n  - note: one\n    when: \"${inputs.go} == yes\"\n";
    for (steps, code, says) in [
        (agent("other", ASK), 5, "nobody could judge the answer of step 3"),
        (agent("answer", ASK), 0, ""),
        (LEFT_OUT.to_owned(), 5, "none of its steps ran"),
    ] {
        let run = || Harness::new().args(["run", "--answers", "none"]).scenario(&steps);
        run().run().exit(0);
        run().args(["--require-live"]).run().exit(code).stderr_has(says);
    }
}

/// What never comes is the platform's failure, by whatever verb it was waited for: the look that the step's end cut
/// off is no trouble of the wire.
mod what_never_comes_is_no_trouble_of_the_wire {
    use super::*;

    fn row((verb, why): (&str, &str)) {
        let steps = format!(
            "scenario: never\nsteps:\n  - create: {{ as: ws, external: true, delivery_mode: poll }}\n  - {verb}\n    within: 2s\n"
        );
        let output = run().scenario(&steps).run();
        assert_eq!(output.code(), Some(1), "{verb}\n{}", output.stderr);
        assert!(output.stderr.contains(why), "{verb}: no `{why}` in\n{}", output.stderr);
        assert!(!output.stderr.contains("within 0 ms"), "{verb}\n{}", output.stderr);
    }

    rows! {
        row;
        a_status: ("await: { workspace: ws, status: degraded }", "wanted ws degraded"),
        leaving_a_status: (
            "await: { workspace: ws, status: awaiting_agent, leaves: true }",
            "wanted ws to leave awaiting_agent",
        ),
        a_field_of_the_row: ("expect: { row_of: ws, json: { $.name: nobody } }", "the row of ws"),
        an_activity: ("expect: { activity_of: ws, status: error }", "no such a row"),
        its_end: ("expect: { gone: ws }", "ws"),
        messages: ("inbox: { workspace: ws, at_least: 2 }", "wanted 2 messages, got 0"),
        a_field_of_an_answer: (
            "http: { path: \"/workspaces/${ws.id}\", until: true, expect: { json: { $.name: nobody } } }",
            "expected $.name to be \"nobody\"",
        ),
        a_status_of_an_answer: (
            "http: { path: \"/workspaces/${ws.id}/activity\", until: true, expect: { status: 418 } }",
            "expected status 418, got 200",
        ),
    }
}

/// A reply that is a task is an answer only once the task is completed, and only to the request that was sent.
mod a_task_is_an_answer_once_it_is_completed {
    use super::*;

    const DONE: &str = r#"{ "kind": "task", "status": { "state": "completed", "message": { "parts": [{ "kind": "text", "text": "Task completed." }] } }, "artifacts": [{ "parts": [{ "kind": "text", "text": "PONG" }] }] }"#;
    macro_rules! task {
        ($state:literal) => {
            concat!(
                r#"{ "kind": "task", "status": { "state": ""#,
                $state,
                r#"", "message": { "parts": [{ "kind": "text", "text": "PONG it is" }] } } }"#
            )
        };
    }

    fn row((field, json, why): (&'static str, &'static str, &str)) {
        let platform = Platform::start(["--time-scale", "10"]);
        let mischief = Mischief::Instead { field, json };
        let rule = Rule { mischief, begins: "POST /workspaces/*/a2a", every: 1, reaches: true };
        let proxy = Proxy::before(&platform, Some(rule));
        let output = run().scenario(&agent("answer", ASK)).args(["--answers", "known"]).at(&proxy.base).run();
        let right = match why {
            "" => output.code() == Some(0),
            why => output.code() == Some(1) && output.stderr.contains(why),
        };
        assert!(right, "{json} wanted `{why}`:\n{}", output.stderr);
    }

    rows! {
        row;
        failed: ("result", task!("failed"), "the task is `failed`: PONG it is"),
        rejected: ("result", task!("rejected"), "the task is `rejected`"),
        canceled: ("result", task!("canceled"), "the task is `canceled`"),
        working: ("result", task!("working"), "the task is still `working`"),
        submitted: ("result", task!("submitted"), "the task is still `submitted`"),
        input_required: ("result", task!("input-required"), "the task is still `input-required`"),
        completed: ("result", DONE, ""),
        another_request: ("id", "4711", "the reply answers another request: id 4711"),
        no_id: ("id", "null", ""),
    }
}

/// Rows from before an edge are no answer to what is expected after it, whatever made the edge.
mod rows_from_before_an_edge_are_not_new {
    use super::*;

    const SECRET: &str = "secret: { workspace: ws, set: { SOME_KEY: some-key-value-3 } }";

    fn steps(edge: &str, look: &str) -> String {
        format!(
            "scenario: edges\nneeds: [managed]\nsteps:\n  \
             - create: {{ as: ws, runtime: claude-code, model: MiniMax-M2.7, credentials: none, secrets: {{ MINIMAX_API_KEY: some-key-value-1 }} }}\n  \
             - await: {{ workspace: ws, status: online, within: 60s }}\n  \
             - http: {{ method: POST, path: \"/workspaces/${{ws.id}}/activity\", json: {{ activity_type: agent_log, summary: the old row }}, expect: 200 }}\n  \
             - http: {{ path: \"/workspaces/${{ws.id}}/activity\", expect: 200 }}\n  \
             - {edge}\n  - expect: {{ activity_of: ws, text: the old row, has: {look} }}\n    within: 2s\n"
        )
    }

    fn row(edge: &str) {
        let platform = Platform::start(["--time-scale", "10"]);
        let scenario = run().scenario(&steps(edge, "false"));
        let output = match edge.starts_with("terminate") {
            true => scenario.run(),
            false => scenario.against(&platform).run(),
        };
        assert_eq!(output.code(), Some(0), "{edge}\n{}", output.stderr);
    }

    rows! {
        row;
        a_secret: SECRET,
        a_model: "model: { workspace: ws, set: MiniMax-M3 }",
        an_end: "terminate: ws",
    }

    /// Nobody knows which rows are new when the log could not be read before the edge.
    #[test]
    fn a_log_that_could_not_be_read() {
        let platform = Platform::start(["--time-scale", "10"]);
        let rule = Rule {
            mischief: Mischief::Forbidden,
            begins: "GET /workspaces/*/activity",
            every: 2,
            reaches: false,
        };
        let proxy = Proxy::before(&platform, Some(rule));
        red(
            run().scenario(&steps(SECRET, "true")).at(&proxy.base),
            "could not be read before the secret write",
        );
    }
}

/// The lookup in a path is filled in, a path that can find several gives all, inputs have their types.
#[test]
fn lookups_in_paths_and_typed_inputs() {
    let head = "scenario: typed\ninputs: { two: { type: number, default: 2 }, yes: { type: bool, default: 1 } }\nsteps:\n  \
                - create: { as: ws, external: true, delivery_mode: poll }\n  \
                - create: { as: other, external: true, delivery_mode: poll }\n";
    let gone = "  - http: { path: /workspaces, expect: { json: { \"$[?@.id == '${ws.id}']\": { exists: false } } } }\n";
    red(run().scenario(&format!("{head}{gone}")), "to be nothing");
    let all = "  - http: { path: /workspaces, capture: { all: \"$[*].id\", mine: \"$[?@.id == '${ws.id}'].id\" } }\n  \
               - expect: { value: \"${all}\", is: { type: array, includes: [\"${ws.id}\", \"${other.id}\"] } }\n  \
               - expect: { value: \"${mine}\", is: [\"${ws.id}\"] }\n  \
               - expect: { value: \"${mine.0}\", is: \"${ws.id}\" }\n  \
               - expect: { value: \"${inputs.two}\", is: 2 }\n  \
               - expect: { value: \"${inputs.yes}\", is: true }\n  \
               - expect: { value: 1, is: 2 }\n    when: \"${inputs.yes} != true\"\n";
    run().scenario(&format!("{head}{all}")).run().exit(0);
}
