use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::names;
use crate::models::allowlist::Allowlist;
use crate::models::billing::BillingMode;
use crate::models::catalogue::Catalogue;
use crate::models::gates::*;

fn create(body: Value, global: &str) -> Result<Resolved, Refusal> {
    create_with(&Allowlist::shipped(), body, global)
}

fn create_with(allowlist: &Allowlist, body: Value, global: &str) -> Result<Resolved, Refusal> {
    let secrets: BTreeMap<String, String> =
        body.get("secrets").map(|s| serde_json::from_value(s.clone()).unwrap()).unwrap_or_default();
    let global: BTreeSet<String> = names(global);
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let seo = text("template") == Some("seo-agent");
    check_create(
        Catalogue::built_in(),
        allowlist,
        &CreateFacts {
            runtime: text("runtime"),
            model: text("model"),
            template: text("template"),
            template_runtime: seo.then_some("claude-code"),
            template_model: None,
            external: body.get("external").and_then(Value::as_bool).unwrap_or(false),
            secrets: &secrets,
            global_secret_names: &global,
        },
    )
}

#[test]
fn refusals_have_status_code_and_fields_of_the_recordings() {
    let lines: Vec<Value> = include_str!("../../../fixtures/recordings/recordings.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for index in [12, 13, 14, 15, 16, 17, 22] {
        let line = &lines[index - 1];
        let refusal = create(line["request"].clone(), "-").unwrap_err();
        assert_eq!(refusal.status, line["status"].as_u64().unwrap() as u16, "{}", line["label"]);
        let mut body = refusal.body();
        if refusal.status == 400 {
            body["workspace_id"] = "<uuid>".into();
        }
        let recorded = line["response"].as_object().unwrap();
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), recorded.keys().collect::<Vec<_>>());
        for (key, value) in recorded.iter().filter(|(_, value)| *value != "<text>") {
            assert_eq!(&body[key], value, "{} {key}", line["label"]);
        }
    }
}

#[test]
fn gates_fire_in_order() {
    let ok = |runtime: &str, model: &str| format!("ok {runtime} {model}");
    let table: Vec<(Value, &str, String)> = vec![
        (json!({"runtime": "claude-code", "model": "sonnet"}), "-", "10 MISSING_BYOK_CREDENTIAL".into()),
        (
            json!({"runtime": "claude-code", "model": "sonnet"}),
            "CLAUDE_CODE_OAUTH_TOKEN",
            ok("claude-code", "sonnet"),
        ),
        (
            json!({"model": "sonnet", "secrets": {"CLAUDE_CODE_OAUTH_TOKEN": ""}}),
            "-",
            ok("claude-code", "sonnet"),
        ),
        (
            json!({"model": "sonnet", "secrets": {"OPENAI_API_KEY": "k"}}),
            "-",
            "10 MISSING_BYOK_CREDENTIAL".into(),
        ),
        (
            json!({"model": "MiniMax-M2.7", "secrets": {"MINIMAX_API_KEY": "k", "OPENAI_API_KEY": "k"}}),
            "-",
            ok("claude-code", "MiniMax-M2.7"),
        ),
        (json!({"model": "moonshot/kimi-k2.6"}), "-", ok("claude-code", "moonshot/kimi-k2.6")),
        (json!({"model": "moonshot/kimi-k2.6", "secrets": {"MINIMAX_API_KEY": "k"}}), "-", "15 -".into()),
        (
            json!({"model": "moonshot/kimi-k2.6", "secrets": {"GROQ_API_KEY": "k"}}),
            "-",
            ok("claude-code", "moonshot/kimi-k2.6"),
        ),
        (json!({"runtime": " claude-code", "model": "sonnet"}), "-", "6 RUNTIME_UNSUPPORTED".into()),
        (json!({"runtime": "gemini", "model": "x"}), "-", "6 RUNTIME_UNSUPPORTED".into()),
        (json!({"runtime": "seo-agent", "model": "x"}), "-", ok("seo-agent", "x")),
        (
            json!({"runtime": "seo-agent", "model": "x", "secrets": {"MINIMAX_API_KEY": "k"}}),
            "-",
            "15 -".into(),
        ),
        (
            json!({"template": "seo-agent", "model": "MiniMax-M2.7", "secrets": {"MINIMAX_API_KEY": "k"}}),
            "-",
            ok("claude-code", "MiniMax-M2.7"),
        ),
        (json!({"runtime": "mock"}), "-", "7 MODEL_REQUIRED".into()),
        (json!({"runtime": "mock", "model": "mock"}), "-", ok("mock", "mock")),
        (json!({"external": true}), "-", ok("external", "")),
        (json!({"runtime": "kimi-cli", "model": "sonnet"}), "-", ok("kimi-cli", "sonnet")),
        (json!({"runtime": "external", "secrets": {"OPENAI_API_KEY": "k"}}), "-", "15 -".into()),
        (json!({"runtime": "codex", "model": "gpt-5.5"}), "OPENAI_API_KEY", ok("codex", "gpt-5.5")),
        (
            json!({"runtime": "codex", "model": "openai/gpt-4o"}),
            "-",
            "8 UNREGISTERED_MODEL_FOR_RUNTIME".into(),
        ),
        (json!({"template": "nope", "model": "sonnet"}), "-", "4 RUNTIME_UNRESOLVED".into()),
    ];
    for (body, global, want) in table {
        let got = match create(body.clone(), global) {
            Ok(resolved) => format!("ok {} {}", resolved.runtime, resolved.model),
            Err(refusal) => format!("{} {}", refusal.row, refusal.code.unwrap_or("-")),
        };
        assert_eq!(got, want, "{body}");
    }
    let google = json!({"runtime": "google-adk", "model": "gemini-2.5-pro"});
    assert_eq!(create_with(&Allowlist::fallback(), google, "-").unwrap_err().row, 6);
}

#[test]
fn a_vendor_key_is_written_only_next_to_a_vendors_model() {
    let none = BTreeSet::new();
    let write = |runtime, model, billing_override, key| {
        let stored = Stored { runtime, model, secret_names: &none, billing_override };
        check_secret_write(Catalogue::built_in(), &stored, key).map_err(|refusal| refusal.status)
    };
    let byok = Some(BillingMode::Byok);
    assert_eq!(write("claude-code", "MiniMax-M2.7", None, "MINIMAX_API_KEY"), Ok(()));
    assert_eq!(write("claude-code", "MiniMax-M2.7", byok, "OPENAI_API_KEY"), Ok(()));
    assert_eq!(
        write("claude-code", "MiniMax-M2.7", Some(BillingMode::PlatformManaged), "MINIMAX_API_KEY"),
        Err(400)
    );
    assert_eq!(write("claude-code", "minimax/MiniMax-M3", byok, "MINIMAX_API_KEY"), Err(400));
    assert_eq!(write("claude-code", "", None, "MINIMAX_API_KEY"), Err(400));
    assert_eq!(write("external", "", None, "MINIMAX_API_KEY"), Err(400));
    assert_eq!(write("claude-code", "minimax/MiniMax-M3", None, "GOOGLE_API_KEY"), Ok(()));
    assert_eq!(check_model_put(Catalogue::built_in(), "claude-code", ""), Ok(()));
    assert!(check_model_put(Catalogue::built_in(), "claude-code", "minimax:MiniMax-M2").is_err());
}
