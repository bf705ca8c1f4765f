//! What an agent asks, by what is in its environment.

use super::*;
use crate::models::catalogue::Protocol;

fn core(vars: &[(&str, &str)]) -> Core {
    Core {
        env: vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        config: Config::Memory(ConfigFiles::default()),
        kind: AgentKind::Reference,
        clock: Clock::new(1.0),
        heartbeat: Duration::from_secs(30),
        outbound: Outbound::new().unwrap(),
        started: Instant::now(),
        heard: Default::default(),
        busy: AtomicI64::new(0),
        log: Mutex::default(),
        tell: None,
    }
}

/// Runtime, environment, then URL and first header of the request.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn endpoint_and_credential_follow_from_the_environment() {
    let cases: [Case<'_>; 11] = [
        (
            "claude-code",
            &[
                ("ANTHROPIC_BASE_URL", "https://api.minimax.io/anthropic"),
                ("ANTHROPIC_AUTH_TOKEN", "k"),
                ("MODEL", "MiniMax-M2.7"),
            ],
            "https://api.minimax.io/anthropic/v1/messages",
            "authorization: Bearer k",
        ),
        (
            "claude-code",
            &[("ANTHROPIC_BASE_URL", "https://api.minimax.io/anthropic/v1"), ("ANTHROPIC_AUTH_TOKEN", "k")],
            "https://api.minimax.io/anthropic/v1/v1/messages",
            "authorization: Bearer k",
        ),
        (
            "claude-code",
            &[("ANTHROPIC_API_KEY", "k")],
            "https://api.anthropic.com/v1/messages",
            "x-api-key: k",
        ),
        (
            "claude-code",
            &[("CLAUDE_CODE_OAUTH_TOKEN", "k")],
            "https://api.anthropic.com/v1/messages",
            "authorization: Bearer k",
        ),
        (
            "codex",
            &[("OPENAI_API_KEY", "k"), ("MODEL", "gpt-5.5")],
            "https://api.openai.com/v1/chat/completions",
            "authorization: Bearer k",
        ),
        (
            "codex",
            &[("CODEX_AUTH_JSON", r#"{"tokens":{"access_token":"t"}}"#), ("MODEL", "gpt-5.5")],
            "https://api.openai.com/v1/chat/completions",
            "authorization: Bearer t",
        ),
        (
            "hermes",
            &[
                ("OPENAI_API_KEY", "k"),
                ("OPENAI_BASE_URL", "https://proxy/openai/v1"),
                ("MODEL", "moonshot/kimi-k2.6"),
            ],
            "https://proxy/openai/v1/chat/completions",
            "authorization: Bearer k",
        ),
        (
            "openclaw",
            &[("GROQ_API_KEY", "k"), ("MODEL", "groq:llama-3.3-70b")],
            "https://api.groq.com/openai/v1/chat/completions",
            "authorization: Bearer k",
        ),
        (
            "openclaw",
            &[("KIMI_API_KEY", "k"), ("MODEL", "moonshot:kimi-k2.6")],
            "https://api.kimi.com/coding/v1/messages",
            "x-api-key: k",
        ),
        (
            "google-adk",
            &[("GEMINI_API_KEY", "k"), ("MODEL", "gemini-2.5-pro")],
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            "authorization: Bearer k",
        ),
        (
            "hermes",
            &[("ANTHROPIC_API_KEY", "k"), ("MODEL", "anthropic/claude-opus-4-7")],
            "https://api.anthropic.com/v1/messages",
            "x-api-key: k",
        ),
    ];
    for (runtime, vars, url, header) in cases {
        let ask = model::compose(&core(vars), runtime).unwrap();
        let (name, value) = &ask.headers[0];
        assert_eq!(
            (ask.url.as_str(), format!("{name}: {value}")),
            (url, header.to_owned()),
            "{runtime} {vars:?}"
        );
    }
}

#[test]
fn without_a_credential_it_says_so() {
    for (runtime, vars) in [
        ("claude-code", vec![("MODEL", "sonnet"), ("ANTHROPIC_AUTH_TOKEN", " ")]),
        ("codex", vec![("MODEL", "gpt-5.5")]),
    ] {
        let error = model::compose(&core(&vars), runtime).unwrap_err();
        assert!(error.starts_with("Agent error (no credential)"), "{error}");
    }
    let error = model::compose(&core(&[("MODEL", "nope")]), "hermes").unwrap_err();
    assert!(error.starts_with("Agent error (no provider)"), "{error}");
}

#[test]
fn model_names_lose_what_only_the_platform_needs() {
    for (model, wire) in [
        ("minimax/MiniMax-M3", "MiniMax-M3"),
        ("anthropic:sonnet", "sonnet"),
        ("claude-opus-4-7", "claude-opus-4-7"),
    ] {
        let ask =
            model::compose(&core(&[("MODEL", model), ("ANTHROPIC_API_KEY", "k")]), "claude-code").unwrap();
        assert_eq!((ask.model.as_str(), ask.protocol), (wire, Protocol::Anthropic));
    }
}

#[tokio::test]
async fn a_process_needs_its_two_variables() {
    let settings = |env: BTreeMap<String, String>| Settings {
        env,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        kind: AgentKind::Stub,
        heartbeat: Duration::from_secs(5),
        time_scale: 1.0,
        tell: None,
    };
    let error = start(settings(BTreeMap::new())).await.err().unwrap();
    assert!(error.to_string().contains("WORKSPACE_ID"), "{error}");
    let env = [("WORKSPACE_ID", "w"), ("PLATFORM_URL", "http://127.0.0.1:1")];
    let env = env.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let running = start(settings(env)).await.unwrap();
    let call = crate::reference::outbound::Call::post_json(
        format!("http://{}/x", running.addr),
        r#"{"id":1,"method":"tasks/get"}"#,
    );
    let answer = Outbound::new().unwrap().send(call).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &body["error"]["code"]), (200, &serde_json::json!(-32601)));
    running.stop().await;
}
