//! Rows of `divergences.md` that the second recording does not show, each once.

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use super::scripted::ScriptedAgent;
use crate::reference::faults::{Fault, Faults};
use crate::reference::options::Options;

/// D1: what each route makes of an id that is no UUID.
#[tokio::test]
async fn an_id_of_words_is_refused_or_reaches_the_database() {
    let play = Play::new(quick()).await;
    for (method, path, status, error) in [
        ("GET", "/workspaces/nope", 400, "invalid workspace ID"),
        ("PATCH", "/workspaces/nope", 400, "invalid workspace ID"),
        ("DELETE", "/workspaces/nope", 400, "invalid workspace ID"),
        ("GET", "/workspaces/nope/secrets", 400, "invalid workspace ID"),
        ("PUT", "/workspaces/nope/model", 400, "invalid workspace ID"),
        ("GET", "/workspaces/nope/tokens", 400, "invalid workspace ID"),
        ("GET", "/workspaces/nope/chat-history", 400, "invalid workspace ID"),
        ("GET", "/admin/workspaces/nope/llm-billing-mode", 400, "invalid workspace id"),
        ("GET", "/workspaces/nope/state", 500, "auth check failed"),
        ("GET", "/workspaces/nope/activity", 500, "query failed"),
        ("GET", "/workspaces/nope/model", 500, "query failed"),
        ("GET", "/workspaces/nope/budget", 500, "query failed"),
        ("GET", "/events/nope", 500, "query failed"),
        ("POST", "/workspaces/nope/restart", 500, "lookup failed"),
        ("POST", "/workspaces/nope/pause", 500, "lookup failed"),
        ("POST", "/workspaces/nope/resume", 500, "lookup failed"),
        ("POST", "/workspaces/nope/hibernate", 500, "lookup failed"),
        ("POST", "/workspaces/nope/external/rotate", 500, "lookup failed"),
        ("GET", "/workspaces/nope/external/connection", 500, "lookup failed"),
        ("POST", "/admin/workspaces/nope/bootstrap-failed", 500, "db update failed"),
        ("POST", "/admin/workspaces/nope/revoke-auth-tokens", 500, "revoke failed"),
        ("POST", "/workspaces/nope/notify", 500, "internal error"),
    ] {
        let got = play.admin(method, path, Some(json!({}))).await;
        assert_eq!((got.status, &got.body["error"]), (status, &json!(error)), "{method} {path}");
    }
}

/// A7: an admin in the name of a sibling; the agent and the row are told of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_in_anothers_name_is_marked() {
    let agent = ScriptedAgent::start().await;
    let play = Play::new(Options { time_scale: 1.0, ..quick() }).await;
    let (named, _) = play.external("named").await;
    let made = json!({ "name": "to", "external": true, "url": format!("http://{}/to/ok", agent.authority) });
    let to = play.admin("POST", "/workspaces", Some(made)).await.body["id"].as_str().unwrap().to_owned();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {
        "message": { "messageId": "m", "role": "user", "parts": [] }, "metadata": { "mine": 1 } } });
    for (header, source) in [(named.as_str(), json!(named)), ("nobody at all", Value::Null)] {
        let headers = vec![("x-workspace-id", header.to_owned())];
        let path = format!("/workspaces/{to}/a2a");
        let got = play.send_with("POST", &path, Some(ADMIN), headers, Some(body.to_string())).await;
        assert_eq!(got.status, 200, "{header}: {}", got.body);
        let metadata =
            json!({ "mine": 1, "source": "canvas_user", "user_identity_status": "UNAUTHENTICATED" });
        assert_eq!(agent.heard.lock().unwrap().last().unwrap().1["params"]["metadata"], metadata);
        let rows = play.admin("GET", &format!("/workspaces/{to}/activity"), None).await.body;
        // In a name that is none no row can be written.
        assert_eq!(rows.as_array().unwrap().len(), 1, "{header}: {rows}");
        assert!(source.is_null() || rows[0]["source_id"] == source, "{header}: {rows}");
    }
}

/// P2, P3: what an edit writes that is not what the column is.
#[tokio::test]
async fn an_edit_writes_what_comes() {
    let play = Play::new(quick()).await;
    let (id, _) = play.external("w").await;
    let path = format!("/workspaces/{id}");
    for (change, key, value) in [
        (json!({ "name": 7 }), "name", json!("7")),
        (json!({ "name": "" }), "name", json!("")),
        (json!({ "tier": "2" }), "tier", json!(2)),
        (json!({ "tier": 2.5 }), "tier", json!(2)),
        (json!({ "tier": "high" }), "tier", json!(2)),
        (json!({ "runtime": null }), "runtime", json!("claude-code")),
        (json!({ "parent_id": "nope" }), "parent_id", Value::Null),
        (json!({ "parent_id": id }), "parent_id", json!(id)),
        (json!({ "compute": { "volume": { "root_gb": 0 }, "more": 1 } }), "compute", json!({})),
    ] {
        let got = play.admin("PATCH", &path, Some(change.clone())).await;
        assert_eq!(got.status, 200, "{change}: {}", got.body);
        assert_eq!(play.admin("GET", &path, None).await.body[key], value, "{change}");
    }
    let bad = play.admin("PATCH", &path, Some(json!({ "compute": { "volume": 3 } }))).await;
    assert_eq!((bad.status, &bad.body["error"]), (400, &json!("invalid compute config")));
    assert_eq!(play.admin("PATCH", &path, Some(json!({ "tier": null }))).await.status, 200);
    let gone = play.admin("GET", &path, None).await;
    assert_eq!((gone.status, &gone.body["error"]), (500, &json!("query failed")));
}

/// F4: a token of a removed one is never valid. M6: a pause during a start leaves the row paused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_waits_for_the_start_and_a_removed_one_has_no_token() {
    // A register that is under way when its instance is stopped brings a paused row online, here as there (contract §4.1).
    let faults = Faults::none().with(Fault::NeverOnline);
    let play = Play::new(Options { faults, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    assert_eq!(play.admin("POST", &format!("/workspaces/{id}/pause"), None).await.status, 200);
    let row = play.admin("GET", &format!("/workspaces/{id}"), None).await.body;
    assert_eq!((&row["status"], play.environment(&id).await.status), (&json!("paused"), 404));
    let headers = vec![("x-confirm-name", "w".to_owned())];
    play.send_with("DELETE", &format!("/workspaces/{id}"), Some(ADMIN), headers, None).await;
    let minted = play.admin("POST", &format!("/workspaces/{id}/tokens"), None).await.body;
    let token = minted["auth_token"].as_str().unwrap().to_owned();
    let got = play.send("GET", &format!("/workspaces/{id}/activity"), Some(&token), None).await;
    assert_eq!(got.status, 401);
}

/// O8: every answer carries the security headers.
#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let play = Play::new(quick()).await;
    for path in ["/health", "/workspaces", "/no/such/route"] {
        let got = play.send("GET", path, None, None).await;
        let has = |name: &str| got.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        assert_eq!(has("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(has("x-frame-options").as_deref(), Some("DENY"), "{path}");
        for name in
            ["referrer-policy", "permissions-policy", "strict-transport-security", "content-security-policy"]
        {
            assert!(has(name).is_some_and(|value| !value.is_empty()), "{path}: {name}");
        }
    }
}
