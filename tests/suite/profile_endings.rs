//! How what a profile brought up comes down when somebody is in a hurry, or when something does not want to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lifecycle_harness::facade::docker::names;

use super::docker::engine;
use super::engine_proxy::{EngineProxy, Silence};
use super::harness::{BIN, Harness, Output, of_kind, signal, wait_for, word};
use super::platform::block;
use super::profiles::{SERVES, alive, with_profile};

/// Kinds and names of what was left, in the order of the ledger.
fn left(output: &Output) -> Vec<String> {
    of_kind(&output.events(), "left").map(|l| format!("{} {}", word(&l["kind"]), word(&l["name"]))).collect()
}

/// It leaves its group, and has left it when the command ends.
const DAEMON: &str =
    "setsid /bin/sh -c 'echo > away; exec /bin/sleep 600' >/dev/null 2>&1 & until [ -e away ]; do :; done";

/// A service that runs a command before it, and then cannot be started.
fn daemon_before(command: &str) -> String {
    let service = format!(
        "services:\n  daemon:\n    before: [[/bin/sh, -c, \"{command}\"]]\n    command: [/nowhere/x]\n    ready: {{ log: x }}\n"
    );
    SERVES.replace("server:\n", &format!("{service}server:\n"))
}

#[test]
fn what_only_a_command_before_left_is_ended_too() {
    let text = daemon_before(DAEMON);
    let output = with_profile(&text).run().exit(3).stderr_has("cannot run `/nowhere/x`");
    assert_eq!(alive(&output.run_folder()), Vec::<String>::new());
    // It asks nobody whether it may live on.
    let text =
        daemon_before("(trap '' TERM INT HUP; exec setsid /bin/sleep 600) >/dev/null 2>&1 & echo made");
    let output = with_profile(&text).run().exit(3);
    assert_eq!(alive(&output.run_folder()), Vec::<String>::new());
}

#[test]
fn a_sweep_ends_what_only_a_command_before_left() {
    let text = daemon_before(DAEMON);
    let text = text.replace("[/nowhere/x]", "[/bin/sleep, '600']");
    let run = with_profile(&text).spawn();
    wait_for("the service", || {
        let log = fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
        (log.matches("\"owned\"").count() == 2).then_some(())
    });
    run.signal("KILL");
    let output = run.output();
    let folder = output.run_folder();
    assert_eq!(alive(&folder).len(), 2, "daemon and service outlive their run");
    // Only the daemon is left, and no line of the ledger is open.
    let pid = of_kind(&output.events(), "owned").last().map(|o| word(&o["id"])).unwrap();
    let pid = pid.rsplit(':').nth(1).unwrap().parse().unwrap();
    signal(pid, "KILL");
    wait_for("the service's end", || (alive(&folder).len() == 1).then_some(()));
    let log = folder.join("events.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let released = text.lines().find(|l| l.contains("\"released\"")).unwrap().replace("\"p1\"", "\"p2\"");
    fs::write(&log, format!("{text}{released}\n")).unwrap();
    output.then(["sweep"]).run().exit(0).stderr_has("1 removed, 0 left");
    assert_eq!(alive(&folder), Vec::<String>::new());
    output.then(["sweep"]).run().exit(0).stderr_has("0 removed, 0 left");
}

/// In place of docker: writes down what it is asked, and is the tenant itself while it is `up`.
const COMPOSE: &str = "#!/bin/sh
echo \"$*\" >> asked
case \"$*\" in
  *' up') exec BIN serve platform --listen 127.0.0.1:PORT --inspect --time-scale 20 --admin-token harness-admin-token-alpha ;;
  *) exit $(cat down-ends-with) ;;
esac
";

/// What it was asked, with the run's own part of the project's name left out.
fn asked(output: &Output) -> Vec<String> {
    let run = output.run_folder().file_name().unwrap().display().to_string();
    output.file("asked").lines().map(|line| line.replace(&run, "RUN")).collect()
}

#[test]
fn a_compose_project_comes_up_and_is_taken_away() {
    const UP: &str = "compose --project-name lifecycle-RUN up";
    const DOWN: &str = "compose --project-name lifecycle-RUN down --volumes --remove-orphans";
    let run = |down_ends_with: &str, scenario: &[&str]| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let script = COMPOSE.replace("BIN", BIN).replace("PORT", &port);
        let harness = Harness::new().file("bin/docker", script).file("down-ends-with", down_ends_with);
        let program = harness.path().join("bin/docker");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
        let harness = harness.env("PATH", &path).env("COMPOSE_FILE", "compose.yml");
        let harness = harness.env("LIFECYCLE_COMPOSE_URL", &format!("http://127.0.0.1:{port}"));
        harness.args(["run", "--profile", "replays-compose"]).args(scenario.iter().copied())
    };
    let done = run("0", &[]).run().exit(0).stderr_has("replay-channel-envelope");
    assert_eq!(asked(&done), [UP, DOWN]);
    assert_eq!(left(&done), Vec::<String>::new());
    // What is not taken away is left, with what has to be typed.
    let fails = run("3", &["replay-peer-discovery-404"]).run().exit(4);
    let fails = fails.stderr_has("down --volumes --remove-orphans`: exit status 3");
    assert_eq!(left(&fails), ["teardown server"]);
    // A killed run never came to it: a sweep stops the process, runs nothing, and says so until it is told.
    let killed = run("0", &["external-stale"]).spawn();
    wait_for("its server", || {
        let log = fs::read_to_string(killed.run_folder()?.join("events.jsonl")).ok()?;
        log.contains("\"observed\"").then_some(())
    });
    killed.signal("KILL");
    let killed = killed.output();
    let swept = killed.then(["sweep"]).run();
    assert_ne!(swept.code(), Some(0));
    assert!(swept.stdout.contains("type it") && swept.stdout.contains(" down --volumes"), "{}", swept.stdout);
    assert_eq!(asked(&killed), [UP]);
    killed.then(["sweep", "--older-than", "0s"]).run().exit(0);
    killed.then(["sweep"]).run().exit(0).stderr_has("0 removed, 0 left");
}

/// A clean-up that is cut short leaves nothing of a server that goes as well.
#[test]
fn what_a_stopped_server_had_is_not_called_left() {
    let text = SERVES.replace("--time-scale, \"20\"", "--time-scale, \"20\", --fault, never-online");
    let mut run = with_profile(&text).spawn();
    wait_for("a workspace", || {
        let log = fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
        log.contains("\"observed\"").then_some(())
    });
    wait_for("its end", || {
        run.signal("INT");
        run.ended().then_some(())
    });
    let output = run.output().exit(130).stderr_lacks("remove it with");
    output.then(["sweep"]).run().exit(0).stderr_has("0 removed, 0 left");
}

/// With a service in a container.
fn contained() -> String {
    let service = r#"services:
  provider:
    image: agent
    command: [serve, provider, --listen, "0.0.0.0:8090"]
    ready: { log: "^http://", within: 60s }
"#;
    SERVES.replace("server:\n  command", &format!("{service}server:\n  command"))
}

/// Nobody hears whether a container was made.
#[test]
fn a_container_that_nobody_says_was_made_is_found_or_left() {
    let Some(held) = engine() else { return };
    for reaches in [true, false] {
        let silence = Silence { method: "POST", about: "/containers/create", reaches, closes: true };
        let Some(proxy) = EngineProxy::before(&held.engine, silence) else { return };
        let output = with_profile(&contained()).env("DOCKER_HOST", &proxy.host).run().exit(3);
        assert_eq!(proxy.met(), 1);
        let output = output.stderr_has("cannot make the container lifecycle-");
        match reaches {
            true => assert_eq!(left(&output), Vec::<String>::new(), "it was found"),
            false => {
                assert_eq!(left(&output).len(), 1, "it may come yet");
                let output = output.stderr_has("the engine did not say whether it made it");
                output.then(["sweep"]).run().exit(0).stdout_has("container lifecycle-");
            }
        }
        held.as_before("after an answer that was lost");
    }
}

#[test]
fn a_second_interrupt_waits_for_nothing() {
    let Some(held) = engine() else { return };
    let silence = Silence { method: "DELETE", about: "/containers/", reaches: false, closes: false };
    let Some(proxy) = EngineProxy::before(&held.engine, silence) else { return };
    let mut run = with_profile(&contained()).env("DOCKER_HOST", &proxy.host).spawn();
    wait_for("the engine to be silent", || (proxy.met() > 0).then_some(()));
    // Somebody is impatient.
    wait_for("its end", || {
        run.signal("INT");
        run.ended().then_some(())
    });
    let output = run.output();
    let output = output.stderr_has("interrupted twice").stderr_has("container lifecycle-");
    assert!(matches!(output.code(), Some(130 | 4)), "{:?}", output.code());
    assert_eq!(left(&output).len(), 1, "{:?}", left(&output));
    let run = output.run_folder().file_name().unwrap().display().to_string();
    let there = block(held.engine.labelled(names::RUN, Some(&run))).unwrap();
    assert_eq!(there.len(), 1, "nobody removed it");
    output.then(["sweep"]).run().exit(0).stdout_has("container lifecycle-");
    held.as_before("after a sweep");
}

/// A program of another user's, as `sudo` makes them.
fn setuid(folder: &Path) -> String {
    let program = folder.join("as-root");
    fs::copy("/usr/bin/setpriv", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    program.display().to_string()
}

#[test]
fn what_refuses_to_be_killed_is_left_and_said() {
    let root = Harness::new();
    if !super::harness::is_root() || !Path::new("/usr/bin/setpriv").exists() {
        eprintln!("SKIPPED: another user's process needs root and setpriv");
        return;
    }
    let program = setuid(root.path());
    let text = format!(
        "profile: refuses\nrun: [local-provision]\nbase_url: http://127.0.0.1:1\nservices:\n  \
         sudo:\n    command: [{program}, --reuid=0, --regid=0, --clear-groups, /bin/sh, -c, \"echo up; exec /bin/sleep 600\"]\n    \
         ready: {{ log: up }}\n    stop: {{ grace: 100ms }}\n"
    );
    let run = root.file("p.yaml", text).args(["run", "--profile", "p.yaml", "--patience", "100ms"]);
    let output = run.by_nobody().run().exit(3).stderr_has("refuses to be killed");
    assert_eq!(left(&output), ["process sudo"]);
    let sweep = output.then(["sweep"]).by_nobody().run().exit(4);
    sweep.stdout_has("process sudo is left: process ").stdout_has("refuses to be killed");
    // Its owner can.
    output.then(["sweep"]).run().exit(0).stdout_has("process sudo: stopped");
    output.then(["sweep"]).run().exit(0).stderr_has("0 removed, 0 left");
}
