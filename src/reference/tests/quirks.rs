//! What a real server does and should not (contract §13, §14.2): kept, or mended when asked.

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::reference::options::{BootTiming, Options, Quirks};

async fn both() -> [(Quirks, Play); 2] {
    let make = async |quirks| (quirks, Play::new(Options { quirks, ..quick() }).await);
    [make(Quirks::Observed).await, make(Quirks::Intended).await]
}

async fn delete(play: &Play, id: &str, name: &str) {
    let headers = vec![("x-confirm-name", name.to_owned())];
    let got = play.send_with("DELETE", &format!("/workspaces/{id}"), Some(ADMIN), headers, None).await;
    assert_eq!(got.status, 200, "{}", got.body);
}

async fn instances(play: &Play) -> Value {
    play.admin("GET", "/__lifecycle/instances", None).await.body
}

fn message() -> Value {
    json!({ "method": "message/send", "params": { "message": { "content": "hi" } } })
}

/// L1: a delete while the instance is on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_delete_is_overtaken_by_the_provision() {
    for (quirks, left) in [(Quirks::Observed, 1), (Quirks::Intended, 0)] {
        let boot = BootTiming {
            provision: std::time::Duration::from_millis(200),
            jitter: 0.0,
            ..BootTiming::default()
        };
        let play = Play::new(Options { quirks, boot, time_scale: 1.0, ..quick() }).await;
        let (id, _) = play.managed("w").await;
        delete(&play, &id, "w").await;
        let mut seen = instances(&play).await;
        if left == 1 {
            assert_eq!(seen["instances"], json!([]), "not yet");
            seen = play
                .eventually("the instance that nobody wants", async || {
                    let seen = instances(&play).await;
                    (seen["instances"] != json!([])).then_some(seen)
                })
                .await;
        }
        assert_eq!(seen["instances"].as_array().unwrap().len(), left, "{quirks:?}");
        assert_eq!(seen["volumes"].as_array().unwrap().len(), 3 * left, "{quirks:?}");
        let got = play.send("GET", &format!("/workspaces/{id}"), None, None).await;
        assert_eq!(got.status, 410);
        if left == 1 {
            assert_eq!(play.environment(&id).await.status, 200);
            let path = format!("/__lifecycle/workspaces/{id}");
            assert_eq!(play.admin("DELETE", &format!("{path}/instance"), None).await.status, 200);
            assert_eq!(play.admin("DELETE", &format!("{path}/volumes"), None).await.status, 200);
            assert_eq!(instances(&play).await, json!({ "instances": [], "volumes": [] }));
        }
    }
}

/// L2: the workspace volume stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_leaves_the_workspace_volume() {
    for (quirks, play) in both().await {
        let (id, _) = play.managed("w").await;
        play.online(&id).await;
        delete(&play, &id, "w").await;
        let want = match quirks {
            Quirks::Observed => json!([format!("ws-{id}-workspace")]),
            Quirks::Intended => json!([]),
        };
        assert_eq!(instances(&play).await, json!({ "instances": [], "volumes": want }), "{quirks:?}");
    }
}

/// §13 row 4, §7.6: the announced wake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hibernated_workspace_wakes_only_when_mended() {
    for (quirks, play) in both().await {
        let (id, _) = play.managed("w").await;
        play.online(&id).await;
        play.admin("POST", &format!("/workspaces/{id}/hibernate"), None).await;
        let got = play.admin("POST", &format!("/workspaces/{id}/a2a"), Some(message())).await;
        assert_eq!((got.status, &got.body["waking"]), (503, &json!(true)));
        if quirks == Quirks::Intended {
            play.online(&id).await;
        } else {
            let kinds = play.admin("GET", &format!("/events/{id}"), None).await.body;
            assert_eq!(kinds[0]["event_type"], "WORKSPACE_HIBERNATED");
            assert_eq!(play.admin("POST", &format!("/workspaces/{id}/restart"), None).await.status, 200);
            play.online(&id).await;
        }
    }
}

/// §13 rows 5, 9, 15, 20–25; §14.2 L5–L8, L10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_ones_side_by_side() {
    for (quirks, play) in both().await {
        let mended = quirks == Quirks::Intended;
        let (root, root_token) = play.external("root").await;
        let (second, token) = play.external("second").await;
        // L6: default parenting.
        let row = play.send("GET", &format!("/workspaces/{second}"), None, None).await.body;
        assert_eq!(row["parent_id"], if mended { Value::Null } else { json!(root) });
        // Row 9: two roots.
        play.send(
            "PATCH",
            &format!("/workspaces/{second}"),
            Some(&token),
            Some(&json!({ "parent_id": null })),
        )
        .await;
        let access = json!({ "caller_id": root, "target_id": second });
        let got = play.send("POST", "/registry/check-access", None, Some(&access)).await;
        assert_eq!(got.body["allowed"], mended, "{quirks:?}");
        // L10: the admin at /state.
        let state = play.admin("GET", &format!("/workspaces/{root}/state"), None).await;
        assert_eq!(state.status, if mended { 200 } else { 401 });
        // Row 5: force.
        let busy = json!({ "workspace_id": root, "active_tasks": 1 });
        play.send("POST", "/registry/heartbeat", Some(&root_token), Some(&busy)).await;
        play.admin("POST", &format!("/workspaces/{root}/hibernate?force=true"), None).await;
        play.status(&root, if mended { "hibernated" } else { "online" }).await;
        // Row 24: heartbeats of nobody.
        let nobody = json!({ "workspace_id": uuid::Uuid::new_v4() });
        let got = play.send("POST", "/registry/heartbeat", None, Some(&nobody)).await;
        assert_eq!(got.status, if mended { 404 } else { 200 });
        // Row 25 and L7: pause, register, resume of an external one.
        play.admin("POST", &format!("/workspaces/{second}/pause"), None).await;
        let register = json!({ "id": second, "agent_card": {}, "delivery_mode": "poll" });
        play.send("POST", "/registry/register", Some(&token), Some(&register)).await;
        play.status(&second, if mended { "paused" } else { "online" }).await;
        if !mended {
            play.admin("POST", &format!("/workspaces/{second}/pause"), None).await;
        }
        play.admin("POST", &format!("/workspaces/{second}/resume"), None).await;
        play.status(&second, if mended { "awaiting_agent" } else { "failed" }).await;
        // Rows 22, 23: messages and registers of removed ones.
        delete(&play, &second, "second").await;
        let got = play.admin("POST", &format!("/workspaces/{second}/a2a"), Some(message())).await;
        assert_eq!(got.status, if mended { 404 } else { 200 });
        let got = play.send("POST", "/registry/register", None, Some(&register)).await;
        assert_eq!(got.status, if mended { 410 } else { 200 });
        if !mended {
            let token = got.body["auth_token"].as_str().unwrap().to_owned();
            let got = play.send("GET", &format!("/workspaces/{second}/activity"), Some(&token), None).await;
            assert_eq!(got.status, 401, "it never validates");
        }
        // L8: a template's name as runtime.
        let seo = json!({ "name": "seo", "runtime": "seo-agent", "model": "x" });
        assert_eq!(play.admin("POST", "/workspaces", Some(seo)).await.status, if mended { 422 } else { 201 });
        // L5: the admin token inside.
        let (managed, _) = play.managed("w").await;
        play.online(&managed).await;
        let env = play.environment(&managed).await.body["env"].clone();
        assert_eq!(env.get("ADMIN_TOKEN").is_some(), !mended);
    }
}

/// §13 row 11: the sweep looks for the container of a kimi workspace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_online_kimi_is_flipped_offline() {
    let play = Play::new(Options { time_scale: 500.0, ..quick() }).await;
    let made = play
        .admin(
            "POST",
            "/workspaces",
            Some(json!({ "name": "k", "runtime": "kimi", "delivery_mode": "poll" })),
        )
        .await
        .body;
    let (id, token) = (made["id"].as_str().unwrap(), made["connection"]["auth_token"].as_str().unwrap());
    play.send("POST", "/registry/heartbeat", Some(token), Some(&json!({ "workspace_id": id }))).await;
    play.status(id, "offline").await;
    play.send("POST", "/registry/heartbeat", Some(token), Some(&json!({ "workspace_id": id }))).await;
}
