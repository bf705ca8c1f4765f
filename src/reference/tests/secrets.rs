//! Secrets, model, billing (contract §8.1, §8.3).

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::reference::options::Options;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_by_others_restarts_and_by_itself_does_not() {
    // The debounce of 60 s must not be over between two writes, nor hide the first.
    let play = Play::new(Options { time_scale: 5.0, ..quick() }).await;
    let (id, own) = play.managed("w").await;
    play.online(&id).await;
    let instance = async || play.environment(&id).await.body["instance"].clone();
    let first = instance().await;
    let path = format!("/workspaces/{id}/secrets");
    let write = async |token: &str, key: &str| {
        let body = json!({ "key": key, "value": "v" });
        assert_eq!(
            play.send("PUT", &path, Some(token), Some(&body)).await.body,
            json!({ "status": "saved", "key": key })
        );
    };
    write(&own, "A").await;
    assert_eq!(play.send("GET", &format!("/workspaces/{id}"), None, None).await.body["status"], "online");
    assert_eq!(instance().await, first);
    write(ADMIN, "B").await;
    play.status(&id, "provisioning").await;
    // The second of two quick writes is dropped: it is in the environment only if it was early enough.
    write(ADMIN, "C").await;
    play.until(&id, "a new instance", |w| w["status"] == "online" && w["url"] != "").await;
    let env = play.environment(&id).await.body["env"].clone();
    assert_eq!((&env["A"], &env["B"]), (&json!("v"), &json!("v")));
    let second = instance().await;
    assert_ne!(second, first);
    write(ADMIN, "D").await;
    assert_eq!(
        play.send("GET", &format!("/workspaces/{id}"), None, None).await.body["status"],
        "online",
        "debounced"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vendor_keys_need_a_vendors_model() {
    let play = Play::new(Options { llm_proxy: true, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    let (external, _) = play.external("e").await;
    let body = json!({ "name": "p", "runtime": "claude-code", "model": "moonshot/kimi-k2.6" });
    let platform =
        play.admin("POST", "/workspaces", Some(body)).await.body["id"].as_str().unwrap().to_owned();
    let write = async |id: &str, key: &str, value: &str| {
        play.admin("POST", &format!("/workspaces/{id}/secrets"), Some(json!({ "key": key, "value": value })))
            .await
    };
    for (id, key, status) in [
        (&id, "MINIMAX_API_KEY", 200),
        (&id, "OPENAI_API_KEY", 200),
        (&platform, "OPENAI_API_KEY", 400),
        (&platform, "ANYTHING", 200),
        (&external, "OPENAI_API_KEY", 400),
        (&external, "ANYTHING", 200),
    ] {
        let got = write(id, key, "v").await;
        assert_eq!(got.status, status, "{key}: {}", got.body);
        if status == 400 {
            assert_eq!((&got.body["key"], &got.body["workspace_id"]), (&json!(key), &json!(id)));
        }
    }
    for mode in ["byok", "platform_managed"] {
        play.admin(
            "PUT",
            &format!("/admin/workspaces/{platform}/llm-billing-mode"),
            Some(json!({ "mode": mode })),
        )
        .await;
        assert_eq!(write(&platform, "OPENAI_API_KEY", "v").await.status, 400, "{mode} unlocks nothing");
        play.admin("PUT", &format!("/admin/workspaces/{id}/llm-billing-mode"), Some(json!({ "mode": mode })))
            .await;
        assert_eq!(write(&id, "OPENAI_API_KEY", "v").await.status, if mode == "byok" { 200 } else { 400 });
    }
    assert_eq!(write(&crate::chance::uuid().to_string(), "A", "v").await.status, 500);
    assert_eq!(write("x", "A", "v").await.status, 400);
    assert_eq!(write(&id.to_uppercase(), "A", "v").await.status, 400);
    assert_eq!(write(&id, "", "v").await.status, 400);
}

#[tokio::test]
async fn global_secrets_are_everybodys_unless_they_have_their_own() {
    let play = Play::new(quick()).await;
    let (id, token) = play.external("e").await;
    for (path, method) in
        [("/settings/secrets", "PUT"), ("/settings/secrets", "POST"), ("/admin/secrets", "POST")]
    {
        let got = play.admin(method, path, Some(json!({ "key": "K", "value": "global" }))).await;
        assert_eq!(got.body, json!({ "status": "saved", "key": "K", "scope": "global" }), "{method} {path}");
    }
    let values =
        async || play.send("GET", &format!("/workspaces/{id}/secrets/values"), Some(&token), None).await.body;
    assert_eq!(values().await, json!({ "K": "global" }));
    let own = json!({ "key": "K", "value": "own" });
    play.send("PUT", &format!("/workspaces/{id}/secrets"), Some(&token), Some(&own)).await;
    assert_eq!(values().await, json!({ "K": "own" }));
    let list = play.send("GET", &format!("/workspaces/{id}/secrets"), Some(&token), None).await.body;
    assert_eq!((list.as_array().unwrap().len(), &list[0]["scope"]), (1, &json!("workspace")));
    let path = format!("/workspaces/{id}/secrets/K");
    assert_eq!(
        play.send("DELETE", &path, Some(&token), None).await.body,
        json!({ "status": "deleted", "key": "K" })
    );
    assert_eq!(values().await, json!({ "K": "global" }));
    for (status, path) in [(200, "/settings/secrets/K"), (404, "/admin/secrets/K")] {
        assert_eq!(play.admin("DELETE", path, None).await.status, status);
    }
    assert_eq!(play.admin("PUT", "/settings/secrets", Some(json!({ "key": "K" }))).await.status, 400);
    assert_eq!(play.admin("GET", "/admin/secrets", None).await.body, json!([]));
}

#[tokio::test]
async fn models_and_billing_modes() {
    let play = Play::new(quick()).await;
    let (id, token) = play.managed("w").await;
    let path = format!("/workspaces/{id}/model");
    for (body, status, want) in [
        (json!({ "model": "MiniMax-M3" }), 200, json!({ "status": "saved", "model": "MiniMax-M3" })),
        (json!({ "model": "" }), 200, json!({ "status": "cleared" })),
        (json!({}), 200, json!({ "status": "cleared" })),
        (json!({ "model": 3 }), 400, json!({ "error": "invalid request body" })),
    ] {
        let got = play.send("PUT", &path, Some(&token), Some(&body)).await;
        assert_eq!((got.status, got.body), (status, want));
    }
    assert_eq!(
        play.send("GET", &path, Some(&token), None).await.body,
        json!({ "model": "", "source": "unresolved" })
    );
    let nobody = crate::chance::uuid();
    assert_eq!(
        play.admin("PUT", &format!("/workspaces/{nobody}/model"), Some(json!({ "model": "x" }))).await.status,
        404
    );
    let billing = format!("/admin/workspaces/{id}/llm-billing-mode");
    for (body, status) in [
        (json!({}), 400),
        (json!({ "mode": 5 }), 400),
        (json!({ "mode": "" }), 400),
        (json!({ "mode": "disabled" }), 200),
        (json!({ "mode": null }), 200),
    ] {
        assert_eq!(play.admin("PUT", &billing, Some(body.clone())).await.status, status, "{body}");
    }
    let shown = play.admin("GET", &billing, None).await.body;
    assert_eq!((&shown["source"], &shown["provider_selection"]), (&json!("derived_default"), &Value::Null));
    assert_eq!(
        play.admin("GET", &format!("/admin/workspaces/{nobody}/llm-billing-mode"), None).await.body["source"],
        "derived_default"
    );
    let offered = play.admin("GET", "/admin/llm/offered-models", None).await.body;
    assert_eq!(offered["runtime"], "claude-code");
    assert!(offered["models"].as_array().unwrap().len() > 20);
}
