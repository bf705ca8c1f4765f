//! What is removed from an engine is ours, and an engine that misbehaves holds nobody up. The engine is the tests' own.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use lifecycle_harness::facade::docker::owned::Ending;
use lifecycle_harness::facade::docker::owner::Owner;
use lifecycle_harness::facade::docker::{ErrorKind, names};
use lifecycle_harness::facade::event::Log;
use lifecycle_harness::facade::redact::Redactor;
use lifecycle_harness::facade::run::folder::RunFolder;
use lifecycle_harness::facade::targets::profile::books::{Books, PROCESS};

use super::fake_engine::{FakeEngine, Labels, Thing, Things};
use super::harness::{BIN, Harness, Process, is_root, of_kind, wait_for, word};
use super::platform::{Platform, TOKEN, block};

/// A run that ended long ago.
const DEAD: &str = "20260101-000000-0badcafe";
const WORKSPACE: &str = "0b1e6c1e-0d5c-4f0e-9a55-0123456789ab";
const OTHER: &str = "1b1e6c1e-0d5c-4f0e-9a55-0123456789ab";

/// The labels of what a dead process made.
fn dead() -> [(&'static str, String); 2] {
    let owner = Owner::this().label();
    let host = owner.rsplitn(3, ':').last().unwrap().to_owned();
    [(names::RUN, DEAD.to_owned()), (names::OWNER, format!("{host}:4194304:1"))]
}

fn of_the_dead(name: &str) -> Thing {
    let labels = dead();
    Thing::new(name, labels.iter().map(|(k, v)| (*k, v.as_str())))
}

fn sweep(engine: &FakeEngine) -> Harness {
    Harness::new().args(["sweep", "--docker"]).env("DOCKER_HOST", &engine.host)
}

/// A label is handed on by images that somebody makes of ours, and an image of ours may bear names of theirs.
#[test]
fn what_inherited_our_labels_is_not_ours() {
    let theirs = |tags: &[&str], label: &str| {
        (
            tags.iter().map(|t| (*t).to_owned()).collect(),
            Labels::from([(names::AGENT.to_owned(), label.to_owned())]),
        )
    };
    let engine = FakeEngine::with(Things {
        containers: vec![
            of_the_dead(&names::container(WORKSPACE)),
            of_the_dead(&names::part(DEAD, "server")),
            of_the_dead("quirky_turing"),
            of_the_dead("ws-of-mine"),
        ],
        volumes: vec![of_the_dead(&names::configs(WORKSPACE))],
        images: vec![
            theirs(&["me/mine:1", "lifecycle-agent:0.0.1-aa"], "0.0.1-aa"),
            theirs(&["me/from-yours:1"], "0.0.1-aa"),
            theirs(&["lifecycle-agent:mine"], "0.0.1-aa"),
        ],
        ..Things::default()
    });
    sweep(&engine).run().exit(0).stdout_has("removed the image lifecycle-agent:0.0.1-aa of another build");
    let left =
        ["container quirky_turing", "container ws-of-mine", "image me/mine:1", "image me/from-yours:1"];
    assert_eq!(engine.has(), [&left[..], &["image lifecycle-agent:mine"]].concat());
    let removed: Vec<String> =
        engine.things().asked.iter().filter(|a| a.starts_with("DELETE /containers")).cloned().collect();
    assert!(removed.iter().all(|a| a.contains("/id-of-")), "by its id: {removed:?}");
}

/// The network of a dead run, and a container of somebody else's that hangs on it and does not run.
#[test]
fn a_network_stays_under_a_stopped_container() {
    for (hangs, stays) in [(true, true), (false, false)] {
        let network = if hangs { names::NETWORK } else { "bridge" };
        let stopped = Thing { network: network.to_owned(), ..Thing::new("theirs", []) };
        let engine = FakeEngine::with(Things {
            containers: vec![stopped],
            networks: vec![of_the_dead(names::NETWORK)],
            ..Things::default()
        });
        sweep(&engine).run().exit(0);
        assert_eq!(engine.things().networks.len(), usize::from(stays), "hangs on it: {hangs}");
    }
}

/// A process that counts its processes by itself, as a job's container on the host's network does: it lives, and its
/// number means another here.
#[test]
fn a_live_run_in_another_namespace_of_processes_is_left_alone() {
    let namespace = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let able = Command::new("unshare").args(namespace).arg("true").status().is_ok_and(|s| s.success());
    if !is_root() || !able {
        eprintln!("SKIPPED: another namespace of processes needs root and unshare");
        return;
    }
    let engine = FakeEngine::with(Things::default());
    let mut server = Command::new("unshare")
        .args(namespace)
        .args([BIN, "serve", "platform", "--docker", "--listen", "127.0.0.1:0", "--admin-token", "t"])
        .env("DOCKER_HOST", &engine.host)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("a share in the network", || (!engine.things().networks.is_empty()).then_some(()));
    let before = engine.has();
    let spared = sweep(&engine).run();
    let after = engine.has();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(before.iter().any(|thing| thing.starts_with("volume lifecycle-lease-")), "{before:?}");
    assert_eq!(after, before, "{}", spared.stderr);
    spared.exit(0).stderr_has("nobody said --older-than");
    sweep(&engine).args(["--older-than", "0s"]).run().exit(0);
    let left: Vec<String> = engine.has().into_iter().filter(|thing| !thing.starts_with("image")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The engine says that it is at it, and never is done.
#[test]
fn a_removal_without_end_is_told() {
    let engine = FakeEngine::with(Things {
        containers: vec![of_the_dead(&names::container(WORKSPACE))],
        stuck: true,
        ..Things::default()
    });
    let left = block(engine.client().remove_run(DEAD, Ending::Orderly)).unwrap();
    assert_eq!(left, [format!("container ws-{WORKSPACE}: still being removed")]);
    let asked = engine.things().asked.len();
    assert!(asked < 1_000, "{asked} requests");
}

/// Nobody else's container is acted on by its name, and no other text is taken for an id.
#[test]
fn a_workspaces_container_is_the_platforms_and_its_id_a_uuid() {
    let ours = names::container(OTHER);
    let engine = FakeEngine::with(Things {
        containers: vec![
            Thing::new(&names::container(WORKSPACE), [("whose", "theirs")]),
            Thing::new(&ours, [(names::MANAGED, "true")]),
            Thing::new("ws-1", [(names::MANAGED, "true")]),
        ],
        volumes: vec![
            Thing::new(&names::workspace(WORKSPACE), []),
            Thing::new(&names::workspace(OTHER), []),
            Thing::new("ws-1-workspace", []),
        ],
        ..Things::default()
    });
    let client = engine.client();
    let found = block(client.of_workspace(WORKSPACE)).unwrap_err();
    assert_eq!(found.kind, ErrorKind::Foreign);
    for id in ["1", "..", "../networks/x"] {
        for error in [
            block(client.of_workspace(id)).unwrap_err(),
            block(client.volumes_of_workspace(id)).unwrap_err(),
            block(client.remove_workspace(id)).unwrap_err(),
        ] {
            assert_eq!(error.kind, ErrorKind::BadSettings, "{}", error.what);
        }
    }
    assert_eq!(block(client.remove_workspace(OTHER)).unwrap(), None);
    let foreign = block(client.remove_workspace(WORKSPACE)).unwrap().unwrap();
    assert!(foreign.contains("somebody else's, not touched"), "{foreign}");
    let left = [&names::container(WORKSPACE), "ws-1"].map(|name| format!("container {name}"));
    assert_eq!(engine.has(), [&left[..], &["volume ws-1-workspace".to_owned()]].concat());
}

/// A run whose workspace has a container that never speaks.
const WAITS: &str = "scenario: waits
summary: Waits for an agent that never speaks.
needs: [managed, containers]
budget: 5m
steps:
  - create: { as: ws, runtime: claude-code, model: auto }
  - await: { workspace: ws, status: online, within: 4m }
";

/// A run on an engine, up to its first container.
fn waiting(engine: &FakeEngine) -> Process {
    let run = Harness::new().args(["run", "--target", "docker"]).scenario(WAITS);
    let mut run = run.env("DOCKER_HOST", &engine.host).spawn();
    wait_for("a container", || {
        assert!(!run.ended(), "it ended: {}", run.stderr());
        engine.things().containers.iter().any(|c| c.running).then_some(())
    });
    run
}

/// It listens, and answers nothing any more.
#[test]
fn a_frozen_engine_ends_the_run_and_says_so() {
    let engine = FakeEngine::with(Things::default());
    let run = waiting(&engine);
    engine.things().frozen = true;
    let output = run.output().exit(3).stderr_lacks("transport errors");
    let output = output.stderr_has("the container engine does not answer any more");
    output.stderr_has("lifecycle sweep --docker");
}

/// The first interrupt begins the clean-up, the second stops it: nothing that hangs is waited for.
#[test]
fn an_interrupt_does_not_wait_for_a_frozen_engine() {
    let engine = FakeEngine::with(Things::default());
    let run = waiting(&engine);
    engine.things().frozen = true;
    let cancels = |n: usize| {
        let events = super::harness::events(&run.run_folder()?);
        (of_kind(&events, "cancel_began").count() >= n).then_some(())
    };
    for n in 1..=2 {
        run.signal("INT");
        wait_for("an interrupt", || cancels(n));
    }
    let output = run.output().exit(130).stderr_has("lifecycle sweep --docker");
    let finished = output.events();
    let left = &of_kind(&finished, "run_finished").next().unwrap()["left"];
    assert!(left.to_string().contains("what the run made"), "{left}");
}

/// Another run holds what only one may hold at a time.
#[test]
fn an_interrupt_does_not_wait_for_another_runs_lock() {
    let engine = FakeEngine::with(Things::default());
    let run =
        Harness::new().args(["run", "--target", "docker"]).scenario(WAITS).env("DOCKER_HOST", &engine.host);
    let lock = File::create(run.path().join("lifecycle-docker.lock")).unwrap();
    lock.lock().unwrap();
    let folder = run.path().display().to_string();
    let run = run.env("TMPDIR", &folder).spawn();
    wait_for("a look for the image", || {
        engine
            .things()
            .asked
            .iter()
            .any(|asked| asked.starts_with("GET /images/lifecycle-agent"))
            .then_some(())
    });
    run.signal("INT");
    run.output().exit(130);
}

/// `doctor` and `sweep` say that an engine is silent.
#[test]
fn a_silent_engine_is_told() {
    let engine = FakeEngine::with(Things { frozen: true, ..Things::default() });
    let said = "no answer of the engine within 10.00 s";
    sweep(&engine).run().exit(3).stderr_has(said);
    Harness::new().args(["doctor"]).env("DOCKER_HOST", &engine.host).run().exit(0).stdout_has(said);
}

/// A server whose provisioning lasts longer than anybody's patience, and an engine that it knows nothing of.
fn slow_server() -> (Platform, FakeEngine) {
    (Platform::start(["--time-scale", "1", "--boot", "1h"]), FakeEngine::with(Things::default()))
}

/// A run on both, up to its workspace; gives that one's id.
fn provisioning(platform: &Platform, engine: &FakeEngine) -> (Process, String) {
    let run = Harness::new().args(["run", "--docker"]).scenario(WAITS).against(platform);
    let mut run = run.env("DOCKER_HOST", &engine.host).spawn();
    let id = wait_for("a workspace that is being provisioned", || {
        assert!(!run.ended(), "it ended: {}", run.stderr());
        let events = super::harness::events(&run.run_folder()?);
        let seen = of_kind(&events, "observed").find(|seen| seen["status"] == "provisioning")?;
        Some(word(&seen["id"]))
    });
    (run, id)
}

/// As the server makes it, late.
fn comes_up(engine: &FakeEngine, id: &str) {
    let mut things = engine.things();
    things.volumes.push(Thing::new(&names::workspace(id), []));
    things.containers.push(Thing::new(&names::container(id), [(names::MANAGED, "true")]));
}

#[test]
fn a_container_that_comes_up_long_after_its_delete_is_removed() {
    let (platform, engine) = slow_server();
    let (mut run, id) = provisioning(&platform, &engine);
    run.signal("INT");
    wait_for("the delete", || platform.rows().iter().all(|row| row["id"] != *id).then_some(()));
    let looks =
        || engine.things().asked.iter().filter(|a| **a == format!("GET /containers/ws-{id}/json")).count();
    let (before, enough) = (looks(), 120);
    wait_for("many looks, or none any more", || (looks() > before + enough || run.ended()).then_some(()));
    comes_up(&engine, &id);
    let output = run.output().exit(130);
    assert_eq!(engine.has(), Vec::<String>::new(), "{}", output.stderr);
    output.stderr_has("contract L1");
}

/// The log says that there was an engine; nobody has to.
#[test]
fn a_sweep_looks_at_the_engine_of_a_killed_live_run() {
    let (platform, engine) = slow_server();
    let (run, id) = provisioning(&platform, &engine);
    run.signal("KILL");
    let killed = run.output();
    let sweep = || killed.then(["sweep", "--admin-token", TOKEN]);
    // Without the engine nothing is known of what is on it.
    sweep().env("DOCKER_HOST", "unix:///nowhere/engine.sock").run().exit(3);
    let sweep = || sweep().env("DOCKER_HOST", &engine.host);
    // Its row goes, its container may come yet: it is looked for meanwhile.
    let sweeping = sweep().spawn();
    wait_for("the row to go", || platform.rows().is_empty().then_some(()));
    comes_up(&engine, &id);
    sweeping.output().exit(0);
    assert_eq!(engine.has(), Vec::<String>::new());
    sweep().run().exit(0).stderr_has("0 removed, 0 left");
}

#[test]
fn a_server_that_is_interrupted_while_it_starts_leaves_nothing() {
    let engine = FakeEngine::with(Things { slow_network: Duration::from_secs(1), ..Things::default() });
    let server = Harness::new().args(["serve", "platform", "--docker", "--admin-token", "t"]);
    let server = server.args(["--listen", "127.0.0.1:0"]).env("DOCKER_HOST", &engine.host).spawn();
    wait_for("a network", || {
        engine.things().asked.iter().any(|a| a == "POST /networks/create").then_some(())
    });
    server.signal("TERM");
    let output = server.output().exit(0);
    let left: Vec<String> = engine.has().into_iter().filter(|thing| !thing.starts_with("image")).collect();
    assert!(left.is_empty(), "{left:?}\n{}", output.stderr);
}

/// Its share in the network is there, the network itself comes a little later.
#[test]
fn a_target_that_is_interrupted_while_it_opens_leaves_nothing_or_says_so() {
    for (signal, code, freezes) in [("INT", 130, false), ("TERM", 143, false), ("INT", 130, true)] {
        let slow_network = Duration::from_secs(if freezes { 600 } else { 1 });
        let engine = FakeEngine::with(Things { slow_network, ..Things::default() });
        let run = Harness::new().args(["run", "--target", "docker"]).scenario(WAITS);
        let run = run.env("DOCKER_HOST", &engine.host).spawn();
        wait_for("a share in the network", || (!engine.things().volumes.is_empty()).then_some(()));
        wait_for("a network", || {
            engine.things().asked.iter().any(|a| a == "POST /networks/create").then_some(())
        });
        engine.things().frozen = freezes;
        run.signal(signal);
        let output = run.output().exit(code);
        let left: Vec<String> =
            engine.has().into_iter().filter(|thing| !thing.starts_with("image")).collect();
        let told = output.stderr.contains("left on the engine");
        assert_eq!((!left.is_empty(), told), (freezes, freezes), "{signal}: {left:?}\n{}", output.stderr);
    }
}

/// Somebody's container bears the name of a live workspace: no step acts on it, no clean-up removes it, and the volumes
/// of the workspace go all the same.
#[test]
fn a_namesake_of_a_live_workspace_is_neither_acted_on_nor_removed() {
    let (platform, engine) = (Platform::start(["--time-scale", "20"]), FakeEngine::with(Things::default()));
    let acts = "  - await: { workspace: ws, status: paused, within: 2m }
  - container: { workspace: ws, action: remove }
";
    let scenario = format!("{}{acts}", WAITS.replace("within: 4m", "within: 60s"));
    let run = Harness::new().args(["run", "--docker"]).scenario(&scenario).against(&platform);
    let mut run = run.env("DOCKER_HOST", &engine.host).spawn();
    let id = wait_for("an online workspace", || {
        assert!(!run.ended(), "it ended: {}", run.stderr());
        let events = super::harness::events(&run.run_folder()?);
        let seen = of_kind(&events, "observed").find(|seen| seen["status"] == "online")?;
        Some(word(&seen["id"]))
    });
    {
        let mut things = engine.things();
        things.containers.push(Thing::new(&names::container(&id), [("whose", "theirs")]));
        things.volumes.push(Thing::new(&names::workspace(&id), []));
    }
    assert_eq!(platform.ask("POST", &format!("/workspaces/{id}/pause"), None).0, 200);
    let output = run.output().exit(3).stderr_has("is somebody else's, not touched");
    let removed = format!("left by the platform, removed by us: .*container {}", names::container(&id));
    assert!(!regex::Regex::new(&removed).unwrap().is_match(&output.stderr), "{}", output.stderr);
    assert_eq!(engine.has(), [format!("container {}", names::container(&id))], "{}", output.stderr);
}

/// A process of a profile in another namespace: nobody knows from here whether it lives.
#[test]
fn a_process_out_of_reach_is_left_until_it_is_given_up() {
    let harness = Harness::new();
    let dir = harness.dir();
    let folder = RunFolder::create(&dir.path().join("runs"), DEAD).unwrap();
    let log = Log::create(&folder.path, Redactor::new()).unwrap();
    let books = Books::new(log.clone());
    let mut entry = books.intend(PROCESS, "cache");
    let owner = Owner::this().label();
    let namespace = owner.split([':', '/']).nth(2).unwrap();
    books.own(&mut entry, &owner.replacen(namespace, "1", 1));
    log.close();
    drop(folder);
    let sweep = |args: &[&str]| Harness::within(&dir).args(["sweep"]).args(args.to_vec()).run();
    sweep(&[]).exit(4).stdout_has("in another container: --older-than gives it up");
    sweep(&["--older-than", "0s"]).exit(0).stdout_has("is out of reach");
}
