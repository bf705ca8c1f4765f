//! Contract §4.2, the stall watchdog: just before each of its times and just after.

use super::*;
use crate::domain::Status;
use crate::reference::options::{Options, ProvisionerKind};
use crate::reference::state::activity::Row;

fn platform(server_env: &[(&str, &str)]) -> Arc<Platform> {
    let server_env = server_env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let options = Options { provisioner: ProvisionerKind::None, server_env, ..Options::default() };
    Arc::new(Platform::new(options, "http://127.0.0.1:9".to_owned()).unwrap())
}

fn ago(seconds: u64) -> Instant {
    Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap()
}

/// A workspace with one task that has not changed for so long.
fn row(platform: &Platform, runtime: &str, status: Status, still: u64) -> Uuid {
    let id = crate::chance::uuid();
    let mut state = platform.state();
    state.insert(Workspace::new(id, "w".to_owned(), runtime.to_owned()));
    state.set_status(id, status);
    let workspace = state.get_mut(id).unwrap();
    workspace.active_tasks = 1;
    (workspace.progress, workspace.updated, workspace.created) = (ago(still), ago(still), ago(still));
    id
}

fn look(platform: &Arc<Platform>) {
    watch(platform, &times(platform).unwrap());
}

fn probe_of(platform: &Platform, id: Uuid) -> Option<Uuid> {
    platform.state().get(id).unwrap().stall.probe.map(|(item, _)| item)
}

fn restarted(platform: &Platform, id: Uuid) -> bool {
    platform.state().get(id).unwrap().restarts.started.is_some()
}

#[test]
fn its_times_and_how_they_are_set() {
    let seconds = |env: &[(&str, &str)]| {
        times(&platform(env)).map(|t| [t.interval, t.stale, t.grace, t.cooldown].map(|d| d.as_secs()))
    };
    assert_eq!(seconds(&[]), Some([180, 720, 300, 1_800]));
    let own = [
        ("STALL_WATCHDOG_INTERVAL_S", "1"),
        ("STALL_WATCHDOG_STALE_AFTER_S", "2"),
        ("STALL_WATCHDOG_PROBE_GRACE_S", "3"),
        ("STALL_WATCHDOG_COOLDOWN_S", "4"),
    ];
    assert_eq!(seconds(&own), Some([1, 2, 3, 4]));
    assert_eq!(seconds(&[("STALL_WATCHDOG_DISABLED", "true")]), None);
    assert_eq!(seconds(&[("STALL_WATCHDOG_DISABLED", "false")]), Some([180, 720, 300, 1_800]));
}

#[test]
fn who_gets_a_probe() {
    for (runtime, status, tasks, still, probed) in [
        ("claude-code", Status::Online, 1, 715, false),
        ("claude-code", Status::Online, 1, 721, true),
        ("claude-code", Status::Degraded, 1, 721, true),
        ("claude-code", Status::Online, 0, 721, false),
        ("claude-code", Status::Offline, 1, 721, false),
        ("external", Status::Online, 1, 721, false),
        ("mock", Status::Online, 1, 721, false),
    ] {
        let platform = platform(&[]);
        let id = row(&platform, runtime, status.clone(), still);
        platform.state().get_mut(id).unwrap().active_tasks = tasks;
        look(&platform);
        let item = probe_of(&platform, id);
        assert_eq!(item.is_some(), probed, "{runtime} {status} {tasks} {still}");
        if let Some(item) = item {
            assert_eq!(platform.state().queue.find(item).unwrap().1.priority, 100);
        }
    }
    // Whoever logs something gets on.
    let platform = platform(&[]);
    let id = row(&platform, "claude-code", Status::Online, 721);
    platform.state().log_activity(id, Row::new("task_update"));
    look(&platform);
    assert_eq!(probe_of(&platform, id), None);
}

#[tokio::test]
async fn who_does_not_answer_is_restarted_and_left_alone_for_a_while() {
    for (standing, tasks, waited, restart, over) in [
        (Standing::Queued, 1, 295, false, false),
        (Standing::Queued, 1, 301, true, true),
        (Standing::Dispatched, 1, 301, true, true),
        (Standing::Completed, 1, 5, false, true),
        (Standing::Completed, 1, 301, false, true),
        (Standing::Queued, 0, 5, false, true),
    ] {
        let platform = platform(&[]);
        let id = row(&platform, "claude-code", Status::Online, 721);
        look(&platform);
        let item = probe_of(&platform, id).unwrap();
        {
            let mut state = platform.state();
            state.queue.update(id, item, |i| i.standing = standing);
            let workspace = state.get_mut(id).unwrap();
            workspace.stall.probe = Some((item, ago(waited)));
            workspace.active_tasks = tasks;
        }
        look(&platform);
        let seen = (restarted(&platform, id), probe_of(&platform, id).is_none());
        assert_eq!(seen, (restart, over), "{standing:?} {tasks} {waited}");
        if over {
            let kept = platform.state().queue.find(item).unwrap().1.standing;
            assert_eq!(kept == Standing::Dropped, standing != Standing::Completed);
        }
    }
    for (settled, probed) in [(1_795, false), (1_801, true)] {
        let platform = platform(&[]);
        let id = row(&platform, "claude-code", Status::Online, 721);
        platform.state().get_mut(id).unwrap().stall.settled = Some(ago(settled));
        look(&platform);
        assert_eq!(probe_of(&platform, id).is_some(), probed, "{settled}");
    }
}
