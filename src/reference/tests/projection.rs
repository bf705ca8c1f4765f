//! The whole chain: environment, agent, provider, answer; and every fault at its place.

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::domain::answers::KNOWN;
use crate::reference::faults::{Fault, Faults};
use crate::reference::provider::{self, Running as Provider};
use crate::reference::server::{AgentKind, Options};

const KEY: &str = "vendor-key-of-the-tests";

struct Chain {
    play: Play,
    provider: Provider,
}

impl Chain {
    async fn new(faults: Faults, llm_proxy: bool) -> Chain {
        let options = provider::Options { keys: [KEY.to_owned()].into(), ..provider::Options::default() };
        let provider = provider::start(options).await.unwrap();
        let play = Play::new(Options {
            agent: AgentKind::Reference,
            faults,
            llm_proxy,
            patience: std::time::Duration::from_secs(5),
            ..quick()
        })
        .await;
        if let Some(token) = play.running.server_env().get("MOLECULE_LLM_USAGE_TOKEN") {
            provider.accept(token.clone());
        }
        Chain { play, provider }
    }

    async fn create(&self, runtime: &str, model: &str, key: Option<&str>) -> String {
        let redirect = format!("*={}", self.provider.base_url());
        let mut secrets = json!({ "LIFECYCLE_PROVIDER_OVERRIDE": redirect });
        if let Some(key) = key {
            secrets[key] = json!(KEY);
        }
        let body = json!({ "name": model.replace(['/', ':'], "-"), "runtime": runtime, "model": model, "secrets": secrets });
        let got = self.play.admin("POST", "/workspaces", Some(body)).await;
        assert_eq!(got.status, 201, "{runtime} {model}: {}", got.body);
        got.body["id"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, id: &str) -> String {
        let body =
            json!({ "method": "message/send", "params": { "message": { "content": KNOWN[1].prompt } } });
        let got = self.play.admin("POST", &format!("/workspaces/{id}/a2a"), Some(body)).await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.body["result"]["parts"][0]["text"].as_str().unwrap().to_owned()
    }

    async fn env(&self, id: &str) -> (String, Value) {
        let got = self.play.environment(id).await;
        (got.body["instance"].as_str().unwrap_or_default().to_owned(), got.body["env"].clone())
    }

    /// Restarts and waits for the new instance.
    async fn restart(&self, id: &str) -> Value {
        let before = self.env(id).await.0;
        let got = self.play.admin("POST", &format!("/workspaces/{id}/restart"), None).await;
        assert_eq!(got.status, 200);
        self.play
            .eventually("a new instance", async || {
                let (instance, env) = self.env(id).await;
                (!instance.is_empty() && instance != before).then_some(env)
            })
            .await
    }

    async fn restarted(&self, id: &str) -> Value {
        let env = self.restart(id).await;
        self.play.online(id).await;
        env
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_vendor_answers_through_its_own_projection() {
    let chain = Chain::new(Faults::none(), true).await;
    for (runtime, model, key, path) in [
        ("claude-code", "MiniMax-M2.7", Some("MINIMAX_API_KEY"), "/anthropic/v1/messages"),
        ("claude-code", "claude-opus-4-7", Some("ANTHROPIC_API_KEY"), "/v1/messages"),
        ("claude-code", "sonnet", Some("CLAUDE_CODE_OAUTH_TOKEN"), "/v1/messages"),
        ("claude-code", "kimi-k2", Some("KIMI_API_KEY"), "/coding/v1/messages"),
        ("claude-code", "GLM-4.6", Some("GLM_API_KEY"), "/api/anthropic/v1/messages"),
        ("claude-code", "moonshot/kimi-k2.6", None, "/api/v1/internal/llm/anthropic/v1/messages"),
        ("codex", "gpt-5.5", Some("CODEX_AUTH_JSON"), "/v1/chat/completions"),
        ("codex", "openai/gpt-5.4", None, "/api/v1/internal/llm/openai/v1/chat/completions"),
        ("hermes", "openrouter/x", Some("OPENROUTER_API_KEY"), "/api/v1/chat/completions"),
        ("google-adk", "gemini-2.5-pro", Some("GEMINI_API_KEY"), "/v1beta/openai/chat/completions"),
    ] {
        let id = chain.create(runtime, model, key).await;
        chain.play.online(&id).await;
        assert_eq!(chain.ask(&id).await, KNOWN[1].token, "{runtime} {model}");
        assert_eq!(chain.provider.seen().last().unwrap().path, path, "{runtime} {model}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projection_is_the_same_after_every_edge() {
    let chain = Chain::new(Faults::none(), false).await;
    let id = chain.create("claude-code", "MiniMax-M2.7", Some("MINIMAX_API_KEY")).await;
    chain.play.online(&id).await;
    let (first, env) = chain.env(&id).await;
    for (name, value) in [
        ("ANTHROPIC_BASE_URL", "https://api.minimax.io/anthropic"),
        ("ANTHROPIC_AUTH_TOKEN", KEY),
        ("MINIMAX_API_KEY", KEY),
        ("MODEL", "MiniMax-M2.7"),
        ("WORKSPACE_CONFIG_PATH", "/configs"),
        ("ADMIN_TOKEN", ADMIN),
        ("MOLECULE_LLM_BILLING_MODE_RESOLVED", "byok"),
        ("WORKSPACE_ID", &id),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    let path = format!("/admin/workspaces/{id}/llm-billing-mode");
    chain.play.admin("PUT", &path, Some(json!({ "mode": "byok" }))).await;
    let again = chain.restarted(&id).await;
    let (second, _) = chain.env(&id).await;
    assert_ne!(first, second);
    for (name, value) in env.as_object().unwrap() {
        if name != "MOLECULE_WORKSPACE_URL" {
            assert_eq!(&again[name], value, "{name}");
        }
    }
    assert_ne!(again["MOLECULE_WORKSPACE_URL"], env["MOLECULE_WORKSPACE_URL"]);
    assert_eq!(chain.ask(&id).await, KNOWN[1].token);
}

/// What shows of a fault of the projection: the reply after create and after restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_projection_show_at_the_provider() {
    for (fault, created, restarted) in [
        (Fault::NoProjection, "Agent error (no credential)", "Agent error (no credential)"),
        (Fault::ProjectionLostOnRestart, "PINEAPPLE", "Agent error (no credential)"),
        (Fault::BaseUrlDoubleV1, "Agent error: 404", "Agent error: 404"),
        (Fault::Agent401, "Agent error: 401", "Agent error: 401"),
        (Fault::EmptyCompletion, "", ""),
        (Fault::ErrorAsText, "Agent error: 529", "Agent error: 529"),
    ] {
        let chain = Chain::new(Faults::none().with(fault), false).await;
        let id = chain.create("claude-code", "MiniMax-M2.7", Some("MINIMAX_API_KEY")).await;
        chain.play.online(&id).await;
        let said = chain.ask(&id).await;
        assert!(said.starts_with(created) && (said.is_empty() == created.is_empty()), "{fault}: {said}");
        chain.restarted(&id).await;
        let said = chain.ask(&id).await;
        assert!(said.starts_with(restarted) && (said.is_empty() == restarted.is_empty()), "{fault}: {said}");
    }
}
