//! What a run hands to others: annotations, outputs of a CI step, metrics, a command for a red that nobody knew.

use super::harness::Harness;

const RED: &str = "scenario: red
summary: Wants what no server says.
steps:
  - http: { path: /health, expect: { status: 418 } }
";

fn in_forge(harness: Harness) -> Harness {
    let dir = harness.path().display().to_string();
    let summary = format!("{dir}/summary.md");
    let outputs = format!("{dir}/outputs");
    harness
        .env("GITHUB_ACTIONS", "true")
        .env("CI", "true")
        .env("GITHUB_WORKSPACE", &dir)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_OUTPUT", &outputs)
}

#[test]
fn one_cause_is_one_annotation_from_the_workspaces_root() {
    let red = |name: &str| RED.replace("scenario: red", &format!("scenario: {name}"));
    let output = in_forge(Harness::new().args(["run"]).scenario(&red("a")).scenario(&red("b"))).run().exit(1);
    let annotations: Vec<&str> = output.stderr.lines().filter(|l| l.starts_with("::error")).collect();
    assert_eq!(annotations.len(), 1, "{annotations:#?}");
    assert!(annotations[0].contains("file=scenario-1.yaml,line=4"), "{annotations:#?}");
    assert!(annotations[0].contains("2 scenarios"), "{annotations:#?}");
    assert!(output.stderr.contains("2 reds, 1 cause"), "{}", output.stderr);
    assert_eq!(output.stderr.matches("✗ FAILED").count(), 1, "one block for one cause");
    let outputs = output.file("outputs");
    assert!(outputs.contains("exit=1\n") && outputs.contains("red=2\n"), "{outputs}");
    assert!(output.file("summary.md").contains("2 reds, 1 cause"));
}

#[test]
fn a_file_that_cannot_be_read_is_annotated_at_its_line() {
    let bad = "scenario: bad\nsummary: x\nsteps:\n  - htp: { path: / }\n";
    let output = in_forge(Harness::new().args(["run"]).scenario(bad)).run().exit(2);
    let annotation = output.stderr.lines().find(|l| l.starts_with("::error ")).unwrap_or_default();
    assert!(annotation.contains("file=scenario-1.yaml,line=4"), "{}", output.stderr);
    assert!(output.file("outputs").contains("exit=2\n"));
    assert!(output.file("summary.md").contains("exit 2"));
}

#[test]
fn a_command_is_run_for_a_red_that_is_new_and_not_again() {
    let line = ["run", "--state", "state.json", "--on-new", "cat > told.json", "local-provision"];
    let fault = ["--fault", "no-projection", "--metrics", "lifecycle.prom"];
    let first = Harness::new().args(line).args(fault).run().exit(1);
    let told: serde_json::Value = serde_json::from_str(&first.file("told.json")).unwrap();
    assert_eq!(told["exit"]["code"], 1);
    assert!(first.file("lifecycle.prom").contains("lifecycle_reds{standing=\"new\"} 1\n"));
    std::fs::remove_file(first.dir.path().join("told.json")).unwrap();
    let again = first.then(line).args(fault).run().exit(7);
    assert_eq!(again.file("told.json"), "");
    assert_eq!(again.stderr.matches("✗ FAILED").count(), 0, "a known red is one line");
}

#[test]
fn green_is_silent_when_quiet() {
    let output = Harness::new().args(["run", "-q", "local-first-answer"]).run().exit(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}
