//! A run removes what it made, all of it, and nothing of anybody else.

use serde_json::json;

use super::harness::{Harness, wait_for, word};
use super::platform::{Platform, TOKEN};
use super::proxy::{Mischief, Proxy, Rule};

const CHILDREN: &str = "scenario: children
summary: Makes workspaces, one of them managed, and leaves them to the clean-up.
steps:
  - create: { as: one, external: true, delivery_mode: poll }
  - create: { as: two, runtime: claude-code, model: MiniMax-M2.7, credentials: none, secrets: { MINIMAX_API_KEY: some-key-value-1 } }
  - create: { as: below, external: true, delivery_mode: poll, parent: one }
  - await:  { workspace: two, status: online, within: 60s }
";

const HOLDS: &str = "scenario: holds
summary: Makes a workspace and stays a while.
steps:
  - create: { as: one, external: true, delivery_mode: poll }
  - hold:   { for: 10m, workspace: one, status: awaiting_agent }
";

#[test]
fn two_runs_at_once_touch_nothing_of_each_other() {
    let platform = Platform::start(["--time-scale", "20"]);
    let run = || Harness::new().args(["run", "-q", "@local"]).scenario(CHILDREN).against(&platform).spawn();
    let runs = [run(), run(), run()];
    for run in runs {
        run.output().exit(0).stderr_lacks("could not be removed");
    }
    platform.is_empty();
}

#[test]
fn strangers_are_left_alone_a_root_of_theirs_and_late_ones_too() {
    let platform = Platform::start(["--time-scale", "20"]);
    // The server makes the first workspace the parent of all later ones that name none.
    let root = platform.stranger("their-root", None);
    platform.stranger("their-child", Some(&root));
    platform.stranger("lc-theirs-in-our-style-0000-deadbeef", None);
    let run = Harness::new().args(["run", "-q", "@local", "@external"]).scenario(CHILDREN).against(&platform);
    let run = run.spawn();
    wait_for("the run's first workspace", || (platform.rows().len() > 4).then_some(()));
    platform.stranger("their-late-one", None);
    platform.stranger("their-late-child", Some(&root));
    run.output().exit(0);
    wait_for("only strangers", || {
        let names = platform.names();
        (names
            == [
                "lc-theirs-in-our-style-0000-deadbeef",
                "their-child",
                "their-late-child",
                "their-late-one",
                "their-root",
            ])
        .then_some(())
    });
}

/// A run that begins stands under another one's root until it has moved; ending just then is no leak.
#[test]
fn a_root_of_another_run_under_ours_is_waited_for() {
    let platform = Platform::start(["--time-scale", "20"]);
    let mut run = Harness::new().args(["run"]).scenario(HOLDS).against(&platform).spawn();
    let root = wait_for("our root, and what is below it", || {
        let rows = platform.rows();
        let root = rows.iter().find(|row| row["name"].as_str().is_some_and(|n| n.starts_with("lc-root-")))?;
        (rows.len() == 2).then(|| word(&root["id"]))
    });
    let theirs = platform.stranger("lc-root-of-another", Some(&root));
    run.signal("INT");
    // The delete of our root was refused for its sake, and the clean-up still runs.
    let log = run.run_folder().unwrap();
    wait_for("a refused delete", || {
        let text = std::fs::read_to_string(log.join("events.jsonl")).unwrap();
        text.contains("who hangs under it").then_some(())
    });
    assert!(!run.ended());
    let path = format!("/workspaces/{theirs}");
    assert_eq!(platform.ask("PATCH", &path, Some(json!({ "parent_id": null }))).0, 200);
    run.output().exit(130).stderr_lacks("lc-root-of-another");
    assert_eq!(platform.names(), ["lc-root-of-another"]);
}

#[test]
fn a_stranger_that_hangs_under_ours_is_a_leak_that_is_said_not_a_victim() {
    let platform = Platform::start(["--time-scale", "20"]);
    let run = Harness::new().args(["run"]).scenario(HOLDS).against(&platform).spawn();
    let ours = wait_for("our workspace", || {
        let rows = platform.rows();
        let ours = rows.iter().find(|row| row["name"].as_str().is_some_and(|n| n.starts_with("lc-holds")))?;
        Some(ours["id"].as_str()?.to_owned())
    });
    platform.stranger("their-child-under-ours", Some(&ours));
    run.signal("INT");
    let output = run.output().exit(130).stderr_has("their-child-under-ours");
    assert!(platform.names().contains(&"their-child-under-ours".to_owned()));
    // When it is gone, a sweep removes the rest.
    let theirs = platform.rows().into_iter().find(|r| r["name"] == "their-child-under-ours").unwrap();
    let path = format!("/workspaces/{}?confirm=true", theirs["id"].as_str().unwrap());
    let request = lifecycle_harness::facade::tls::client().no_proxy().build().unwrap();
    let status = super::platform::block(async {
        let sent = request.delete(format!("{}{path}", platform.base)).bearer_auth(TOKEN);
        sent.header("X-Confirm-Name", "their-child-under-ours").send().await.unwrap().status().as_u16()
    });
    assert_eq!(status, 200);
    output.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    platform.is_empty();
}

#[test]
fn what_is_kept_is_swept_later_and_a_dry_run_only_says_so() {
    let platform = Platform::start(["--time-scale", "20"]);
    platform.stranger("a-stranger", None);
    let kept = Harness::new().args(["run", "--destroy", "never"]).scenario(CHILDREN).against(&platform);
    let kept = kept.run().exit(0);
    assert_eq!(platform.rows().len(), 5, "{:?}", platform.names());
    let dry = kept.then(["sweep", "--dry-run"]).run().exit(0);
    assert_eq!(dry.stdout.lines().filter(|l| l.contains("would remove")).count(), 4, "{}", dry.stdout);
    assert_eq!(platform.rows().len(), 5);
    kept.then(["sweep", "--older-than", "1h"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    assert_eq!(platform.rows().len(), 5);
    let none = kept.then(["sweep"]).run().exit(3);
    insta::assert_snapshot!("sweep_without_a_token", none.said());
    let swept = kept.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    assert_eq!(swept.stdout.lines().filter(|l| l.contains(": removed")).count(), 4, "{}", swept.stdout);
    wait_for("only the stranger", || (platform.names() == ["a-stranger"]).then_some(()));
    // Nothing is left to do.
    let again = kept.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    assert!(again.stdout.is_empty(), "{}", again.stdout);
}

#[test]
fn a_run_that_lives_is_not_swept() {
    let platform = Platform::start(["--time-scale", "20"]);
    let run = Harness::new().args(["run"]).scenario(HOLDS).against(&platform).spawn();
    wait_for("our workspaces", || (platform.rows().len() == 2).then_some(()));
    let sweep = Harness::within(&run.dir()).args(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    assert!(sweep.stderr.contains("lives, left alone"), "{}", sweep.stderr);
    assert_eq!(platform.rows().len(), 2);
    run.signal("TERM");
    run.output().exit(143);
    platform.is_empty();
}

#[test]
fn what_the_platform_does_not_remove_is_a_leak_of_its_own() {
    let one = "scenario: one
summary: Makes a workspace.
steps:
  - create: { as: one, external: true, delivery_mode: poll }
";
    let output = Harness::new().args(["run", "--fault", "delete-leaks"]).scenario(one).run();
    let output = output.exit(4).stderr_has("could not be removed");
    let events = output.events();
    assert!(events.iter().any(|e| e["event"].get("left").is_some()));
}

/// The run's root is asked for again when its answer is lost, and the first request is only late: there are two.
#[test]
fn a_root_that_comes_twice_is_removed_twice() {
    for until in ["POST /workspaces", "DELETE /workspaces/"] {
        for strangers in [false, true] {
            let platform = Platform::start(["--time-scale", "20"]);
            let theirs = match strangers {
                true => vec!["lc-root-theirs".to_owned(), "their-root".to_owned()],
                false => Vec::new(),
            };
            theirs.iter().rev().for_each(|name| _ = platform.stranger(name, None));
            let rule = Rule {
                mischief: Mischief::Late { until },
                begins: "POST /workspaces ",
                every: 1,
                reaches: false,
            };
            let proxy = Proxy::before(&platform, Some(rule));
            let run = Harness::new().args(["run"]).scenario(CHILDREN).at(&proxy.base).run();
            run.exit(0).stderr_lacks("could not be removed");
            assert_eq!(proxy.spoilt(), 1);
            wait_for("only strangers", || (platform.names() == theirs).then_some(()));
        }
    }
}
