//! `run --like RUN` and `run --rerun-failed RUN`: what an earlier run's log is good for.

use std::fs;

use serde_json::json;

use super::harness::{Harness, Output, PASSES, word};
use super::platform::{Platform, TOKEN};

const FAILS: &str = "scenario: fails
summary: Wants what no server says.
steps:
  - use: { fragment: teapot }
";

const FRAGMENT: &str = "fragment: teapot
steps:
  - http: { path: /health, expect: { status: 418 } }
";

const ARMS: &str = "scenario: arms
summary: One arm of two fails.
matrix: { path: [health, nowhere] }
steps:
  - http: { path: \"/${matrix.path}\", expect: { status: 200 } }
";

const SKIPPED: &str = "scenario: skipped
summary: Needs what is not there.
needs: [org]
steps:
  - http: { path: /health, expect: { status: 418 } }
";

const EXPECTED: &str = "scenario: expected
summary: Fails for a known reason.
expect_failure: { issue: known-1, reason: no teapot, until: 2099-01-01 }
steps:
  - http: { path: /health, expect: { status: 418 } }
";

const INPUTS: &str = "scenario: inputs
summary: Fails, and says with what.
inputs:
  typed:   { default: a }
  set:     { default: a, env: SET }
  usual:   { default: a, env: USUAL }
  key:     { secret: true, env: KEY }
steps:
  - note: \"${inputs.typed} ${inputs.set} ${inputs.usual}\"
  - http: { path: /health, expect: { status: 418 } }
";

/// What ran: every scenario that got a verdict other than skipped.
fn ran(output: &Output) -> Vec<String> {
    output.verdicts().into_iter().filter(|(_, verdict)| verdict != "skipped").map(|(name, _)| name).collect()
}

fn identity(output: &Output) -> serde_json::Value {
    output.events()[0]["event"]["run_started"].clone()
}

/// `name = value` of a run's inputs.
fn inputs(output: &Output) -> Vec<String> {
    let mut inputs: Vec<String> = identity(output)["inputs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|i| format!("{} = {}", word(&i["name"]), word(&i["value"])))
        .collect();
    inputs.sort();
    inputs
}

fn all_kinds() -> Harness {
    let harness = Harness::new().file("dir/teapot.yaml", FRAGMENT);
    let files =
        [("passes", PASSES), ("fails", FAILS), ("arms", ARMS), ("skipped", SKIPPED), ("expected", EXPECTED)];
    files
        .into_iter()
        .fold(harness, |harness, (name, text)| harness.file(&format!("dir/{name}.yaml"), text))
        .args(["run", "dir"])
}

#[test]
fn only_what_did_not_pass_runs_again_as_it_was() {
    let first = all_kinds().args(["--repeat", "2"]).run().exit(1);
    let again = first.then(["run", "--rerun-failed", "last"]).run().exit(1);
    assert_eq!(ran(&again), ["arms[path=nowhere]", "fails"]);
    let again = again.stderr_has("arms[path=nowhere], fails").stderr_lacks("skipped");

    // The files are other ones now, or gone; also the fragment of one of them.
    fs::write(first.dir.path().join("dir/fails.yaml"), PASSES.replace("passes", "fails")).unwrap();
    fs::remove_file(first.dir.path().join("dir/arms.yaml")).unwrap();
    fs::remove_file(first.dir.path().join("dir/teapot.yaml")).unwrap();
    let run = again.run_folder().display().to_string();
    let second = first.then(["run", "--rerun-failed", &run]).run().exit(1);
    assert_eq!(ran(&second), ["arms[path=nowhere]", "fails"]);
    let second = second
        .stderr_has("dir/fails.yaml has changed since: it runs as it was recorded")
        .stderr_has("dir/arms.yaml is not there any more: it runs as it was recorded");

    // A selection narrows; --scenarios means the files of today.
    let one = second.then(["run", "--rerun-failed", &run, "fails"]).run().exit(1);
    assert_eq!(ran(&one), ["fails"]);
    let today = one.then(["run", "--rerun-failed", "last", "--scenarios", "dir"]).run().exit(0);
    assert_eq!(ran(&today), ["fails"]);
    let none = today.then(["run", "--rerun-failed", "last"]).run().exit(0).stderr_has("nothing to run again");
    assert_eq!(none.run_folder(), today.run_folder(), "a run was made");
    none.then(["run", "--rerun-failed", &run, "passes"]).run().exit(2).stderr_has("passes");
}

#[test]
fn a_run_that_did_not_get_to_its_plan_runs_again_whole() {
    let first = all_kinds().at("http://127.0.0.1:1").args(["--patience", "50ms"]).run().exit(3);
    let again = first.then(["run", "--rerun-failed", "last", "--target", "embedded"]).run().exit(1);
    assert_eq!(ran(&again), ["arms[path=health]", "arms[path=nowhere]", "expected", "fails", "passes"]);
}

#[test]
fn the_same_run_again_has_its_inputs_and_flags() {
    let typed = ["--input", "typed=b", "--seed", "7", "--time-scale", "30", "--edition", "mid-june"];
    let behaviours = ["--behaviour", "hibernate-wakes=on"];
    let more = ["--fault", "slow-online=2", "--fault", "delete-leaks"];
    let first = Harness::new().args(["run"]).scenario(INPUTS).args(typed).args(behaviours).args(more);
    let first = first.env("SET", "c").env("KEY", "secret-key-4711").run().exit(1);
    // A variable of today is none of then.
    let again = first.then(["run", "--like", "last"]).env("USUAL", "today").env("KEY", "secret-key-4712");
    let again = again.run().exit(1);
    assert_eq!(inputs(&again), ["key = <redacted:key>", "set = c", "typed = b", "usual = a"]);
    let settings = identity(&again)["settings"].clone();
    for (name, value) in [
        ("seed", json!(7)),
        ("time_scale", json!(30.0)),
        ("edition", json!("mid-june")),
        ("behaviours", json!({ "hibernate-wakes": true })),
        ("faults", json!(["slow-online=2", "delete-leaks"])),
    ] {
        assert_eq!(settings[name], value, "{settings}");
    }
    assert_eq!(identity(&again)["target"]["time_scale"], 30.0);
    // What is typed wins, also over what is again and again the same; the key is asked for as usual.
    let other =
        again.then(["run", "--like", "last", "-i", "typed=d", "--seed", "8", "--fault", "hang-every-n=50"]);
    let other = other.env("KEY", "secret-key-4713").run().exit(1);
    assert_eq!(inputs(&other), ["key = <redacted:key>", "set = c", "typed = d", "usual = a"]);
    assert_eq!(identity(&other)["settings"]["seed"], 8);
    assert_eq!(identity(&other)["settings"]["faults"], json!(["hang-every-n=50"]));
    other.then(["run", "--like", "last"]).run().exit(5).stderr_has("not configured: input `key`");
    for run in fs::read_dir(other.dir.path().join("runs")).unwrap().filter_map(Result::ok) {
        let log = fs::read_to_string(run.path().join("events.jsonl")).unwrap();
        assert!(!log.contains("secret-key-471"), "a secret is in the log");
    }
}

#[test]
fn a_secret_that_was_typed_is_asked_for_again() {
    let first = Harness::new().args(["run", "-i", "key=secret-key-4711"]).scenario(INPUTS).run().exit(1);
    let again = first.then(["run", "--like", "last"]).run().exit(5);
    again.stderr_has("input `key` was typed and is secret: give it again with --input key=…");
}

#[test]
fn the_same_server_again_wants_its_token_again() {
    let platform = Platform::start(["--time-scale", "20"]);
    let first = Harness::new().args(["run", "local-first-answer"]).against(&platform).run().exit(0);
    first.then(["run", "--like", "last"]).run().exit(3).stderr_has("token");
    let again = first.then(["run", "--like", "last"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    assert_eq!(word(&identity(&again)["target"]["base_url"]), platform.base);
    // Another target, another clock: it is not told what the server said of itself.
    let here = again.then(["run", "--like", "last", "--target", "embedded"]).run().exit(0);
    assert_eq!(identity(&here)["target"]["time_scale"], 40.0);
    assert_eq!(ran(&here), ["local-first-answer"]);
}

#[test]
fn one_instance_of_a_matrix_can_be_named() {
    let run = |names: &[&str]| {
        all_kinds()
            .args(["--repeat", "1"])
            .run()
            .then(["run", "--scenarios", "dir"])
            .args(names.iter().copied())
            .run()
    };
    assert_eq!(ran(&run(&["arms[path=health]"]).exit(0)), ["arms[path=health]"]);
    assert_eq!(ran(&run(&["arms[path=nowhere]#2", "passes"]).exit(1)), ["arms[path=nowhere]", "passes"]);
    assert_eq!(
        ran(&run(&["arms", "arms[path=nowhere]"]).exit(1)),
        ["arms[path=health]", "arms[path=nowhere]"]
    );
    run(&["arms[path=other]"]).exit(2).stderr_has("arms[path=other]");
}

#[test]
fn a_run_that_is_not_there_is_said_with_those_that_are() {
    let first = Harness::new().args(["run"]).scenario(PASSES).run().exit(0);
    let name = first.run_folder().file_name().unwrap().to_string_lossy().into_owned();
    for flag in ["--like", "--rerun-failed"] {
        first.then(["run", flag, "nope"]).run().exit(2).stderr_has("no run `nope`").stderr_has(&name);
    }
    first.then(["run", "--like", "last", "--rerun-failed", "last"]).run().exit(2);
}

#[test]
fn the_log_holds_the_fragments_that_are_used_and_no_others() {
    let output = all_kinds().file("dir/other.yaml", FRAGMENT.replace("teapot", "unused-one")).run().exit(1);
    let fragments = identity(&output)["fragments"].clone();
    let names: Vec<String> =
        fragments.as_array().into_iter().flatten().map(|f| word(&f["scenario"])).collect();
    assert_eq!(names, ["teapot"]);
}

/// The log has no secret, so it does not have such a file either.
#[test]
fn a_file_that_held_a_secret_runs_as_it_is_today() {
    let key = ("MINIMAX_API_KEY", "secret-key-4711");
    let text = FAILS.replace("use: { fragment: teapot }", "http: { path: /secret-key-4711 }");
    let first = Harness::new().args(["run"]).scenario(&text).env(key.0, key.1).run().exit(1);
    let log = fs::read_to_string(first.run_folder().join("events.jsonl")).unwrap();
    assert!(!log.contains(key.1), "a secret is in the log");
    let run = first.run_folder().display().to_string();
    let again = || first.then(["run", "--rerun-failed", &run]).env(key.0, key.1);
    let same = again().run().exit(1).stderr_lacks("held a secret");
    assert_eq!(ran(&same), ["fails"]);
    let file = first.dir.path().join("scenario-1.yaml");
    fs::write(&file, format!("{text}# More.\n")).unwrap();
    again().run().exit(1).stderr_has("held a secret: it runs as it is now, which is not as it was");
    fs::remove_file(file).unwrap();
    again().run().exit(2).stderr_has("held a secret that the log does not have");
}
