//! `run --state FILE`: one run at a time, and the same red told from a new one.

use std::fs;

use super::harness::{Harness, Output, is_root, of_kind, wait_for, word};
use super::platform::Platform;
use super::proxy::{Mischief, Proxy, Rule};

const HOLDS: &str = "scenario: holds
summary: Stays online for long.
budget: 1h
steps:
  - create: { as: ws, runtime: claude-code, model: auto }
  - await:  { workspace: ws, status: online, within: 60s }
  - hold:   { for: 10h, workspace: ws, status: online }
";

/// Nobody has a mechanism for it.
const TEAPOT: &str = "scenario: teapot
summary: Wants what no server says.
steps:
  - http: { path: /health, expect: { status: 418 } }
";

/// A state with one red of another scenario.
const OTHER: &str = r#"{ "version": 1, "reds": [ { "fingerprint": "other/1/boot-failed", "scenario": "other",
  "mechanism": "provision-start-failed", "first_seen": "2026-01-01T00:00:00Z", "first_run": "r1",
  "last_seen": "2026-01-02T00:00:00Z", "last_run": "r2", "count": 2 } ] }"#;

const OTHER_PASSES: &str = "scenario: other
summary: Asks for the server's health.
steps:
  - http: { path: /health, expect: { status: 200 } }
";

/// Arguments, exit code, what the summary says, reds and in how many runs they were seen.
type Night<'a> = (&'a [&'a str], i32, &'a [&'a str], &'a [(&'a str, u64)]);

fn state(output: &Output) -> serde_json::Value {
    serde_json::from_str(&output.file("state.json")).unwrap_or_default()
}

/// `fingerprint → count` of what is not fixed.
fn reds(output: &Output) -> Vec<(String, u64)> {
    let state = state(output);
    let reds = state["reds"].as_array().cloned().unwrap_or_default();
    let open = reds.iter().filter(|red| red["fixed_at"].is_null());
    open.map(|red| (word(&red["fingerprint"]), red["count"].as_u64().unwrap_or_default())).collect()
}

#[test]
fn a_cron_tells_the_same_red_from_a_new_one() {
    const PROVISION: &str = "local-provision/expect-env-of-ws/base-url-keeps-v1/ANTHROPIC_BASE_URL";
    const ANSWER: &str = "local-first-answer/";
    let nights: &[Night] = &[
        (&["local-provision"], 0, &["1 passed"], &[]),
        (&["local-provision", "--fault", "base-url-double-v1"], 1, &["  new "], &[(PROVISION, 1)]),
        (
            &["local-provision", "--fault", "base-url-double-v1"],
            7,
            &["  known         since 20", "in 1 earlier run"],
            &[(PROVISION, 2)],
        ),
        // A repetition is no other red.
        (
            &["local-provision", "--repeat", "2", "--fault", "base-url-double-v1"],
            7,
            &["in 2 earlier runs", "local-provision#2"],
            &[(PROVISION, 3)],
        ),
        // Another scenario's red is new, whatever else is known.
        (
            &["local-provision", "local-first-answer", "--fault", "base-url-double-v1"],
            1,
            &["  new ", "  known "],
            &[(ANSWER, 1), (PROVISION, 4)],
        ),
        // What did not run is neither fixed nor forgotten.
        (&["local-first-answer"], 0, &["  fixed         local-first-answer/"], &[(PROVISION, 4)]),
        (
            &["local-provision", "--fault", "no-projection"],
            1,
            &["  new "],
            &[(PROVISION, 4), ("local-provision/expect-env-of-ws/projection-missing", 1)],
        ),
        (
            &["local-provision"],
            0,
            &["  fixed         local-provision/expect-env-of-ws/base-url-keeps-v1"],
            &[],
        ),
    ];
    let mut last: Option<Output> = None;
    for (night, (args, code, says, remembered)) in nights.iter().enumerate() {
        let harness = last.as_ref().map_or_else(Harness::new, |last| last.then([] as [&str; 0]));
        let files =
            ["run", "--state", "state.json", "--junit", "j.xml", "--json", "r.json", "--markdown", "r.md"];
        let output = harness.args(files).args(args.iter().copied()).run().exit(*code);
        for text in *says {
            assert!(output.stderr.contains(text), "night {night}: `{text}` was not said:\n{}", output.stderr);
        }
        let found = reds(&output);
        assert_eq!(found.len(), remembered.len(), "night {night}: {found:?}");
        for ((fingerprint, count), (wanted, times)) in found.iter().zip(*remembered) {
            assert!(fingerprint.starts_with(wanted) && count == times, "night {night}: {found:?}");
        }
        last = Some(output);
    }
}

#[test]
fn known_and_new_are_in_the_log_and_in_every_report() {
    let files = ["--junit", "j.xml", "--json", "r.json", "--markdown", "r.md", "--html", "r.html"];
    let line = ["run", "--state", "state.json", "local-provision", "--fault", "no-projection"];
    let first = Harness::new().args(line).args(files).run().exit(1);
    let finished = |output: &Output| of_kind(&output.events(), "scenario_finished").next().cloned().unwrap();
    assert_eq!(finished(&first)["new"], true);
    for (file, text) in
        [("j.xml", "new red"), ("r.json", "\"new\": true"), ("r.md", "**new**"), ("r.html", ">new<")]
    {
        assert!(first.file(file).contains(text), "{file}: {}", first.file(file));
    }
    let second = first.then(line).args(files).run().exit(7);
    let told = word(&finished(&second)["known"]);
    assert!(told.starts_with("since 20") && told.ends_with("in 1 earlier run"), "{told}");
    for file in ["j.xml", "r.json", "r.md", "r.html"] {
        assert!(second.file(file).contains(&told), "{file}: {}", second.file(file));
    }
    let again = second.then(["report", "last", "--json", "again.json"]).run().exit(0);
    assert_eq!(again.file("again.json"), second.file("r.json"));
    let third = second.then(line[..4].iter().copied()).args(files).run().exit(0);
    let fixed = of_kind(&third.events(), "fixed").next().cloned().unwrap();
    assert!(word(&fixed["told"]).ends_with("in 2 earlier runs"), "{fixed}");
    for file in ["j.xml", "r.json", "r.md"] {
        assert!(third.file(file).contains(&word(&fixed["told"])), "{file}: {}", third.file(file));
    }
}

#[test]
fn what_nobody_explains_is_always_new() {
    for _ in 0..2 {
        let line = ["run", "--state", "state.json"];
        let first = Harness::new().args(line).scenario(TEAPOT).run().exit(1).stderr_has("  new ");
        assert_eq!(reds(&first), []);
        first.then(line).args(["scenario-1.yaml"]).run().exit(1).stderr_has("  new ");
    }
}

#[test]
fn a_list_that_somebody_keeps_decides_first() {
    let listed = |until: &str| {
        format!(
            "- {{ red: local-provision/3/base-url-keeps-v1/ANTHROPIC_BASE_URL, issue: \"#2754\", until: {until} }}\n"
        )
    };
    let line = ["run", "--state", "state.json", "--known", "known.yaml", "local-provision"];
    let broken = ["--fault", "base-url-double-v1"];
    let run = |harness: Harness, until: &str| {
        harness.file("known.yaml", listed(until)).args(line).args(broken).run()
    };
    let first = run(Harness::new(), "2099-12-31").exit(7).stderr_has("#2754 until 2099-12-31");
    assert_eq!(reds(&first), []);
    // Its day is over: somebody hears of it once, then it is an old one.
    let over = run(first.then([] as [&str; 0]), "2001-12-31").exit(1).stderr_has("  new ");
    run(over.then([] as [&str; 0]), "2001-12-31").exit(7).stderr_has("in 1 earlier run");
}

#[test]
fn a_second_run_ends_at_once_and_an_interrupt_teaches_nothing() {
    let first =
        Harness::new().file("state.json", OTHER).args(["run", "--state", "state.json"]).scenario(HOLDS);
    let first = first.spawn();
    let run = wait_for("the first run holds", || {
        let log = fs::read_to_string(first.run_folder()?.join("events.jsonl")).ok()?;
        log.contains("\"verb\":\"hold\"").then(|| first.run_folder())?
    });
    let run = run.file_name().unwrap().to_string_lossy().into_owned();
    let again = Harness::within(&first.dir()).args(["run", "--state", "state.json", "--runs-dir", "others"]);
    let second = again.args(["local-provision"]).run().exit(8).stderr_has(&run).stderr_has("process ");
    assert!(!second.dir.path().join("others").exists(), "a run that may not begin has no folder");
    let second = second.then(["run", "--state", "other.json", "local-provision"]).run().exit(0);
    first.signal("INT");
    let first = first.output().exit(130);
    assert_eq!(first.file("state.json"), OTHER);
    // Nobody holds it any more.
    second.then(["run", "--state", "state.json", "local-provision"]).run().exit(0);
    assert_eq!(reds(&second), [("other/1/boot-failed".to_owned(), 2)]);
}

#[test]
fn a_broken_environment_teaches_nothing() {
    let red = ["run", "--state", "state.json", "local-provision", "--fault", "no-projection"];
    let first = Harness::new().args(red).run().exit(1);
    let before = first.file("state.json");
    let platform = Platform::start(["--time-scale", "20"]);
    let cut = Rule { mischief: Mischief::Reset, begins: "POST /workspaces/*/a2a", every: 1, reaches: false };
    let proxy = Proxy::before(&platform, Some(cut));
    // What passed beside it was not seen by a run that came to its own end.
    let cut =
        Harness::new().file("state.json", OTHER).args(["run", "--state", "state.json", "local-first-answer"]);
    let cut = cut.scenario(OTHER_PASSES).at(&proxy.base).run().exit(3).stderr_has("1 passed");
    assert!(proxy.spoilt() > 0);
    assert_eq!(cut.file("state.json"), OTHER);
    cut.stderr_lacks("  new ");
    let unreachable = first.then(["run", "--state", "state.json", "local-provision"]);
    let unreachable = unreachable.at("http://127.0.0.1:1").args(["--patience", "100ms"]).run().exit(3);
    assert_eq!(unreachable.file("state.json"), before);
    first.then(red).run().exit(7);
}

#[test]
fn a_state_that_cannot_be_used_is_said_before_anything_is_sent() {
    let run = |file: &str, text: Option<&str>| {
        let harness = Harness::new().args(["run", "--state", file, "local-provision"]);
        match text {
            Some(text) => harness.file(file, text),
            None => harness,
        }
    };
    for (file, text, says) in [
        ("state.json", Some("garbage"), "it is not a state file"),
        ("state.json", Some(""), "it is not a state file"),
        ("state.json", Some("{\"version\": 3, \"reds\": []}"), "it has version 3"),
        ("state.json", Some("{\"version\": 1, \"reds\": [{}]}"), "missing field"),
        ("none/state.json", None, "there is no folder none"),
        (".", None, "directory"),
    ] {
        let output = run(file, text).run().exit(2).stderr_has(says).stderr_has("nothing was sent");
        assert!(!output.dir.path().join("runs").exists(), "{file}: there is a run");
        if let Some(text) = text {
            assert_eq!(output.file(file), text, "the file was changed");
        }
    }
}

#[test]
fn a_state_in_a_folder_that_is_read_only_is_said_before_anything_is_sent() {
    if !is_root() {
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    let harness = Harness::new().by_nobody().file("kept/state.json", OTHER);
    let kept = harness.path().join("kept");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o555)).unwrap();
    let output = harness.args(["run", "--state", "kept/state.json", "local-provision"]).run();
    let output = output.exit(3).stderr_has("kept/state.json").stderr_has("nothing was sent");
    assert!(!output.dir.path().join("runs").exists());
}

const KEYED: &str = "scenario: keyed
summary: A new workspace has its provider's key.
steps:
  - create: { as: ws, runtime: claude-code, model: MiniMax-M2.7, credentials: auto }
  - await:  { workspace: ws, status: online, within: 60s }
  - expect: { env_of: ws, satisfies: provider }
";

/// What of `no-projection` a fingerprint has at its end.
const LOST: &str = "projection-missing/ANTHROPIC_AUTH_TOKEN, ANTHROPIC_BASE_URL";

/// The first red of a state file.
fn first_red(output: &Output) -> (String, serde_json::Value) {
    let red = state(output)["reds"][0].clone();
    (word(&red["fingerprint"]), red)
}

#[test]
fn a_red_is_the_same_after_an_edit_of_its_file() {
    let line = ["run", "--state", "state.json", "scenario-1.yaml", "--fault", "no-projection"];
    let first = Harness::new().file("scenario-1.yaml", KEYED).args(line).run().exit(1).stderr_has("  new ");
    let (fingerprint, _) = first_red(&first);
    assert_eq!(fingerprint, format!("keyed/expect-env-of-ws/{LOST}"));
    let edit = |text: &str| fs::write(first.dir.path().join("scenario-1.yaml"), text).unwrap();
    edit(&KEYED.replace("steps:\n", "steps:\n  - note: put in before\n"));
    let second = first.then(line).run().exit(7).stderr_has("in 1 earlier run");
    assert_eq!(reds(&second), [(fingerprint.clone(), 2)]);
    // A list that names it is as good after the edit.
    let known = format!("- {{ red: \"{fingerprint}\", issue: \"#1\", until: 2099-12-31 }}\n");
    fs::write(first.dir.path().join("known.yaml"), known).unwrap();
    let listed = ["run", "--known", "known.yaml", "scenario-1.yaml", "--fault", "no-projection"];
    first.then(listed).run().exit(7).stderr_has("#1 until 2099-12-31");
}

#[test]
fn states_and_lists_of_earlier_versions_still_match() {
    let former = OTHER.replace("other/1/boot-failed", &format!("keyed/3/{LOST}"));
    let former =
        former.replace("\"other\"", "\"keyed\"").replace("provision-start-failed", "projection-missing");
    let known = format!("- {{ red: \"keyed/3/{LOST}\", issue: \"#1\", until: 2099-12-31 }}\n");
    let harness =
        Harness::new().file("scenario-1.yaml", KEYED).file("state.json", former).file("known.yaml", known);
    let line = ["run", "--state", "state.json", "scenario-1.yaml", "--fault", "no-projection"];
    let run = harness.args(line).run().exit(7).stderr_has("since 2026-01-01T00:00:00Z, in 2 earlier runs");
    let (fingerprint, red) = first_red(&run);
    assert_eq!(fingerprint, format!("keyed/expect-env-of-ws/{LOST}"));
    assert_eq!((&red["count"], &red["first_run"]), (&serde_json::json!(3), &serde_json::json!("r1")));
    let listed = ["run", "--known", "known.yaml", "scenario-1.yaml", "--fault", "no-projection"];
    run.then(listed).run().exit(7).stderr_has("#1 until 2099-12-31");
}

#[test]
fn a_red_that_comes_back_has_its_history_and_one_that_flaps_is_no_news() {
    let line = ["run", "--state", "state.json", "scenario-1.yaml"];
    let broken = ["--fault", "no-projection"];
    let mut last = Harness::new().file("scenario-1.yaml", KEYED).args(line).args(broken).run().exit(1);
    let nights: &[(bool, i32, &str)] = &[
        (false, 0, "  fixed  "),
        (true, 1, "came back: it was fixed since 20"),
        (false, 0, "  fixed  "),
        (true, 7, "flapping since 20"),
        (false, 0, ""),
        (true, 7, "flapping since 20"),
    ];
    for (night, (red, code, says)) in nights.iter().enumerate() {
        let harness = last.then(line).args(broken.iter().filter(|_| *red).copied());
        last = harness.run().exit(*code);
        assert!(last.stderr.contains(says), "night {night}: `{says}` was not said:\n{}", last.stderr);
        if says.is_empty() {
            assert!(!last.stderr.contains("  fixed  "), "night {night}:\n{}", last.stderr);
        }
    }
    let list = last.then(["state", "list", "--state", "state.json"]).run().exit(0);
    list.stdout_has("flapping").stdout_has("keyed/expect-env-of-ws/projection-missing");
}

/// A difference of the contract is a class beside the others: in every report, remembered from run to run, and gone once
/// it is accepted.
#[test]
fn a_difference_of_the_contract_is_told_in_every_report_and_remembered() {
    const FILES: [&str; 3] = ["junit.xml", "report.md", "report.html"];
    let server = Platform::start(["--edition", "mid-august", "--time-scale", "40"]);
    let asked = [
        "run",
        "access-health",
        "--edition",
        "mid-june",
        "--state",
        "state.json",
        "--junit",
        FILES[0],
        "--markdown",
        FILES[1],
        "--html",
        FILES[2],
    ];
    let first = Harness::new().args(asked).against(&server).run().exit(1);
    for name in FILES {
        let text = first.file(name);
        assert!(text.contains("billing-route is off, expected on by mid-june"), "{name}: {text}");
        assert!(text.contains("contract") && text.contains("; new"), "{name}: {text}");
    }
    let junit = first.file(FILES[0]);
    assert!(junit.contains("<testsuite name=\"contract\"") && junit.contains("type=\"contract\""), "{junit}");
    assert!(reds(&first).contains(&("contract/billing-route/off".to_owned(), 1)), "{:?}", reds(&first));
    let second = first.then(asked).against(&server).run().exit(7);
    for name in FILES {
        let text = second.file(name);
        assert!(text.contains("; known since 20") && !text.contains("; new"), "{name}: {text}");
    }
    second.then(["drift", "last", "--accept", "--reason", "the billing route was given up"]).run().exit(0);
    let third = second.then(asked).against(&server).run().exit(0);
    assert!(!third.file(FILES[0]).contains("<testsuite name=\"contract\""));
    assert_eq!(reds(&third), []);
}
