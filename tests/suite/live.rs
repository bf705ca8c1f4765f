//! A server in another process gives the same verdicts as the embedded one.

use std::collections::BTreeMap;

use super::harness::Harness;
use super::platform::Platform;
use super::proxy::{Mischief, Proxy, Rule};

#[test]
fn the_whole_suite_has_the_same_verdicts_embedded_and_live() {
    let embedded = Harness::new().args(["run", "-q", "--time-scale", "10"]).run();
    let platform = Platform::start(["--time-scale", "10"]);
    let live = Harness::new().args(["run", "-q"]).against(&platform).run();
    let here: BTreeMap<_, _> = embedded.verdicts().into_iter().collect();
    let there: BTreeMap<_, _> = live.verdicts().into_iter().collect();
    assert!(here.len() > 40, "{}", embedded.stderr);
    let differ: Vec<_> = here.iter().filter(|(name, verdict)| there.get(*name) != Some(verdict)).collect();
    assert!(
        differ.is_empty() && here.len() == there.len(),
        "{differ:?}\n--- embedded\n{}\n--- live\n{}",
        embedded.stderr,
        live.stderr
    );
    embedded.exit(0);
    live.exit(0);
    platform.is_empty();
}

/// Events only wake waits: a server without a stream gives the same verdicts.
#[test]
fn the_whole_suite_is_right_without_a_stream() {
    let platform = Platform::start(["--time-scale", "10"]);
    let proxy = Proxy::before(
        &platform,
        Some(Rule { mischief: Mischief::Forbidden, begins: "GET /ws", every: 1, reaches: false }),
    );
    Harness::new().args(["run", "-q"]).at(&proxy.base).run().exit(0);
    assert!(proxy.spoilt() > 0);
    platform.is_empty();
}

#[test]
fn a_short_scenario_at_the_real_pace() {
    let platform = Platform::start(["--time-scale", "1"]);
    let output = Harness::new().args(["run", "local-first-answer"]).against(&platform).run().exit(0);
    assert!(output.stderr.contains("1 passed"), "{}", output.stderr);
    platform.is_empty();
}

#[test]
fn restart_that_keeps_the_old_instance_is_never_green() {
    for scenario in ["local-provision", "local-restart-twice", "local-secret-write"] {
        let output = Harness::new().args(["run", scenario, "--fault", "restart-noop"]).args(SHORT).run();
        assert_ne!(output.code(), Some(0), "{scenario}:\n{}", output.stderr);
        let verdicts = output.verdicts();
        assert!(verdicts.iter().all(|(_, v)| v == "failed" || v == "inconclusive"), "{verdicts:?}");
    }
}

/// Waits that cannot end well end soon.
const SHORT: [&str; 4] = ["--input", "online_within=20s", "--input", "restart_within=3s"];
