//! Every command once, from outside.

use super::harness::{Harness, Output, PASSES, word};
use super::platform::{Platform, TOKEN};

const FAILS: &str = "scenario: fails
summary: Wants what no server says.
steps:
  - create: { as: agent, external: true, delivery_mode: poll }
  - http: { path: /health, expect: { status: 418 } }
";

fn lifecycle(line: &[&str]) -> Output {
    Harness::new().args(line.iter().copied()).run()
}

#[test]
fn commands_that_need_no_server() {
    for (line, holds) in [
        (&["list"] as &[&str], "local-provision"),
        (&["list", "@hibernate"], "expected to fail"),
        (&["list", "--json", "local-provision"], "\"scenario\": \"local-provision\""),
        (&["plan", "local-provision"], "restart"),
        (&["plan", "--json", "local-provision", "--input", "online_within=7s"], "7s"),
        (&["schema"], "\"$schema\""),
        (&["completions", "bash"], "_lifecycle"),
        (&["completions", "fish"], "--command lifecycle"),
        (&["man"], ".TH lifecycle"),
        (&["--help"], "Usage"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["doctor"], "ok   embedded platform"),
        (&["model", "list"], "minimax"),
        (&["serve", "platform", "--help"], "never-online"),
    ] {
        let output = lifecycle(line).exit(0).stdout_has(holds);
        assert!(!output.stdout.contains('\u{1b}'), "{line:?} colours what is no terminal");
    }
}

#[test]
fn the_schema_is_json_and_check_agrees_with_the_shipped_scenarios() {
    let schema: serde_json::Value = serde_json::from_str(&lifecycle(&["schema"]).exit(0).stdout).unwrap();
    assert_eq!(schema["type"], "object");
    lifecycle(&["check"]).exit(0).stderr_has("0 errors, 0 warnings");
}

#[test]
fn nothing_typed_shows_help() {
    assert_eq!(lifecycle(&[]).code(), Some(2));
}

#[test]
fn a_run_that_passes_says_so_and_its_reports_can_be_built() {
    let output = Harness::new().args(["run"]).scenario(PASSES).run().exit(0).stderr_has("1 passed");
    output.then(["report"]).run().exit(0).stdout_has("");
    let all = output.then(["report", "last", "--all", "out"]).run().exit(0);
    for file in ["junit.xml", "report.json", "report.html", "report.md"] {
        assert!(!all.file(&format!("out/{file}")).is_empty(), "{file} is missing");
    }
}

#[test]
fn quiet_and_verbose_differ() {
    let quiet = Harness::new().args(["run", "-q"]).scenario(PASSES).run().exit(0);
    let verbose = Harness::new().args(["run", "-v"]).scenario(PASSES).run().exit(0);
    assert!(verbose.stderr.lines().count() > quiet.stderr.lines().count());
    assert!(verbose.stderr.contains("/health"), "{}", verbose.stderr);
}

#[test]
fn reports_rebuild_byte_for_byte() {
    let files = |dir: &str| ["junit.xml", "r.json", "r.html", "r.md"].map(|f| format!("{dir}{f}"));
    let [junit, json, html, markdown] = files("first-");
    let first = Harness::new()
        .args(["run", "local-provision", "local-hibernate-wake"])
        .scenario(FAILS)
        .scenario(PASSES)
        .args(["--junit", &junit, "--json", &json, "--html", &html, "--markdown", &markdown])
        .run()
        .exit(1);
    let [junit, json, html, markdown] = files("second-");
    let second = first
        .then([
            "report",
            "last",
            "--junit",
            &junit,
            "--json",
            &json,
            "--html",
            &html,
            "--markdown",
            &markdown,
        ])
        .run()
        .exit(0);
    for (one, two) in files("first-").iter().zip(files("second-").iter()) {
        let (one, two) = (first.file(one), second.file(two));
        assert!(!one.is_empty());
        assert!(one == two, "the report differs from the one that was built from the log");
    }
    let junit = first.file("first-junit.xml");
    assert!(junit.contains("failures=\"1\""), "{junit}");
    assert!(first.file("first-r.json").contains("expected_failure"));
}

#[test]
fn a_failure_is_told_on_one_screen_with_what_to_do_next() {
    let output = Harness::new().args(["run"]).scenario(FAILS).run().exit(1);
    let output = output.stderr_has("fails › step 2/2").stderr_has("lifecycle explain").stderr_has("CAUSE");
    output.block_fits_a_screen();
}

#[test]
fn a_bad_report_path_fails_before_anything_is_sent() {
    let platform = Platform::start(["--time-scale", "20"]);
    let output = Harness::new().args(["run"]).scenario(FAILS).args(["--junit", "scenario-1.yaml/j.xml"]);
    let output = output.against(&platform).run().exit(3).stderr_has("scenario-1.yaml");
    assert!(output.stderr.contains("nothing was sent"), "{}", output.stderr);
    assert!(platform.rows().is_empty());
}

#[test]
fn diagnose_shows_a_live_workspace_without_a_scenario() {
    let platform = Platform::start(["--time-scale", "20"]);
    let id = platform.stranger("somebody", None);
    let output = Harness::new().args(["diagnose", &id]).against(&platform).run().exit(0);
    let output = output.stdout_has("awaiting_agent").stdout_has("awaiting_agent");
    assert!(!output.stdout.contains(TOKEN));
    let json = Harness::new().args(["diagnose", &id, "--json"]).against(&platform).run().exit(0);
    let bundle: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(bundle["parts"].as_array().is_some_and(|parts| parts.len() >= 5), "{bundle}");
    assert_eq!(platform.names(), ["somebody"]);
}

#[test]
fn skips_are_loud_and_red_where_live_work_is_demanded() {
    let needs = PASSES.replace("steps:", "needs: [org]\nsteps:");
    let output = Harness::new().args(["run"]).scenario(&needs).run().exit(5).stderr_has("1 skipped");
    assert!(output.stderr.contains("needs org"), "{}", output.stderr);
    Harness::new().args(["run", "--require-live"]).scenario(&needs).run().exit(5);
    Harness::new().args(["run"]).env("E2E_REQUIRE_LIVE", "1").scenario(&needs).run().exit(5);
}

#[test]
fn an_expected_failure_is_counted_apart_and_a_pass_of_it_is_red() {
    let expected = |steps: &str| {
        format!(
            "scenario: expected
summary: Fails for a known reason.
expect_failure: {{ issue: known-1, reason: no teapot, until: 2099-01-01 }}
steps:
{steps}"
        )
    };
    let fails = expected("  - http: { path: /health, expect: { status: 418 } }\n");
    let output = Harness::new().args(["run"]).scenario(&fails).run().exit(0);
    assert!(output.stderr.contains("1 failed as expected"), "{}", output.stderr);
    let passes = expected("  - http: { path: /health, expect: { status: 200 } }\n");
    Harness::new().args(["run"]).scenario(&passes).run().exit(6);
    let expired = fails.replace("2099", "2020");
    Harness::new().args(["run"]).scenario(&expired).run().exit(2);
    // An error of the harness is never an expected failure.
    let broken =
        expected("  - http: { url: \"http://127.0.0.1:1/\", expect: { status: 200 }, within: 1s }\n");
    let output = Harness::new().args(["run"]).scenario(&broken).run();
    assert_ne!(output.code(), Some(0), "{}", output.stderr);
}

#[test]
fn an_advisory_red_does_not_turn_the_run_red() {
    let advisory = FAILS.replace("steps:", "gate: advisory\nsteps:");
    let output = Harness::new().args(["run", "--junit", "j.xml"]).scenario(&advisory).run().exit(0);
    assert!(output.file("j.xml").contains("<skipped"), "{}", output.file("j.xml"));
}

#[test]
fn identity_is_the_first_event_and_the_end_is_the_last() {
    let output = Harness::new()
        .args(["run"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_RUN_ID", "4711")
        .env("GITHUB_JOB", "e2e")
        .scenario(PASSES)
        .run()
        .exit(0);
    let events = output.events();
    let first = &events[0]["event"]["run_started"];
    assert_eq!(word(&first["ci"]["run"]), "4711");
    assert_eq!(first["target"]["kind"], "embedded");
    assert!(first["scenarios"][0]["text"].as_str().unwrap().contains("passes"));
    let last = &events[events.len() - 1]["event"]["run_finished"];
    assert_eq!(last["code"], 0);
}

#[test]
fn old_runs_are_pruned_but_never_one_that_owns_something() {
    let platform = Platform::start(["--time-scale", "20"]);
    let kept = Harness::new().args(["run", "--destroy", "never"]).scenario(FAILS).against(&platform);
    let kept = kept.run().exit(1);
    let owing = kept.run_folder();
    let mut last = kept;
    for _ in 0..3 {
        last =
            last.then(["run", "--keep-runs", "1", "scenario-2.yaml"]).file("scenario-2.yaml", PASSES).run();
        last = last.exit(0);
    }
    let runs = std::fs::read_dir(last.dir.path().join("runs")).unwrap().count();
    assert!(owing.exists(), "a run that owns something was pruned");
    assert_eq!(runs, 2);
}

/// Nobody reads the report of an earlier run, and no report says that nothing is no trouble.
#[test]
fn a_run_that_never_began_says_so_in_its_reports() {
    let reports = ["--junit", "out.xml", "--json", "out.json", "--html", "out.html", "--markdown", "out.md"];
    let good = Harness::new().args(["run"]).args(reports).scenario(PASSES).run().exit(0);
    let old = good.file("out.xml");
    let secret = "hunter2-hunter2";
    let bad = good.then(["run", "nowhere.yaml"]).args(reports).env("ADMIN_TOKEN", secret).run().exit(2);
    for name in ["out.xml", "out.json", "out.html", "out.md"] {
        let text = bad.file(name);
        assert!(text.contains("there is no file or folder") && text != old, "{name}: {text}");
    }
    assert!(bad.file("out.xml").contains("failures=\"0\" errors=\"1\""), "{}", bad.file("out.xml"));
    let away = [
        "run",
        "--target",
        "live",
        "--base-url",
        "http://127.0.0.1:1",
        "--admin-token",
        secret,
        "--junit",
        "away.xml",
    ];
    let away = good.then(away).run().exit(3);
    let text = away.file("away.xml");
    assert!(
        text.contains("errors=\"1\"") && text.contains("127.0.0.1:1") && !text.contains(secret),
        "{text}"
    );
}

#[test]
fn paths_of_reports() {
    let run = Harness::new().args(["run"]).scenario(PASSES).run().exit(0);
    for line in [
        ["run", "--junit", "x", "--json", "x"],
        ["run", "--junit", "x", "--json", "./x"],
        ["report", "last", "--junit=x", "--json=./x", "-q"],
        ["report", "last", "--junit=-", "--json=-", "-q"],
    ] {
        run.then(line).run().exit(2).stderr_has("two reports would be written to");
        assert!(!run.dir.path().join("x").exists());
    }
    let full = run.then(["report", "last", "--json", "/dev/full"]).run().exit(3);
    full.stderr_has("cannot write /dev/full").stderr_lacks("written:");
    let data = run.then(["report", "last", "--json", "-"]).run().exit(0);
    let _: serde_json::Value = serde_json::from_str(&data.stdout).unwrap();
    let data = run.then(["run", "scenario-1.yaml", "--junit", "-"]).run().exit(0);
    assert!(
        data.stdout.starts_with("<?xml") && data.stdout.trim_end().ends_with("</testsuites>"),
        "{}",
        data.stdout
    );
    let bad = run.then(["run", "scenario-1.yaml", "--json", "/proc/none/x.json"]).run().exit(3);
    bad.stderr_has("the path that the report was given").stderr_lacks("--runs-dir");
}

#[test]
fn an_advisory_step_that_fails_is_told() {
    let text = "scenario: told\nsteps:\n  - expect: { value: 1, is: 2 }\n    name: is it two\n    gate: advisory\n  - note: done\n";
    let output = Harness::new()
        .args(["run", "--markdown", "out.md", "--json", "out.json", "--html", "out.html"])
        .scenario(text)
        .run()
        .exit(0);
    let said = output.stderr.clone();
    let told = "told step 1/2 expect is it two failed: ";
    assert!(said.contains(&format!("ADVISORY   {}", told.replacen(' ', "  ", 1))), "{said}");
    assert!(said.contains(&format!("advisory      {told}")), "{said}");
    assert!(output.file("out.html").contains("failed (advisory)"));
    assert!(output.file("out.md").contains("advisory: step 1/2"), "{}", output.file("out.md"));
    let json: serde_json::Value = serde_json::from_str(&output.file("out.json")).unwrap();
    let step = &json["scenarios"][0]["steps"][0];
    assert_eq!((&step["outcome"], &step["advisory"]), (&"failed".into(), &true.into()));
    Harness::new().args(["run", "-q"]).scenario(text).run().exit(0).stderr_has(told);
}

#[test]
fn the_doctor_says_what_it_did_not_ask() {
    let output = Harness::new().args(["doctor"]).env("BASE", "http://127.0.0.1:1").run().exit(0);
    output.stdout_has("set  live server: BASE is http://127.0.0.1:1, which was not asked");
}
