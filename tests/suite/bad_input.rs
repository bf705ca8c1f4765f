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
    ("too_many_rounds", &["run", "local-provision", "--repeat", "1000000000"]),
    ("an_input_without_a_value", &["run", "local-provision", "--input", "online_within"]),
    ("no_such_target", &["run", "--target", "embeded"]),
    ("a_flag_that_is_no_duration", &["sweep", "--older-than", "a while"]),
    ("no_such_flag", &["run", "--job", "3"]),
    ("no_such_command", &["rnu"]),
    ("no_such_fault", &["run", "--fault", "never-onlin"]),
    ("a_fault_that_takes_no_value", &["run", "--fault", "never-online=3"]),
    ("a_live_target_without_an_address", &["run", "--target", "live"]),
    ("an_address_that_is_none", &["run", "--target", "live", "--base-url", "localhost:8080"]),
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
        LazyLock::new(|| Regex::new(r"([Vv]alid: `[^`]+`)(,\s+`[^`]+`){3,}").unwrap());
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
