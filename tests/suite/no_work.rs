//! No green without work, and words that choose what runs.

use super::harness::{Harness, PASSES, newest_run};
use super::platform::Platform;

const NEEDS: &str = "scenario: needs-key
summary: Fails with a key, and is skipped without one.
inputs: { key: { secret: true, env: THE_KEY } }
steps:
  - note: \"${inputs.key}\"
  - http: { path: /health, expect: { status: 418 } }
";

const ARMS: &str = "scenario: rt
summary: Several instances.
tags: [arms]
matrix: { a: [v1, v2, v10] }
steps:
  - http: { path: /health, expect: { status: 200 } }
";

#[test]
fn what_was_asked_for_and_did_not_run_is_not_green() {
    let dir =
        Harness::new().file("passes.yaml", PASSES).file("needs.yaml", NEEDS).file("empty/x.txt", "").dir();
    for (line, code, says) in [
        (&["run", "needs.yaml"][..], 5, "nothing ran: 1 skipped; needs-key: not configured"),
        (&["run", "needs.yaml", "--allow-none"], 0, "1 skipped"),
        (&["run", "needs.yaml", "--allow-none", "--require-live"], 5, "not configured"),
        (&["run", "passes.yaml", "--target", "saas", "--require-live"], 5, "no control plane is named"),
        (&["run", "passes.yaml", "needs.yaml"], 0, "1 passed, 1 skipped"),
        (&["run", "--scenarios", "empty"], 5, "nothing ran: no scenario was there to run"),
        (&["run", "--scenarios", "empty", "--ci"], 5, "nothing ran"),
        (&["run", "--scenarios", "empty", "--allow-none"], 0, "nothing ran"),
        (&["run", "p*", "needs-key", "--scenarios", "."], 5, "what was named did not run: needs-key"),
        // Nobody asked for it by name.
        (&["run", "--scenarios", "."], 0, "1 passed, 1 skipped"),
    ] {
        let output = Harness::within(&dir).args(line.iter().copied()).run();
        assert!(output.stderr.contains(says), "{line:?}: `{says}` was not said:\n{}", output.stderr);
        output.exit(code);
    }
}

#[test]
fn a_red_that_cannot_run_again_stays_red() {
    let red = Harness::new().args(["run"]).scenario(NEEDS).env("THE_KEY", "key-4711-4711").run().exit(1);
    let first = newest_run(red.dir.path()).unwrap().display().to_string();
    for more in [&[][..], &["--allow-none"]] {
        let again = red.then(["run", "--rerun-failed", &first]).args(more.iter().copied());
        again.run().exit(5).stderr_has("did not run again").stderr_has("THE_KEY");
    }
}

#[test]
fn a_name_reaches_what_is_in_a_file() {
    let dir = Harness::new()
        .file("rt.yaml", ARMS)
        .file("passes.yaml", PASSES)
        .file("sub/passes.yaml", PASSES)
        .dir();
    let count = |line: &[&str]| {
        let output = Harness::within(&dir).args(line.iter().copied()).run().exit(0);
        output.verdicts().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(count(&["run", "rt.yaml", "rt[a=v2]"]), ["rt[a=v2]"]);
    assert_eq!(count(&["run", "rt.yaml", "!rt[a=v2]"]).len(), 2);
    assert_eq!(count(&["run", "./rt.yaml", "passes.yaml", "@arms and not rt[a=v1*]"]).len(), 4);
    let one = Harness::within(&dir).args(["run", "--scenarios", "sub", "sub/passes.yaml"]).run().exit(0);
    assert_eq!(one.verdicts().len(), 1);
    let twice = Harness::within(&dir).args(["run", "passes.yaml", "sub/passes.yaml"]).run().exit(2);
    twice.stderr_has("two files define the scenario `passes`: passes.yaml and sub/passes.yaml");
    let order = Harness::within(&dir).args(["plan", "rt.yaml"]).run().exit(0).stdout;
    let at = |name: &str| order.find(name).unwrap_or_else(|| panic!("no {name}:\n{order}"));
    assert!(at("rt[a=v2]") < at("rt[a=v10]"), "{order}");
    Harness::within(&dir)
        .args(["run", "rt.yaml", "rt[a=v3]"])
        .run()
        .exit(2)
        .stderr_has("did you mean `rt[a=v1]`?");
}

const FAILS: &str = "scenario: fails
summary: Wants what no server says.
matrix: { n: [1, 2, 3] }
steps:
  - http: { path: /health, expect: { status: 418 } }
";

#[test]
fn a_run_ends_early_where_somebody_wants_it() {
    let verdicts = |args: &[&str], code: i32| {
        let harness = Harness::new().args(["run", "--jobs", "1"]).scenario(FAILS).args(args.iter().copied());
        let output = harness.run().exit(code);
        output.verdicts().into_iter().map(|(_, verdict)| verdict).collect::<Vec<_>>()
    };
    let count = |all: &[String], verdict: &str| all.iter().filter(|v| *v == verdict).count();
    let first = verdicts(&["--fail-fast"], 1);
    assert_eq!((count(&first, "failed"), count(&first, "cancelled")), (1, 2), "{first:?}");
    let second = verdicts(&["--max-fail", "2"], 1);
    assert_eq!((count(&second, "failed"), count(&second, "cancelled")), (2, 1), "{second:?}");
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_is_red() {
    let text = "scenario: waits\nsummary: Waits.\nbudget: 11h\nsteps:\n  - create: { as: ws, external: true, delivery_mode: poll }\n  - hold: { for: 10h }\n";
    let platform = Platform::start([]);
    let output = Harness::new()
        .args(["run", "--global-timeout", "1s"])
        .scenario(text)
        .against(&platform)
        .run()
        .exit(1)
        .stderr_has("--global-timeout");
    assert_eq!(output.verdicts()[0].1, "cancelled");
    platform.is_empty();
}

#[test]
fn a_red_that_passes_when_it_runs_again_is_flaky() {
    // What fails at first leaves a file behind.
    let text = "scenario: flickers
summary: Fails once.
steps:
  - exec: { argv: [sh, -c, \"test -e mark || { touch mark; exit 1; }\"] }
";
    let output = Harness::new().args(["run", "--allow-exec", "--retries", "2"]).scenario(text).run().exit(6);
    output.stderr_has("passed at attempt 2").stderr_has("1 scenario: 1 flaky").stderr_lacks("1 passed");
    // An attempt in between that is red counts no more than the first.
    let later =
        text.replace("test -e mark ||", "test -e mark2 || { test -e mark && touch mark2; false; } ||");
    let output =
        Harness::new().args(["run", "--allow-exec", "--retries", "2"]).scenario(&later).run().exit(6);
    output.stderr_has("passed at attempt 3").stderr_has("1 scenario: 1 flaky");
    let steady = Harness::new().args(["run", "--retries", "2"]).scenario(PASSES).run().exit(0);
    assert_eq!(steady.verdicts().len(), 1);
    let red = Harness::new().args(["run", "--retries", "1", "fails[n=1]"]).scenario(FAILS).run().exit(1);
    red.stderr_has("1 scenario: 1 failed");
}

#[test]
fn check_reads_every_file_below_a_path() {
    let base = || Harness::new().file("passes.yaml", PASSES);
    for (name, text, code, says) in [
        ("lanes/broken.yaml", "profile: p\nsummry: x\n", 2, "summry"),
        ("profiles/broken.yaml", "profile: p\nsummry: x\n", 2, "summry"),
        ("parts/f.yaml", "fragment: f\nstps: []\n", 2, "stps"),
        ("parts/f.yaml", "fragment: f\nsteps: [{ note: x }]\n", 0, "1 scenario, 1 fragment: 0 errors"),
        ("compose.yaml", "services: { db: { image: x } }\n", 0, "1 scenario, 1 compose file: 0 errors"),
        ("odd.yaml", "hello: world\n", 0, "odd.yaml is none of the files"),
        ("known.yaml", "- { red: a/b, issue: x }\n", 2, "until"),
        ("known.yaml", "- { red: a/b/c, issue: x, until: 2001-01-01 }\n", 0, "was known until 2001-01-01"),
        ("lifecycle.yaml", "jbs: 4\n", 2, "did you mean `jobs`?"),
        ("scenaro.yaml", "scenaro: x\nsteps: []\n", 2, "scenaro"),
        ("providers.yaml", "schema_version: 1\nproviders: 7\n", 2, "providers"),
    ] {
        let output = base().file(name, text).args(["check", "."]).run();
        assert!(output.stderr.contains(says), "{name}: `{says}` was not said:\n{}", output.stderr);
        output.exit(code);
    }
}

#[test]
fn a_project_says_what_is_always_wanted() {
    let dir = Harness::new()
        .file("lifecycle.yaml", "scenarios: e2e\nruns: out\njobs: 3\nprofiles:\n  ci: { jobs: 2 }\n")
        .file("e2e/passes.yaml", PASSES)
        .dir();
    Harness::within(&dir).args(["run"]).run().exit(0).stderr_has("1 passed");
    assert!(dir.path().join("out").is_dir());
    let plan = Harness::within(&dir).args(["plan", "--ci"]).run().exit(0).stdout;
    assert!(plan.contains("jobs = 2 (lifecycle.yaml (ci))"), "{plan}");
    assert!(plan.contains("scenarios = e2e (lifecycle.yaml)"), "{plan}");
    Harness::within(&dir).args(["run", "--preset", "night"]).run().exit(2).stderr_has("no profile `night`");
    Harness::within(&dir).args(["list", "--project", "none"]).run().exit(0).stdout_has("local-provision");
}

#[test]
fn what_is_on_a_server_that_is_gone_can_be_forgotten() {
    let platform = Platform::start([]);
    let text = "scenario: makes\nsummary: Makes one.\nsteps:\n  - create: { as: ws, external: true, delivery_mode: poll }\n";
    let run = Harness::new().args(["run", "--destroy", "never"]).scenario(text).against(&platform).run();
    drop(platform);
    let kept = run.then(["sweep"]).run().exit(3).stderr_has("not removed: server unreachable");
    kept.stderr_has("--forget").stderr_lacks("the credential");
    run.then(["sweep", "--forget"]).run().exit(0).stdout_has("forgotten workspace");
    run.then(["sweep"]).run().exit(0).stderr_has("0 removed, 0 left");
}

#[test]
fn a_folder_of_scenarios_may_hold_other_files_of_ours() {
    let folder = Harness::new().file("e2e/passes.yaml", PASSES);
    let folder = folder.file("e2e/known.yaml", "- { red: a/b/c, issue: x, until: 2099-01-01 }\n");
    let folder = folder
        .file("e2e/lane.yaml", "profile: lane\nsummary: A lane.\n")
        .file("e2e/lifecycle.yaml", "jobs: 2\n");
    let run = folder.args(["run", "--scenarios", "e2e"]).run().exit(0).stderr_has("1 scenario: 1 passed");
    run.then(["run", "e2e"]).run().exit(0).stderr_has("1 scenario: 1 passed");
    // What nobody understands is not passed over in silence.
    std::fs::write(run.dir.path().join("e2e/odd.yaml"), "hello: world\n").unwrap();
    run.then(["run", "e2e"]).run().exit(2).stderr_has("odd.yaml");
}

#[test]
fn two_files_of_one_name_are_one_problem() {
    let other = format!("{PASSES}# another\n");
    let both = Harness::new().file("passes.yaml", PASSES).file("sub/passes.yaml", other);
    let output = both.args(["run", "passes.yaml", "sub/passes.yaml"]).run().exit(2);
    output.stderr_has("two files define the scenario").stderr_has("1 error, nothing was sent");
}
