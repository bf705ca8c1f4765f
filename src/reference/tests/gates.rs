//! Create: the order of its gates, and what it makes (contract §2).

use serde_json::{Value, json};

use super::play::{Play, quick};
use crate::behaviour::{Behaviour, Behaviours};
use crate::reference::options::Options;

fn good(extra: &Value) -> Value {
    let mut body = json!({
        "name": "w",
        "runtime": "claude-code",
        "model": "MiniMax-M2.7",
        "secrets": { "MINIMAX_API_KEY": "k" },
    });
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[tokio::test]
async fn the_first_gate_that_fails_answers() {
    let play = Play::new(quick()).await;
    let poor = json!({
        // Everything from row 8 on is wrong as well.
        "model": "nope", "workspace_dir": "x", "url": "http://127.0.0.1", "delivery_mode": "x",
    });
    let with = |extra: Value| {
        let mut body = good(&poor);
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    for (body, status, code_or_error) in [
        (json!({ "name": 5 }), 400, "invalid workspace payload"),
        (json!({ "name": "" }), 400, "invalid workspace payload"),
        (
            with(json!({ "role": "a\nb", "template": "../x", "runtime": "nope" })),
            400,
            "invalid workspace fields",
        ),
        (with(json!({ "template": "../x", "runtime": "" })), 400, "invalid template"),
        (with(json!({ "template": "nope", "runtime": null })), 422, "RUNTIME_UNRESOLVED"),
        (with(json!({ "external": true })), 422, "RUNTIME_UNSUPPORTED"),
        (with(json!({ "runtime": "gemini" })), 422, "RUNTIME_UNSUPPORTED"),
        (with(json!({ "model": "" })), 422, "MODEL_REQUIRED"),
        (with(json!({})), 422, "UNREGISTERED_MODEL_FOR_RUNTIME"),
        (with(json!({ "model": "sonnet" })), 422, "MISSING_BYOK_CREDENTIAL"),
        (with(json!({ "model": "MiniMax-M2" })), 400, "invalid workspace directory"),
        (
            with(json!({ "model": "MiniMax-M2", "workspace_dir": null, "workspace_access": "read_only" })),
            400,
            "invalid workspace access",
        ),
        (
            with(json!({ "model": "MiniMax-M2", "workspace_dir": null, "compute": { "provider": "x" } })),
            400,
            "compute.provider must be one of aws, gcp, hetzner",
        ),
        (
            with(json!({ "model": "MiniMax-M2", "workspace_dir": null })),
            400,
            "unsafe workspace URL: url targets a blocked address: loopback address",
        ),
        (
            with(json!({ "model": "MiniMax-M2", "workspace_dir": null, "url": null })),
            400,
            "delivery_mode must be 'push' or 'poll'",
        ),
    ] {
        let got = play.admin("POST", "/workspaces", Some(body.clone())).await;
        let said = got.body["code"].as_str().or_else(|| got.body["error"].as_str()).unwrap_or_default();
        assert_eq!((got.status, said), (status, code_or_error), "{body}");
    }
    assert_eq!(play.admin("GET", "/workspaces", None).await.body, json!([]));
    let guarded = json!({ "model": "moonshot/kimi-k2.6", "workspace_dir": "x" });
    let got = play.admin("POST", "/workspaces", Some(good(&guarded))).await;
    assert_eq!(got.body["error"], "invalid workspace directory", "the vendor-key guard comes later");
}

#[tokio::test]
async fn global_secrets_count_as_credentials_by_name() {
    let play = Play::new(quick()).await;
    let body = json!({ "name": "w", "runtime": "claude-code", "model": "sonnet" });
    assert_eq!(play.admin("POST", "/workspaces", Some(body.clone())).await.status, 422);
    let secret = json!({ "key": "CLAUDE_CODE_OAUTH_TOKEN", "value": "k" });
    assert_eq!(play.admin("PUT", "/settings/secrets", Some(secret)).await.status, 200);
    assert_eq!(play.admin("POST", "/workspaces", Some(body)).await.status, 201);
}

#[tokio::test]
async fn defaults_and_fields_of_a_new_row() {
    let play = Play::new(quick()).await;
    let root = play.admin("POST", "/workspaces", Some(good(&json!({ "name": "root" })))).await;
    assert_eq!(root.body["workspace_access"], "none");
    let body = good(&json!({
        "tier": 0, "role": "", "budget_limit": 500, "max_concurrent_tasks": -1, "canvas": { "x": 1.5, "y": 2 },
        "workspace_dir": "/srv/x", "workspace_access": "read_write", "compute": { "provider": "aws" },
    }));
    let made = play.admin("POST", "/workspaces", Some(body)).await;
    assert_eq!(made.body["workspace_access"], "read_write");
    let list = play.admin("GET", "/workspaces", None).await.body;
    let row = &list[1];
    for (key, value) in [
        ("parent_id", root.body["id"].clone()),
        ("tier", json!(3)),
        ("role", Value::Null),
        ("budget_limit", json!(500)),
        ("max_concurrent_tasks", json!(1)),
        ("x", json!(1.5)),
        ("y", json!(2)),
        ("workspace_dir", json!("/srv/x")),
        ("compute", json!({ "provider": "aws" })),
        ("monthly_spend", json!(0)),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    let id = made.body["id"].as_str().unwrap();
    let single = play.send("GET", &format!("/workspaces/{id}"), None, None).await.body;
    for stripped in ["last_sample_error", "current_task", "workspace_dir", "budget_limit", "monthly_spend"] {
        assert!(single.get(stripped).is_none() && row.get(stripped).is_some(), "{stripped}");
    }
    assert!(single.get("last_outbound_at").is_some() && row.get("last_outbound_at").is_none());
}

#[tokio::test]
async fn names_are_made_unique_until_there_are_too_many() {
    let play = Play::new(quick()).await;
    play.external("root").await;
    for n in 1..=22 {
        let body = json!({ "name": "e", "external": true });
        let got = play.admin("POST", "/workspaces", Some(body)).await;
        assert_eq!(got.status, if n <= 21 { 201 } else { 409 }, "{n}");
    }
    let list = play.admin("GET", "/workspaces", None).await.body;
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
    assert_eq!((names[1], names[2], names[21]), ("e", "e (2)", "e (21)"));
}

#[tokio::test]
async fn templates_and_parents() {
    let play = Play::new(quick()).await;
    let body = json!({
        "name": "seo", "template": "seo-agent", "model": "MiniMax-M2.7", "secrets": { "MINIMAX_API_KEY": "k" },
    });
    let got = play.admin("POST", "/workspaces", Some(body)).await;
    assert_eq!(got.status, 201);
    let row = play.online(got.body["id"].as_str().unwrap()).await;
    assert_eq!(row["runtime"], "claude-code");
    let stranger = json!({ "parent_id": "00000000-0000-4000-8000-000000000000" });
    assert_eq!(play.admin("POST", "/workspaces", Some(good(&stranger))).await.status, 500);
    // Runtime and model explicit, template escaping: the row stays and nobody answers (contract §13, 21).
    let escaping = good(&json!({ "name": "lost", "template": "../x" }));
    let got = play.admin("POST", "/workspaces", Some(escaping.clone())).await;
    assert_eq!((got.status, got.body), (200, Value::Null));
    let list = play.admin("GET", "/workspaces", None).await.body;
    assert_eq!((&list[1]["name"], &list[1]["status"]), (&json!("lost"), &json!("provisioning")));
    let behaviours = Behaviours::default().with(Behaviour::EscapingTemplateRefused, true);
    let mended = Play::new(Options { behaviours, ..quick() }).await;
    assert_eq!(mended.admin("POST", "/workspaces", Some(escaping)).await.status, 400);
}

#[tokio::test]
async fn without_a_backend_managed_workspaces_fail() {
    use crate::reference::options::ProvisionerKind;
    let play = Play::new(Options { provisioner: ProvisionerKind::None, ..quick() }).await;
    let got = play.admin("POST", "/workspaces", Some(good(&json!({})))).await;
    assert_eq!((got.status, &got.body["status"]), (201, &json!("provisioning")));
    let id = got.body["id"].as_str().unwrap();
    play.status(id, "failed").await;
    assert_eq!(play.admin("POST", &format!("/workspaces/{id}/restart"), None).await.status, 503);
}

#[tokio::test]
async fn a_start_error_is_masked_and_an_abort_is_not() {
    let play = Play::new(quick()).await;
    // An empty value passes the create gate by name and aborts the provision (models C25).
    let body = good(&json!({ "secrets": { "MINIMAX_API_KEY": "" } }));
    let got = play.admin("POST", "/workspaces", Some(body)).await;
    let id = got.body["id"].as_str().unwrap();
    play.status(id, "failed").await;
    let row = &play.admin("GET", "/workspaces", None).await.body[0];
    assert!(row["last_sample_error"].as_str().unwrap().contains("byok"), "{row}");
    let events = play.admin("GET", &format!("/events/{id}"), None).await.body;
    assert_eq!(events[0]["payload"]["code"], "MISSING_BYOK_CREDENTIAL");
    let body = json!({ "name": "m", "runtime": "mock", "model": "x", "secrets": { "GROQ": "x" } });
    let got = play.admin("POST", "/workspaces", Some(body)).await;
    play.status(got.body["id"].as_str().unwrap(), "failed").await;
}

/// Contract §2.1: fields that are read and change nothing; of a wrong kind they are refused like every other.
#[tokio::test]
async fn what_is_read_and_ignored() {
    let play = Play::new(quick()).await;
    let ignored = json!({
        "llm_provider": "openai-api", "initial_memories": [{ "content": "c", "scope": "s" }], "unknown": 5,
    });
    let got = play.admin("POST", "/workspaces", Some(good(&ignored))).await;
    assert_eq!(got.status, 201, "{}", got.body);
    let id = got.body["id"].as_str().unwrap();
    play.online(id).await;
    let env = play.environment(id).await.body["env"].clone();
    assert_eq!(env["ANTHROPIC_BASE_URL"], "https://api.minimax.io/anthropic", "the model decides");
    assert!(!env.as_object().unwrap().contains_key("LLM_PROVIDER"));
    for wrong in
        [json!({ "llm_provider": 5 }), json!({ "initial_memories": "x" }), json!({ "initial_memories": [5] })]
    {
        let got = play.admin("POST", "/workspaces", Some(good(&wrong))).await;
        assert_eq!((got.status, &got.body["error"]), (400, &json!("invalid workspace payload")), "{wrong}");
    }
}
