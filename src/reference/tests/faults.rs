//! Faults that do not need a provider; those that do are in `projection`.

use std::time::Duration;

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::reference::faults::{ALL, Fault, Faults};
use crate::reference::options::Options;
use crate::reference::outbound::{Call, CallError};

async fn with(fault: Fault) -> Play {
    Play::new(Options { faults: Faults::none().with(fault), ..quick() }).await
}

async fn restart(play: &Play, id: &str) {
    assert_eq!(play.admin("POST", &format!("/workspaces/{id}/restart"), None).await.status, 200);
}

async fn sample_error(play: &Play) -> String {
    play.admin("GET", "/workspaces", None).await.body[0]["last_sample_error"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_boot() {
    let play = with(Fault::BootFailed).await;
    let (id, _) = play.managed("w").await;
    play.status(&id, "failed").await;
    assert_eq!(sample_error(&play).await, "workspace start failed");

    let play = with(Fault::ConfigVolumeLost).await;
    let (id, _) = play.managed("w").await;
    play.online(&id).await;
    restart(&play, &id).await;
    play.status(&id, "failed").await;
    assert!(sample_error(&play).await.contains("config volume is empty"));

    let play = with(Fault::NeverOnline).await;
    let (id, _) = play.managed("w").await;
    play.until(&id, "a URL", |w| w["url"] != "").await;
    assert_eq!(play.status(&id, "provisioning").await["status"], "provisioning");

    let play = with(Fault::TokenLostOnRestart).await;
    let (id, _) = play.managed("w").await;
    let first = play.online(&id).await;
    restart(&play, &id).await;
    play.until(&id, "the new instance", |w| w["url"] != "" && w["url"] != first["url"]).await;
    play.eventually("a refused register", async || {
        let log = play.admin("GET", "/__lifecycle/log", None).await.body.to_string();
        log.contains("boot_register_failed status=401").then_some(())
    })
    .await;
    play.status(&id, "provisioning").await;

    let play = with(Fault::UrlUnroutable).await;
    let (id, _) = play.managed("w").await;
    play.status(&id, "degraded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_lifecycle() {
    let play = with(Fault::RestartNoop).await;
    let (id, _) = play.managed("w").await;
    play.online(&id).await;
    let before = play.environment(&id).await.body;
    restart(&play, &id).await;
    assert_eq!(play.environment(&id).await.body, before);

    let play = with(Fault::DeleteLeaks).await;
    let (id, _) = play.external("e").await;
    let headers = vec![("x-confirm-name", "e".to_owned())];
    let got = play.send_with("DELETE", &format!("/workspaces/{id}"), Some(ADMIN), headers, None).await;
    assert_eq!((got.status, &got.body["status"]), (200, &json!("removed")));
    play.status(&id, "awaiting_agent").await;

    let play = with(Fault::SecretWriteIgnored).await;
    let (id, token) = play.external("e").await;
    let secret = json!({ "key": "K", "value": "v" });
    assert_eq!(
        play.send("PUT", &format!("/workspaces/{id}/secrets"), Some(&token), Some(&secret)).await.status,
        200
    );
    assert_eq!(
        play.send("GET", &format!("/workspaces/{id}/secrets"), Some(&token), None).await.body,
        json!([])
    );

    let play = with(Fault::CreateDuplicatesOnRetry).await;
    let body = json!({ "name": "e", "external": true });
    assert_eq!(play.admin("POST", "/workspaces", Some(body.clone())).await.status, 503);
    assert_eq!(play.admin("POST", "/workspaces", Some(body)).await.status, 201);
    let names: Vec<Value> = play
        .admin("GET", "/workspaces", None)
        .await
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["name"].clone())
        .collect();
    assert_eq!(names.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_context_without_a_source_leaves_no_row() {
    for (fault, rows) in [(None, 1), (Some(Fault::RestartContextSource), 0)] {
        let faults = fault.map_or_else(Faults::none, |f| Faults::none().with(f));
        let play = Play::new(Options { faults, ..quick() }).await;
        let (id, token) = play.managed("w").await;
        let first = play.online(&id).await;
        restart(&play, &id).await;
        play.until(&id, "the new instance", |w| {
            w["status"] == "online" && w["url"] != "" && w["url"] != first["url"]
        })
        .await;
        play.eventually("the agent is told", async || {
            let path = format!("/__lifecycle/workspaces/{id}/logs");
            let log = play.admin("GET", &path, None).await.body.to_string();
            log.contains("received restart_context").then_some(())
        })
        .await;
        let got = play
            .send("GET", &format!("/workspaces/{id}/activity?source=canvas"), Some(&token), None)
            .await
            .body;
        assert_eq!(got.as_array().unwrap().len(), rows, "{fault:?}");
        let log = play.admin("GET", "/__lifecycle/log", None).await.body.to_string();
        assert_eq!(log.contains("invalid input syntax for type uuid"), rows == 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_instance_that_nobody_misses() {
    let play = Play::new(Options {
        time_scale: 1_000.0,
        faults: Faults::none().with(Fault::StaleOnlineAfterKill),
        ..quick()
    })
    .await;
    let (id, _) = play.managed("w").await;
    play.online(&id).await;
    play.admin("DELETE", &format!("/__lifecycle/workspaces/{id}/instance"), None).await;
    // Twenty sweeps and the key's life pass.
    crate::reference::clock::Clock::new(1_000.0).sleep(Duration::from_secs(300)).await;
    play.status(&id, "online").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_wire_hit_every_nth_request() {
    let outcomes = async |name: &str| {
        let faults = Faults::parse(&[format!("{name}=3")]).unwrap();
        let play = Play::new(Options { faults, ..quick() }).await;
        let mut seen = Vec::new();
        for _ in 0..6 {
            let mut call =
                Call::post_json(format!("{}/health", play.base), "").within(Duration::from_millis(300));
            call.method = axum::http::Method::GET;
            seen.push(match play.outbound.send(call).await {
                Ok(answer) if serde_json::from_slice::<Value>(&answer.body).is_err() => "garbage".to_owned(),
                Ok(answer) => answer.status.to_string(),
                Err(CallError::Timeout) => "hang".to_owned(),
                Err(_) => "reset".to_owned(),
            });
        }
        seen.join(" ")
    };
    for (name, hit) in [
        ("http-503-every-n", "503"),
        ("http-429-every-n", "429"),
        ("reset-every-n", "reset"),
        ("garbage-every-n", "garbage"),
        ("hang-every-n", "hang"),
    ] {
        assert_eq!(outcomes(name).await, format!("200 200 {hit} 200 200 {hit}"), "{name}");
    }
}

#[tokio::test]
async fn active_faults_are_told_to_inspectors_only() {
    let faults = Faults::parse(&["hang", "slow-online=7"]).unwrap();
    let play = Play::new(Options { faults, ..quick() }).await;
    let got = play.admin("GET", "/__lifecycle/faults", None).await.body;
    assert_eq!(got, json!({ "faults": { "hang": true, "slow-online": 7 } }));
    let play = Play::new(Options { inspect: false, ..quick() }).await;
    assert_eq!(play.admin("GET", "/__lifecycle/faults", None).await.status, 404);
    assert!(ALL.iter().all(|f| !f.does.is_empty()));
}
