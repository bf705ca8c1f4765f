//! Which writes restart whom (contract §8.1), and what each edge answers from each status (§5).

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use super::play::{ADMIN, Play, quick};
use crate::domain::Status;
use crate::reference::options::{Options, ProvisionerKind};
use crate::reference::state::tokens::{Kind, OrgToken};
use crate::reference::state::workspace::{SecretRow, Workspace};

/// A row as if it had come there by itself, with a token of its own.
fn row(play: &Play, runtime: &str, status: Status) -> (Uuid, String) {
    let id = crate::chance::uuid();
    let mut state = play.running.platform().state();
    let mut workspace = Workspace::new(id, id.to_string(), runtime.to_owned());
    for (key, value) in [("MODEL", "MiniMax-M2.7"), ("MINIMAX_API_KEY", "k")] {
        workspace.secrets.insert(key.to_owned(), SecretRow::new(value.to_owned()));
    }
    state.insert(workspace);
    state.set_status(id, status);
    let token = state.tokens.issue(id, Kind::Api);
    (id, token)
}

/// Whether the platform decided to restart it.
fn restarted(play: &Play, id: Uuid) -> bool {
    play.running.platform().state().get(id).unwrap().restarts.started.is_some()
}

#[tokio::test]
async fn writes_that_restart() {
    let play = Play::new(Options { time_scale: 1.0, ..quick() }).await;
    for (method, path, body, own, header, wanted) in [
        ("PUT", "secrets", json!({ "key": "A", "value": "v" }), false, false, true),
        ("POST", "secrets", json!({ "key": "A", "value": "v" }), false, false, true),
        ("PUT", "secrets", json!({ "key": "A", "value": "v" }), true, false, false),
        ("PUT", "secrets", json!({ "key": "A", "value": "v" }), false, true, false),
        ("PUT", "secrets", json!({ "key": "A" }), false, false, false),
        ("DELETE", "secrets/MINIMAX_API_KEY", Value::Null, false, false, true),
        ("DELETE", "secrets/MINIMAX_API_KEY", Value::Null, true, false, false),
        ("DELETE", "secrets/NOPE", Value::Null, false, false, false),
        ("PUT", "model", json!({ "model": "MiniMax-M3" }), false, false, true),
        ("PUT", "model", json!({ "model": "MiniMax-M3" }), true, false, true),
        ("PUT", "model", json!({ "model": "nope" }), false, false, false),
        ("PATCH", "", json!({ "runtime": "claude-code" }), false, false, false),
    ] {
        let (id, token) = row(&play, "claude-code", Status::Online);
        let headers = header.then(|| ("x-workspace-id", id.to_string())).into_iter().collect();
        let bearer = if own { token.as_str() } else { ADMIN };
        let url = format!("/workspaces/{id}/{path}");
        let body = Some(&body).filter(|b| !b.is_null()).map(Value::to_string);
        play.send_with(method, url.trim_end_matches('/'), Some(bearer), headers, body).await;
        assert_eq!(restarted(&play, id), wanted, "{method} {path} own={own} header={header}");
    }
    // Billing does not restart, and the organisation's agent is not restarted by a write.
    let (id, _) = row(&play, "claude-code", Status::Online);
    let billing = format!("/admin/workspaces/{id}/llm-billing-mode");
    assert_eq!(play.admin("PUT", &billing, Some(json!({ "mode": "byok" }))).await.status, 200);
    assert!(!restarted(&play, id));
    play.running.platform().state().get_mut(id).unwrap().platform = true;
    let secret = json!({ "key": "A", "value": "v" });
    assert_eq!(play.admin("PUT", &format!("/workspaces/{id}/secrets"), Some(secret)).await.status, 200);
    assert!(!restarted(&play, id));
}

#[tokio::test]
async fn whom_a_global_write_restarts() {
    for write in [true, false] {
        let play = Play::new(Options { time_scale: 1.0, ..quick() }).await;
        play.running
            .platform()
            .state()
            .global_secrets
            .insert("G".to_owned(), SecretRow::new("old".to_owned()));
        let concierge = row(&play, "claude-code", Status::Online).0;
        let having = row(&play, "claude-code", Status::Online).0;
        {
            let mut state = play.running.platform().state();
            state.get_mut(concierge).unwrap().platform = true;
            let own = SecretRow::new("own".to_owned());
            state.get_mut(having).unwrap().secrets.insert("G".to_owned(), own);
        }
        let rows = [
            (row(&play, "claude-code", Status::Online).0, true),
            (row(&play, "codex", Status::Failed).0, true),
            (row(&play, "claude-code", Status::Paused).0, false),
            (row(&play, "claude-code", Status::Removed).0, false),
            (row(&play, "external", Status::Online).0, false),
            (concierge, false),
            (having, false),
        ];
        let got = if write {
            play.admin("PUT", "/settings/secrets", Some(json!({ "key": "G", "value": "new" }))).await
        } else {
            play.admin("DELETE", "/settings/secrets/G", None).await
        };
        assert_eq!(got.status, 200);
        for (n, (id, wanted)) in rows.into_iter().enumerate() {
            assert_eq!(restarted(&play, id), wanted, "row {n} write={write}");
        }
    }
}

/// Contract §1.6: the two gated actions, and who has to wait.
#[tokio::test]
async fn an_organisations_token_waits_where_the_gate_is_on() {
    for (gate, waits) in [("1", true), ("true", true), ("0", false), ("", false)] {
        let env = [("MOLECULE_PLATFORM_APPROVAL_GATE", gate), ("MOLECULE_PLATFORM_WORKSPACE_ID", "x")];
        let server_env = env.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let play = Play::new(Options { server_env, time_scale: 1.0, ..quick() }).await;
        let (id, own) = row(&play, "claude-code", Status::Online);
        let (issued, org) = OrgToken::issue(None);
        play.running.platform().state().org_tokens.push(issued);
        let secret = json!({ "key": "A", "value": "v" });
        let of = format!("/workspaces/{id}/secrets");
        for (path, bearer, gated) in [
            (of.as_str(), org.as_str(), waits),
            (of.as_str(), ADMIN, false),
            (of.as_str(), own.as_str(), false),
            ("/settings/secrets", org.as_str(), waits),
        ] {
            let got = play.send("POST", path, Some(bearer), Some(&secret)).await;
            let want = if gated { 202 } else { 200 };
            assert_eq!(got.status, want, "gate {gate:?} {path}: {}", got.body);
            if gated {
                assert_eq!(
                    (&got.body["status"], &got.body["action"]),
                    (&json!("pending_approval"), &json!("secret_write"))
                );
            }
        }
        let got = play.send("POST", "/org/tokens", Some(&org), Some(&json!({}))).await;
        assert_eq!(got.status, if waits { 202 } else { 200 }, "gate {gate:?}");
    }
}

#[tokio::test]
async fn every_edge_from_every_status() {
    let play = Play::new(Options { time_scale: 1.0, ..quick() }).await;
    for (from, pause, resume, hibernate, restart) in [
        (Status::Provisioning, 200, 404, 404, 200),
        (Status::Online, 200, 404, 200, 200),
        (Status::Degraded, 200, 404, 200, 200),
        (Status::Offline, 200, 404, 404, 200),
        (Status::Failed, 200, 404, 404, 200),
        (Status::AwaitingAgent, 200, 404, 404, 200),
        (Status::Paused, 404, 200, 404, 200),
        (Status::Hibernating, 200, 404, 404, 200),
        (Status::Hibernated, 200, 404, 404, 200),
        (Status::Removed, 404, 404, 404, 404),
    ] {
        for (edge, status, event) in [
            ("pause", pause, "WORKSPACE_PAUSED"),
            ("resume", resume, "WORKSPACE_PROVISIONING"),
            ("hibernate", hibernate, "WORKSPACE_HIBERNATED"),
            ("restart", restart, "WORKSPACE_PROVISIONING"),
        ] {
            let (id, _) = row(&play, "claude-code", from.clone());
            let got = play.admin("POST", &format!("/workspaces/{id}/{edge}"), None).await;
            assert_eq!(got.status, status, "{edge} from {from}: {}", got.body);
            let state = play.running.platform().state();
            // The oldest event: a row without a config volume fails right after it began.
            let events = state.events.latest(Some(id));
            let first = events.last().map(|e| e["event_type"].clone());
            assert_eq!(first, (status == 200).then(|| json!(event)), "{edge} from {from}");
            let now = &state.get(id).unwrap().status;
            assert!(status == 200 || *now == from, "{edge} from {from}");
        }
    }
}

#[tokio::test]
async fn without_a_backend_resume_and_restart_say_so_and_pause_works() {
    let play = Play::new(Options { provisioner: ProvisionerKind::None, ..quick() }).await;
    let (id, _) = row(&play, "claude-code", Status::Online);
    for (edge, status) in [("restart", 503), ("pause", 200), ("resume", 503)] {
        let got = play.admin("POST", &format!("/workspaces/{id}/{edge}"), None).await;
        assert_eq!(got.status, status, "{edge}");
        if status == 503 {
            assert_eq!(got.body["error"], "provisioner not available");
        }
    }
    assert_eq!(play.running.platform().state().get(id).unwrap().status, Status::Paused);
}

/// Contract §5.6: a server with an engine pulls its images and makes what runs anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_images_make_every_running_instance_anew() {
    let play = Play::new(quick()).await;
    let path = "/admin/workspace-images/refresh";
    let ((a, _), (b, _), (paused, _), (external, _)) =
        (play.managed("a").await, play.managed("b").await, play.managed("p").await, play.external("e").await);
    let mut before = Vec::new();
    for id in [&a, &b, &paused] {
        before.push(play.online(id).await["url"].clone());
    }
    assert_eq!(play.admin("POST", &format!("/workspaces/{paused}/pause"), None).await.status, 200);
    assert_eq!(play.send("POST", path, None, None).await.status, 401);
    let got = play.admin("POST", path, None).await;
    assert_eq!((got.status, &got.body["recreated"]), (200, &json!(["a", "b"])));
    assert_eq!(got.body["pulled"], json!(["claude-code"]));
    for (id, old) in [&a, &b].into_iter().zip(&before) {
        play.until(id, "a new instance", |w| w["status"] == "online" && w["url"] != "" && w["url"] != *old)
            .await;
    }
    for (id, status) in [(&paused, "paused"), (&external, "awaiting_agent")] {
        assert_eq!(play.status(id, status).await["url"], "");
    }
    let bare = Play::new(Options { provisioner: ProvisionerKind::None, ..quick() }).await;
    assert_eq!(bare.admin("POST", path, None).await.body, "404 page not found");
}

/// Contract §4.2 and §5.1: the agent hears of a restart that the platform decides, and not of one that is asked for.
#[tokio::test]
async fn an_agent_is_told_before_the_platform_restarts_it() {
    let (heard, mut told) = tokio::sync::mpsc::unbounded_channel();
    let listen = async |heard| {
        let note =
            async |State(heard): State<UnboundedSender<_>>, uri: Uri, headers: HeaderMap, body: Bytes| {
                let _ = heard.send((uri.path().to_owned(), headers, body));
            };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        tokio::spawn(axum::serve(listener, Router::new().fallback(note).with_state(heard)).into_future());
        url
    };
    let url = listen(heard).await;
    let play = Play::new(Options { provisioner: ProvisionerKind::None, time_scale: 1.0, ..quick() }).await;
    let asked = row(&play, "claude-code", Status::Online).0;
    let decided = row(&play, "claude-code", Status::Online).0;
    for id in [asked, decided] {
        play.running.platform().state().get_mut(id).unwrap().url.clone_from(&url);
    }
    play.admin("POST", &format!("/workspaces/{asked}/restart"), None).await;
    let secret = json!({ "key": "A", "value": "v" });
    assert_eq!(play.admin("PUT", &format!("/workspaces/{decided}/secrets"), Some(secret)).await.status, 200);
    let (path, headers, body) = told.recv().await.unwrap();
    assert_eq!(
        (path.as_str(), headers["x-restart-signal"].to_str().unwrap()),
        ("/signals/restart_pending", "true")
    );
    let body: Value = serde_json::from_slice(&body).unwrap();
    let params = json!({ "drain_seconds": 20, "workspace_id": decided });
    let want = json!({ "jsonrpc": "2.0", "method": "signals/restart_pending", "params": params, "id": null });
    assert_eq!(body, want, "the first that anybody heard");
}
