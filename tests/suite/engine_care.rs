//! What is removed from an engine is ours, and an engine that misbehaves holds nobody up. The engine is the tests' own.

use std::process::{Command, Stdio};

use super::fake_engine::{FakeEngine, Things};
use super::harness::{BIN, Harness, is_root, wait_for};

fn sweep(engine: &FakeEngine) -> Harness {
    Harness::new().args(["sweep", "--docker"]).env("DOCKER_HOST", &engine.host)
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
