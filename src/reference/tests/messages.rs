//! A2A outcomes, the queue, budgets (contract §7.1, §7.2, §7.5).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::play::{ADMIN, Got, Play, quick};
use crate::reference::reply;
use crate::wire::{self, Peer};

/// What a puppet does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acts {
    Answers,
    Empty,
    Says(u16),
    Resets,
    ResetsOnce,
    /// Resets the first one and refuses those after it.
    ResetsThenRefuses,
    Floods,
}

/// An external push agent that does as it is told.
struct Puppet {
    url: String,
    calls: Arc<AtomicUsize>,
    _closed: tokio_util::sync::DropGuard,
}

async fn act(
    State((acts, calls)): State<(Acts, Arc<AtomicUsize>)>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Bytes,
) -> Response {
    let call = calls.fetch_add(1, Ordering::SeqCst);
    let request: Value = serde_json::from_slice(&body).unwrap();
    let good = json!({ "jsonrpc": "2.0", "id": request["id"], "result": { "parts": [{ "kind": "text", "text": "hello" }] } });
    match acts {
        Acts::Answers => reply::raw(200, good.to_string()),
        Acts::Empty => reply::raw(200, ""),
        Acts::Says(status) => reply::raw(status, json!({ "error": "so it is" }).to_string()),
        Acts::Floods => reply::raw(200, vec![b'x'; (64 << 20) + 1]),
        Acts::ResetsOnce if call > 0 => reply::raw(200, good.to_string()),
        Acts::ResetsThenRefuses if call > 0 => reply::raw(500, json!({ "error": "so it is" }).to_string()),
        Acts::Resets | Acts::ResetsOnce | Acts::ResetsThenRefuses => {
            peer.reset();
            reply::empty(200)
        }
    }
}

impl Puppet {
    async fn new(acts: Acts) -> Puppet {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let calls = Arc::new(AtomicUsize::new(0));
        let closed = CancellationToken::new();
        let app = Router::new().fallback(act).with_state((acts, Arc::clone(&calls)));
        wire::serve(listener, app, closed.clone());
        Puppet { url, calls, _closed: closed.drop_guard() }
    }

    async fn join(&self, play: &Play, name: &str) -> String {
        let body = json!({ "name": name, "external": true, "url": self.url });
        let got = play.admin("POST", "/workspaces", Some(body)).await;
        assert_eq!(got.status, 201, "{}", got.body);
        got.body["id"].as_str().unwrap().to_owned()
    }
}

fn message(id: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "message/send",
        "params": { "message": { "messageId": id, "parts": [{ "kind": "text", "text": "hi" }] } } })
}

async fn send(play: &Play, id: &str, body: &Value) -> Got {
    play.send("POST", &format!("/workspaces/{id}/a2a"), Some(ADMIN), Some(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_agent_does_decides_the_answer() {
    let play = Play::new(quick()).await;
    for (n, (acts, status, key, value)) in [
        (Acts::Answers, 200, "jsonrpc", json!("2.0")),
        (Acts::Empty, 200, "error", json!("agent returned empty response body")),
        (Acts::Says(500), 500, "error", json!("so it is")),
        (Acts::Says(503), 503, "error", json!("so it is")),
        (Acts::Says(302), 302, "error", json!("so it is")),
        (Acts::Says(404), 404, "error", json!("so it is")),
        // An external agent is nobody's instance: its gateway's answers stay what they are.
        (Acts::Says(502), 502, "error", json!("so it is")),
        (Acts::Says(524), 524, "error", json!("so it is")),
        (Acts::Floods, 502, "max_bytes", json!(64 << 20)),
        (Acts::Resets, 202, "queued", json!(true)),
    ]
    .into_iter()
    .enumerate()
    {
        let puppet = Puppet::new(acts).await;
        let id = puppet.join(&play, &format!("p{n}")).await;
        let got = send(&play, &id, &message("m")).await;
        assert_eq!((got.status, &got.body[key]), (status, &value), "{acts:?}: {}", got.body);
        let rows = play.admin("GET", &format!("/workspaces/{id}/activity"), None).await.body;
        let rows = rows.as_array().unwrap();
        // An agent's answer is written to the row of the message, a bad one too; what is no answer makes a row.
        let refused = matches!(acts, Acts::Says(_));
        assert_eq!(rows.last().unwrap()["status"], if refused { "error" } else { "ok" }, "{acts:?}");
        assert_eq!(rows.len(), if matches!(acts, Acts::Floods | Acts::Resets) { 2 } else { 1 }, "{acts:?}");
        let answered = rows.last().unwrap().get("response_body").is_some();
        assert_eq!(answered, refused || acts == Acts::Answers, "{acts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_agent_gets_its_message_with_a_later_heartbeat_once() {
    let play = Play::new(quick()).await;
    let puppet = Puppet::new(Acts::ResetsOnce).await;
    let id = puppet.join(&play, "p").await;
    let queued = send(&play, &id, &message("m1")).await;
    assert_eq!((queued.status, &queued.body["queue_depth"]), (202, &json!(1)));
    let queue = queued.body["queue_id"].as_str().unwrap().to_owned();
    let path = format!("/workspaces/{id}/a2a/queue/{queue}");
    let headers = || vec![("x-workspace-id", id.clone())];
    let state = play.send_with("GET", &path, None, headers(), None).await;
    assert_eq!(
        (state.status, &state.body["status"], &state.body["priority"]),
        (200, &json!("queued"), &json!(50))
    );
    assert_eq!(play.send("GET", &path, Some(ADMIN), None).await.status, 401);
    let other = vec![("x-workspace-id", crate::chance::uuid().to_string())];
    assert_eq!(play.send_with("GET", &path, None, other, None).await.status, 403);
    let lost = format!("/workspaces/{id}/a2a/queue/{}", crate::chance::uuid());
    let got = play.send_with("GET", &lost, None, headers(), None).await;
    assert_eq!((got.status, &got.body["retryable"]), (404, &json!(true)));
    play.send("POST", "/registry/heartbeat", None, Some(&json!({ "workspace_id": id }))).await;
    let done = play
        .eventually("completed", async || {
            let item = play.send_with("GET", &path, None, headers(), None).await.body;
            (item["status"] == "completed").then_some(item)
        })
        .await;
    assert_eq!(done["response_body"]["result"]["parts"][0]["text"], "hello");
    assert_eq!((puppet.calls.load(Ordering::SeqCst), &done["attempts"]), (2, &json!(1)));
    let rows = play.admin("GET", &format!("/workspaces/{id}/activity"), None).await.body;
    assert_eq!(
        (rows.as_array().unwrap().len(), &rows[0]["summary"]),
        (2, &json!("message/send → p (queued: target busy)"))
    );
    assert!(rows.as_array().unwrap().iter().all(|row| row.get("response_body").is_none()), "{rows}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_message_waits_once_and_stale_ones_can_be_dropped() {
    let play = Play::new(quick()).await;
    let puppet = Puppet::new(Acts::Resets).await;
    let id = puppet.join(&play, "p").await;
    let first = send(&play, &id, &message("m")).await;
    let again = send(&play, &id, &message("m")).await;
    assert_eq!(first.body["queue_id"], again.body["queue_id"]);
    assert_eq!(send(&play, &id, &message("n")).await.body["queue_depth"], 2);
    let path = "/admin/a2a-queue/drop-stale";
    for (query, status, dropped) in [
        ("?max_age_minutes=x", 400, Value::Null),
        ("?max_age_minutes=0", 400, Value::Null),
        ("?max_age_minutes=-1", 400, Value::Null),
        ("?max_age_minutes=1.5", 400, Value::Null),
        ("?max_age_minutes=", 400, Value::Null),
        ("?max_age_minutes=99999999999", 500, Value::Null),
        ("?workspace_id=x", 500, Value::Null),
        ("", 200, json!(0)),
    ] {
        let got = play.admin("POST", &format!("{path}{query}"), None).await;
        assert_eq!((got.status, &got.body["dropped"]), (status, &dropped), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_attempts_are_the_end() {
    let play = Play::new(quick()).await;
    let puppet = Puppet::new(Acts::ResetsThenRefuses).await;
    let id = puppet.join(&play, "p").await;
    let queue = send(&play, &id, &message("m")).await.body["queue_id"].as_str().unwrap().to_owned();
    let path = format!("/workspaces/{id}/a2a/queue/{queue}");
    let item = play
        .eventually("failed", async || {
            play.send("POST", "/registry/heartbeat", None, Some(&json!({ "workspace_id": id }))).await;
            let headers = vec![("x-workspace-id", id.clone())];
            let item = play.send_with("GET", &path, None, headers, None).await.body;
            (item["status"] == "failed").then_some(item)
        })
        .await;
    assert_eq!((&item["attempts"], &item["last_error"]), (&json!(5), &json!("so it is")));
    assert!(item.get("dispatched_at").is_none(), "{item}");
}

/// Q2: a try that finds the agent busy once more loses the message; one without an id waits at a new place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_busy_try_loses_the_message() {
    let play = Play::new(quick()).await;
    let puppet = Puppet::new(Acts::Resets).await;
    let id = puppet.join(&play, "p").await;
    let nameless = json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {} });
    for (body, waiting) in [(message("m"), 0), (nameless, 1)] {
        let queue = send(&play, &id, &body).await.body["queue_id"].as_str().unwrap().to_owned();
        let path = format!("/workspaces/{id}/a2a/queue/{queue}");
        play.send("POST", "/registry/heartbeat", None, Some(&json!({ "workspace_id": id }))).await;
        let item = play
            .eventually("completed", async || {
                let headers = vec![("x-workspace-id", id.clone())];
                let item = play.send_with("GET", &path, None, headers, None).await.body;
                (item["status"] == "completed").then_some(item)
            })
            .await;
        assert_eq!((&item["attempts"], item.get("response_body")), (&json!(1), None), "{item}");
        let later = send(&play, &id, &message("later")).await;
        assert_eq!(later.body["queue_depth"], waiting + 1, "{}", later.body);
        let dropped = play.running.platform().state().queue.drop_stale(None, |_| true);
        assert_eq!(dropped, waiting + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_send_to_whom() {
    let play = Play::new(quick()).await;
    let (root, _) = play.external("root").await;
    let (a, a_token) = play.external("a").await;
    let (b, _) = play.external("b").await;
    let stranger = play
        .admin(
            "POST",
            "/workspaces",
            Some(json!({ "name": "s", "external": true, "delivery_mode": "poll", "parent_id": a })),
        )
        .await;
    let grandchild = stranger.body["id"].as_str().unwrap().to_owned();
    for (caller, token, target, status, error) in [
        (None, None, &b, 200, ""),
        (Some("webhook:x"), Some(ADMIN), &b, 403, "invalid caller ID"),
        (Some("test:x"), None, &b, 403, "invalid caller ID"),
        (Some("channel:x"), None, &b, 403, "invalid caller ID"),
        (Some(a.as_str()), None, &b, 401, "missing caller auth token"),
        (Some(a.as_str()), Some("wrong"), &b, 401, "invalid caller auth token"),
        (Some(a.as_str()), Some(a_token.as_str()), &b, 200, ""),
        (None, Some(a_token.as_str()), &b, 200, ""),
        (Some(b.as_str()), None, &b, 200, ""),
        (Some(b.as_str()), Some(ADMIN), &grandchild, 200, ""),
        (Some(a.as_str()), Some(a_token.as_str()), &grandchild, 200, ""),
        (Some(a.as_str()), Some(a_token.as_str()), &root, 200, ""),
        (
            Some("not-a-uuid"),
            None,
            &b,
            403,
            "access denied: workspaces cannot communicate per hierarchy rules",
        ),
    ] {
        let headers = caller.map(|c| ("x-workspace-id", c.to_owned())).into_iter().collect();
        let body = Some(message(&crate::chance::uuid().to_string()).to_string());
        let got = play.send_with("POST", &format!("/workspaces/{target}/a2a"), token, headers, body).await;
        let said = got.body["error"].as_str().unwrap_or_default();
        assert_eq!((got.status, said), (status, error), "{caller:?} {token:?}");
    }
    let row = play.send("GET", &format!("/workspaces/{a}"), None, None).await.body;
    assert_eq!(
        row["last_outbound_at"],
        Value::Null,
        "pollers and the queue took them: nothing was delivered"
    );
}

#[tokio::test]
async fn bodies_budgets_and_unknown_targets() {
    let play = Play::new(quick()).await;
    let body = json!({ "name": "e", "external": true, "delivery_mode": "poll", "budget_limit": 10 });
    let made = play.admin("POST", "/workspaces", Some(body)).await.body;
    let (id, token) = (made["id"].as_str().unwrap(), made["connection"]["auth_token"].as_str().unwrap());
    assert_eq!(send(&play, id, &message("m")).await.status, 200);
    let beat = json!({ "workspace_id": id, "monthly_spend": 10 });
    play.send("POST", "/registry/heartbeat", Some(token), Some(&beat)).await;
    // The limit of a create is stored and stops nothing.
    assert_eq!(send(&play, id, &message("m")).await.status, 200);
    let limit = json!({ "budget_limits": { "monthly": 10, "hourly": 3 } });
    let set = play.admin("PATCH", &format!("/workspaces/{id}/budget"), Some(limit)).await;
    assert_eq!((set.status, &set.body["budget_remaining"]), (200, &json!(0)));
    let got = send(&play, id, &json!({})).await;
    assert_eq!((got.status, &got.body["error"]), (402, &json!("workspace budget limit exceeded")));
    assert_eq!(got.body["exceeded_periods"], json!(["hourly", "monthly"]));
    let nobody = crate::chance::uuid().to_string();
    assert_eq!(send(&play, &nobody, &message("m")).await.status, 404);
    assert_eq!(
        send(&play, &nobody, &json!({ "method": "message/send", "params": { "message": {} } })).await.status,
        400
    );
    let huge = format!("{{\"x\":\"{}\"}}", "y".repeat(17 << 20));
    let got = play.send_with("POST", &format!("/workspaces/{id}/a2a"), None, vec![], Some(huge)).await;
    assert_eq!(
        (got.status, &got.body["truncated"], &got.body["max_bytes"]),
        (413, &json!(true), &json!(16 << 20))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_a_dead_instance_brings_a_new_one() {
    let play = Play::new(crate::reference::options::Options { time_scale: 5.0, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    let first = play.online(&id).await;
    assert_eq!(
        play.admin("DELETE", &format!("/__lifecycle/workspaces/{id}/instance"), None).await.status,
        200
    );
    let got = send(&play, &id, &message("m")).await;
    assert_eq!((got.status, &got.body["restarting"]), (503, &json!(true)), "{}", got.body);
    play.until(&id, "a new URL", |w| w["status"] == "online" && w["url"] != "" && w["url"] != first["url"])
        .await;
    assert_eq!(send(&play, &id, &message("n")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_comes_later_to_the_canvas() {
    // 90 s of contract time pass in 9 ms, before the instance's own answer, which waits for the provider.
    let play = Play::new(crate::reference::options::Options {
        time_scale: 10_000.0,
        patience: std::time::Duration::ZERO,
        ..quick()
    })
    .await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let body = json!({ "name": "e", "external": true, "url": format!("http://localhost:{}", listener.local_addr().unwrap().port()) });
    let id = play.admin("POST", "/workspaces", Some(body)).await.body["id"].as_str().unwrap().to_owned();
    let got = send(&play, &id, &message("m")).await;
    assert_eq!(
        got.body,
        json!({ "status": "queued", "delivery_mode": "push-async", "method": "message/send" })
    );
}

/// A gateway that answers for an instance that is dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateways_answer_for_a_dead_instance_restarts_it() {
    let play = Play::new(crate::reference::options::Options { time_scale: 1.0, ..quick() }).await;
    for (status, dead) in [
        (502, true),
        (503, true),
        (504, true),
        (521, true),
        (522, true),
        (523, true),
        (524, true),
        (500, false),
        (501, false),
        (505, false),
        (520, false),
        (525, false),
        (429, false),
    ] {
        let puppet = Puppet::new(Acts::Says(status)).await;
        // A managed row by its runtime, of which no instance runs.
        let id = crate::chance::uuid().to_string();
        let body = json!({ "id": id, "agent_card": {}, "url": puppet.url });
        assert_eq!(play.send("POST", "/registry/register", None, Some(&body)).await.status, 200);
        let got = send(&play, &id, &message("m")).await;
        let after = got.headers.get("retry-after").map(|v| v.to_str().unwrap());
        if dead {
            assert_eq!((got.status, after), (503, Some("15")), "{status}: {}", got.body);
            assert_eq!((&got.body["restarting"], &got.body["retry_after"]), (&json!(true), &json!(15)));
            let events = play.admin("GET", &format!("/events/{id}"), None).await.body;
            assert!(
                events.as_array().unwrap().iter().any(|e| e["event_type"] == "WORKSPACE_OFFLINE"),
                "{events}"
            );
        } else {
            assert_eq!((got.status, after), (status, None), "{}", got.body);
            assert_eq!(got.body["error"], "so it is");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_busy() {
    let play = Play::new(quick()).await;
    let puppet = Puppet::new(Acts::Resets).await;
    let id = puppet.join(&play, "p").await;
    {
        let mut state = play.running.platform().state();
        let item = || crate::reference::state::queue::Item::new(None, None, Bytes::from_static(b"{}"));
        while state.queue.enqueue(id.parse().unwrap(), item(), |_| Duration::ZERO).is_some() {}
    }
    let got = send(&play, &id, &message("m")).await;
    assert_eq!((got.status, got.headers["retry-after"].to_str().unwrap()), (503, "30"));
    assert_eq!((&got.body["busy"], &got.body["retry_after"]), (&json!(true), &json!(30)));
}
