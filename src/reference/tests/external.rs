//! External workspaces and the kinds of token (contract §1.2, §2.3, §2.4).

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::reference::options::{BootTiming, Options};

#[tokio::test]
async fn who_gets_what_at_create() {
    let play = Play::new(quick()).await;
    for (body, status, connected) in [
        (json!({ "name": "a", "external": true }), "awaiting_agent", true),
        (json!({ "name": "b", "external": true, "delivery_mode": "poll" }), "awaiting_agent", true),
        (json!({ "name": "c", "runtime": "kimi" }), "awaiting_agent", true),
        (json!({ "name": "d", "external": true, "url": "http://localhost:1/" }), "online", false),
    ] {
        let got = play.admin("POST", "/workspaces", Some(body.clone())).await;
        assert_eq!((got.status, &got.body["status"]), (201, &json!(status)), "{body}");
        assert_eq!(got.body["external"], true);
        assert_eq!(got.body.get("connection").is_some(), connected, "{body}");
        assert!(got.body.get("auth_token").is_none(), "{body}");
        let id = got.body["id"].as_str().unwrap();
        let events = play.admin("GET", &format!("/events/{id}"), None).await.body;
        let last = if connected { "WORKSPACE_AWAITING_AGENT" } else { "WORKSPACE_ONLINE" };
        assert_eq!(
            (&events[0]["event_type"], &events[1]["event_type"]),
            (&json!(last), &json!("WORKSPACE_PROVISIONING"))
        );
    }
}

#[tokio::test]
async fn rotation_and_connection_are_for_external_ones() {
    let play = Play::new(quick()).await;
    let (id, first) = play.external("e").await;
    let (managed, managed_token) = play.managed("w").await;
    let minted = play.send("POST", &format!("/workspaces/{id}/tokens"), Some(&first), None).await;
    let api = minted.body["auth_token"].as_str().unwrap().to_owned();
    let shown = play.send("GET", &format!("/workspaces/{id}/external/connection"), Some(&api), None).await;
    assert_eq!((shown.status, &shown.body["connection"]["auth_token"]), (200, &json!("")));
    let rotated = play.send("POST", &format!("/workspaces/{id}/external/rotate"), Some(&api), None).await;
    let new = rotated.body["connection"]["auth_token"].as_str().unwrap().to_owned();
    for (token, status) in [(&first, 401), (&api, 401), (&new, 200)] {
        let got = play.send("GET", &format!("/workspaces/{id}/activity"), Some(token), None).await;
        assert_eq!(got.status, status, "both kinds go");
    }
    let events = play.admin("GET", &format!("/events/{id}"), None).await.body;
    assert_eq!(events[0]["event_type"], "EXTERNAL_CREDENTIALS_ROTATED");
    let nobody = crate::chance::uuid().to_string();
    for (method, route) in [("POST", "rotate"), ("GET", "connection")] {
        for (id, token, status) in
            [(&managed, managed_token.as_str(), 400), (&nobody, ADMIN, 404), (&"x".to_owned(), ADMIN, 500)]
        {
            let path = format!("/workspaces/{id}/external/{route}");
            let got = play.send(method, &path, Some(token), None).await;
            assert_eq!(got.status, status, "{method} {path}");
            if *id == managed {
                assert_eq!(got.body["runtime"], "claude-code");
                assert_eq!(got.body["hint"].is_string(), route == "rotate", "{}", got.body);
            }
        }
    }
}

#[tokio::test]
async fn where_the_connection_leads() {
    let own = [("EXTERNAL_PLATFORM_URL".to_owned(), "https://own.example/".to_owned())].into();
    let told = Play::new(Options { server_env: own, ..quick() }).await;
    let plain = Play::new(quick()).await;
    let forwarded =
        vec![("x-forwarded-proto", "https".to_owned()), ("x-forwarded-host", "front.example".to_owned())];
    for (play, headers, base) in [
        (&told, forwarded.clone(), "https://own.example".to_owned()),
        (&plain, forwarded, "https://front.example".to_owned()),
        (&plain, vec![], plain.base.clone()),
    ] {
        let body = json!({ "name": "e", "external": true }).to_string();
        let got = play.send_with("POST", "/workspaces", Some(ADMIN), headers, Some(body)).await;
        let connection = &got.body["connection"];
        assert_eq!(connection["platform_url"], base);
        assert_eq!(connection["registry_endpoint"], format!("{base}/registry/register"));
        assert_eq!(connection["heartbeat_endpoint"], format!("{base}/registry/heartbeat"));
    }
}

/// An id without a live instance token registers without a bearer, and then gets one.
#[tokio::test]
async fn which_tokens_close_the_bootstrap() {
    let boot = BootTiming { provision: std::time::Duration::from_secs(100), ..BootTiming::default() };
    let play = Play::new(Options { time_scale: 1.0, boot, ..quick() }).await;
    let register = async |id: &str, token: Option<&str>| {
        let body = json!({ "id": id, "agent_card": {}, "delivery_mode": "poll" });
        play.send("POST", "/registry/register", token, Some(&body)).await
    };
    // External: the connection's token is of the instance kind.
    let (external, _) = play.external("e").await;
    assert_eq!(register(&external, None).await.status, 401);
    play.admin("POST", &format!("/admin/workspaces/{external}/revoke-auth-tokens"), None).await;
    // Minted ones are API tokens, on both routes: the bootstrap stays open.
    let minted = play.admin("POST", &format!("/admin/workspaces/{external}/tokens"), None).await;
    let api = minted.body["auth_token"].as_str().unwrap().to_owned();
    assert_eq!(
        play.send("POST", &format!("/workspaces/{external}/tokens"), Some(&api), None).await.status,
        201
    );
    let got = register(&external, None).await;
    assert_eq!((got.status, got.body["auth_token"].is_string()), (200, true));
    let own = got.body["auth_token"].as_str().unwrap().to_owned();
    assert_eq!(register(&external, None).await.status, 401);
    let again = register(&external, Some(&own)).await.body;
    assert_eq!(again.get("auth_token"), None, "only where there was none");
    assert_eq!(again["platform_inbound_secret"], got.body["platform_inbound_secret"], "made once");
    // The 201's is of the API kind: with all instance tokens gone it does not close the bootstrap.
    let (managed, api) = play.managed("w").await;
    let platform = play.running.platform();
    let id = managed.parse().unwrap();
    let kinds = |list: &Value| list["count"].clone();
    let tokens = play.send("GET", &format!("/workspaces/{managed}/tokens"), Some(&api), None).await.body;
    assert_eq!(kinds(&tokens), 2, "the 201's and the container's");
    assert!(platform.state().tokens.has_instance(id));
    platform.state().tokens.revoke(id, |t| t.kind == crate::reference::state::tokens::Kind::Instance);
    assert_eq!(
        play.send("GET", &format!("/workspaces/{managed}/tokens"), Some(&api), None).await.status,
        200
    );
    assert_eq!(register(&managed, None).await.status, 200);
}
