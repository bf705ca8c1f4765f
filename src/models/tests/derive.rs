use super::names;
use crate::models::catalogue::Catalogue;
use crate::models::derive::*;

/// What upstream's own tests pin, then edges that follow from the data.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("claude-code", "MiniMax-M2.7", "MINIMAX_API_KEY", "minimax"),
    ("claude-code", "minimax/MiniMax-M2.7", "-", "platform"),
    ("claude-code", "minimax:MiniMax-M2.7", "-", "!unregistered"),
    ("claude-code", "gpt-5.5", "-", "!unregistered"),
    ("claude-code", "openai:gpt-4o", "-", "!unregistered"),
    ("claude-code", "qwen-max", "-", "!unregistered"),
    ("claude-code", "totally-made-up-model-xyz", "-", "!unregistered"),
    ("claude-code", "moonshot/kimi-k2.6", "ANTHROPIC_API_KEY", "platform"),
    ("claude-code", "kimi-for-coding", "KIMI_API_KEY", "kimi-coding"),
    ("claude-code", "kimi-k2.5", "KIMI_API_KEY", "kimi-coding"),
    ("claude-code", "kimi-k2", "KIMI_API_KEY", "kimi-coding"),
    ("claude-code", "anthropic/claude-opus-4-7", "ANTHROPIC_API_KEY", "platform"),
    ("claude-code", "opus", "CLAUDE_CODE_OAUTH_TOKEN", "anthropic-oauth"),
    ("claude-code", "sonnet", "CLAUDE_CODE_OAUTH_TOKEN", "anthropic-oauth"),
    ("claude-code", "haiku", "CLAUDE_CODE_OAUTH_TOKEN", "anthropic-oauth"),
    ("claude-code", "claude-opus-4-7", "ANTHROPIC_API_KEY", "anthropic-api"),
    ("claude-code", "claude-sonnet-4-6", "ANTHROPIC_API_KEY", "anthropic-api"),
    ("codex", "gpt-5.5", "-", "openai-subscription"),
    ("codex", "gpt-5.5", "OPENAI_API_KEY", "openai-api"),
    ("codex", "gpt-5.5", "CODEX_AUTH_JSON", "openai-subscription"),
    ("codex", "gpt-5.5", "CODEX_AUTH_JSON OPENAI_API_KEY", "openai-subscription"),
    ("codex", "gpt-5.4-mini", "-", "openai-subscription"),
    ("codex", "openai/gpt-5.4", "MOLECULE_LLM_USAGE_TOKEN", "platform"),
    ("codex", "codex-minimax-m2.7", "-", "byok-minimax"),
    ("codex", "kimi-for-coding", "-", "!unregistered"),
    ("openclaw", "groq:llama-3.3-70b", "-", "groq"),
    ("openclaw", "minimax:MiniMax-M2.7", "-", "byok-minimax"),
    ("openclaw", "moonshot:kimi-k2.6", "KIMI_API_KEY", "kimi-coding"),
    ("hermes", "anthropic/claude-opus-4-7", "-", "byok-anthropic"),
    ("hermes", "gemini/gemini-2.5-pro", "-", "byok-gemini"),
    ("hermes", "openai:gpt-4o", "-", "byok-openai"),
    ("hermes", "minimax:MiniMax-M2", "-", "byok-minimax"),
    ("hermes", "moonshot/kimi-k2.6", "ANTHROPIC_API_KEY", "platform"),
    ("google-adk", "platform:gemini-2.5-pro", "-", "platform"),
    ("google-adk", "gemini-2.5-pro", "-", "google"),
    ("does-not-exist", "claude-opus-4-7", "-", "!runtime"),
    // Edges.
    ("codex", "openai/gpt-4o", "-", "!unregistered"),
    ("codex", "openai:gpt-5.5", "-", "!unregistered"),
    ("codex", "openai-api/gpt-5.5", "-", "openai-api"),
    ("codex", "gpt-9", "OPENAI_API_KEY", "openai-subscription"),
    ("codex", "minimax/MiniMax-M3", "-", "byok-minimax"),
    ("hermes", "minimax/MiniMax-M3", "-", "byok-minimax"),
    ("openclaw", "minimax/MiniMax-M3", "-", "byok-minimax"),
    ("codex", "moonshot/kimi-k2.6", "-", "!unregistered"),
    ("google-adk", "moonshot/kimi-k2.6", "-", "!unregistered"),
    ("google-adk", "platform/gemini-2.5-pro", "-", "platform"),
    ("hermes", "platform/anything", "-", "platform"),
    ("claude-code", "kimi-k2.6", "-", "kimi-coding"),
    ("claude-code", "claude-anything", "-", "anthropic-api"),
    ("claude-code", "anthropic/claude-haiku-4-5", "-", "!unregistered"),
    ("claude-code", "minimax/MiniMax-M2", "-", "!unregistered"),
    ("claude-code", "moonshot:kimi-k2.6", "-", "!unregistered"),
    ("hermes", "sonnet", "-", "!unregistered"),
    ("hermes", "MiniMax-M2.7", "-", "!unregistered"),
    ("hermes", "gemini-2.5-pro", "-", "!unregistered"),
    ("hermes", "moonshot:kimi-k2.6", "-", "!unregistered"),
    ("hermes", "groq:x", "-", "!unregistered"),
    ("hermes", "ollama/x", "-", "!unregistered"),
    ("hermes", "vertex:x", "-", "!unregistered"),
    ("hermes", "kimi-k2", "-", "kimi-coding"),
    ("openclaw", "kimi-k2", "-", "kimi-coding"),
    ("openclaw", "moonshot:kimi-k2", "-", "!unregistered"),
    ("google-adk", "google_genai:gemini-2.0", "-", "!unregistered"),
    ("google-adk", "gemini-3", "-", "google"),
    ("claude-code", "minimax-m2.7", "-", "minimax"),
    ("claude-code", "  sonnet ", "-", "anthropic-oauth"),
    (" claude-code", "sonnet", "-", "!runtime"),
    ("claude-code", "SONNET", "-", "!unregistered"),
    ("claude-code", "Claude-Opus-4-7", "-", "!unregistered"),
    ("claude-code", "  ", "-", "!model"),
];

#[test]
fn derivation_gives_what_upstream_pins() {
    for (runtime, model, available, want) in CASES {
        let got = match derive(Catalogue::built_in(), runtime, model, &names(available)) {
            Ok(provider) => provider.name.clone(),
            Err(DeriveError::ModelRequired) => "!model".into(),
            Err(DeriveError::UnknownRuntime { .. }) => "!runtime".into(),
            Err(DeriveError::Unregistered { .. }) => "!unregistered".into(),
            Err(DeriveError::Ambiguous { .. }) => "!ambiguous".into(),
        };
        assert_eq!(&got, want, "{runtime} {model} with {available}");
    }
}

/// Names of the vendors' own spaces, each on every runtime that has the arm without ids.
#[test]
fn name_only_arms_route_by_pattern_on_every_runtime() {
    let probes = [
        ("openrouter/anthropic/claude-3.5-sonnet", "openrouter"),
        ("huggingface/meta-llama/Llama-3.3-70B", "huggingface"),
        ("ai-gateway/openai/gpt-4o", "ai-gateway"),
        ("opencode-zen/some-model", "opencode-zen"),
        ("opencode-go/some-model", "opencode-go"),
        ("kilocode/some-model", "kilocode"),
        ("custom/my-endpoint-model", "custom"),
        ("nvidia/nemotron-4", "nvidia"),
        ("arcee/coder", "arcee"),
        ("ollama-cloud/qwen2.5", "ollama-cloud"),
        ("minimax-cn/abab6.5", "minimax-cn"),
        ("nousresearch/Hermes-3", "nousresearch"),
        ("deepseek-chat", "deepseek"),
        ("zai:glm-4.6", "zai"),
        ("mimo-7b", "xiaomi-mimo"),
        ("qwen-max", "alibaba"),
        ("anthropic/claude-opus-4-7", "byok-anthropic"),
        ("gemini/gemini-2.5-pro", "byok-gemini"),
        ("openai:gpt-4o", "byok-openai"),
        ("minimax:MiniMax-M2.7", "byok-minimax"),
        ("groq:llama-3.3-70b", "groq"),
    ];
    let catalogue = Catalogue::built_in();
    let mut seen = 0;
    for runtime in catalogue.runtimes() {
        for arm in runtime.arms.iter().filter(|arm| arm.models.is_empty()) {
            let provider = catalogue.provider_of(arm);
            let (model, _) = probes.iter().find(|(_, name)| *name == provider.name).unwrap();
            let got = derive(catalogue, &runtime.name, model, &names("-")).unwrap();
            assert_eq!(got.name, provider.name, "{} {model}", runtime.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 29);
}

#[test]
fn registration_is_open_for_what_it_does_not_know() {
    let catalogue = Catalogue::built_in();
    assert!(registered(catalogue, "claude-code", ""));
    assert!(registered(catalogue, "seo-agent", "whatever"));
    assert!(registered(catalogue, "hermes", "platform/x"));
    assert!(!registered(catalogue, "claude-code", "minimax:MiniMax-M2.7"));
}

#[test]
fn offered_models_are_those_of_the_recording() {
    let line = include_str!("../../../fixtures/recordings/recordings.jsonl").lines().nth(61).unwrap();
    let recorded: serde_json::Value = serde_json::from_str(line).unwrap();
    let recorded = recorded["response"]["models"].as_array().unwrap();
    let offered = serde_json::to_value(offered_models(Catalogue::built_in(), "codex").unwrap()).unwrap();
    for (index, model) in recorded.iter().filter(|model| model.is_object()).enumerate() {
        assert_eq!(&offered[index], model);
    }
    assert_eq!(offered.as_array().unwrap().len(), 8);
    assert!(offered_models(Catalogue::built_in(), "zzz").is_none());
}

#[test]
fn an_ambiguous_pattern_names_what_is_left() {
    let text = include_str!("../../../providers.yaml")
        .replace("model_prefix_match: ^nvidia[:/]", "model_prefix_match: ^arcee[:/]");
    let catalogue = Catalogue::parse(&crate::source::SourceFile::new("p.yaml", text.as_str())).unwrap();
    let error = derive(&catalogue, "hermes", "arcee/coder", &names("-")).unwrap_err();
    assert_eq!(
        error,
        DeriveError::Ambiguous {
            runtime: "hermes".into(),
            model: "arcee/coder".into(),
            candidates: vec!["nvidia".into(), "arcee".into()],
        }
    );
    assert_eq!(derive(&catalogue, "hermes", "arcee/coder", &names("ARCEE_API_KEY")).unwrap().name, "arcee");
}
