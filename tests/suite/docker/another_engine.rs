//! A live server whose containers are on another engine than the one that was named.

use super::super::harness::Harness;
use super::super::platform::Platform;
use super::{engine, here};

const LOOKS: &str = "scenario: looks
summary: Looks at a container.
needs: [managed, containers]
budget: 1m
steps:
  - create: { as: ws, runtime: claude-code, model: auto, credentials: auto }
  - expect: { container_of: ws, state: running, within: 12s }
";

const KEPT: &str = "scenario: kept
summary: Stays.
needs: [managed]
steps:
  - create: { as: ws, runtime: claude-code, model: auto, credentials: auto }
  - await:  { workspace: ws, status: online, within: 20s }
";

/// Its workspaces work and none of their containers is here: that is no red of the platform.
#[test]
fn an_engine_that_does_not_hold_the_servers_containers_is_told() {
    let Some(held) = engine() else { return };
    let platform = Platform::start(["--time-scale", "20"]);
    let live = |more: &[&str]| {
        let line = ["run", "--docker"].into_iter().chain(more.iter().copied());
        here(Harness::new().args(line)).scenario(LOOKS).at(&platform.base).run()
    };
    // Before it has any, nobody can tell; the first one tells.
    let output = live(&[]).exit(3).stderr_has("this engine does not hold the server's containers");
    output.stderr_lacks("[dead-instance-stays-online]");
    platform.is_empty();
    let kept = Harness::new().args(["run", "-q", "--destroy", "never"]).scenario(KEPT);
    kept.at(&platform.base).run().exit(0);
    live(&["--require-live"]).exit(5).stderr_has("has a container on this engine: it is another server's");
    held.as_before("after looking at the wrong engine");
}
