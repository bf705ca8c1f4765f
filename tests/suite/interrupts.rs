//! Signals at any moment: clean-up, honest codes, a complete log; and a sweep after the worst.

use std::time::Duration;

use super::harness::{Harness, Process, events, few_at_once, moment, of_kind, soak, wait_for, word};
use super::platform::{Platform, TOKEN};
use super::proxy::{Mischief, Proxy, Rule};

/// Random moments tried; `LIFECYCLE_SOAK=1` tries fifty.
fn moments(usual: u64) -> impl Iterator<Item = Duration> {
    let (count, seed) = if soak() { (50, u64::from(std::process::id())) } else { (usual, 7) };
    // Evenly over the run's first seconds, with a part that no machine repeats.
    (0..count)
        .map(move |n| Duration::from_millis(30 + (n * 2_500 / count) + (n * 7_919 + seed * 104_729) % 97))
}

fn suite(platform: &Platform) -> Process {
    Harness::new().args(["run", "-q"]).against(platform).spawn()
}

#[test]
fn interrupt_and_terminate_at_any_moment_leave_nothing() {
    let platform = Platform::start(["--time-scale", "20"]);
    for (n, after) in moments(6).enumerate() {
        let run = suite(&platform);
        wait_for("a run", || run.run_folder());
        moment(after);
        let (name, code) = if n % 2 == 0 { ("INT", 130) } else { ("TERM", 143) };
        run.signal(name);
        let output = run.output().exit(code);
        let events = output.events();
        let last = &events[events.len() - 1]["event"];
        assert_eq!(last["run_finished"]["code"], code, "after {after:?} the log ends with {last}");
        platform.is_empty();
    }
}

#[test]
fn kill_at_any_moment_and_a_sweep_leave_nothing() {
    let platform = Platform::start(["--time-scale", "20"]);
    for after in moments(4) {
        let run = suite(&platform);
        // Without a line of a log there is nothing to report.
        wait_for("a run's log", || {
            let log = run.run_folder()?.join("events.jsonl");
            std::fs::metadata(log).is_ok_and(|file| file.len() > 0).then_some(())
        });
        moment(after);
        run.signal("KILL");
        let output = run.output();
        assert_eq!(output.code(), None);
        output.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
        platform.is_empty();
        // The log is read in spite of a torn last line.
        output.then(["report", "last"]).run().exit(0);
    }
}

#[test]
fn a_clean_up_that_hangs_is_cut_short_and_the_log_is_complete() {
    let platform = Platform::start(["--time-scale", "20"]);
    let proxy = Proxy::before(&platform, None);
    let mut run = Harness::new().args(["run", "@local"]).at(&proxy.base).spawn();
    wait_for("workspaces of ours", || (platform.rows().len() > 4).then_some(()));
    proxy.set(Rule { mischief: Mischief::Hang, begins: "", every: 1, reaches: false });
    run.signal("INT");
    moment(Duration::from_millis(7_500));
    run.signal("TERM");
    let ended = wait_within(Duration::from_millis(2_500), &mut run);
    run.signal("KILL");
    let output = run.output();
    let events = events(&output.run_folder());
    let last = &events[events.len() - 1]["event"];
    assert!(last.get("run_finished").is_some(), "ended by itself: {ended}; the log ends with {last}");
    assert!(ended, "it had to be killed");
    assert!(events.iter().any(|e| e["event"].get("left").is_some()), "nothing is said to be left");
    output.exit(130);
}

/// What CI does: so long, then KILL.
fn wait_within(limit: Duration, run: &mut Process) -> bool {
    let until = std::time::Instant::now() + limit;
    while std::time::Instant::now() < until {
        if run.ended() {
            return true;
        }
        super::harness::pause();
    }
    run.ended()
}

#[test]
fn a_second_interrupt_prints_what_is_left_and_goes() {
    let platform = Platform::start(["--time-scale", "20", "--fault", "delete-leaks"]);
    let run = Harness::new().args(["run"]).scenario(HOLDS).against(&platform).spawn();
    wait_for("our workspaces", || (platform.rows().len() > 1).then_some(()));
    run.signal("INT");
    wait_for("the clean-up", || {
        let folder = run.run_folder()?;
        let text = std::fs::read_to_string(folder.join("events.jsonl")).ok()?;
        text.contains("cancel_began").then_some(())
    });
    run.signal("INT");
    let output = run.output().exit(130).stderr_has("lc-");
    let events = output.events();
    assert!(events[events.len() - 1]["event"].get("run_finished").is_some());
    assert!(events.iter().any(|e| e["event"].get("left").is_some()));
}

#[test]
fn usr1_says_what_everything_waits_for() {
    let platform = Platform::start(["--time-scale", "20", "--fault", "never-online"]);
    let run = Harness::new().args(["run", "local-provision"]).against(&platform).spawn();
    wait_for("a workspace", || (platform.rows().len() == 2).then_some(()));
    // The signal may come before the wait begins: it is asked until it says something.
    wait_for("what it waits for", || {
        run.signal("USR1");
        let said = run.stderr();
        (said.contains("ws online") && said.contains("provisioning")).then_some(())
    });
    run.signal("TERM");
    run.output().exit(143);
    platform.is_empty();
}

const HOLDS: &str = "scenario: holds
summary: Waits long.
steps:
  - create: { as: one, external: true, delivery_mode: poll }
  - await:  { workspace: one, status: online, within: 12s }
";

/// Clean-up gives up for all of them at once, however the server is gone, and says why each is left.
#[test]
fn a_server_that_is_gone_is_not_waited_for_by_each_workspace() {
    let gone = [None, Some(Mischief::Hang), Some(Mischief::Status503), Some(Mischief::HtmlOk)];
    few_at_once(gone, |mischief| {
        let platform = Platform::start(["--time-scale", "20"]);
        let proxy = Proxy::before(&platform, None);
        let run = Harness::new().args(["run"]).scenario(HOLDS).at(&proxy.base).spawn();
        // A create whose answer is lost is another story.
        wait_for("what it owns", || {
            let log = std::fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
            (log.matches("\"owned\":").count() == 2).then_some(())
        });
        match mischief {
            Some(mischief) => proxy.set(Rule { mischief, begins: "", every: 1, reaches: false }),
            None => drop(platform),
        }
        let output = run.output().exit(3);
        let events = output.events();
        let left: Vec<String> = of_kind(&events, "left").map(|e| word(&e["reason"])).collect();
        assert_eq!(left.len(), 2, "{mischief:?}: {left:?}");
        let told = left.iter().all(|why| why.contains("has been unreachable for"));
        assert!(told, "{mischief:?}: {left:?}");
    });
}

#[test]
fn a_server_that_dies_is_the_environments_fault() {
    let platform = Platform::start(["--time-scale", "20"]);
    let run = Harness::new().args(["run"]).scenario(HOLDS).against(&platform).spawn();
    wait_for("our workspaces", || (platform.rows().len() == 2).then_some(()));
    drop(platform);
    run.signal("INT");
    // It would go on trying for a while: the server may come back.
    run.signal("INT");
    let output = run.output().exit(130);
    let events = output.events();
    assert!(events.iter().any(|e| e["event"].get("left").is_some()), "{}", output.stderr);
}
