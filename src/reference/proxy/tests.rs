//! What is decided before anything is sent (contract §4.2, §7.1, §13).

use super::*;
use crate::reference::options::{Options, ProvisionerKind};
use crate::reference::state::workspace::Workspace;

fn platform(server_env: &[(&str, &str)]) -> Arc<Platform> {
    let server_env = server_env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let options = Options { provisioner: ProvisionerKind::None, server_env, ..Options::default() };
    Arc::new(Platform::new(options, "http://127.0.0.1:9".to_owned()).unwrap())
}

fn row(platform: &Platform, status: Status, change: impl FnOnce(&mut Workspace)) -> Uuid {
    let id = crate::chance::uuid();
    let mut state = platform.state();
    state.insert(Workspace::new(id, "w".to_owned(), "claude-code".to_owned()));
    state.set_status(id, status);
    change(state.get_mut(id).unwrap());
    id
}

async fn answer(platform: &Arc<Platform>, id: Uuid) -> (u16, Option<String>, Value) {
    let body = json!({ "method": "message/send", "params": { "message": { "content": "hi" } } });
    let envelope = normalise(&Bytes::from(body.to_string())).unwrap();
    let response = deliver(platform, id, envelope, Sender::Canvas, false).await;
    let after = response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, after, serde_json::from_slice(&body).unwrap())
}

#[test]
fn waits_are_those_of_the_contract() {
    for (wait, seconds) in [(CANVAS_BUDGET, 90), (AGENT_CEILING, 1_800), (IDLE, 1_800), (URL_CACHE, 300)] {
        assert_eq!(wait, Duration::from_secs(seconds));
    }
    for (env, seconds) in [
        (vec![], 90),
        (vec![("A2A_CANVAS_SYNC_BUDGET", "5s")], 5),
        (vec![("A2A_CANVAS_SYNC_BUDGET", "2m")], 120),
        (vec![("A2A_CANVAS_SYNC_BUDGET", "soon")], 90),
        (vec![("A2A_CANVAS_SYNC_DISABLE", "true")], 1_890),
    ] {
        assert_eq!(canvas_budget(&platform(&env)), Duration::from_secs(seconds), "{env:?}");
    }
}

#[test]
fn an_agents_own_idle_limit_comes_before_the_servers() {
    for (env, own, seconds) in [
        (vec![], None, 1_800),
        (vec![("A2A_IDLE_TIMEOUT_SECONDS", "60")], None, 60),
        (vec![("A2A_IDLE_TIMEOUT_SECONDS", "60")], Some(7), 7),
        (vec![("A2A_IDLE_TIMEOUT_SECONDS", "x")], None, 1_800),
    ] {
        let platform = platform(&env);
        let id = row(&platform, Status::Online, |w| w.idle_timeout_seconds = own);
        assert_eq!(
            Target::look(&platform, id).unwrap().idle,
            Duration::from_secs(seconds),
            "{env:?} {own:?}"
        );
    }
}

/// Contract §13 row 12: for five minutes a message goes to the address of before.
#[tokio::test]
async fn a_cached_url_is_used_for_five_minutes() {
    for (age, status) in [(0, 502), (295, 502), (301, 503)] {
        let platform = platform(&[]);
        // An address that is never called: the answer shows that it was looked at.
        let at = Instant::now().checked_sub(Duration::from_secs(age)).unwrap();
        let id = row(&platform, Status::Provisioning, |w| {
            w.url_cache = Some(("http://169.254.1.1/".to_owned(), at));
        });
        let (seen, _, body) = answer(&platform, id).await;
        assert_eq!(seen, status, "{age}: {body}");
    }
}

#[tokio::test]
async fn without_an_address_the_status_is_told() {
    for status in Status::KNOWN {
        let platform = platform(&[]);
        let id = row(&platform, status.clone(), |_| ());
        let (code, after, body) = answer(&platform, id).await;
        assert_eq!(code, 503, "{status}");
        if status == Status::Hibernated {
            assert_eq!((&body["waking"], &body["retry_after"]), (&json!(true), &json!(15)));
            assert_eq!(after.as_deref(), Some("15"));
        } else {
            assert_eq!(body, json!({ "error": "workspace has no URL", "status": status.as_str() }));
            assert_eq!(after, None);
        }
    }
}

/// Contract §13 row 22, §14.2 L9.
#[tokio::test]
async fn poll_mode_is_queued_whatever_the_status() {
    for status in Status::KNOWN {
        let platform = platform(&[]);
        let id = row(&platform, status.clone(), |w| w.delivery = Delivery::Poll);
        let (code, _, body) = answer(&platform, id).await;
        assert_eq!(
            (code, body),
            (200, json!({ "status": "queued", "delivery_mode": "poll", "method": "message/send" })),
            "{status}"
        );
    }
}

/// Contract §4.1: a dead instance, found by a message.
#[tokio::test]
async fn whom_a_failed_call_takes_offline() {
    for (from, to) in [
        (Status::Online, Status::Offline),
        (Status::Degraded, Status::Offline),
        (Status::Failed, Status::Offline),
        (Status::Provisioning, Status::Provisioning),
        (Status::Removed, Status::Removed),
    ] {
        let platform = platform(&[]);
        let id = row(&platform, from.clone(), |_| ());
        platform.state().offline(id, Status::Offline);
        assert_eq!(platform.state().get(id).unwrap().status, to, "{from}");
    }
}
