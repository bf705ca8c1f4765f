//! Time constants, with a fast clock (contract §4.2).

use std::time::Duration;

use serde_json::json;

use super::play::{ADMIN, Play, quick};
use crate::reference::clock::Clock;
use crate::reference::faults::{Fault, Faults};
use crate::reference::options::{BootTiming, Options};

async fn kinds(play: &Play, id: &str) -> Vec<String> {
    let events = play.admin("GET", &format!("/events/{id}"), None).await.body;
    let mut kinds: Vec<String> =
        events.as_array().unwrap().iter().map(|e| e["event_type"].as_str().unwrap().to_owned()).collect();
    kinds.reverse();
    kinds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_instance_is_found_and_replaced() {
    let play = Play::new(Options { time_scale: 100.0, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    let first = play.online(&id).await;
    play.admin("DELETE", &format!("/__lifecycle/workspaces/{id}/instance"), None).await;
    play.until(&id, "another URL", |w| w["status"] == "online" && w["url"] != "" && w["url"] != first["url"])
        .await;
    let kinds = kinds(&play, &id).await;
    let after: Vec<&str> = kinds.iter().skip(2).map(String::as_str).collect();
    assert_eq!(after, ["WORKSPACE_OFFLINE", "WORKSPACE_PROVISIONING", "WORKSPACE_ONLINE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_external_agent_is_awaited_again() {
    let play = Play::new(Options { time_scale: 1_000.0, ..quick() }).await;
    let (id, token) = play.external("e").await;
    play.send("POST", "/registry/heartbeat", Some(&token), Some(&json!({ "workspace_id": id }))).await;
    play.status(&id, "awaiting_agent").await;
    assert_eq!(kinds(&play, &id).await.last().unwrap(), "WORKSPACE_OFFLINE");
    play.send("POST", "/registry/heartbeat", Some(&token), Some(&json!({ "workspace_id": id }))).await;
    let events = play.admin("GET", &format!("/events/{id}"), None).await.body;
    let online = events.as_array().unwrap().iter().find(|e| e["event_type"] == "WORKSPACE_ONLINE").unwrap();
    assert_eq!(online["payload"]["recovered_from"], "awaiting_agent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_registered_workspace_has_a_liveness_key() {
    let play = Play::new(Options { time_scale: 1_000.0, ..quick() }).await;
    // kimi: not watched by the sweep for silence, so that only the key can run out.
    let make = async |name: &str| {
        let body = json!({ "name": name, "runtime": "kimi", "delivery_mode": "poll" });
        let made = play.admin("POST", "/workspaces", Some(body)).await.body;
        (
            made["id"].as_str().unwrap().to_owned(),
            made["connection"]["auth_token"].as_str().unwrap().to_owned(),
        )
    };
    let (registered, token) = make("registered").await;
    let body = json!({ "id": registered, "agent_card": {}, "delivery_mode": "poll" });
    assert_eq!(play.send("POST", "/registry/register", Some(&token), Some(&body)).await.status, 200);
    // The key also runs out on the row that the platform put into `failed`.
    play.status(&registered, "offline").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provisioning_does_not_last_for_ever() {
    let faults = Faults::none().with(Fault::NeverOnline);
    let play = Play::new(Options { time_scale: 5_000.0, faults, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    play.status(&id, "failed").await;
    let events = play.admin("GET", &format!("/events/{id}"), None).await.body;
    assert_eq!(
        (&events[0]["payload"]["source"], &events[0]["payload"]["timeout_secs"]),
        (&json!("provision_timeout_sweep"), &json!(720))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provision_that_hangs_is_given_up() {
    let boot = BootTiming { provision: Duration::from_secs(100_000), ..BootTiming::default() };
    let play = Play::new(Options { time_scale: 2_000.0, patience: Duration::ZERO, boot, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    play.status(&id, "failed").await;
    let row = &play.admin("GET", "/workspaces", None).await.body[0];
    assert_eq!(row["last_sample_error"], "workspace start failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_and_silent_workspace_hibernates() {
    let heartbeat = Duration::from_secs(1_000_000);
    let play = Play::new(Options { time_scale: 2_000.0, heartbeat, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    play.online(&id).await;
    play.admin("PUT", &format!("/__lifecycle/workspaces/{id}/idle-minutes"), Some(json!({ "minutes": 1 })))
        .await;
    play.status(&id, "hibernated").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unused_tokens_of_stopped_workspaces_go_even_api_ones() {
    let play = Play::new(Options { time_scale: 500.0, ..quick() }).await;
    let (id, token) = play.managed("w").await;
    play.online(&id).await;
    play.admin("POST", &format!("/workspaces/{id}/pause"), None).await;
    let path = format!("/workspaces/{id}/tokens");
    play.eventually("no token left", async || {
        let count = play.send("GET", &path, Some(ADMIN), None).await.body["count"].clone();
        (count == 0).then_some(())
    })
    .await;
    assert_eq!(play.send("GET", &path, Some(&token), None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_register_degrades_for_five_minutes() {
    let faults = Faults::none().with(Fault::Register400Once);
    let options = Options { time_scale: 500.0, heartbeat: Duration::from_secs(5), faults, ..quick() };
    let play = Play::new(options).await;
    let (id, _) = play.managed("w").await;
    play.status(&id, "degraded").await;
    play.status(&id, "online").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_messages_expire() {
    let play = Play::new(Options { time_scale: 1_000.0, patience: Duration::ZERO, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    play.online(&id).await;
    // Nobody answers on a port that only listens; ten seconds are over in ten milliseconds.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let made =
        play.admin("POST", "/workspaces", Some(json!({ "name": "e", "external": true, "url": url }))).await;
    let target = made.body["id"].as_str().unwrap().to_owned();
    let body = json!({ "method": "message/send",
        "params": { "message": { "content": "hi" }, "expires_in_seconds": 10 } });
    let headers = vec![("x-workspace-id", target.clone()), ("x-timeout", "5".to_owned())];
    let got = play
        .send_with("POST", &format!("/workspaces/{target}/a2a"), None, headers, Some(body.to_string()))
        .await;
    assert_eq!(got.status, 202, "{}", got.body);
    let path = format!("/workspaces/{target}/a2a/queue/{}", got.body["queue_id"].as_str().unwrap());
    Clock::new(1_000.0).sleep(Duration::from_secs(15)).await;
    play.send("POST", "/registry/heartbeat", None, Some(&json!({ "workspace_id": target }))).await;
    let item = play.send_with("GET", &path, None, vec![("x-workspace-id", target.clone())], None).await.body;
    // It is passed over and stays.
    let got = (&item["status"], &item["attempts"], item["expires_at"].is_string());
    assert_eq!(got, (&json!("queued"), &json!(0), true), "{item}");
}

#[tokio::test]
async fn liveness_of_the_loops_is_shown() {
    let play = Play::new(quick()).await;
    let body = play.admin("GET", "/admin/liveness", None).await.body;
    assert!(body["subsystems"]["scheduler"]["seconds_ago"].is_number());
    let health = play.send("GET", "/health", None, None).await;
    assert_eq!(health.headers["x-lifecycle-time-scale"], "50");
    let passed =
        |got: &super::play::Got| got.headers["x-lifecycle-clock"].to_str().unwrap().parse::<u64>().unwrap();
    let later = play.send("GET", "/health", None, None).await;
    assert!(passed(&health) <= passed(&later));
    let real =
        Play::new(Options { time_scale: 1.0, ..quick() }).await.send("GET", "/health", None, None).await;
    assert!(!real.headers.contains_key("x-lifecycle-clock"), "a real server says nothing of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stopped_or_started_on_request_is_not_found_dead() {
    // A stop and a boot of 20 s each, a sweep every 15 s: one falls into each of them.
    let boot = BootTiming { provision: Duration::from_secs(20), stop: Duration::from_secs(20), jitter: 0.0 };
    let heartbeat = Duration::from_secs(5);
    let play = Play::new(Options { time_scale: 400.0, boot, heartbeat, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    play.online(&id).await;
    for edge in ["pause", "resume", "restart", "hibernate", "restart"] {
        // A new instance is busy with the message about its restart at first: nobody hibernates that.
        play.eventually(edge, async || {
            let status = play.admin("POST", &format!("/workspaces/{id}/{edge}"), None).await.status;
            assert!(status == 200 || (edge == "hibernate" && status == 409), "{edge}: {status}");
            (status == 200).then_some(())
        })
        .await;
        match edge {
            "pause" => drop(play.status(&id, "paused").await),
            "hibernate" => drop(play.status(&id, "hibernated").await),
            _ => {
                // The old instance may lift the row early; the new one has an address.
                play.eventually("an instance", async || {
                    let row = play.online(&id).await;
                    let env = play.environment(&id).await.body;
                    (env["env"]["MOLECULE_WORKSPACE_URL"] == row["url"]).then_some(())
                })
                .await;
            }
        }
    }
    assert!(!kinds(&play, &id).await.iter().any(|k| k == "WORKSPACE_OFFLINE"));
}

/// A listener that accepts nobody and has no room for another connection, with what fills it.
async fn full() -> (String, tokio::net::TcpListener, Vec<tokio::net::TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let at = listener.local_addr().unwrap();
    let mut held = Vec::new();
    // Where there is no room the kernel says nothing, for a second at least.
    while let Ok(Ok(stream)) =
        crate::clock::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(at)).await
    {
        held.push(stream);
    }
    (format!("http://localhost:{}", at.port()), listener, held)
}

/// Ten seconds for a connection, half an hour for the headers unless the server's environment says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_and_the_headers_of_an_answer_have_their_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://localhost:{}", silent.local_addr().unwrap().port());
    let (full_url, _listener, _held) = full().await;
    let own: &[(&str, &str)] = &[("A2A_PROXY_RESPONSE_HEADER_TIMEOUT", "5s")];
    // A canvas waits 90 s: what is given up before is queued, what is not comes later.
    for (env, url, queued) in
        [(&[] as &[_], &full_url, true), (&[], &silent_url, false), (own, &silent_url, true)]
    {
        let server_env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let options = Options { time_scale: 30.0, patience: Duration::ZERO, server_env, ..quick() };
        let play = Play::new(options).await;
        let body = json!({ "name": "e", "external": true, "url": url });
        let id = play.admin("POST", "/workspaces", Some(body)).await.body["id"].as_str().unwrap().to_owned();
        let body = json!({ "method": "message/send", "params": { "message": { "content": "hi" } } });
        let got = play.admin("POST", &format!("/workspaces/{id}/a2a"), Some(body)).await;
        let said = (got.status, got.body["queued"] == true, got.body["delivery_mode"] == "push-async");
        assert_eq!(said, (if queued { 202 } else { 200 }, queued, !queued), "{env:?} {url}: {}", got.body);
    }
}
