//! Contract §4.2, row by row: what each loop does just before its time and just after.

use super::*;
use crate::behaviour::Behaviours;
use crate::reference::options::{Options, ProvisionerKind};
use crate::reference::state::activity::Row;
use crate::reference::state::machine::{Heartbeat, Register};
use crate::reference::state::tokens::Kind;
use crate::reference::state::workspace::Delivery;
use uuid::Uuid;

/// A platform in real time whose loops do not run: each test calls its own.
fn platform(server_env: &[(&str, &str)]) -> Arc<Platform> {
    let server_env = server_env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let options = Options { provisioner: ProvisionerKind::None, server_env, ..Options::default() };
    Arc::new(Platform::new(options, "http://127.0.0.1:9".to_owned()).unwrap())
}

fn ago(seconds: u64) -> Instant {
    Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap()
}

fn row(platform: &Platform, runtime: &str, status: Status, change: impl FnOnce(&mut Workspace)) -> Uuid {
    let id = crate::chance::uuid();
    let mut state = platform.state();
    state.insert(Workspace::new(id, "w".to_owned(), runtime.to_owned()));
    state.set_status(id, status);
    change(state.get_mut(id).unwrap());
    id
}

fn status(platform: &Platform, id: Uuid) -> Status {
    platform.state().get(id).unwrap().status.clone()
}

#[test]
fn loops_look_as_often_as_the_contract_says() {
    for (loop_, seconds) in
        [(HEALTH, 15), (PROVISION_TIMEOUT_LOOK, 30), (HIBERNATION, 120), (ORPHANS, 60), (LIVENESS_LOOK, 1)]
    {
        assert_eq!(loop_, Duration::from_secs(seconds));
    }
}

#[tokio::test]
async fn silence_of_an_external_agent() {
    let usual: &[(&str, &str)] = &[];
    let own: &[(&str, &str)] = &[("REMOTE_LIVENESS_STALE_AFTER", "60")];
    let wrong: &[(&str, &str)] = &[("REMOTE_LIVENESS_STALE_AFTER", "soon")];
    for (env, runtime, from, silent, to) in [
        (usual, "external", Status::Online, 175, Status::Online),
        (usual, "external", Status::Online, 181, Status::AwaitingAgent),
        (usual, "external", Status::Degraded, 181, Status::AwaitingAgent),
        (usual, "external", Status::Failed, 181, Status::Failed),
        (usual, "external", Status::Paused, 181, Status::Paused),
        (usual, "kimi", Status::Online, 181, Status::Online),
        (usual, "mock", Status::Online, 181, Status::Online),
        (own, "external", Status::Online, 55, Status::Online),
        (own, "external", Status::Online, 61, Status::AwaitingAgent),
        (wrong, "external", Status::Online, 175, Status::Online),
    ] {
        let platform = platform(env);
        let id = row(&platform, runtime, from.clone(), |w| w.last_heartbeat = Some(ago(silent)));
        health(Arc::clone(&platform)).await;
        assert_eq!(status(&platform, id), to, "{env:?} {runtime} {from} after {silent} s");
    }
}

#[tokio::test]
async fn the_liveness_key_runs_out() {
    for (runtime, from, age, to) in [
        ("claude-code", Status::Online, Some(175), Status::Online),
        ("external", Status::Online, Some(181), Status::AwaitingAgent),
        ("kimi", Status::Online, Some(181), Status::Offline),
        ("kimi", Status::AwaitingAgent, Some(181), Status::Offline),
        ("kimi", Status::Provisioning, Some(181), Status::Offline),
        ("kimi", Status::Paused, Some(181), Status::Paused),
        ("kimi", Status::Hibernated, Some(181), Status::Hibernated),
        ("kimi", Status::Online, None, Status::Online),
    ] {
        let platform = platform(&[]);
        let id = row(&platform, runtime, from.clone(), |w| w.liveness = age.map(ago));
        liveness(&platform);
        assert_eq!(status(&platform, id), to, "{runtime} {from} {age:?}");
    }
}

/// Contract §4.2 and §13 row 27: a register makes the key, a heartbeat only renews one.
#[test]
fn only_a_register_makes_the_liveness_key() {
    let platform = platform(&[]);
    let id = row(&platform, "external", Status::Online, |_| ());
    let mut state = platform.state();
    state.heartbeat(id, &Heartbeat::default(), &platform.clock);
    assert!(state.get(id).unwrap().liveness.is_none());
    let register = Register { id, url: String::new(), agent_card: json!({}), delivery: Delivery::Poll };
    state.register(register, Behaviours::NONE);
    assert!(state.get(id).unwrap().liveness.is_some());
    let old = ago(100);
    state.get_mut(id).unwrap().liveness = Some(old);
    state.heartbeat(id, &Heartbeat::default(), &platform.clock);
    assert!(state.get(id).unwrap().liveness.unwrap() > old);
    state.offline(id, Status::Offline);
    assert!(state.get(id).unwrap().liveness.is_none(), "an offline flip clears it");
}

#[test]
fn provisioning_takes_too_long() {
    let usual: &[(&str, &str)] = &[];
    let own: &[(&str, &str)] = &[("PROVISION_TIMEOUT_SECONDS", "60")];
    for (env, runtime, from, age, to, told) in [
        (usual, "claude-code", Status::Provisioning, 715, Status::Provisioning, 0),
        (usual, "claude-code", Status::Provisioning, 721, Status::Failed, 720),
        (usual, "hermes", Status::Provisioning, 1_795, Status::Provisioning, 0),
        (usual, "hermes", Status::Provisioning, 1_801, Status::Failed, 1_800),
        (usual, "claude-code", Status::Online, 721, Status::Online, 0),
        (usual, "claude-code", Status::AwaitingAgent, 721, Status::AwaitingAgent, 0),
        (own, "claude-code", Status::Provisioning, 55, Status::Provisioning, 0),
        (own, "claude-code", Status::Provisioning, 61, Status::Failed, 60),
        (own, "hermes", Status::Provisioning, 61, Status::Failed, 60),
    ] {
        let platform = platform(env);
        let id = row(&platform, runtime, from.clone(), |w| w.updated = ago(age));
        provision_timeout(&platform);
        assert_eq!(status(&platform, id), to, "{env:?} {runtime} {from} {age}");
        if told > 0 {
            let event = platform.state().events.latest(Some(id)).remove(0);
            let payload = &event["payload"];
            assert_eq!(event["event_type"], "WORKSPACE_PROVISION_FAILED");
            assert_eq!(
                (&payload["source"], &payload["timeout_secs"], &payload["runtime"]),
                (&json!("provision_timeout_sweep"), &json!(told), &json!(runtime))
            );
            assert!(payload["error"].is_string());
        }
    }
}

#[tokio::test]
async fn who_hibernates() {
    for (runtime, from, minutes, tasks, silent, to) in [
        ("claude-code", Status::Online, 5, 0, 295, Status::Online),
        ("claude-code", Status::Online, 5, 0, 301, Status::Hibernated),
        ("claude-code", Status::Degraded, 5, 0, 301, Status::Hibernated),
        ("claude-code", Status::Online, 0, 0, 301, Status::Online),
        ("claude-code", Status::Online, 5, 1, 301, Status::Online),
        ("claude-code", Status::Offline, 5, 0, 301, Status::Offline),
        ("external", Status::Online, 5, 0, 301, Status::Online),
    ] {
        let platform = platform(&[]);
        let id = row(&platform, runtime, from.clone(), |w| {
            w.hibernation_idle_minutes = minutes;
            w.active_tasks = tasks;
            w.last_heartbeat = Some(ago(silent));
        });
        hibernation(Arc::clone(&platform)).await;
        assert_eq!(status(&platform, id), to, "{runtime} {from} {minutes} {tasks} {silent}");
    }
}

#[tokio::test]
async fn whose_tokens_are_swept() {
    for (runtime, from, unused, left) in [
        ("claude-code", Status::Paused, 295, 2),
        ("claude-code", Status::Paused, 301, 0),
        ("claude-code", Status::Hibernated, 301, 0),
        ("claude-code", Status::Failed, 301, 0),
        ("claude-code", Status::Provisioning, 301, 2),
        ("kimi", Status::Online, 301, 0),
        ("external", Status::Online, 301, 2),
        ("mock", Status::Failed, 301, 2),
    ] {
        let platform = platform(&[]);
        let id = row(&platform, runtime, from.clone(), |_| ());
        {
            let mut state = platform.state();
            for kind in [Kind::Instance, Kind::Api] {
                state.tokens.issue(id, kind);
            }
            state.tokens.age(id, ago(unused));
        }
        stale_tokens(Arc::clone(&platform)).await;
        assert_eq!(platform.state().tokens.list(id).count(), left, "{runtime} {from} {unused}");
    }
}

/// Seven days, unless the server's environment says otherwise.
#[test]
fn which_activity_is_kept() {
    const DAY: u64 = 86_400;
    let usual: &[(&str, &str)] = &[];
    let own: &[(&str, &str)] = &[("ACTIVITY_RETENTION_DAYS", "1")];
    let wrong: &[(&str, &str)] = &[("ACTIVITY_RETENTION_DAYS", "0")];
    for (env, age, left) in [
        (usual, 7 * DAY - 60, 2),
        (usual, 7 * DAY + 60, 1),
        (own, DAY - 60, 2),
        (own, DAY + 60, 1),
        (wrong, 7 * DAY - 60, 2),
    ] {
        let platform = platform(env);
        let id = row(&platform, "external", Status::Online, |_| ());
        let old = Row { at: Some(ago(age)), ..Row::new("agent_log") };
        for row in [old, Row::new("agent_log")] {
            platform.state().log_activity(id, row);
        }
        retention(&platform);
        assert_eq!(platform.state().activity[&id].rows().count(), left, "{env:?} {age}");
    }
    for (env, hours) in [(vec![], 6), (vec![("ACTIVITY_CLEANUP_INTERVAL_HOURS", "2")], 2)] {
        assert_eq!(retention_look(&platform(&env)), Duration::from_secs(hours * 3_600));
    }
}
