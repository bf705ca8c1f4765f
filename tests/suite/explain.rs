//! `explain` and `reproduce`: what a log alone says of a red, and the same red here.

use std::fs;

use lifecycle_harness::facade::reference::fault_runs::TABLE;

use super::harness::{Harness, Output, PASSES, events, few_at_once, of_kind, word};
use super::platform::Platform;

const TEAPOT: &str = "scenario: teapot
summary: Wants what no server says.
steps:
  - create: { as: agent, external: true, delivery_mode: poll }
  - http: { path: /health, expect: { status: 418 } }
";

/// Two reds with mechanisms, one without, one pass, one expected failure.
fn five() -> Output {
    let line = ["run", "local-provision", "local-first-answer", "local-hibernate-wake"];
    Harness::new()
        .args(line)
        .scenario(TEAPOT)
        .scenario(PASSES)
        .args(["--fault", "no-projection"])
        .run()
        .exit(1)
}

#[test]
fn every_red_is_explained_from_the_log_alone() {
    let run = five();
    let run = run.stderr_has("lifecycle explain runs/").stderr_has("lifecycle run --like runs/");
    // Nothing but the log is there.
    let id = run.run_folder().file_name().unwrap().to_string_lossy().into_owned();
    let log = fs::read(run.run_folder().join("events.jsonl")).unwrap();
    let whole = Harness::new()
        .file("there/events.jsonl", &log)
        .args(["explain", "--full", "there/events.jsonl"])
        .run()
        .exit(0);
    assert_eq!(whole.stderr, "");
    for text in [
        &format!("run {id} "),
        "exit 1: ",
        "✗ FAILED  local-provision › step 3/9",
        "✗ FAILED  local-first-answer",
        "✗ FAILED  teapot › step 2/2",
        "CAUSE         projection-missing (product)",
        "SUGGESTED FIX Project the provider's key",
        "── diagnosis",
        "not the cause  a missing key: it was sent (MINIMAX_API_KEY)",
        "known issue    #2709",
        "cause          unclassified (unclassified)",
        "nearest        ",
        "── steps",
        "4 restart ws: not run",
        "── last exchanges",
        "── the record",
        "\"awaiting_agent\"",
    ] {
        assert!(whole.stdout.contains(text), "`{text}` is not in\n{}", whole.stdout);
    }
    for absent in ["passes", "EXPECTED", "\u{1b}"] {
        assert!(!whole.stdout.contains(absent), "`{absent}` is in\n{}", whole.stdout);
    }
    // The block is the one that the console showed.
    let block: Vec<&str> =
        run.stderr.lines().skip_while(|l| !l.starts_with("✗ FAILED  teapot")).take(3).collect();
    assert!(block.len() == 3 && block.iter().all(|line| whole.stdout.contains(line)), "{block:#?}");
}

#[test]
fn one_scenario_can_be_named_whatever_became_of_it() {
    let run = five();
    let named = |name: &str| run.then(["explain", "last", name]).run();
    let one = named("teapot").exit(0).stdout_has("✗ FAILED  teapot");
    assert!(!one.stdout.contains("✗ FAILED  local-provision"));
    named("passes").exit(0).stdout_has("passes passed").stdout_has("1 http");
    named("local-hibernate-wake").exit(0).stdout_has("FAILED AS EXPECTED");
    named("local-provisio").exit(2).stderr_has("did you mean `local-provision`?");
    run.then(["explain", "nope"]).run().exit(2).stderr_has("no run `nope`").stderr_has("the newest are: 20");
}

#[test]
fn a_run_without_a_red_and_one_without_an_end_are_explained_too() {
    let green = Harness::new().args(["run", "local-first-answer"]).run().exit(0);
    green.then(["explain"]).run().exit(0).stdout_has("nothing is red").stdout_has("1 passed");
    green.then(["reproduce"]).run().exit(2).stderr_has("nothing is red");
    let nobody = Harness::new().args(["run", "local-first-answer", "--patience", "50ms"]);
    let nobody = nobody.at("http://127.0.0.1:1").run().exit(3).then(["explain"]).run().exit(0);
    nobody.stdout_has("target not reached").stdout_has("exit 3: ").stdout_has("no scenario is red");
    let log = fs::read_to_string(five().run_folder().join("events.jsonl")).unwrap();
    let torn = &log[..log.len() - 40];
    let torn = Harness::new().file("torn/events.jsonl", torn).args(["explain", "torn"]).run().exit(0);
    torn.stdout_has("the log has no end").stdout_has("✗ FAILED  ").stdout_has("local-provision");
}

#[test]
fn a_red_of_a_server_comes_out_again_here_by_its_mechanism() {
    let wanted = ["no-projection", "restart-noop", "empty-completion", "slow-online", "agent-401"];
    let rows = TABLE.iter().filter(|row| wanted.contains(&row.name()));
    let wrong = few_at_once(rows, |row| {
        let clock = if row.flags.is_empty() { "40" } else { "20" };
        let platform = Platform::start(["--fault", row.fault, "--time-scale", clock]);
        let inputs = row.flags.iter().copied();
        let red = Harness::new().args(["run", row.scenarios[0]]).args(inputs).against(&platform).run();
        let red = red.exit(row.exit).stderr_has("lifecycle reproduce runs/");
        // The server is gone.
        drop(platform);
        let again = red.then(["reproduce", "last", row.scenarios[0]]).run();
        let says =
            format!("reproduced      {} by fault {} on {}", row.mechanism, row.fault, row.scenarios[0]);
        // What was made on the side is not the last run, and lies within the one that it is about.
        let side = again.stdout.split("/reproduced/").nth(1).unwrap_or("none").trim_end();
        let side = red.run_folder().join("reproduced").join(side);
        let log = if side.is_dir() { events(&side) } else { Vec::new() };
        let target = of_kind(&log, "run_started").next().map(|r| word(&r["target"]["kind"]));
        let good = again.code() == Some(0)
            && again.stdout.starts_with(&says)
            && again.run_folder() == red.run_folder()
            && target.as_deref() == Some("embedded");
        (!good).then(|| format!("{}: {:?}\n{}\n{}", row.fault, again.code(), again.stdout, again.stderr))
    });
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_reproduced_is_said_by_name() {
    let run = Harness::new().args(["run"]).scenario(TEAPOT).run().exit(1).stderr_lacks("lifecycle reproduce");
    let unclassified = run.then(["reproduce"]).run().exit(2);
    unclassified.stdout_has("cannot be tried unclassified: no fault is known that makes it");
    // Somebody's log, in which it has a mechanism that no fault brings about in this scenario.
    let log = fs::read_to_string(run.run_folder().join("events.jsonl")).unwrap();
    let other = log.replace("\"mechanism\":\"unclassified\"", "\"mechanism\":\"projection-missing\"");
    let other = Harness::new().file("other/events.jsonl", other).args(["reproduce", "other"]).run().exit(1);
    let other = other
        .stdout_has("not reproduced  projection-missing on teapot: with fault no-projection it is red by");
    other.then(["reproduce", "other", "nope"]).run().exit(2).stderr_has("no scenario of");
    // It passes here.
    let passes =
        log.replace("418", "200").replace("\"mechanism\":\"unclassified\"", "\"mechanism\":\"boot\"");
    let passes = Harness::new().file("p/events.jsonl", passes).args(["reproduce", "p"]).run().exit(2);
    passes.stdout_has("cannot be tried boot: no fault is known that makes it");
}

#[test]
fn one_instance_of_a_matrix_is_reproduced_with_its_values() {
    let text = "scenario: arms
summary: Two runtimes.
matrix: { runtime: [claude-code, codex] }
steps:
  - create: { as: ws, runtime: \"${matrix.runtime}\", model: auto }
  - await:  { workspace: ws, status: online, within: 60s }
  - expect: { env_of: ws, satisfies: provider }
";
    let platform = Platform::start(["--fault", "no-projection", "--time-scale", "40"]);
    let red = Harness::new().args(["run", "--repeat", "2"]).scenario(text).against(&platform).run().exit(1);
    let again = red.then(["reproduce"]).run().exit(0);
    assert_eq!(again.stdout.lines().count(), 1, "{}", again.stdout);
    again.stdout_has(
        "reproduced      projection-missing (2 reds) by fault no-projection on arms[runtime=claude-code]",
    );
}

/// A red in a fragment is shown where it stands.
#[test]
fn a_red_in_a_fragment_points_into_the_fragment() {
    let fragment = "fragment: teapot\n# A line of its own.\nsteps:\n  - http: { path: /health, expect: { status: 418 } }\n";
    let scenario = "scenario: uses\nsummary: Uses it.\nsteps:\n  - use: { fragment: teapot }\n";
    let harness = Harness::new().file("dir/teapot.yaml", fragment).file("dir/uses.yaml", scenario);
    let red = harness.args(["run", "dir"]).run().exit(1);
    let red =
        red.stderr_has("  dir/teapot.yaml:4\n").stderr_has("  step          4 | - http: { path: /health");
    red.then(["explain"]).run().exit(0).stdout_has("  dir/teapot.yaml:4\n");
}
