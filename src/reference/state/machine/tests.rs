//! Contract §4.1, row by row.

use super::*;
use crate::reference::state::events::Wants;

fn with(status: Status) -> (State, Uuid) {
    let mut state = State::default();
    let id = crate::chance::uuid();
    state.insert(Workspace::new(id, "w".to_owned(), "claude-code".to_owned()));
    state.set_status(id, status);
    (state, id)
}

fn last_event(state: &State, id: Uuid) -> Option<(String, Value)> {
    let row = state.events.latest(Some(id)).into_iter().next()?;
    Some((row["event_type"].as_str()?.to_owned(), row["payload"].clone()))
}

#[test]
fn heartbeats_move_what_they_may() {
    let healthy = Heartbeat::default();
    let wedged = Heartbeat { runtime_state: "wedged".to_owned(), ..Heartbeat::default() };
    let failing = Heartbeat { error_rate: 0.5, ..Heartbeat::default() };
    let middling = Heartbeat { error_rate: 0.3, ..Heartbeat::default() };
    let clock = Clock::new(1.0);
    use Status::{
        AwaitingAgent, Degraded, Failed, Hibernated, Hibernating, Offline, Online, Paused, Provisioning,
        Removed,
    };
    for (from, beat, to, event) in [
        (Provisioning, &healthy, Online, None),
        (Offline, &healthy, Online, Some("WORKSPACE_ONLINE")),
        (AwaitingAgent, &healthy, Online, Some("WORKSPACE_ONLINE")),
        (Failed, &healthy, Online, Some("WORKSPACE_ONLINE")),
        (Online, &healthy, Online, None),
        (Online, &wedged, Degraded, Some("WORKSPACE_DEGRADED")),
        (Online, &failing, Degraded, Some("WORKSPACE_DEGRADED")),
        (Online, &middling, Online, None),
        (Degraded, &middling, Degraded, None),
        (Degraded, &wedged, Degraded, None),
        (Degraded, &healthy, Online, Some("WORKSPACE_ONLINE")),
        (Paused, &healthy, Paused, None),
        (Hibernated, &healthy, Hibernated, None),
        (Hibernating, &healthy, Hibernating, None),
        (Removed, &healthy, Removed, None),
    ] {
        let (mut state, id) = with(from.clone());
        state.heartbeat(id, beat, &clock);
        assert_eq!(state.get(id).map(|w| w.status.clone()), Some(to), "from {from}");
        assert_eq!(last_event(&state, id).map(|e| e.0).as_deref(), event, "from {from}");
    }
}

#[test]
fn a_recent_register_failure_degrades_until_a_card_or_the_window_clears_it() {
    let (mut state, id) = with(Status::Online);
    let clock = Clock::new(1.0);
    state.register_failed(id);
    state.heartbeat(id, &Heartbeat::default(), &clock);
    assert_eq!(state.get(id).unwrap().status, Status::Degraded);
    state.heartbeat(id, &Heartbeat::default(), &clock);
    assert_eq!(state.get(id).unwrap().status, Status::Degraded);
    // A clock so fast that the window is over at once.
    state.heartbeat(id, &Heartbeat::default(), &Clock::new(1e12));
    assert_eq!(state.get(id).unwrap().status, Status::Online);
    state.register_failed(id);
    let beat = Heartbeat { agent_card: Some(json!({})), ..Heartbeat::default() };
    state.heartbeat(id, &beat, &clock);
    assert_eq!(state.get(id).unwrap().status, Status::Online);
}

#[test]
fn status_management_of_its_own_switches_the_rate_rules_off() {
    let (mut state, id) = with(Status::Online);
    let beat = |status_mgmt, error_rate| Heartbeat { error_rate, status_mgmt, ..Heartbeat::default() };
    // It is judged by what the heartbeat before said, and a heartbeat that does not say it takes it away.
    for (own, rate, status) in [
        (true, 0.0, Status::Online),
        (true, 0.9, Status::Online),
        (false, 0.9, Status::Online),
        (false, 0.9, Status::Degraded),
    ] {
        state.heartbeat(id, &beat(own, rate), &Clock::new(1.0));
        assert_eq!(state.get(id).unwrap().status, status, "{own} {rate}");
    }
}

#[test]
fn register_lifts_everything_but_removed() {
    for from in Status::KNOWN {
        let (mut state, id) = with(from.clone());
        let register = Register { id, url: String::new(), agent_card: json!({}), delivery: Delivery::Poll };
        state.register(register.clone(), Behaviours::NONE);
        let expected = if from == Status::Removed { Status::Removed } else { Status::Online };
        assert_eq!(state.get(id).unwrap().status, expected, "from {from}");
    }
    let (mut state, id) = with(Status::Paused);
    let register = Register { id, url: String::new(), agent_card: json!({}), delivery: Delivery::Poll };
    state.register(register, Behaviours::NONE.with(Behaviour::RegisterKeepsDormant, true));
    assert_eq!(state.get(id).unwrap().status, Status::Paused);
}

#[test]
fn a_stopped_instance_leaves_no_address_on_a_row_that_it_served() {
    for from in Status::KNOWN {
        let (mut state, id) = with(from.clone());
        state.instance_started(id, "http://localhost:4242");
        state.instance_stopped(id);
        let served = matches!(from, Status::Provisioning | Status::Online | Status::Degraded);
        assert_eq!(state.get(id).unwrap().url.is_empty(), served, "from {from}");
    }
}

#[test]
fn cards_are_filled_from_the_row_and_urls_on_this_machine_are_kept() {
    let (mut state, id) = with(Status::Provisioning);
    state.instance_started(id, "http://localhost:4242");
    let register = Register {
        id,
        url: "http://elsewhere:1".to_owned(),
        agent_card: json!({ "name": id.to_string(), "description": "" }),
        delivery: Delivery::Push,
    };
    state.register(register, Behaviours::NONE);
    let row = state.get(id).unwrap();
    assert_eq!(row.url, "http://localhost:4242");
    assert_eq!(row.agent_card, Some(json!({ "name": "w", "description": "w" })));
    for (url, kept) in [
        ("http://localhost:8000", false),
        ("http://127.0.0.1:81", true),
        ("http://127.0.0.1:81/", false),
        ("http://a:1", false),
    ] {
        assert_eq!(keeps_url(url), kept, "{url}");
    }
}

#[test]
fn a_failed_provision_may_overtake_a_delete_unless_mended() {
    let settled = Behaviours::NONE.with(Behaviour::EarlyDeleteIsFinal, true);
    for (behaviours, end) in [(Behaviours::NONE, Status::Failed), (settled, Status::Removed)] {
        let (mut state, id) = with(Status::Provisioning);
        state.removed(id);
        state.provision_failed(id, "no", json!({ "error": "no" }), behaviours);
        assert_eq!(state.get(id).unwrap().status, end);
    }
}

#[test]
fn expiry_flips_more_than_it_should() {
    for (from, observed, intended) in [
        (Status::Online, true, true),
        (Status::Degraded, true, true),
        (Status::Provisioning, true, false),
        (Status::Failed, true, false),
        (Status::Paused, false, false),
        (Status::Hibernated, false, false),
        (Status::Removed, false, false),
    ] {
        let spared = Behaviours::NONE.with(Behaviour::ExpirySparesFailed, true);
        for (behaviours, flips) in [(Behaviours::NONE, observed), (spared, intended)] {
            let (mut state, id) = with(from.clone());
            assert_eq!(state.expired(id, behaviours), flips, "{from} {behaviours:?}");
        }
    }
}

#[test]
fn heartbeats_and_activity_are_not_stored_events() {
    let (mut state, id) = with(Status::Online);
    let mut stream = state.events.subscribe(Wants::Workspace(id));
    state.heartbeat(
        id,
        &Heartbeat { current_task: "x".to_owned(), ..Heartbeat::default() },
        &Clock::new(1.0),
    );
    state.log_activity(id, Row::new("agent_log"));
    let kinds: Vec<&str> = std::iter::from_fn(|| stream.try_recv().ok()).map(|e| e.kind).collect();
    assert_eq!(kinds, ["TASK_UPDATED", "WORKSPACE_HEARTBEAT", "ACTIVITY_LOGGED"]);
    assert!(state.events.latest(Some(id)).is_empty());
}

#[test]
fn a_removed_row_that_fails_is_listed_again() {
    let (mut state, id) = with(Status::Online);
    state.removed(id);
    assert_eq!(state.live().count(), 0);
    state.provision_failed(id, "no", json!({}), Behaviours::NONE);
    assert_eq!(state.live().count(), 1);
}

#[test]
fn each_move_says_what_the_contract_says() {
    let clock = Clock::new(1.0);
    let beat = |rate: f64, state: &str| Heartbeat {
        error_rate: rate,
        sample_error: "s".to_owned(),
        runtime_state: state.to_owned(),
        ..Heartbeat::default()
    };
    let heard = |from: Status, beat: &Heartbeat, failed: bool| {
        let (mut state, id) = with(from);
        if failed {
            state.register_failed(id);
        }
        state.heartbeat(id, beat, &clock);
        last_event(&state, id).unwrap_or_default()
    };
    for (from, beat, failed, kind, payload) in [
        (Status::Offline, beat(0.0, ""), false, "WORKSPACE_ONLINE", json!({})),
        (Status::Degraded, beat(0.0, ""), false, "WORKSPACE_ONLINE", json!({})),
        (
            Status::AwaitingAgent,
            beat(0.0, ""),
            false,
            "WORKSPACE_ONLINE",
            json!({ "recovered_from": "awaiting_agent" }),
        ),
        (Status::Failed, beat(0.0, ""), false, "WORKSPACE_ONLINE", json!({ "recovered_from": "failed" })),
        (
            Status::Online,
            beat(0.0, "wedged"),
            false,
            "WORKSPACE_DEGRADED",
            json!({ "runtime_state": "wedged", "sample_error": "s" }),
        ),
        (
            Status::Online,
            beat(0.5, ""),
            false,
            "WORKSPACE_DEGRADED",
            json!({ "error_rate": 0.5, "sample_error": "s" }),
        ),
        (
            Status::Online,
            beat(0.0, ""),
            true,
            "WORKSPACE_DEGRADED",
            json!({ "register_failure": true, "sample_error": REGISTER_FAILED }),
        ),
    ] {
        assert_eq!(heard(from.clone(), &beat, failed), (kind.to_owned(), payload), "from {from}");
    }
    let (mut state, id) = with(Status::Paused);
    state.get_mut(id).unwrap().url = "http://localhost:1".to_owned();
    state.begin_provisioning(id, Behaviours::NONE);
    assert_eq!(state.get(id).unwrap().url, "");
    let told = json!({ "name": "w", "tier": 3, "runtime": "claude-code" });
    assert_eq!(last_event(&state, id), Some(("WORKSPACE_PROVISIONING".to_owned(), told)));
    state.register(
        Register {
            id,
            url: "http://a:1".to_owned(),
            agent_card: json!({ "name": "a", "description": "d" }),
            delivery: Delivery::Push,
        },
        Behaviours::NONE,
    );
    let told = json!({
        "url": "http://a:1",
        "agent_card": { "name": "a", "description": "d" },
        "delivery_mode": "push",
    });
    assert_eq!(last_event(&state, id), Some(("WORKSPACE_ONLINE".to_owned(), told)));
}

#[test]
fn the_thresholds_of_degraded() {
    let clock = Clock::new(1.0);
    for (from, rate, runtime_state, to) in [
        (Status::Online, 0.49, "", Status::Online),
        (Status::Online, 0.5, "", Status::Degraded),
        (Status::Degraded, 0.1, "", Status::Degraded),
        (Status::Degraded, 0.09, "", Status::Online),
        (Status::Degraded, 0.0, "other", Status::Degraded),
    ] {
        let (mut state, id) = with(from.clone());
        let beat =
            Heartbeat { error_rate: rate, runtime_state: runtime_state.to_owned(), ..Heartbeat::default() };
        state.heartbeat(id, &beat, &clock);
        assert_eq!(state.get(id).unwrap().status, to, "{from} {rate} {runtime_state}");
    }
    for (age, to) in [(295, Status::Degraded), (301, Status::Online)] {
        let (mut state, id) = with(Status::Degraded);
        state.get_mut(id).unwrap().last_register_failure =
            Instant::now().checked_sub(Duration::from_secs(age));
        state.heartbeat(id, &Heartbeat::default(), &clock);
        assert_eq!(state.get(id).unwrap().status, to, "{age}");
    }
}
