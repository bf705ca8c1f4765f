//! What `auto` prefers, and which credential it trusts for which vendor.

use std::collections::BTreeMap;

use crate::models::catalogue::{Catalogue, Provider, Runtime};
use crate::models::dispatch::{Arm as KeyArm, Origin, Plan, arm_secrets};
use crate::models::inputs::native;
use crate::models::keys::is_guarded;
use crate::models::slug::PLATFORM_MODEL;

/// Names that several vendors accept: on a third party they would carry Anthropic's key to it.
pub(crate) const GENERIC: [&str; 2] = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"];

/// Models that people ask for first, where an arm lists them.
pub(crate) const FAVOURED: [&str; 7] = [
    "MiniMax-M2.7",
    "claude-sonnet-4-6",
    "sonnet",
    "gemini-2.5-pro",
    PLATFORM_MODEL,
    "minimax/MiniMax-M2.7",
    "minimax:MiniMax-M2.7",
];

/// A model for an arm that lists none: the catalogue routes it by the provider's pattern.
const BY_PATTERN: [(&str, &str); 20] = [
    ("byok-openai", "openai/gpt-4o"),
    ("byok-anthropic", "anthropic/claude-sonnet-4-6"),
    ("byok-gemini", "gemini/gemini-2.5-pro"),
    ("byok-minimax", "minimax:MiniMax-M2.7"),
    ("zai", "glm-4.6"),
    ("deepseek", "deepseek-chat"),
    ("alibaba", "qwen-max"),
    ("groq", "groq:llama-3.3-70b"),
    ("openrouter", "openrouter/anthropic/claude-3.5-sonnet"),
    ("huggingface", "huggingface/meta-llama/Llama-3.3-70B"),
    ("ai-gateway", "ai-gateway/openai/gpt-4o"),
    ("minimax-cn", "minimax-cn/abab6.5"),
    ("nvidia", "nvidia/nemotron-4"),
    ("arcee", "arcee/coder"),
    ("ollama-cloud", "ollama-cloud/qwen2.5"),
    ("nousresearch", "nousresearch/Hermes-3"),
    ("kilocode", "kilocode/some-model"),
    ("opencode-zen", "opencode-zen/some-model"),
    ("opencode-go", "opencode-go/some-model"),
    ("custom", "custom/my-endpoint-model"),
];

/// Variables whose key `auto` can use on a runtime, best first: for who generates one.
pub(crate) fn usable_keys<'c>(catalogue: &'c Catalogue, runtime: &str) -> Vec<&'c str> {
    let mut keys = Vec::new();
    if let Some(found) = catalogue.runtime(runtime) {
        for provider in ranked(catalogue, found) {
            for name in provider.auth_env.iter().filter(|name| usable(provider, name)) {
                if !keys.contains(&name.as_str()) {
                    keys.push(name.as_str());
                }
            }
        }
    }
    keys
}

/// A name that both gates take as *this* vendor's credential.
pub(crate) fn usable(provider: &Provider, name: &str) -> bool {
    is_guarded(name) && !foreign(provider, name)
}

/// A generic name on a third party: it holds another vendor's key.
pub(crate) fn foreign(provider: &Provider, name: &str) -> bool {
    GENERIC.contains(&name) && provider.auth_mode == "third_party_anthropic_compat"
}

/// The runtime's own-key providers, in the order in which scripts prefer vendors.
pub(crate) fn ranked<'c>(catalogue: &'c Catalogue, runtime: &Runtime) -> Vec<&'c Provider> {
    const ORDER: [&str; 4] = ["MINIMAX_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"];
    let rank = |provider: &Provider| {
        ORDER
            .iter()
            .position(|key| provider.auth_env.iter().any(|name| name == key && usable(provider, name)))
    };
    let arms = runtime.arms.iter().map(|arm| catalogue.provider_of(arm));
    let mut providers: Vec<&Provider> = arms.filter(|provider| !provider.is_platform()).collect();
    // `custom` needs an address that nobody here knows.
    providers.retain(|provider| provider.name != "custom");
    // What the catalogue lists, it vouches for; a pattern takes any name.
    let unlisted = |provider: &Provider| {
        runtime
            .arms
            .iter()
            .all(|arm| arm.models.is_empty() || catalogue.provider_of(arm).name != provider.name)
    };
    // A regional twin takes the same key; who wants it says so.
    let regional = |provider: &Provider| provider.name.ends_with("-cn");
    providers.sort_by_key(|provider| {
        (unlisted(provider), rank(provider).unwrap_or(ORDER.len()), regional(provider))
    });
    providers
}

/// A model for an arm that lists none.
pub(crate) fn by_pattern(runtime: &str, provider: &Provider) -> Option<&'static str> {
    // The pattern has a form of its own for codex.
    if (runtime, provider.name.as_str()) == ("codex", "byok-minimax") {
        return Some("codex-minimax-m2.7");
    }
    BY_PATTERN.iter().find(|(name, _)| *name == provider.name).map(|(_, model)| *model)
}

/// A vendor's key under its name, with what must go along.
pub(crate) fn secrets_of(name: &str, key: &str, model: &str, runtime: &Runtime) -> Plan {
    match (name, native(key)) {
        // One key, two names: the create gate takes either, provision only the guarded one.
        ("GOOGLE_API_KEY" | "GEMINI_API_KEY", "GOOGLE_API_KEY") => arm_secrets(KeyArm::Google, key),
        ("OPENAI_API_KEY", _) if runtime.name == "hermes" => {
            let mut secrets = arm_secrets(KeyArm::OpenAi, key);
            let provider = model.replacen('/', ":", 1);
            secrets.insert("MODEL_PROVIDER".into(), Origin::Text(provider));
            secrets
        }
        _ => BTreeMap::from([(name.to_owned(), Origin::Env(key.to_owned()))]),
    }
}
