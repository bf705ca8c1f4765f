//! What is typed every day besides `run`: runs carried elsewhere, answers for scripts, pages, completions.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::harness::{BIN, Harness};

const FAILS: &str = "scenario: fails
summary: Wants what no server says.
inputs: { key: { secret: true, env: THE_KEY } }
steps:
  - note: \"${inputs.key}\"
  - http: { path: /health, expect: { status: 418 } }
";

#[test]
fn a_red_run_is_one_file_and_is_explained_anywhere() {
    let red = Harness::new().args(["run"]).scenario(FAILS).env("THE_KEY", "planted-key-4711").run().exit(1);
    red.then(["export", "last", "-o", "red.zip"]).run().exit(0).stdout_has("red.zip");
    red.then(["export", "last", "-o", "red.zip"]).run().exit(3).stderr_has("--force");
    let bytes = std::fs::read(red.dir.path().join("red.zip")).unwrap();
    let elsewhere = Harness::new().file("red.zip", &bytes).dir();
    let explained = Harness::within(&elsewhere).args(["explain", "red.zip"]).run().exit(0);
    let explained = explained.stdout_has("fails").stdout_has("418");
    assert!(explained.stdout.lines().count() <= 24, "more than a screen:\n{}", explained.stdout);
    Harness::within(&elsewhere).args(["report", "red.zip", "--junit", "j.xml"]).run().exit(0);
    let again =
        Harness::within(&elsewhere).args(["run", "--like", "red.zip"]).env("THE_KEY", "another-key-4712");
    let again = again.run().exit(1);
    assert_eq!(again.verdicts().len(), 1);
    // The same through a pipe.
    let mut child = Command::new(BIN)
        .args(["explain", "-", "--format", "json"])
        .env_clear()
        .current_dir(elsewhere.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let answer = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(report["scenarios"][0]["name"], "fails");
    assert!(!String::from_utf8_lossy(&answer.stdout).contains("planted-key"));
    Harness::new()
        .file("x.zip", b"PK\x03\x04")
        .args(["explain", "x.zip"])
        .run()
        .exit(2)
        .stderr_has("not a zip");
}

#[test]
fn every_answer_has_a_form_for_scripts() {
    let run = Harness::new().args(["run"]).scenario(FAILS).env("THE_KEY", "planted-key-4711").run().exit(1);
    let dir = run.dir;
    for (line, pointer) in [
        (&["list"][..], "/0/scenario"),
        (&["plan", "local-provision"], "/0/plan/scenario"),
        (&["check", "."], "/files/scenario"),
        (&["doctor"], "/0/level"),
        (&["sweep"], "/removed"),
        (&["explain"], "/scenarios/0/verdict"),
        (&["mechanisms", "list"], "/0/mechanism"),
        (&["runs"], "/0/causes"),
        (&["runs"], "/0/verdicts/failed"),
        (&["init", "new"], "/written/0"),
    ] {
        let output = Harness::within(&dir).args(line.iter().copied()).args(["--format", "json"]).run();
        let answer: Value = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|e| panic!("{line:?}: {e}:\n{}\n{}", output.stdout, output.stderr));
        assert!(answer.pointer(pointer).is_some(), "{line:?} has no {pointer}: {answer}");
    }
}

#[test]
fn a_pipe_gets_whole_names_and_no_padding() {
    let list = Harness::new().args(["list"]).run().exit(0).stdout;
    for line in list.lines() {
        assert!(!line.contains("   ") && line.split('\t').count() == 4, "{line:?}");
    }
    assert!(list.lines().any(|line| line.starts_with("local-provision\t")), "{list}");
    let typo = Harness::new().args(["run", "locla-provision"]).run().exit(2);
    let typo = typo.stderr_has("did you mean `local-provision`?");
    assert!(typo.stderr.lines().count() < 12, "{}", typo.stderr);
}

#[test]
fn what_a_cron_remembers_can_be_listed_and_forgotten() {
    let args = ["run", "local-provision", "--fault", "no-projection", "--state", "s.json"];
    let red = Harness::new().args(args).run().exit(1);
    let list = red.then(["state", "list", "--state", "s.json", "--format", "json"]).run().exit(0);
    let reds: Value = serde_json::from_str(&list.stdout).unwrap();
    let fingerprint = reds[0]["fingerprint"].as_str().unwrap().to_owned();
    let known = red.then(["state", "known", "--state", "s.json", "--issue", "#1", "--until", "2099-01-01"]);
    let known = known.run().exit(0).stdout;
    assert!(known.contains(&fingerprint), "{known}");
    std::fs::write(red.dir.path().join("known.yaml"), &known).unwrap();
    red.then(["check", "known.yaml"]).run().exit(0).stderr_has("1 list of known reds");
    red.then(["state", "forget", "nope", "--state", "s.json"]).run().exit(2).stderr_has("does not hold");
    red.then(["state", "forget", &fingerprint, "--state", "s.json"]).run().exit(0);
    red.then(["state", "list", "--state", "s.json"]).run().exit(0).stderr_has("no red is remembered");
    red.then(["state", "list"]).run().exit(2).stderr_has("--state FILE");
}

#[test]
fn what_init_writes_is_checked_and_runs() {
    let made = Harness::new().file(".gitignore", "target\n/runs").args(["init"]).run();
    let made = made.exit(0).stdout_has("lifecycle.yaml");
    let ignored = || std::fs::read_to_string(made.dir.path().join(".gitignore")).unwrap();
    assert_eq!(ignored(), "target\n/runs\nreports/\n");
    made.then(["check", "."]).run().exit(0).stderr_has("0 errors");
    made.then(["run"]).run().exit(0).stderr_has("1 passed");
    made.then(["init"]).run().exit(0).stdout_has("kept     lifecycle.yaml");
    assert_eq!(ignored(), "target\n/runs\nreports/\n");
    made.then(["init", "lifecycle.yaml"]).run().exit(2).stderr_has("is a file, not a folder");
}

#[test]
fn pages_and_completions_know_the_commands() {
    let page = Harness::new().args(["man", "run"]).run().exit(0).stdout;
    for part in ["EXIT STATUS", "EXAMPLES", "lifecycle-run"] {
        assert!(page.contains(part), "{part}:\n{page}");
    }
    let all = Harness::new().args(["man", "--all", "pages"]).run().exit(0);
    assert!(all.dir.path().join("pages/lifecycle-explain.1").is_file());
    Harness::new().args(["man", "rnu"]).run().exit(2).stderr_has("did you mean `run`?");
    Harness::new().args(["completions", "bash"]).run().exit(0).stdout_has("LIFECYCLE_COMPLETE");
    let offered = |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        let output = Command::new(BIN)
            .args(["--"])
            .args(words)
            .env_clear()
            .envs([("LIFECYCLE_COMPLETE", "bash"), ("_CLAP_COMPLETE_INDEX", &index), ("_CLAP_IFS", "\n")])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(offered(&["lifecycle", "run", "local-prov"]).contains("local-provision"));
    assert!(offered(&["lifecycle", "run", "@loc"]).contains("@local"));
    assert!(offered(&["lifecycle", "run", "--fault", "no-p"]).contains("no-projection"));
    assert!(offered(&["lifecycle", "run", "--profile", "lo"]).contains("local"));
    let version = Harness::new().args(["--version"]).run().exit(0).stdout;
    assert!(version.contains("catalogue "), "{version}");
    let help = Harness::new().args(["run", "--help"]).run().exit(0).stdout;
    assert!(
        help.lines().count() < 110 && help.contains("\nTarget:") && help.contains("\nReports:"),
        "{help}"
    );
}
