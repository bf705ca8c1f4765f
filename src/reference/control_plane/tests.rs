//! The control plane over HTTP: organisations, tenants behind it, what a server calls.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Options, Running, Timing, start};
use crate::domain::Secret;
use crate::reference::outbound::{Call, Outbound};

const ADMIN: &str = "cp-admin-token";

struct Play {
    running: Running,
    outbound: Outbound,
}

impl Play {
    async fn new(options: Options) -> Play {
        let options = Options {
            admin_token: ADMIN.into(),
            time_scale: 50.0,
            timing: Timing { machine: Duration::from_millis(500), ..Timing::default() },
            ..options
        };
        Play { running: start(options).await.unwrap(), outbound: Outbound::new().unwrap() }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Option<Value>,
    ) -> (u16, Value) {
        let text = body.map(|b| b.to_string()).unwrap_or_default();
        let mut call = Call::post_json(format!("{}{path}", self.running.base_url()), text);
        call.method = Method::from_bytes(method.as_bytes()).unwrap();
        for (name, value) in headers {
            call = call.header(name, *value);
        }
        let answer = self.outbound.send(call).await.unwrap();
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.send(method, path, &[("authorization", &format!("Bearer {ADMIN}"))], body).await
    }

    async fn org(&self, slug: &str) -> Tenant<'_> {
        let body = json!({ "slug": slug, "name": slug, "owner_user_id": "o" });
        let (status, org) = self.admin("POST", "/cp/admin/orgs", Some(body)).await;
        assert_eq!((status, &org["instance_status"]), (201, &json!("provisioning")));
        let path = format!("/cp/admin/orgs/{slug}/admin-token");
        let (_, told) = self.until("the token", "GET", &path, |status, _| status == 200).await;
        let token = told["admin_token"].as_str().unwrap().to_owned();
        let tenant = Tenant { play: self, id: org["id"].as_str().unwrap().to_owned(), token };
        let looked = crate::clock::Instant::now();
        while tenant.send("GET", "/workspaces", None).await.0 != 200 {
            assert!(looked.elapsed() < Duration::from_secs(30), "the API never answered");
            crate::clock::sleep(Duration::from_millis(5)).await;
        }
        tenant
    }

    async fn until(
        &self,
        what: &str,
        method: &str,
        path: &str,
        holds: impl Fn(u16, &Value) -> bool,
    ) -> (u16, Value) {
        let began = crate::clock::Instant::now();
        loop {
            let (status, body) = self.admin(method, path, None).await;
            if holds(status, &body) {
                return (status, body);
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{what}: {status} {body}");
            crate::clock::sleep(Duration::from_millis(5)).await;
        }
    }
}

struct Tenant<'a> {
    play: &'a Play,
    id: String,
    token: String,
}

impl Tenant<'_> {
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("x-molecule-org-id", self.id.as_str())];
        self.play.send(method, path, &headers, body).await
    }

    async fn workspace(&self, name: &str) -> String {
        let secrets = json!({ "ANTHROPIC_API_KEY": "key-for-a-test" });
        let body =
            json!({ "name": name, "runtime": "claude-code", "model": "claude-opus-4-7", "secrets": secrets });
        let (status, made) = self.send("POST", "/workspaces", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let began = crate::clock::Instant::now();
        loop {
            let (_, row) = self.send("GET", &format!("/workspaces/{id}"), None).await;
            if holds(&row) {
                return row;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{what}: {row}");
            crate::clock::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_from_its_create_to_its_purge() {
    let play = Play::new(Options::default()).await;
    let alpha = play.org("e2e-alpha").await;
    let id = alpha.workspace("w").await;
    let row = alpha.until(&id, "online", |r| r["status"] == "online").await;
    assert!(row["url"].as_str().unwrap().starts_with("http://localhost:"), "{row}");
    let (_, counters) = play.send("GET", "/__stub/state", &[], None).await;
    assert_eq!((&counters["provision_calls"], &counters["tenants_config_calls"]), (&json!(1), &json!(1)));
    let (_, seen) = play.send("GET", &format!("/__stub/requests?workspace={id}"), &[], None).await;
    let call = &seen["requests"][0];
    assert_eq!((&call["path"], &call["status"]), (&json!("/cp/workspaces/provision"), &json!(201)));
    assert!(!seen.to_string().contains("key-for-a-test"), "{seen}");
    assert!(!seen.to_string().contains(&alpha.token), "{seen}");
    let (_, console) = play.admin("GET", &format!("/cp/admin/workspaces/{id}/console"), None).await;
    assert!(console["output"].as_str().unwrap().contains("registered"), "{console}");

    // Behind the platform's back: another instance takes its place.
    let of = "/cp/admin/orgs/e2e-alpha/instances";
    let running = |body: &Value| {
        let all = body["instances"].as_array().cloned().unwrap_or_default();
        let of = all.into_iter().filter(|m| m["workspace_id"] == json!(id) && m["state"] == "running");
        of.map(|m| m["instance_id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let (_, body) = play.until("the machine", "GET", of, |_, b| !running(b).is_empty()).await;
    let old = running(&body).remove(0);
    let (status, _) = play.admin("POST", &format!("/cp/admin/instances/{old}/terminate"), None).await;
    assert_eq!(status, 200);
    let other = |_: u16, b: &Value| running(b).iter().any(|m| *m != old);
    play.until("another machine", "GET", of, other).await;
    alpha.until(&id, "healed", |r| r["status"] == "online" && r["url"] != row["url"]).await;
    let (_, told) = play.admin("GET", &format!("/cp/admin/instances/{old}"), None).await;
    let states: Vec<&str> =
        told["history"].as_array().unwrap().iter().filter_map(|h| h["state"].as_str()).collect();
    assert_eq!(states, ["pending", "running", "shutting-down", "terminated"]);

    let (status, _) =
        play.admin("DELETE", "/cp/admin/tenants/e2e-alpha", Some(json!({ "confirm": "e2e-alpha" }))).await;
    assert_eq!(status, 202);
    let gone = |_: u16, b: &Value| b["orgs"][0]["status"] == "purged";
    play.until("purged", "GET", "/cp/admin/orgs", gone).await;
    let (_, body) = play.admin("GET", of, None).await;
    assert!(body["instances"].as_array().unwrap().iter().all(|m| m["state"] == "terminated"), "{body}");
    assert_eq!(alpha.send("GET", "/workspaces", None).await.0, 404);
    play.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_found_by_host_and_header_and_are_apart() {
    let play = Play::new(Options::default()).await;
    let (alpha, beta) = (play.org("e2e-alpha").await, play.org("e2e-beta").await);
    let id = alpha.workspace("only-alpha").await;
    let bearer = |tenant: &Tenant<'_>| format!("Bearer {}", tenant.token);
    let (own, other) = (bearer(&alpha), bearer(&beta));
    let by_host = [("host", "e2e-alpha.localhost"), ("x-molecule-org-id", alpha.id.as_str())];
    for (headers, path, status, why) in [
        (&[by_host[0], by_host[1], ("authorization", own.as_str())][..], "/workspaces", 200, "own"),
        (&[by_host[0], by_host[1], ("authorization", other.as_str())], "/workspaces", 401, "wrong token"),
        (
            &[by_host[0], ("x-molecule-org-id", beta.id.as_str()), ("authorization", own.as_str())],
            "/workspaces",
            404,
            "crossed header",
        ),
        (&[by_host[0], ("authorization", own.as_str())], "/workspaces", 400, "no header"),
        (&[("host", "nobody.localhost")], "/workspaces", 404, "unknown host"),
        (&[by_host[0]], "/health", 200, "health is open"),
    ] {
        assert_eq!(play.send("GET", path, headers, None).await.0, status, "{why}");
    }
    let (_, rows) = beta.send("GET", "/workspaces", None).await;
    assert!(!rows.to_string().contains(&id), "{rows}");
    play.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_and_what_is_not_there() {
    let secret = Options { shared_secret: Some(Secret::new("shared")), quota: 1, ..Options::default() };
    let play = Play::new(Options { august: true, ..secret }).await;
    let org = |slug: &str| Some(json!({ "slug": slug, "name": "n", "owner_user_id": "o" }));
    assert_eq!(play.send("GET", "/cp/admin/orgs", &[], None).await.0, 401);
    let (status, body) = play.admin("POST", "/cp/admin/orgs", Some(json!({ "slug": "e2e-a" }))).await;
    assert_eq!((status, &body["fields"]), (400, &json!(["name", "owner_user_id"])));
    assert_eq!(play.admin("POST", "/cp/admin/orgs", org("E2E")).await.0, 400);
    assert_eq!(play.admin("POST", "/cp/admin/orgs", org("e2e-a")).await.0, 201);
    assert_eq!(play.admin("POST", "/cp/admin/orgs", org("e2e-a")).await.0, 409);
    assert_eq!(play.admin("POST", "/cp/admin/orgs", org("e2e-b")).await.0, 403, "the quota");
    let wrong = Some(json!({ "confirm": "another" }));
    assert_eq!(play.admin("DELETE", "/cp/admin/tenants/e2e-a", wrong).await.0, 400);
    assert_eq!(play.admin("DELETE", "/cp/admin/tenants/none", None).await.0, 404);
    assert_eq!(play.admin("PUT", "/cp/admin/orgs", None).await.0, 405);
    assert_eq!(play.admin("GET", "/cp/what/ever", None).await.0, 501);

    let provision = async |secret: &str, env: Value, key: &str| {
        let workspace = crate::chance::uuid();
        let body = json!({ "org_id": "hand-made", "workspace_id": workspace, "runtime": "claude-code",
            "platform_url": "http://127.0.0.1:1", "env": env, "idempotency_key": key });
        let bearer = format!("Bearer {secret}");
        play.send("POST", "/cp/workspaces/provision", &[("authorization", &bearer)], Some(body)).await
    };
    assert_eq!(provision("wrong", json!({}), "k").await, (401, Value::Null));
    let (status, body) = provision("shared", json!({ "ADMIN_TOKEN": "x" }), "k").await;
    assert_eq!((status, &body["code"]), (400, &json!("privileged_env_forbidden")));
    let (status, first) = provision("shared", json!({}), "k").await;
    assert_eq!((status, &first["state"]), (201, &json!("pending")));
    let (_, again) = provision("shared", json!({}), "k").await;
    assert_eq!(first["instance_id"], again["instance_id"], "one key, one instance");

    let rule = json!({ "method": "POST", "path": "/cp/workspaces/provision", "status": 502, "times": 2 });
    assert_eq!(play.admin("POST", "/__stub/routes", Some(rule)).await.0, 201);
    assert_eq!(provision("shared", json!({}), "a").await.0, 502);
    assert_eq!(provision("shared", json!({}), "a").await.0, 502);
    assert_eq!(provision("shared", json!({}), "a").await.0, 201);
    assert_eq!(play.send("POST", "/__stub/routes", &[], None).await.0, 401, "only for administrators");
    play.running.stop().await;
}

/// What each answer to the provision call becomes: the row is always the same, the log is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_the_provision_call_as_a_server_takes_them() {
    for (rule, august, status, log) in [
        (
            json!({ "status": 200, "body": { "instance_id": "i-1" } }),
            false,
            "failed",
            "provision failed (200)",
        ),
        (json!({ "status": 401 }), false, "failed", "provision failed (401): <unstructured body, 0 bytes>"),
        (
            json!({ "status": 500, "body": { "error": "boom" } }),
            false,
            "failed",
            "provision failed (500): boom",
        ),
        (json!({ "status": 201, "body": "not json {" }), false, "failed", "decode 201 response"),
        (json!({ "reset": true }), false, "failed", "cp provisioner: send: connection lost"),
        (json!({ "status": 502, "times": 3 }), false, "failed", "provision failed (502)"),
        (json!({ "status": 502, "times": 3 }), true, "online", ""),
    ] {
        let play = Play::new(Options { august, ..Options::default() }).await;
        let mut rule = rule;
        rule["method"] = json!("POST");
        rule["path"] = json!("/cp/workspaces/provision");
        assert_eq!(play.admin("POST", "/__stub/routes", Some(rule.clone())).await.0, 201);
        let org = play.org("e2e-alpha").await;
        let id = org.workspace("w").await;
        org.until(&id, "an end", |r| r["status"] == status).await;
        let (_, told) = org.send("GET", "/__lifecycle/log", None).await;
        assert!(told.to_string().contains(log), "{rule}: {told}");
        play.running.stop().await;
    }
}
