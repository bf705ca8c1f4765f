//! Restart, pause, resume, hibernate, delete (contract §5), and what each does to instance and tokens.

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::reference::options::{BootTiming, Options, ProvisionerKind};
use crate::reference::provision::{Instance, InstanceSpec, NoBackend, Pending, Provisioner, StartError};

async fn instance(play: &Play, id: &str) -> Option<String> {
    play.environment(id).await.body["instance"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_gives_a_new_instance_and_new_instance_tokens() {
    let play = Play::new(quick()).await;
    let (id, token) = play.managed("w").await;
    let first = play.online(&id).await;
    assert!(
        first["url"].as_str().unwrap().starts_with("http://localhost:"),
        "not 127.0.0.1 (contract §13, 7)"
    );
    let before = instance(&play, &id).await.unwrap();
    let got = play.send("POST", &format!("/workspaces/{id}/restart?reset=true"), Some(&token), None).await;
    assert_eq!(
        got.body,
        json!({ "status": "provisioning", "config_dir": "existing-volume", "reset_session": true })
    );
    let now = play
        .until(&id, "another URL", |w| w["status"] == "online" && w["url"] != first["url"] && w["url"] != "")
        .await;
    assert_ne!(now["url"], first["url"]);
    assert_ne!(instance(&play, &id).await.unwrap(), before);
    let tokens = play.send("GET", &format!("/workspaces/{id}/tokens"), Some(&token), None).await;
    assert_eq!(tokens.body["count"], 2, "the API token survives, the instance token is replaced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_refuses_in_its_order() {
    let play = Play::new(quick()).await;
    let (root, _) = play.external("root").await;
    let (external, _) = play.external("e").await;
    let post = async |path: &str, body: Option<&str>| {
        play.send_with("POST", path, Some(ADMIN), vec![], body.map(str::to_owned)).await
    };
    let got = post(&format!("/workspaces/{external}/restart"), Some("{")).await;
    assert_eq!((got.status, &got.body["status"]), (200, &json!("noop")), "external comes before JSON");
    assert_eq!(post(&format!("/workspaces/{root}/pause?cascade=true"), None).await.body["paused_count"], 2);
    let got = post(&format!("/workspaces/{external}/restart"), None).await;
    assert_eq!(
        (got.status, &got.body["error"]),
        (409, &json!("parent workspace \"root\" is paused — resume it first"))
    );
    let (managed, _) = play.managed("w").await;
    assert_eq!(post(&format!("/workspaces/{managed}/restart"), Some("{")).await.status, 409);
    post(&format!("/workspaces/{root}/resume?cascade=true"), None).await;
    assert_eq!(post(&format!("/workspaces/{managed}/restart"), Some("{")).await.status, 400);
    assert_eq!(post("/workspaces/x/restart", None).await.status, 500);
    let body = Some(json!({ "name": "mock", "runtime": "mock", "model": "x" }));
    let mock = play.admin("POST", "/workspaces", body).await.body["id"].as_str().unwrap().to_owned();
    assert_eq!(post(&format!("/workspaces/{mock}/restart"), None).await.body["status"], "noop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pause_and_resume_cascade_only_when_told() {
    let play = Play::new(quick()).await;
    let (root, _) = play.managed("root").await;
    let (child, _) = play.managed("child").await;
    play.online(&root).await;
    play.online(&child).await;
    let got = play.admin("POST", &format!("/workspaces/{root}/pause"), None).await;
    assert_eq!((got.status, &got.body["descendants"]), (409, &json!([{ "id": child, "name": "child" }])));
    let got = play.admin("POST", &format!("/workspaces/{root}/pause?cascade=true"), None).await;
    assert_eq!(got.body, json!({ "status": "paused", "paused_count": 2 }));
    for id in [&root, &child] {
        let row = play.status(id, "paused").await;
        assert_eq!(row["url"], "");
        assert_eq!(instance(&play, id).await, None);
    }
    assert_eq!(play.admin("POST", &format!("/workspaces/{child}/resume"), None).await.status, 409);
    let got = play.admin("POST", &format!("/workspaces/{root}/resume"), None).await;
    assert_eq!((got.status, got.body["descendants"].as_array().unwrap().len()), (409, 1));
    let got = play.admin("POST", &format!("/workspaces/{root}/resume?cascade=true"), None).await;
    assert_eq!(got.body, json!({ "status": "provisioning", "resumed_count": 2 }));
    play.online(&root).await;
    play.online(&child).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hibernate_wants_an_idle_one() {
    let play = Play::new(quick()).await;
    let (id, token) = play.external("e").await;
    let beat = json!({ "workspace_id": id, "active_tasks": 2 });
    play.send("POST", "/registry/heartbeat", Some(&token), Some(&beat)).await;
    let path = format!("/workspaces/{id}/hibernate");
    let got = play.admin("POST", &path, None).await;
    assert_eq!((got.status, &got.body["active_tasks"]), (409, &json!(2)));
    assert_eq!(play.admin("POST", &format!("{path}?force=true"), None).await.status, 200);
    play.status(&id, "online").await;
    let (managed, _) = play.managed("w").await;
    play.online(&managed).await;
    let got = play.admin("POST", &format!("/workspaces/{managed}/hibernate"), None).await;
    assert_eq!((got.status, got.body), (200, json!({ "status": "hibernated" })));
    assert_eq!(instance(&play, &managed).await, None);
    assert_eq!(play.admin("POST", &format!("/workspaces/{managed}/restart"), None).await.status, 200);
    play.online(&managed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delete_takes_the_subtree_and_its_tokens() {
    let play = Play::new(quick()).await;
    let (root, root_token) = play.managed("root").await;
    let (child, _) = play.external("child").await;
    play.online(&root).await;
    let delete = async |query: &str, name: &str| {
        let headers = vec![("x-confirm-name", name.to_owned())];
        play.send_with("DELETE", &format!("/workspaces/{root}{query}"), Some(ADMIN), headers, None).await
    };
    assert_eq!(delete("", "x").await.status, 400);
    assert_eq!(delete("", "root").await.status, 409);
    let got = delete("?confirm=true", "root").await;
    assert_eq!(got.body, json!({ "status": "removed", "cascade_deleted": 1 }));
    let told = play.admin("GET", &format!("/events/{root}"), None).await.body;
    assert_eq!(told[0]["event_type"], "WORKSPACE_REMOVED", "{told}");
    assert_eq!(told[0]["payload"], json!({ "cascade_deleted": 1 }));
    for id in [&root, &child] {
        assert_eq!(play.send("GET", &format!("/workspaces/{id}"), None, None).await.status, 410);
    }
    assert_eq!(
        play.send("GET", &format!("/workspaces/{root}/activity"), Some(&root_token), None).await.status,
        401
    );
    assert_eq!(play.admin("GET", "/workspaces", None).await.body, json!([]));
    assert_eq!(delete("?confirm=true", "root").await.status, 410);
    assert_eq!(play.admin("DELETE", "/workspaces/x", None).await.status, 400);
    assert_eq!(
        play.admin("DELETE", &format!("/workspaces/{}", crate::chance::uuid()), None).await.status,
        404
    );
}

/// A backend that stops nothing.
struct Stuck;

impl Provisioner for Stuck {
    fn start(&self, spec: InstanceSpec) -> Pending<'_, Result<Instance, StartError>> {
        NoBackend.start(spec)
    }

    fn stop(&self, _: uuid::Uuid) -> Pending<'_, Result<(), String>> {
        Box::pin(async { Err("the engine does not answer".to_owned()) })
    }

    fn is_running(&self, _: uuid::Uuid) -> Pending<'_, Result<bool, String>> {
        Box::pin(async { Ok(true) })
    }

    fn instance(&self, _: uuid::Uuid) -> Pending<'_, Option<Instance>> {
        Box::pin(async { None })
    }

    fn instances(&self) -> Pending<'_, Vec<Instance>> {
        Box::pin(async { Vec::new() })
    }

    fn volumes(&self) -> Pending<'_, Vec<String>> {
        Box::pin(async { Vec::new() })
    }

    fn remove_volumes(&self, _: uuid::Uuid, _: bool) -> Pending<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn empty_config(&self, _: uuid::Uuid) -> Pending<'_, ()> {
        Box::pin(async {})
    }

    fn logs(&self, _: uuid::Uuid, _: usize) -> Pending<'_, Vec<String>> {
        Box::pin(async { Vec::new() })
    }
}

/// Contract §5.2 and §5.5, row 7: a pause only logs what a delete answers with 500.
#[tokio::test]
async fn an_instance_that_cannot_be_stopped() {
    let provisioner = ProvisionerKind::Custom(std::sync::Arc::new(Stuck));
    let play = Play::new(Options { provisioner, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    let got = play.admin("POST", &format!("/workspaces/{id}/pause"), None).await;
    assert_eq!((got.status, &got.body["status"]), (200, &json!("paused")));
    let delete = async || {
        let headers = vec![("x-confirm-name", "w".to_owned())];
        play.send_with("DELETE", &format!("/workspaces/{id}?purge=true"), Some(ADMIN), headers, None).await
    };
    let got = delete().await;
    assert_eq!((got.status, &got.body["removed_count"]), (500, &json!(1)), "{}", got.body);
    assert!(got.body["error"].is_string());
    assert_eq!(got.body["stop_failures"].as_array().map(Vec::len), Some(1), "{}", got.body);
    let read = play.send("GET", &format!("/workspaces/{id}"), None, None).await;
    assert_eq!(read.status, 410, "removed all the same, and not purged");
    assert_eq!(delete().await.status, 410, "a second one cannot help");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purged_rows_are_unknown() {
    let play = Play::new(quick()).await;
    let (id, _) = play.managed("w ü").await;
    play.online(&id).await;
    let headers = vec![("x-confirm-name", "w ü".to_owned())];
    let got =
        play.send_with("DELETE", &format!("/workspaces/{id}?purge=true"), Some(ADMIN), headers, None).await;
    assert_eq!(got.body, json!({ "status": "purged", "cascade_deleted": 0 }));
    for path in ["", "?include_removed=true"] {
        assert_eq!(play.send("GET", &format!("/workspaces/{id}{path}"), None, None).await.status, 404);
    }
}

#[tokio::test]
async fn patch_and_abilities() {
    let play = Play::new(quick()).await;
    let (id, token) = play.external("e").await;
    let path = format!("/workspaces/{id}");
    for (body, status, needs_restart) in [
        (
            json!({ "name": "n", "role": "r", "tier": 2, "collapsed": true, "x": 1, "y": 2.5 }),
            200,
            Value::Null,
        ),
        (json!({ "runtime": "kimi" }), 200, json!(true)),
        (json!({ "workspace_dir": "/srv" }), 200, json!(true)),
        (json!({ "compute": {} }), 200, json!(true)),
        (json!({ "parent_id": null }), 200, Value::Null),
        (json!({ "parent_id": "x" }), 200, Value::Null),
        (json!({ "name": "a|b" }), 400, Value::Null),
        (json!({ "workspace_dir": "/etc" }), 400, Value::Null),
        (json!([]), 400, Value::Null),
    ] {
        let got = play.send("PATCH", &path, Some(&token), Some(&body)).await;
        assert_eq!((got.status, &got.body["needs_restart"]), (status, &needs_restart), "{body}");
    }
    let row = play.send("GET", &path, None, None).await.body;
    assert_eq!(
        (&row["name"], &row["role"], &row["tier"], &row["collapsed"], &row["y"], &row["runtime"]),
        (&json!("n"), &json!("r"), &json!(2), &json!(true), &json!(2.5), &json!("kimi"))
    );
    let quiet = json!({ "talk_to_user_enabled": false });
    assert_eq!(play.admin("PATCH", &format!("{path}/abilities"), Some(quiet)).await.status, 200);
    let got =
        play.send("POST", &format!("{path}/notify"), Some(&token), Some(&json!({ "message": "m" }))).await;
    assert_eq!((got.status, &got.body["error"]), (403, &json!("talk_to_user_disabled")));
    let nobody = format!("/workspaces/{}", crate::chance::uuid());
    assert_eq!(play.admin("PATCH", &nobody, Some(json!({}))).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_bootstrap_is_told() {
    let boot = BootTiming { provision: std::time::Duration::from_secs(100), ..BootTiming::default() };
    let play = Play::new(Options { boot, time_scale: 1.0, ..quick() }).await;
    let (id, _) = play.managed("w").await;
    let path = format!("/admin/workspaces/{id}/bootstrap-failed");
    let body = json!({ "error": "cloud-init died", "log_tail": "…" });
    assert_eq!(play.admin("POST", &path, Some(body.clone())).await.body, json!({ "ok": true }));
    let row = &play.admin("GET", "/workspaces", None).await.body[0];
    assert_eq!(
        (&row["status"], &row["last_sample_error"]),
        (&json!("failed"), &json!("cloud-init died\n\n…"))
    );
    assert_eq!(play.admin("POST", &path, Some(body)).await.body["no_change"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_organisations_agent_becomes_the_root() {
    let play = Play::new(Options { llm_proxy: true, ..quick() }).await;
    let (other, _) = play.external("other").await;
    let id = crate::chance::uuid().to_string();
    let got =
        play.admin("POST", "/admin/org/platform-agent", Some(json!({ "id": id, "name": "Boss" }))).await;
    assert_eq!(got.body, json!({ "status": "installed", "platform_agent_id": id, "kind": "platform" }));
    let row = play.online(&id).await;
    assert_eq!((&row["kind"], &row["parent_id"]), (&json!("platform"), &Value::Null));
    assert_eq!(
        play.send("GET", &format!("/workspaces/{other}"), None, None).await.body["parent_id"],
        json!(id)
    );
    let env = play.environment(&id).await.body["env"].clone();
    assert_eq!((&env["MOLECULE_API_KEY"], &env["MODEL"]), (&json!(ADMIN), &json!("moonshot/kimi-k2.6")));
    assert_eq!(play.admin("POST", "/admin/org/platform-agent", Some(json!({ "id": "x" }))).await.status, 400);
}

#[tokio::test]
async fn clouds_are_not_here() {
    let play = Play::new(quick()).await;
    let (id, _) = play.external("e").await;
    let of = format!("/workspaces/{id}");
    for (method, path, body, status) in [
        ("GET", format!("{of}/console"), json!({}), 501),
        ("POST", format!("{of}/switch-provider"), json!({ "provider": "aws" }), 409),
        ("POST", format!("{of}/switch-provider"), json!({ "provider": "ibm" }), 400),
        (
            "POST",
            format!("/admin{of}/set-compute-instance"),
            json!({ "instance_id": "i", "provider": "aws" }),
            200,
        ),
        (
            "POST",
            format!("/admin{of}/set-compute-instance"),
            json!({ "instance_id": "", "provider": "aws" }),
            400,
        ),
    ] {
        assert_eq!(play.admin(method, &path, Some(body)).await.status, status, "{method} {path}");
    }
}
