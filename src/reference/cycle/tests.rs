//! Restarts that the platform decides itself: who gets one and when (contract §4.1, §4.2, §8.1).

use super::*;
use crate::reference::options::{Options, ProvisionerKind};
use crate::reference::state::workspace::Workspace;

/// Without a backend every cycle that begins ends `failed`.
fn platform(scale: f64) -> Arc<Platform> {
    let options = Options {
        provisioner: ProvisionerKind::None,
        time_scale: scale,
        patience: Duration::ZERO,
        ..Options::default()
    };
    Arc::new(Platform::new(options, "http://127.0.0.1:9".to_owned()).unwrap())
}

fn row(platform: &Platform, runtime: &str, status: Status) -> Uuid {
    let id = crate::chance::uuid();
    let mut state = platform.state();
    state.insert(Workspace::new(id, "w".to_owned(), runtime.to_owned()));
    state.set_status(id, status);
    id
}

/// How many cycles began.
fn cycles(platform: &Platform, id: Uuid) -> usize {
    let events = platform.state().events.latest(Some(id));
    events.iter().filter(|e| e["event_type"] == "WORKSPACE_PROVISIONING").count()
}

#[test]
fn waits_are_those_of_the_contract() {
    for (wait, seconds) in [(PROVISION, 180), (DEBOUNCE, 60), (ALREADY, 10), (DRAIN, 10), (CONTEXT, 30)] {
        assert_eq!(wait, Duration::from_secs(seconds));
    }
    assert_eq!(CONTEXT_LOOK, Duration::from_millis(500));
}

#[tokio::test]
async fn a_second_restart_inside_the_window_is_dropped_and_one_during_a_cycle_is_coalesced() {
    for (age, running, pending, started) in [
        (None, false, false, true),
        (Some(55), false, false, false),
        (Some(55), true, false, false),
        (Some(61), false, false, true),
        (Some(61), true, true, false),
    ] {
        let platform = platform(1.0);
        let id = row(&platform, "claude-code", Status::Online);
        let before = age.map(|s| Instant::now().checked_sub(Duration::from_secs(s)).unwrap());
        platform.state().get_mut(id).unwrap().restarts =
            crate::reference::state::workspace::RestartDebounce { started: before, running, pending: false };
        platform.restart_by_id(id);
        let restarts = platform.state().get(id).unwrap().restarts;
        assert_eq!((restarts.pending, restarts.started != before), (pending, started), "{age:?} {running}");
    }
}

#[tokio::test]
async fn who_is_restarted() {
    for (runtime, from, begun) in [
        ("claude-code", Status::Online, 1),
        ("claude-code", Status::Degraded, 1),
        ("claude-code", Status::Offline, 1),
        ("claude-code", Status::Failed, 1),
        ("claude-code", Status::Provisioning, 1),
        ("claude-code", Status::Paused, 0),
        ("claude-code", Status::Hibernated, 0),
        ("claude-code", Status::Removed, 0),
        ("external", Status::Online, 0),
        ("kimi", Status::Online, 0),
        ("mock", Status::Online, 0),
    ] {
        // The restart context waits 30 s in vain, a provision on its way 10 s.
        let platform = platform(10_000.0);
        let id = row(&platform, runtime, from.clone());
        platform.programmatic(id).await;
        assert_eq!(cycles(&platform, id), begun, "{runtime} {from}");
        let end = if begun == 1 { Status::Failed } else { from.clone() };
        assert_eq!(platform.state().get(id).unwrap().status, end, "{runtime} {from}");
        let dropped = platform.log().iter().any(|l| l.ends_with("dropped"));
        assert_eq!(dropped, begun == 1, "nobody online, nobody told");
    }
}
