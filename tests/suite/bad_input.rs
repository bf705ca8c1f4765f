//! What bad input gets: exit 2, the words, and nothing is sent.

use std::sync::LazyLock;

use regex::Regex;

use super::harness::{Harness, Output};

const MANY_ERRORS: &str = "scenario: many-errors
summary: Everything is wrong at once.
tags: [local]
steps:
  - creat: { as: ws, runtime: claude-code }
  - await: { workspace: nobody, status: onlin, within: 3 parsecs }
  - create: { as: ws, runtime: claude-code, colour: red }
";

const GOOD: &str = "scenario: good
summary: Asks for the server's health.
steps:
  - http: { path: /health, expect: { status: 200 } }
";

/// Name of the snapshot, command line.
const LINES: &[(&str, &[&str])] = &[
    ("no_such_scenario", &["run", "local-provison"]),
    ("no_such_tag", &["run", "@lokal"]),
    ("no_such_input", &["run", "local-provision", "--input", "online_witin=2s"]),
    ("an_input_that_is_no_duration", &["run", "local-provision", "--input", "online_within=soon"]),
    ("an_input_that_is_not_allowed", &["run", "local-provision", "--input", "llm_path=byo"]),
    ("an_input_that_leaves_no_time", &["run", "local-provision", "--input", "online_within=0"]),
    ("an_input_that_is_too_long", &["run", "local-provision", "--input", "online_within=100000000000"]),
    ("too_many_rounds", &["run", "local-provision", "local-address", "--repeat", "100000"]),
    ("a_runtime_that_nobody_knows", &["run", "local-provision", "--input", "runtime=claud-code"]),
    ("an_input_without_a_value", &["run", "local-provision", "--input", "online_within"]),
    ("no_such_target", &["run", "--target", "embeded"]),
    ("a_flag_that_is_no_duration", &["sweep", "--older-than", "a while"]),
    ("no_such_flag", &["run", "--job", "3"]),
    ("no_such_command", &["rnu"]),
    ("no_such_fault", &["run", "--fault", "never-onlin"]),
    ("a_fault_that_takes_no_value", &["run", "--fault", "never-online=3"]),
    ("a_live_target_without_an_address", &["run", "--target", "live"]),
    ("an_address_that_is_none", &["run", "--target", "live", "--base-url", "localhost:8080"]),
    ("an_address_with_a_password", &["run", "--base-url", "http://user:S3cretPassw0rd@127.0.0.1:1"]),
    ("an_address_with_a_query", &["run", "--base-url", "http://127.0.0.1:1/x?y#z"]),
    (
        "an_address_for_a_target_that_has_its_own",
        &["run", "--target", "embedded", "--base-url", "http://127.0.0.1:1"],
    ),
    (
        "a_fault_for_a_server_that_runs",
        &["run", "--base-url", "http://127.0.0.1:1", "--fault", "no-projection"],
    ),
    ("a_clock_for_a_server_that_runs", &["run", "--base-url", "http://127.0.0.1:1", "--time-scale", "3"]),
    ("no_such_file", &["run", "nowhere/there.yaml"]),
    ("no_such_folder", &["run", "--scenarios", "nowhere"]),
    ("no_such_file_to_check", &["check", "nowhere.yaml"]),
    ("no_such_catalogue", &["run", "--providers", "nowhere.yaml"]),
    (
        "no_such_ca",
        &["run", "--target", "live", "--base-url", "https://127.0.0.1:1", "--ca-cert", "nowhere.pem"],
    ),
    ("no_such_run", &["report", "20260101"]),
    ("no_such_workspace_id", &["diagnose", "ws-1", "--base-url", "http://127.0.0.1:1"]),
    ("no_such_shell", &["completions", "fihs"]),
];

/// What was said; of long lists of names only the first stays, because they grow.
fn said(output: &Output) -> String {
    static NAMES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"([Vv]alid: `[^`]+`)(?:,\s+`[^`]+`){3,}(?: and \d+ more)?").unwrap());
    NAMES.replace_all(&output.said(), "$1, [MORE]").into_owned()
}

#[test]
fn bad_command_lines_are_named_with_what_is_valid() {
    for (name, line) in LINES {
        let output = Harness::new().args(line.iter().copied()).run();
        insta::assert_snapshot!(format!("line_{name}"), said(&output));
        let output = output.exit(2);
        assert!(!output.dir.path().join("runs").exists(), "{name}: a run began");
    }
}

#[test]
fn bad_variables_are_named() {
    let output = Harness::new().args(["run"]).env("LIFECYCLE_TARGET", "embeded").run().exit(2);
    insta::assert_snapshot!("a_variable_names_no_target", said(&output));
    let output = Harness::new().args(["run", "local-provision"]).env("ONLINE_TIMEOUT", "soon").run().exit(2);
    insta::assert_snapshot!("a_variable_is_no_duration", said(&output));
}

#[test]
fn an_invalid_file_shows_all_its_errors_with_their_places() {
    let output = Harness::new().args(["run"]).scenario(MANY_ERRORS).run().exit(2);
    insta::assert_snapshot!("all_errors_of_a_file", said(&output));
    let checked = Harness::new().args(["check"]).scenario(MANY_ERRORS).run().exit(2);
    for place in [":5:5", ":6:", ":7:"] {
        assert!(checked.stderr.contains(place), "{place} is missing:\n{}", checked.stderr);
    }
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let latin = b"scenario: caf\xe9\nsteps: []\n";
    let output = Harness::new().file("latin.yaml", latin).args(["run", "latin.yaml"]).run().exit(2);
    insta::assert_snapshot!("no_utf8", said(&output));
    let output = Harness::new().file("empty.yaml", "").args(["check", "empty.yaml"]).run().exit(2);
    insta::assert_snapshot!("an_empty_file", said(&output));
    let huge = "# a comment\n".repeat(500_000);
    let output = Harness::new().file("huge.yaml", huge).args(["check", "huge.yaml"]).run().exit(2);
    insta::assert_snapshot!("a_huge_file", said(&output));
    let output =
        Harness::new().file("broken.yaml", "scenario: [\n").args(["check", "broken.yaml"]).run().exit(2);
    insta::assert_snapshot!("no_yaml", said(&output));
}

#[test]
fn a_yaml_bomb_is_bounded() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{before}*a{}]\n", level - 1));
    }
    let output = Harness::new().file("bomb.yaml", bomb).args(["check", "bomb.yaml"]).run().exit(2);
    insta::assert_snapshot!("a_yaml_bomb", said(&output));
}

#[test]
fn a_folder_with_one_bad_file_runs_nothing() {
    let output = Harness::new()
        .file("all/good.yaml", GOOD)
        .file("all/bad.yaml", MANY_ERRORS)
        .args(["run", "all"])
        .run()
        .exit(2)
        .stderr_has("5 errors, nothing was sent");
    assert!(!output.dir.path().join("runs").exists());
}

#[test]
fn two_files_with_one_name_are_refused() {
    let other = GOOD.replace("health,", "buildinfo,");
    let output =
        Harness::new().file("all/a.yaml", GOOD).file("all/b.yaml", other).args(["run", "all"]).run().exit(2);
    insta::assert_snapshot!("two_files_with_one_name", said(&output));
}

#[test]
fn an_unreadable_file_is_named() {
    let harness =
        Harness::new().file("dir.yaml/inner.txt", "").args(["check", "dir.yaml/inner.txt", "absent"]);
    harness.run().exit(2).stderr_has("absent");
}

/// What is no file is named at once: nothing waits for a writer, fills the memory, or goes in circles.
#[test]
fn what_is_no_file_is_refused() {
    let harness = Harness::new().file("folder/good.yaml", GOOD).file("tree/good.yaml", GOOD);
    let fifo = harness.path().join("folder/pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for link in ["a", "b"] {
        std::os::unix::fs::symlink(".", harness.path().join("tree").join(link)).unwrap();
    }
    std::os::unix::fs::symlink("itself.yaml", harness.path().join("itself.yaml")).unwrap();
    let dir = harness.dir();
    let zero = "/dev/zero";
    for line in [
        ["check", "folder"].as_slice(),
        &["check", "folder/pipe.yaml"],
        &["run", "folder/pipe.yaml"],
        &["check", zero],
        &["run", "--known", zero],
        &["run", "--providers", zero],
        &["run", "--manifest", zero],
        &["run", "--profile", zero],
        &["run", "--state", "folder/pipe.yaml"],
        &["run", "--target", "live", "--base-url", "https://127.0.0.1:1", "--ca-cert", zero],
        &["model", "list", "--providers", zero],
    ] {
        let output = Harness::within(&dir).args(line.iter().copied()).run().exit(2);
        output.stderr_has("it is not a regular file").stderr_lacks("Not a directory");
    }
    Harness::within(&dir).args(["check", "itself.yaml"]).run().exit(2);
    Harness::within(&dir).args(["check", "tree"]).run().exit(0).stderr_has("checked 1 scenario");
}

/// A pipe gives its text once, and that is read whole.
#[test]
fn a_pipe_that_is_handed_over_is_read() {
    for (text, code) in [(GOOD.to_owned(), 0), (MANY_ERRORS.to_owned(), 2), ("#".repeat(5 << 20), 2)] {
        for command in ["check", "run"] {
            let dir = tempfile::tempdir().unwrap();
            let mut child = std::process::Command::new(super::harness::BIN)
                .args([command, "/dev/stdin"])
                .env_clear()
                .current_dir(&dir)
                .stdin(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            // Whoever has read enough hangs up.
            let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes());
            assert_eq!(child.wait().unwrap().code(), Some(code), "{command}: {text:.40}");
        }
    }
}

/// `0 errors` is said of what was read only.
#[test]
fn check_reads_what_it_is_given() {
    const EARLY: &str = "scenario: early\nuse: { fragment: online, with: { workspace: ws } }\nsteps:\n  - create: { as: ws }\n";
    let dir = Harness::new()
        .file("broken.txt", "scenario: broken\nstepps: []\n")
        .file("good.txt", GOOD)
        .file("good", GOOD)
        .file("early.yaml", EARLY)
        .file("two/one.yaml", GOOD)
        .file("two/same.yaml", GOOD)
        .file("lib/fragments/mine.yaml", "fragment: mine\nsteps: [{ note: hello }]\n")
        .file("lib/uses.yaml", "scenario: uses\nsteps: [{ use: mine }]\n")
        .file("jobs/ci.yaml", "on: push\njobs:\n  one:\n    steps: []\n")
        .file("empty/notes.txt", "")
        .dir();
    for (line, code, says) in [
        (["check", "broken.txt"].as_slice(), 2, "did you mean `steps`?"),
        (&["run", "broken.txt"], 2, "did you mean `steps`?"),
        (&["check", "good.txt"], 0, "checked 1 scenario: 0 errors"),
        (&["check", "good"], 0, "checked 1 scenario: 0 errors"),
        (&["check", "early.yaml"], 2, "no earlier step makes a workspace `ws`"),
        (&["check", "early.yaml"], 2, "used at early.yaml:2"),
        (&["check", "two"], 2, "two files define the scenario"),
        (&["check", "lib/fragments"], 0, "0 errors"),
        (&["check", "lib/uses.yaml"], 2, "add `--scenarios lib`"),
        (&["check", "--scenarios", "lib", "lib/uses.yaml"], 0, "checked 1 scenario: 0 errors"),
        (&["check", "jobs"], 0, "checked 1 workflow file"),
        (&["check", "empty"], 2, "nothing to check in `empty`"),
        (&["check", "empty/notes.txt"], 2, "a mapping"),
        (&["run", "empty"], 2, "there is no .yaml file in the folder `empty`"),
    ] {
        let output = Harness::within(&dir).args(line.iter().copied()).run();
        assert!(output.stderr.contains(says), "{line:?}: `{says}` was not said:\n{}", output.stderr);
        output.exit(code);
    }
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for folder in ["", "/local", "/fragments", "/profiles", "/../.gitea/workflows"] {
        Harness::new()
            .args(["check".to_owned(), format!("{shipped}{folder}")])
            .run()
            .exit(0)
            .stderr_has("0 errors");
    }
}

#[test]
fn a_failure_is_expected_of_a_mechanism_that_there_is() {
    let text = format!(
        "{GOOD}expect_failure: {{ issue: \"#1\", reason: r, until: 2099-01-01, mechanism: wrong-answr }}\n"
    );
    for command in ["check", "run"] {
        let output = Harness::new().args([command]).scenario(&text).run().exit(2);
        output.stderr_has("there is no mechanism `wrong-answr`").stderr_has("did you mean `wrong-answer`?");
    }
}

/// Nobody sends a runtime that nobody knows, whatever the model; a live server may know more.
#[test]
fn a_runtime_that_nobody_knows_is_a_contradiction() {
    let with = |create: &str| format!("scenario: runtime\nsteps:\n  - create: {{ {create} }}\n");
    for create in [
        "as: ws, runtime: nope",
        "as: ws, runtime: nope, model: none",
        "as: ws, runtime: nope, model: MiniMax-M2.7",
    ] {
        for command in ["check", "run"] {
            let output = Harness::new().args([command]).scenario(&with(create)).run();
            let output = output.stderr_has("model::C12").stderr_has("nobody knows runtime `nope`").exit(2);
            assert!(!output.dir.path().join("runs").exists(), "{command}: a run began");
        }
    }
    let output =
        Harness::new().args(["run", "local-provision"]).env("E2E_RUNTIME", "claud-code").run().exit(2);
    output.stderr_has("model::C12").stderr_has("did you mean `claude-code`?");
    // Known, and without a model that the rules could choose.
    let output = Harness::new().args(["run", "local-provision", "--input", "runtime=mock"]).run().exit(2);
    output.stderr_has("model::C14");
    for create in [
        "runtime: nope, model: none, contradiction: C12, expect: 422",
        "runtime: nope, model: none, expect: 422",
    ] {
        Harness::new().args(["run"]).scenario(&with(create)).run().exit(0).stderr_lacks("C12");
    }
    let platform = super::platform::Platform::start([]);
    let refused = Harness::new()
        .args(["run"])
        .scenario(&with("as: ws, runtime: nope, model: none"))
        .against(&platform)
        .run();
    let refused = refused.stderr_has("C12").stderr_has("this server may know more");
    assert_eq!(refused.code(), Some(1), "{}", refused.stderr);
}
