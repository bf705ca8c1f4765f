//! Register and heartbeat (contract §6).

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::reference::options::{BootTiming, Options};

async fn register(play: &Play, token: Option<&str>, body: &Value) -> super::play::Got {
    play.send("POST", "/registry/register", token, Some(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn register_refuses_in_its_order_and_some_refusals_leave_a_mark() {
    let play = Play::new(quick()).await;
    for (change, bearer, status, error, marks) in [
        (json!({ "id": null }), true, 400, "invalid request body", false),
        (
            json!({ "delivery_mode": "x", "kind": "x" }),
            false,
            400,
            "delivery_mode must be 'push' or 'poll'",
            false,
        ),
        (json!({ "kind": "x" }), false, 400, "kind must be 'workspace' or 'platform'", false),
        (json!({ "kind": "platform" }), false, 401, "missing workspace auth token", false),
        (
            json!({ "kind": "platform", "delivery_mode": "push" }),
            true,
            403,
            "kind='platform' may only be assigned by the platform-agent install path",
            true,
        ),
        (json!({ "delivery_mode": "push" }), true, 400, "url is required for push-mode workspaces", true),
        (
            json!({ "delivery_mode": "push", "agent_card": { "url": "http://169.254.1.1" } }),
            true,
            400,
            "url targets a blocked address: link-local address",
            true,
        ),
    ] {
        let (id, token) = play.external("e").await;
        let mut body = json!({ "id": id, "agent_card": { "name": "e" }, "delivery_mode": "poll" });
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let got = register(&play, bearer.then_some(token.as_str()), &body).await;
        assert_eq!((got.status, got.body["error"].as_str()), (status, Some(error)), "{change}");
        let beat = json!({ "workspace_id": id });
        for _ in 0..2 {
            assert_eq!(play.send("POST", "/registry/heartbeat", Some(&token), Some(&beat)).await.status, 200);
        }
        play.status(&id, if marks { "degraded" } else { "online" }).await;
        let good = json!({ "id": id, "agent_card": { "name": "e" }, "delivery_mode": "poll" });
        assert_eq!(register(&play, Some(&token), &good).await.status, 200, "a good one clears the mark");
        play.send("POST", "/registry/heartbeat", Some(&token), Some(&beat)).await;
        play.status(&id, "online").await;
    }
    let got = register(&play, None, &json!({ "id": "x", "agent_card": {} })).await;
    assert_eq!((got.status, &got.body["error"]), (500, &json!("registration failed")));
    let log = play.admin("GET", "/__lifecycle/log", None).await.body.to_string();
    assert!(log.contains("boot_register_failed status=403"), "{log}");
    assert!(log.contains("registry_register_400 reason=url_required_for_push"), "{log}");
}

#[tokio::test]
async fn bootstrap_without_a_token_makes_the_row_and_the_first_token() {
    let play = Play::new(quick()).await;
    let id = crate::chance::uuid();
    let body = json!({ "id": id, "agent_card": {}, "url": "http://localhost:9" });
    let got = register(&play, None, &body).await;
    assert_eq!((got.status, &got.body["delivery_mode"]), (200, &json!("push")));
    let token = got.body["auth_token"].as_str().unwrap().to_owned();
    let row = play.status(&id.to_string(), "online").await;
    assert_eq!((&row["name"], &row["runtime"], &row["tier"]), (&json!(id), &json!("claude-code"), &json!(1)));
    assert_eq!(register(&play, None, &body).await.status, 401);
    let again = register(&play, Some(&token), &body).await;
    assert_eq!((again.status, again.body.get("auth_token")), (200, None));
    // An API token of the id is as good, and alone does not close the bootstrap.
    let minted = play.admin("POST", &format!("/admin/workspaces/{id}/tokens"), None).await;
    let api = minted.body["auth_token"].as_str().unwrap().to_owned();
    assert_eq!(register(&play, Some(&api), &body).await.status, 200);
    // The URL on this machine stays.
    let moved = json!({ "id": id, "agent_card": {}, "url": "http://localhost:10" });
    register(&play, Some(&token), &moved).await;
    assert_eq!(play.status(&id.to_string(), "online").await["url"], "http://localhost:9");
}

#[tokio::test]
async fn heartbeats_carry_everything_and_omitted_fields_are_zero() {
    let play = Play::new(quick()).await;
    let (id, token) = play.external("e").await;
    let beat = async |body: Value| {
        let mut body = body;
        body["workspace_id"] = json!(id);
        assert_eq!(play.send("POST", "/registry/heartbeat", Some(&token), Some(&body)).await.status, 200);
        play.admin("GET", "/workspaces", None).await.body[0].clone()
    };
    let row = beat(json!({
        "error_rate": 0.2, "sample_error": "s", "active_tasks": 3, "uptime_seconds": 7, "current_task": "t",
        "monthly_spend": 12, "agent_card": { "name": "c" },
    }))
    .await;
    for (key, value) in [
        ("last_error_rate", json!(0.2)),
        ("last_sample_error", json!("s")),
        ("active_tasks", json!(3)),
        ("uptime_seconds", json!(7)),
        ("current_task", json!("t")),
        ("monthly_spend", json!(12)),
        ("agent_card", json!({ "name": "c" })),
        ("status", json!("online")),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    let row = beat(json!({ "agent_card": { "name": "other" }, "monthly_spend": 0 })).await;
    for (key, value) in [
        ("last_error_rate", json!(0)),
        ("last_sample_error", json!("")),
        ("active_tasks", json!(0)),
        ("monthly_spend", json!(12)),
        ("agent_card", json!({ "name": "c" })),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    let row = beat(json!({ "monthly_spend": 5_000_000_000_000_i64 })).await;
    assert_eq!(row["monthly_spend"], 1_000_000_000_000_i64);
    for bad in [json!({}), json!({ "workspace_id": 5 }), json!([])] {
        assert_eq!(play.send("POST", "/registry/heartbeat", None, Some(&bad)).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn cards_peers_and_discovery() {
    let play = Play::new(quick()).await;
    let (root, root_token) = play.external("root").await;
    let (a, a_token) = play.external("alpha").await;
    let (b, _) = play.external("beta").await;
    let card = json!({ "workspace_id": a, "agent_card": { "name": "new" } });
    let update = async |token: Option<&str>, body: &Value| {
        play.send("POST", "/registry/update-card", token, Some(body)).await.status
    };
    assert_eq!(update(Some(&a_token), &card).await, 200);
    assert_eq!(update(None, &card).await, 401);
    assert_eq!(update(None, &json!({ "workspace_id": "x", "agent_card": {} })).await, 500);
    assert_eq!(update(None, &json!({ "workspace_id": a })).await, 400);
    let names = async |id: &str, query: &str, token: &str| {
        let got = play.send("GET", &format!("/registry/{id}/peers{query}"), Some(token), None).await;
        let list = got.body.as_array().unwrap().clone();
        list.iter().map(|w| w["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&a, "", &a_token).await, ["beta", "root"]);
    assert_eq!(names(&root, "", &root_token).await, ["alpha", "beta"]);
    assert_eq!(names(&root, "?q=ALPH", &root_token).await, ["alpha"]);
    assert_eq!(names(&root, "", ADMIN).await.len(), 2);
    assert_eq!(play.send("GET", &format!("/registry/{a}/peers"), None, None).await.status, 401);
    let discover = async |caller: Option<&str>, target: &str, token: Option<&str>| {
        let headers = caller.map(|c| ("x-workspace-id", c.to_owned())).into_iter().collect();
        play.send_with("GET", &format!("/registry/discover/{target}"), token, headers, None).await
    };
    assert_eq!(discover(Some(&a), &b, None).await.status, 401);
    assert_eq!(discover(Some(&a), &b, Some("wrong")).await.status, 401);
    let got = discover(Some(&a), &b, Some(&a_token)).await;
    assert_eq!((got.status, &got.body["status"]), (503, &json!("awaiting_agent")));
    let body = json!({ "name": "push", "external": true, "url": "http://localhost:1/", "parent_id": root });
    let push = play.admin("POST", "/workspaces", Some(body)).await.body["id"].as_str().unwrap().to_owned();
    let got = discover(Some(&a), &push, Some(ADMIN)).await;
    assert_eq!(got.body, json!({ "id": push, "url": "http://localhost:1/", "name": "push" }));
    assert_eq!(discover(Some(&a), &crate::chance::uuid().to_string(), Some(&a_token)).await.status, 403);
    let access = async |caller: &str, target: &str| {
        let body = json!({ "caller_id": caller, "target_id": target });
        play.send("POST", "/registry/check-access", None, Some(&body)).await.body["allowed"].clone()
    };
    for (caller, target, allowed) in [(&a, &b, true), (&root, &a, true), (&a, &a, true)] {
        assert_eq!(access(caller, target).await, allowed);
    }
    assert_eq!(access(&a, &crate::chance::uuid().to_string()).await, false);
}

/// Contract §6.1, row 8.
#[tokio::test]
async fn a_platform_agent_that_is_not_the_root_is_refused() {
    let boot = BootTiming { provision: std::time::Duration::from_secs(100), ..BootTiming::default() };
    let play = Play::new(Options { time_scale: 1.0, boot, ..quick() }).await;
    let (other, _) = play.external("other").await;
    let id = crate::chance::uuid().to_string();
    play.admin("POST", "/admin/org/platform-agent", Some(json!({ "id": id }))).await;
    let minted = play.admin("POST", &format!("/admin/workspaces/{id}/tokens"), None).await;
    let token = minted.body["auth_token"].as_str().unwrap().to_owned();
    let patch = async |path: String, parent: Value| {
        assert_eq!(play.admin("PATCH", &path, Some(json!({ "parent_id": parent }))).await.status, 200);
    };
    patch(format!("/workspaces/{other}"), Value::Null).await;
    let mut body = json!({ "id": id, "agent_card": {}, "url": "http://localhost:9/", "kind": "platform" });
    for (parent, status) in [(Value::Null, 200), (json!(other), 409), (Value::Null, 200)] {
        patch(format!("/workspaces/{id}"), parent).await;
        let got = register(&play, Some(&token), &body).await;
        assert_eq!(got.status, status, "{}", got.body);
        let marked = play.running.platform().state().get(id.parse().unwrap()).unwrap().last_register_failure;
        assert_eq!(marked.is_some(), status == 409);
        if status == 409 {
            assert!(got.body["error"].as_str().unwrap().starts_with("a platform agent must be the org root"));
            let url = std::mem::replace(&mut body["url"], json!("http://127.0.0.1/"));
            assert_eq!(register(&play, Some(&token), &body).await.status, 400, "the address comes first");
            body["url"] = url;
        }
    }
}
