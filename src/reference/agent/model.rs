//! Asking the model, as the runtime's own client does with what it finds in its environment.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::core::{Core, OVERRIDE_VARIABLE};
use super::overrides;
use crate::models::catalogue::{Catalogue, Protocol, Provider};
use crate::models::derive::derive;
use crate::reference::outbound::{Answer, Call};
use crate::reference::vendors;

/// How long a model may take, in real time.
const MODEL: Duration = Duration::from_secs(120);

/// A request to a model, before overrides.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub protocol: Protocol,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub model: String,
}

/// The model's answer to a prompt.
///
/// # Errors
/// The text that a real agent sends instead of an answer.
pub(super) async fn ask(core: &Core, prompt: &str) -> Result<String, String> {
    let runtime = runtime(core).await;
    let ask = compose(core, &runtime)?;
    let body = match ask.protocol {
        Protocol::Anthropic => json!({
            "model": ask.model,
            "max_tokens": 1024,
            "messages": [{ "role": "user", "content": prompt }],
        }),
        Protocol::Openai => {
            json!({ "model": ask.model, "messages": [{ "role": "user", "content": prompt }] })
        }
    };
    let (url, origin) = match core.var(OVERRIDE_VARIABLE) {
        Some(table) => overrides::redirect(table, &ask.url),
        None => (ask.url.clone(), None),
    };
    let mut headers = vec![("content-type", "application/json".to_owned())];
    headers.extend(ask.headers);
    if let Some(origin) = origin {
        headers.push(("x-lifecycle-origin", origin));
    }
    let call = Call {
        method: Method::POST,
        url,
        headers,
        body: body.to_string().into(),
        within: MODEL,
        headers_within: Duration::MAX,
        max_bytes: 4 << 20,
    };
    let answer = core.outbound.send(call).await.map_err(|e| format!("Agent error: {e}"))?;
    read(ask.protocol, &answer)
}

/// The text of a good answer, or the error that the provider sent.
fn read(protocol: Protocol, answer: &Answer) -> Result<String, String> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        let text =
            body["error"]["message"].as_str().or_else(|| body["error"].as_str()).unwrap_or("no message");
        return Err(format!("Agent error: {} {text}", answer.status));
    }
    let text = match protocol {
        Protocol::Anthropic => body["content"][0]["text"].as_str(),
        Protocol::Openai => body["choices"][0]["message"]["content"].as_str(),
    };
    text.map(str::to_owned).ok_or_else(|| "Agent error: the provider's answer has no text".to_owned())
}

/// The runtime that this agent is, from its `config.yaml`.
async fn runtime(core: &Core) -> String {
    let config = core.config.read("config.yaml").await.unwrap_or_default();
    config
        .lines()
        .find_map(|line| line.strip_prefix("runtime:"))
        .map_or("claude-code", |value| value.trim().trim_matches('"'))
        .to_owned()
}

/// Decides endpoint and credential from the environment alone.
pub(super) fn compose(core: &Core, runtime: &str) -> Result<Ask, String> {
    let model = core.var("MOLECULE_MODEL").or_else(|| core.var("MODEL")).unwrap_or_default();
    if runtime == "claude-code" {
        return anthropic_client(core, model);
    }
    let pair = |base: &str, key: &str| Some((core.var(base)?.to_owned(), core.var(key)?.to_owned()));
    if let Some((base, key)) = pair("HERMES_CUSTOM_BASE_URL", "HERMES_CUSTOM_API_KEY")
        .filter(|_| runtime == "hermes")
        .or_else(|| pair("OPENAI_BASE_URL", "OPENAI_API_KEY"))
    {
        return Ok(openai(vendors::completions(&base), &key, model));
    }
    let names: BTreeSet<String> =
        core.env.iter().filter(|(_, v)| !v.trim().is_empty()).map(|(k, _)| k.clone()).collect();
    let provider = derive(Catalogue::built_in(), runtime, model, &names)
        .map_err(|e| format!("Agent error (no provider): {e}"))?;
    by_provider(core, provider, model)
}

/// What claude-code's client does.
fn anthropic_client(core: &Core, model: &str) -> Result<Ask, String> {
    let base = core.var("ANTHROPIC_BASE_URL").unwrap_or(vendors::ANTHROPIC);
    let mut headers = Vec::new();
    if let Some(key) = core.var("ANTHROPIC_API_KEY") {
        headers.push(("x-api-key", key.to_owned()));
    }
    if let Some(token) = core.var("ANTHROPIC_AUTH_TOKEN") {
        headers.push(("authorization", format!("Bearer {token}")));
    }
    if headers.is_empty() {
        let Some(token) = core.var("CLAUDE_CODE_OAUTH_TOKEN") else {
            return Err("Agent error (no credential): none of ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, \
                        CLAUDE_CODE_OAUTH_TOKEN is set"
                .to_owned());
        };
        headers.push(("authorization", format!("Bearer {token}")));
    }
    if let Some(custom) = core.var("ANTHROPIC_CUSTOM_HEADERS")
        && let Some(id) = custom.lines().find_map(|line| line.strip_prefix("X-Molecule-Workspace-Id:"))
    {
        headers.push(("x-molecule-workspace-id", id.trim().to_owned()));
    }
    headers.push(("anthropic-version", "2023-06-01".to_owned()));
    let model = model.split_once('/').map_or(model, |(_, name)| name);
    let model = model.strip_prefix("anthropic:").or_else(|| model.strip_prefix("claude:")).unwrap_or(model);
    let url = vendors::messages(base);
    Ok(Ask { protocol: Protocol::Anthropic, url, headers, model: model.to_owned() })
}

fn openai(url: String, key: &str, model: &str) -> Ask {
    Ask {
        protocol: Protocol::Openai,
        url,
        headers: vec![("authorization", format!("Bearer {key}"))],
        model: model.to_owned(),
    }
}

/// The provider's own address and the first of its credentials that is set.
fn by_provider(core: &Core, provider: &Provider, model: &str) -> Result<Ask, String> {
    let key = provider.auth_env.iter().find_map(|name| core.var(name)).ok_or_else(|| {
        format!("Agent error (no credential): none of {} is set", provider.auth_env.join(", "))
    })?;
    if provider.protocol == Protocol::Anthropic
        && let Some(url) = vendors::anthropic_endpoint(provider)
    {
        let headers = vec![("x-api-key", key.to_owned()), ("anthropic-version", "2023-06-01".to_owned())];
        return Ok(Ask { protocol: Protocol::Anthropic, url, headers, model: model.to_owned() });
    }
    let url = vendors::openai_endpoint(provider)
        .or_else(|| core.var("CUSTOM_BASE_URL").map(vendors::completions))
        .or_else(|| core.var("OPENAI_BASE_URL").map(vendors::completions))
        .ok_or_else(|| format!("Agent error: provider {} has no address", provider.name))?;
    Ok(openai(url, &bearer(key), model))
}

/// A subscription's credential is a JSON file with the token inside.
fn bearer(key: &str) -> String {
    serde_json::from_str::<Value>(key)
        .ok()
        .and_then(|file| file["tokens"]["access_token"].as_str().map(str::to_owned))
        .unwrap_or_else(|| key.to_owned())
}
