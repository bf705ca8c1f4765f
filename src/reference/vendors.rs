//! Where model vendors are: what clients call when nobody tells them otherwise.

use crate::models::catalogue::{Catalogue, Protocol, Provider};
use crate::models::projection::trim_v1;

/// Where vendors are that the catalogue gives no address for.
const DEFAULT_BASE: [(&str, &str); 10] = [
    ("openai-subscription", "https://api.openai.com/v1"),
    ("alibaba", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    ("nousresearch", "https://inference-api.nousresearch.com/v1"),
    ("huggingface", "https://router.huggingface.co/v1"),
    ("ai-gateway", "https://ai-gateway.vercel.sh/v1"),
    ("opencode-zen", "https://opencode.ai/zen/v1"),
    ("opencode-go", "https://opencode.ai/zen/go/v1"),
    ("kilocode", "https://api.kilocode.ai/v1"),
    ("ollama-cloud", "https://ollama.com/v1"),
    ("arcee", "https://models.arcee.ai/v1"),
];

/// What Anthropic's own client calls without a base URL.
pub(super) const ANTHROPIC: &str = "https://api.anthropic.com";

/// The Messages endpoint of a base URL, as Anthropic's client makes it: a `/v1` in the base is doubled.
pub(super) fn messages(base: &str) -> String {
    format!("{}/v1/messages", base.trim_end_matches('/'))
}

/// The chat completions endpoint of a base URL, as OpenAI's client makes it.
pub(super) fn completions(base: &str) -> String {
    format!("{}/chat/completions", base.trim_end_matches('/'))
}

/// A provider's Messages endpoint.
pub(super) fn anthropic_endpoint(provider: &Provider) -> Option<String> {
    provider.base_url_anthropic.as_deref().map(|base| messages(trim_v1(base)))
}

/// A provider's chat completions endpoint.
pub(super) fn openai_endpoint(provider: &Provider) -> Option<String> {
    let known = DEFAULT_BASE.iter().find(|(name, _)| *name == provider.name).map(|(_, base)| *base);
    provider.base_url_template.as_deref().or(known).map(completions)
}

/// All endpoints that a vendor of the catalogue has: path and protocol.
pub(super) fn paths(catalogue: &Catalogue) -> Vec<(String, Protocol)> {
    let path = |url: String| {
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        rest.split_once('/').map(|(_, path)| format!("/{path}"))
    };
    let mut all = vec![(messages(""), Protocol::Anthropic)];
    for provider in &catalogue.providers {
        all.extend(anthropic_endpoint(provider).and_then(path).map(|p| (p, Protocol::Anthropic)));
        all.extend(openai_endpoint(provider).and_then(path).map(|p| (p, Protocol::Openai)));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup();
    all
}
