//! Real containers. Without an engine every test says so and does nothing, unless
//! `LIFECYCLE_REQUIRE_DOCKER=1`; the engine is afterwards exactly as it was before.

mod another_engine;
mod bad_input;
mod containers;
mod engines;
mod series;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use lifecycle_harness::facade::docker::{Action, ContainerSpec, Engine, Settings, names};
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, Output, wait_for};
use super::platform::{TOKEN, beside, block};

/// What one test does to the engine must not be another's before or after.
static ALONE: Mutex<()> = Mutex::new(());

/// The engine, held by one test, which leaves it as it was.
pub(crate) struct Held {
    pub engine: Engine,
    before: BTreeSet<String>,
    _alone: MutexGuard<'static, ()>,
    _among_processes: File,
}

impl Held {
    fn inventory(engine: &Engine) -> BTreeSet<String> {
        block(engine.inventory()).unwrap()
    }

    #[track_caller]
    pub(crate) fn as_before(&self, when: &str) {
        let after = Self::inventory(&self.engine);
        let new: Vec<_> = after.difference(&self.before).collect();
        let gone: Vec<_> = self.before.difference(&after).collect();
        assert!(new.is_empty() && gone.is_empty(), "{when}: new {new:#?}, gone {gone:#?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a switch of the tests")]
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// What killed tests of earlier left would be neither before nor after.
static SWEPT: LazyLock<()> = LazyLock::new(|| _ = docker_of(["sweep", "--docker"]).run().exit(0));

/// The engine that docker's own client would find here, if it answers.
#[track_caller]
pub(crate) fn engine() -> Option<Held> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Another checkout on this machine may test on the same engine.
    let among_processes = File::create(std::env::temp_dir().join("lifecycle-docker-tests.lock")).unwrap();
    among_processes.lock().unwrap();
    let settings = Settings { host: var("DOCKER_HOST"), ..Settings::default() };
    let found = settings.connect().and_then(|engine| block(engine.ping()).map(|()| engine));
    match found {
        Ok(engine) => {
            LazyLock::force(&SWEPT);
            Some(Held {
                before: Held::inventory(&engine),
                engine,
                _alone: alone,
                _among_processes: among_processes,
            })
        }
        Err(error) if var("LIFECYCLE_REQUIRE_DOCKER").as_deref() == Some("1") => {
            panic!("LIFECYCLE_REQUIRE_DOCKER=1, but {}: {}", error.what, error.check.join("; "))
        }
        Err(error) => {
            eprintln!("SKIPPED, no container engine: {}", error.what);
            None
        }
    }
}

fn docker() -> Harness {
    docker_of(["run", "--target", "docker"])
}

fn docker_of<const N: usize>(args: [&str; N]) -> Harness {
    here(Harness::new().args(args))
}

/// On the engine of these tests.
fn here(harness: Harness) -> Harness {
    match var("DOCKER_HOST") {
        Some(host) => harness.env("DOCKER_HOST", &host),
        None => harness,
    }
}

fn all_passed(output: Output) -> Output {
    let output = output.exit(0);
    assert!(!output.verdicts().is_empty());
    output
}

#[test]
fn the_lifecycle_of_real_containers_leaves_the_engine_as_it_was() {
    let Some(held) = engine() else { return };
    let output = docker()
        .args(["local-provision", "local-crash-recovers", "local-pause-resume", "local-delete"])
        .args(["docker-config-lost", "docker-deleted-while-provisioning", "docker-started-again"])
        .run();
    let output = all_passed(output);
    held.as_before("after a run");
    assert!(output.stderr.contains("contract L2"), "the workspace volume is the platform's leak");
    assert!(output.stderr.contains("contract L1"), "what came up after its delete was seen");
    let log =
        output.file(&format!("runs/{}/events.jsonl", output.run_folder().file_name().unwrap().display()));
    assert!(log.contains("@20"), "the new instance is told by the container's id and start");
}

#[test]
fn twenty_at_once_leave_nothing() {
    let Some(held) = engine() else { return };
    all_passed(docker().args(["local-provision", "--repeat", "20"]).run());
    held.as_before("after twenty");
}

/// A container that bears a workspace's name and is nobody's business.
fn stranger(held: &Held, image: &str) -> (String, String) {
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string();
    let spec = ContainerSpec {
        name: names::container(&id),
        image: image.to_owned(),
        labels: BTreeMap::from([(names::MANAGED.to_owned(), "true".to_owned())]),
        network: Some("none".to_owned()),
        ..ContainerSpec::default()
    };
    block(held.engine.make_volume(&names::configs(&id), &BTreeMap::new())).unwrap();
    let container = block(held.engine.create(&spec)).unwrap();
    (id, container)
}

#[test]
fn two_runs_and_a_stranger_do_not_touch_each_other() {
    let Some(held) = engine() else { return };
    all_passed(docker().args(["local-first-answer"]).run());
    let image = block(held.engine.old_agent_images("")).unwrap().pop().unwrap();
    let (id, container) = stranger(&held, &image);
    let first = docker().args(["local-provision", "local-delete"]).spawn();
    let second = docker().args(["local-restart-twice", "local-provision"]).spawn();
    let second = all_passed(second.output());
    all_passed(first.output());
    here(second.then(["sweep", "--docker", "--older-than", "0s"])).run().exit(0);
    let there = block(held.engine.inspect(&container)).unwrap();
    let volume = block(held.engine.volumes_named(&[names::configs(&id)])).unwrap();
    block(held.engine.remove(&container)).unwrap();
    block(held.engine.remove_volume(&names::configs(&id))).unwrap();
    assert!(there.is_some() && volume.len() == 1, "the stranger's container and volume are still there");
    held.as_before("after two at once");
}

/// The engine's own record of a network names only what runs on it.
#[test]
fn the_network_stays_under_a_container_that_does_not_run() {
    let Some(held) = engine() else { return };
    all_passed(docker().args(["local-first-answer"]).run());
    let image = block(held.engine.old_agent_images("")).unwrap().pop().unwrap();
    let run = format!("20260101-000000-{:08x}", std::process::id());
    for started in [false, true] {
        block(held.engine.share_network(&run)).unwrap();
        let spec = ContainerSpec {
            name: format!("theirs-{}", uuid::Builder::from_random_bytes(rand::random()).into_uuid()),
            image: image.clone(),
            // It ends at once.
            command: vec!["--version".to_owned()],
            network: Some(names::NETWORK.to_owned()),
            ..ContainerSpec::default()
        };
        let theirs = block(held.engine.create(&spec)).unwrap();
        if started {
            block(held.engine.act(&theirs, Action::Start)).unwrap();
            wait_for("its end", || {
                let there = block(held.engine.inspect(&theirs)).unwrap().unwrap();
                (there.status == "exited").then_some(())
            });
        }
        block(held.engine.release_network(&run)).unwrap();
        let stays = block(held.engine.network(names::NETWORK)).unwrap().is_some();
        block(held.engine.remove(&theirs)).unwrap();
        block(held.engine.share_network(&run)).unwrap();
        block(held.engine.release_network(&run)).unwrap();
        assert!(stays, "started: {started}");
        held.as_before("after nobody hangs on it any more");
    }
}

/// An image that somebody makes of a container of ours, and what is started from it, bear our labels.
#[test]
fn a_sweep_leaves_alone_what_inherited_our_labels() {
    let Some(held) = engine() else { return };
    if !held.engine.endpoint().starts_with("unix://") {
        return;
    }
    let dead = [(names::RUN, "20260101-000000-0badcafe"), (names::OWNER, "nowhere/0/1:1:1")];
    let labels = dead.map(|(key, value)| format!("LABEL {key}={value}"));
    let changes =
        labels.into_iter().chain([format!("LABEL {}=1.0-aa", names::AGENT), "CMD [\"/x\"]".to_owned()]);
    let nothing = futures_util::stream::iter([Ok(lifecycle_harness::facade::docker::tar::end().into())]);
    block(held.engine.import_image("lifecycle-test:inherited", changes.collect(), nothing)).unwrap();
    let spec = ContainerSpec {
        name: format!("theirs-{}", uuid::Builder::from_random_bytes(rand::random()).into_uuid()),
        image: "lifecycle-test:inherited".to_owned(),
        network: Some("none".to_owned()),
        ..ContainerSpec::default()
    };
    let theirs = block(held.engine.create(&spec)).unwrap();
    let there = block(held.engine.inspect(&theirs)).unwrap().unwrap();
    docker_of(["sweep", "--docker", "--older-than", "0s"]).run().exit(0);
    let stays = block(held.engine.inspect(&theirs)).unwrap().is_some();
    block(held.engine.remove(&theirs)).unwrap();
    docker_of(["sweep", "--docker", "--older-than", "0s"]).run().exit(0);
    let image_stays = block(held.engine.remove_image("lifecycle-test:inherited"));
    assert_eq!(there.labels.get(names::RUN).map(String::as_str), Some("20260101-000000-0badcafe"));
    assert!(stays && image_stays, "container: {stays}, image: {image_stays}");
    held.as_before("after what inherited our labels");
}

/// A sweep while another run lives leaves it alone, also from another folder.
#[test]
fn a_sweep_leaves_a_live_run_alone() {
    let Some(held) = engine() else { return };
    let run = docker().args(["local-restart-twice"]).spawn();
    wait_for("a container of the run", || {
        let found = block(held.engine.labelled(names::RUN, None)).unwrap();
        (!found.is_empty()).then_some(())
    });
    docker_of(["sweep", "--docker"]).run().exit(0);
    all_passed(run.output());
    held.as_before("after the live run");
}

#[test]
fn a_live_server_on_this_engine_is_looked_at_and_cleaned_up_after() {
    let Some(held) = engine() else { return };
    let mut server = docker_of(["serve", "platform", "--docker", "--listen", "127.0.0.1:0"])
        .args(["--admin-token", TOKEN])
        .args(["--time-scale", "10"])
        .spawn();
    let said = wait_for("the server", || {
        assert!(!server.ended(), "it ended: {}", server.stderr());
        server.stderr().contains("stop it").then(|| (server.stdout(), server.stderr()))
    });
    let base = said.0.lines().next().unwrap().to_owned();
    let provider = said.1.split("provider: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    // Somebody else's workspace, and another run against the same server, are nobody's business.
    let image = block(held.engine.old_agent_images("")).unwrap().pop().unwrap();
    let (id, container) = stranger(&held, &image);
    let before = Held::inventory(&held.engine);
    let live = |scenarios: &[&str]| {
        let harness = Harness::new().args(["run"]).args(scenarios.iter().copied());
        here(harness).args(["--docker", "--provider-url", &provider]).at(&base).spawn()
    };
    let first = live(&["local-provision", "local-crash-recovers", "docker-started-again"]);
    let second = live(&["docker-deleted-while-provisioning", "docker-as-made", "local-pause-resume"]);
    all_passed(first.output());
    all_passed(second.output());
    let after = Held::inventory(&held.engine);
    block(held.engine.remove(&container)).unwrap();
    block(held.engine.remove_volume(&names::configs(&id))).unwrap();
    assert_eq!(after, before, "only what the runs caused is removed, and all of it");
    server.signal("TERM");
    server.output().exit(0);
    held.as_before("after the server");
}

const PRIVILEGED: &str = "scenario: privileged
summary: Tier 3 is not made unless it is allowed.
needs: [managed, containers]
budget: 1m
steps:
  - create: { as: ws, runtime: claude-code, model: auto, tier: 3 }
  - await: { workspace: ws, status: failed, within: 30s }
";

#[test]
fn privileged_tiers_are_not_made() {
    let Some(held) = engine() else { return };
    all_passed(docker().scenario(PRIVILEGED).run());
    held.as_before("after a refused tier");
}

/// The engine behind a socket of the tests' own, which dies when it is told to.
#[test]
fn an_engine_that_dies_ends_the_run_and_a_sweep_finishes_later() {
    let Some(held) = engine() else { return };
    if !held.engine.endpoint().starts_with("unix://") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let real = held.engine.endpoint().trim_start_matches("unix://").to_owned();
    let dead = CancellationToken::new();
    let listener = block(async { tokio::net::UnixListener::bind(&path) }).unwrap();
    let stop = dead.clone();
    beside(async move {
        while let Some(Ok((mut near, _))) = stop.run_until_cancelled(listener.accept()).await {
            let (real, stop) = (real.clone(), stop.clone());
            tokio::spawn(async move {
                let mut far = tokio::net::UnixStream::connect(real).await.unwrap();
                stop.run_until_cancelled(tokio::io::copy_bidirectional(&mut near, &mut far)).await
            });
        }
    });
    let host = format!("unix://{}", path.display());
    let run = Harness::new()
        .args(["run", "--target", "docker", "local-env-projection-minimax"])
        .env("DOCKER_HOST", &host)
        .spawn();
    wait_for("a container of the run", || {
        let found = block(held.engine.labelled(names::RUN, None)).unwrap();
        found.iter().any(|c| c.state == "running").then_some(())
    });
    dead.cancel();
    let output = run.output().exit(3);
    assert!(output.stderr.contains("sweep"), "what is left is told:\n{}", output.stderr);
    here(output.then(["sweep", "--docker"])).run().exit(0);
    held.as_before("after an engine that died, and a sweep");
}

#[test]
fn no_engine_is_told_and_counted() {
    let nowhere = "unix:///nowhere/engine.sock";
    let start = "start it: systemctl start docker";
    let run = |args: &[&str]| Harness::new().args(args.to_vec()).env("DOCKER_HOST", nowhere).run();
    run(&["run", "--target", "docker", "local-provision"]).exit(3).stderr_has("/nowhere/engine.sock");
    run(&["run", "docker-thawed"]).exit(5).stderr_has("no container engine is connected");
    run(&["run", "docker-thawed", "--require-live"]).exit(5);
    run(&["doctor"]).exit(0).stdout_has(start);
    run(&["sweep", "--docker"]).exit(3).stderr_has(start);
    Harness::new().args(["run", "--target", "docker"]).env("DOCKER_HOST", "ssh://me@h").run().exit(3);
}

#[test]
fn an_image_that_is_not_here_is_named_before_anything_is_made() {
    let Some(held) = engine() else { return };
    docker()
        .args(["local-provision", "--agent-image", "nobody/has-this:1"])
        .run()
        .exit(3)
        .stderr_has("nobody/has-this:1");
    held.as_before("after a missing image");
}
