//! What a real server does and should not (contract §13, §14.2), each way.

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::behaviour::{Behaviour, Behaviours, Edition};
use crate::reference::options::{BootTiming, Options};

/// June's server, with what it should not do kept or mended.
fn june(mended: bool) -> Behaviours {
    let defects = Behaviour::ALL.iter().take_while(|b| **b != Behaviour::BillingRoute);
    defects.fold(Edition::MidJune.behaviours(), |set, b| set.with(*b, mended))
}

async fn both() -> [(bool, Play); 2] {
    let make = async |mended| (mended, Play::new(Options { behaviours: june(mended), ..quick() }).await);
    [make(false).await, make(true).await]
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
    for (mended, left) in [(false, 1), (true, 0)] {
        let behaviours = june(mended);
        let boot = BootTiming {
            provision: std::time::Duration::from_millis(200),
            jitter: 0.0,
            ..BootTiming::default()
        };
        let play = Play::new(Options { behaviours, boot, time_scale: 1.0, ..quick() }).await;
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
        assert_eq!(seen["instances"].as_array().unwrap().len(), left, "mended: {mended}");
        assert_eq!(seen["volumes"].as_array().unwrap().len(), 3 * left, "mended: {mended}");
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
    for (mended, play) in both().await {
        let (id, _) = play.managed("w").await;
        play.online(&id).await;
        delete(&play, &id, "w").await;
        let want = if mended { json!([]) } else { json!([format!("ws-{id}-workspace")]) };
        assert_eq!(instances(&play).await, json!({ "instances": [], "volumes": want }), "mended: {mended}");
    }
}

/// §13 row 4, §7.6: the announced wake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hibernated_workspace_wakes_only_when_mended() {
    for (mended, play) in both().await {
        let (id, _) = play.managed("w").await;
        play.online(&id).await;
        play.admin("POST", &format!("/workspaces/{id}/hibernate"), None).await;
        let got = play.admin("POST", &format!("/workspaces/{id}/a2a"), Some(message())).await;
        assert_eq!((got.status, &got.body["waking"]), (503, &json!(true)));
        if mended {
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
    for (mended, play) in both().await {
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
        assert_eq!(got.body["allowed"], mended, "mended: {mended}");
        // L10: the admin at /state.
        let state = play.admin("GET", &format!("/workspaces/{root}/state"), None).await;
        assert_eq!(state.status, if mended { 200 } else { 401 });
        // Row 5: force.
        let busy = json!({ "workspace_id": root, "active_tasks": 1 });
        play.send("POST", "/registry/heartbeat", Some(&root_token), Some(&busy)).await;
        play.admin("POST", &format!("/workspaces/{root}/hibernate?force=true"), None).await;
        play.status(&root, if mended { "hibernated" } else { "online" }).await;
        // Row 24: heartbeats of nobody.
        let nobody = json!({ "workspace_id": crate::chance::uuid() });
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
