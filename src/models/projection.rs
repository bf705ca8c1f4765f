//! The environment that a platform assembles for a workspace (contract §8.4, §8.5, §8.6).
//!
//! Create, restart, resume and heal all assemble in the same way; only the payload differs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::behaviour::{Behaviour, Behaviours};
use crate::models::billing::{Billing, BillingMode, decide};
use crate::models::catalogue::{Catalogue, Provider};
use crate::models::derive::derive;
use crate::models::keys::{GUARDED, is_forbidden_global, is_guarded};

pub(crate) use crate::models::expected::{Expect, Expecting, Projection, expected};
pub(crate) use crate::models::server_env::ServerEnv;

/// What the organisation's own workspace (kind `platform`) gets on top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Concierge {
    /// The server's admin token.
    pub admin_token: String,
    /// The platform's URL.
    pub api_url: String,
    /// The organisation.
    pub org_id: String,
}

/// The model that a concierge without one gets.
pub(crate) const CONCIERGE_MODEL: &str = "moonshot/kimi-k2.6";

/// Everything that an assembly looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assembly<'a> {
    /// The workspace.
    pub workspace_id: &'a str,
    /// Its name: the author of its commits.
    pub name: &'a str,
    /// Its runtime.
    pub runtime: &'a str,
    /// Its role.
    pub role: Option<&'a str>,
    /// Its parent, when the payload carries it: a create does, a restart does not.
    pub parent_id: Option<&'a str>,
    /// The payload's model: a create has it, a restart does not.
    pub payload_model: Option<&'a str>,
    /// The row's billing override.
    pub billing_override: Option<BillingMode>,
    /// The tenant's secrets.
    pub global_secrets: &'a BTreeMap<String, String>,
    /// The workspace's own secrets, the stored `MODEL` among them; they win.
    pub workspace_secrets: &'a BTreeMap<String, String>,
    /// The server's environment.
    pub server: &'a ServerEnv,
    /// What the server does one way or the other.
    pub behaviours: Behaviours,
    /// Only for the organisation's own workspace.
    pub concierge: Option<&'a Concierge>,
    /// `runtime_config.required_env` of the configuration, when its files are in memory.
    pub required_env: &'a [String],
    /// `runtime:` of the seeded configuration, when its files are in memory.
    pub seeded_runtime: Option<&'a str>,
}

/// What happened to a variable, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    /// The variable.
    pub name: String,
    /// `set`, `copied from NAME`, `removed`.
    pub what: String,
    /// For example `contract §8.5: copy`.
    pub rule: &'static str,
}

/// An environment, before the container's own variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assembled {
    /// Name → value.
    pub env: BTreeMap<String, String>,
    /// Who pays.
    pub billing: Billing,
    /// The model that was effective; empty when there is none.
    pub model: String,
    /// What was done, in order.
    pub notes: Vec<Note>,
}

/// A provision that stops: the row gets the message, the event also code and fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Abort {
    /// `code` of the event's payload, where there is one.
    pub code: Option<&'static str>,
    /// `last_sample_error` of the row, `error` of the payload.
    pub message: String,
    /// The other fields of the payload.
    pub fields: BTreeMap<&'static str, serde_json::Value>,
    /// The step of contract §8.4 that stopped.
    pub step: u8,
}

impl Abort {
    fn new(step: u8, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Abort { code, message: message.into(), fields: BTreeMap::new(), step }
    }

    fn with(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.fields.insert(name, value.into());
        self
    }

    /// The event's payload.
    pub fn payload(&self) -> serde_json::Value {
        let mut payload = serde_json::Map::new();
        payload.insert("error".into(), self.message.clone().into());
        if let Some(code) = self.code {
            payload.insert("code".into(), code.into());
        }
        for (name, value) in &self.fields {
            payload.insert((*name).into(), value.clone());
        }
        serde_json::Value::Object(payload)
    }
}

pub(crate) struct Draft {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) notes: Vec<Note>,
}

impl Draft {
    fn set(&mut self, name: &str, value: &str, rule: &'static str) {
        self.note(name, "set", rule);
        self.env.insert(name.to_owned(), value.to_owned());
    }

    fn remove(&mut self, name: &str, rule: &'static str) {
        if self.env.remove(name).is_some() {
            self.note(name, "removed", rule);
        }
    }

    fn note(&mut self, name: &str, what: impl Into<String>, rule: &'static str) {
        self.notes.push(Note { name: name.to_owned(), what: what.into(), rule });
    }

    fn has_text(&self, name: &str) -> bool {
        self.env.get(name).is_some_and(|value| !value.trim().is_empty())
    }
}

/// The environment of a workspace, or why its provision stops (contract §8.4, in that order).
pub(crate) fn assemble(catalogue: &Catalogue, from: &Assembly<'_>) -> Result<Assembled, Abort> {
    let mut draft = Draft { env: BTreeMap::new(), notes: Vec::new() };
    let mut global_origin = BTreeSet::new();
    for (name, value) in from.global_secrets.iter().filter(|(name, _)| *name != "LLM_PROVIDER") {
        if !from.workspace_secrets.contains_key(name) {
            global_origin.insert(name.clone());
        }
        draft.env.insert(name.clone(), value.clone());
    }
    for (name, value) in from.workspace_secrets.iter().filter(|(name, _)| *name != "LLM_PROVIDER") {
        draft.env.insert(name.clone(), value.clone());
    }
    let forbidden: Vec<&String> = global_origin.iter().filter(|name| is_forbidden_global(name)).collect();
    if let Some(first) = forbidden.first() {
        let message = format!("provision aborted: env var \"{first}\" is operator-scope");
        return Err(Abort::new(2, None, message)
            .with("forbidden_env_keys", serde_json::json!(forbidden))
            .with("rfc", "523")
            .with("source", "global_secrets"));
    }
    git_identity(&mut draft, from.name);
    let model = effective_model(from, &draft.env);
    let available: BTreeSet<String> = draft.env.keys().cloned().collect();
    let provider = derive(catalogue, from.runtime, &model, &available).ok();
    let billing = project(catalogue, from, &model, &global_origin, &mut draft);
    after_june(from, &billing, provider, &mut draft);
    if billing.mode == BillingMode::Byok && !has_credential(from, provider, &draft) {
        let message = "this workspace's LLM billing mode is \"byok\" (not platform-managed) but it has no LLM \
                       credential of its own.";
        return Err(Abort::new(5, Some("MISSING_BYOK_CREDENTIAL"), message)
            .with("billing_mode", "byok")
            .with("issue", "1994"));
    }
    if billing.mode == BillingMode::PlatformManaged && !from.server.proxy_configured() {
        let message = "this workspace is configured for platform-managed LLM billing but the control-plane \
                       proxy is not ready.";
        return Err(Abort::new(6, Some("MISSING_PLATFORM_PROXY"), message)
            .with("billing_mode", "platform_managed")
            .with("issue", "2162"));
    }
    let model = name_the_model(from, model, &mut draft);
    if billing.mode != BillingMode::Disabled && model.is_empty() {
        let mode = billing.mode.as_str();
        let message =
            format!("this workspace (LLM billing mode \"{mode}\") reached provisioning with no model set.");
        return Err(Abort::new(11, Some("MISSING_MODEL"), message)
            .with("billing_mode", mode)
            .with("issue", "2594"));
    }
    let missing: Vec<&String> = from.required_env.iter().filter(|name| !draft.has_text(name)).collect();
    if let Some(first) = missing.first() {
        let message = format!("required environment variable {first} is not set");
        return Err(Abort::new(12, None, message).with("missing", serde_json::json!(missing)));
    }
    match from.seeded_runtime {
        Some(seeded) if seeded != from.runtime => {
            let message =
                format!("config.yaml is for runtime {seeded}, the workspace asks for {}", from.runtime);
            Err(Abort::new(13, None, message)
                .with("requested_runtime", from.runtime)
                .with("seeded_runtime", seeded)
                .with("issue", "2027"))
        }
        _ => Ok(Assembled { env: draft.env, billing, model, notes: draft.notes }),
    }
}

/// Whether a provision that the tenant pays for has what its model needs: June takes any vendor's guarded key, later
/// ones only a guarded key that the model's provider accepts.
fn has_credential(from: &Assembly<'_>, provider: Option<&Provider>, draft: &Draft) -> bool {
    match provider.filter(|p| from.behaviours.has(Behaviour::CredentialPerProvider) && !p.auth_env.is_empty())
    {
        Some(provider) => provider.auth_env.iter().any(|name| is_guarded(name) && draft.has_text(name)),
        None => GUARDED.iter().any(|name| draft.has_text(name)),
    }
}

/// Base URLs that a server may set beside a vendor's key: of OpenAI's protocol, for runtimes that speak it.
pub(crate) const BASE_URL_DEFAULTS: [(&str, &str, &str); 6] = [
    ("OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
    ("GROQ_API_KEY", "GROQ_BASE_URL", "https://api.groq.com/openai/v1"),
    ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1"),
    ("QIANFAN_API_KEY", "QIANFAN_BASE_URL", "https://qianfan.baidubce.com/v2"),
    ("MINIMAX_API_KEY", "MINIMAX_BASE_URL", "https://api.minimax.io/v1"),
    ("MOONSHOT_API_KEY", "MOONSHOT_BASE_URL", "https://api.moonshot.ai/v1"),
];

/// What servers add to the environment since mid-June.
fn after_june(from: &Assembly<'_>, billing: &Billing, provider: Option<&Provider>, draft: &mut Draft) {
    let does = |behaviour| from.behaviours.has(behaviour);
    if does(Behaviour::ResolvedProvider)
        && let Some(provider) = provider
    {
        draft.set("MOLECULE_RESOLVED_PROVIDER", &provider.name, "behaviour resolved-provider");
    }
    if does(Behaviour::LlmProviderPinned) && billing.mode == BillingMode::PlatformManaged {
        draft.set("LLM_PROVIDER", "platform", "behaviour llm-provider-pinned");
    }
    if does(Behaviour::BaseUrlDefaults) {
        for (key, variable, url) in BASE_URL_DEFAULTS {
            if draft.has_text(key) && !draft.env.contains_key(variable) {
                draft.set(variable, url, "behaviour base-url-defaults");
            }
        }
    }
}

/// Step 3. The address is the harness's choice: the facts give the names of the variables only.
fn git_identity(draft: &mut Draft, name: &str) {
    let slug: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let email = format!("{slug}@agents.invalid");
    for (variable, value) in [
        ("GIT_AUTHOR_NAME", name),
        ("GIT_AUTHOR_EMAIL", &email),
        ("GIT_COMMITTER_NAME", name),
        ("GIT_COMMITTER_EMAIL", &email),
    ] {
        if !draft.env.contains_key(variable) {
            draft.set(variable, value, "contract §8.4: 3, git identity");
        }
    }
}

/// The payload's model, else a stored `MOLECULE_MODEL`, else the stored `MODEL`.
fn effective_model(from: &Assembly<'_>, env: &BTreeMap<String, String>) -> String {
    let stored = |name: &str| env.get(name).map(String::as_str);
    [from.payload_model, stored("MOLECULE_MODEL"), stored("MODEL")]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|model| !model.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// Step 4: billing mode and what follows from it (contract §8.5).
fn project(
    catalogue: &Catalogue,
    from: &Assembly<'_>,
    model: &str,
    global_origin: &BTreeSet<String>,
    draft: &mut Draft,
) -> Billing {
    let available: BTreeSet<String> = draft.env.keys().cloned().collect();
    let proxy = from.server.proxy_configured();
    let mut billing = decide(catalogue, from.billing_override, from.runtime, model, &available, proxy);
    if falls_back(catalogue, from, &billing, model, draft) {
        billing.mode = BillingMode::PlatformManaged;
    }
    if from.behaviours.has(Behaviour::BillingRoute) {
        let rule = "contract §8.5: billing mode, always";
        draft.set("MOLECULE_LLM_BILLING_MODE", billing.mode.as_str(), rule);
        draft.set("MOLECULE_LLM_BILLING_MODE_RESOLVED", billing.mode.as_str(), rule);
    }
    match billing.mode {
        BillingMode::PlatformManaged => project_platform(catalogue, from, &billing, draft),
        BillingMode::Byok | BillingMode::Disabled => {
            // An override leaves the selection empty, so the provider is derived again.
            let provider = derive(catalogue, from.runtime, model, &available).ok();
            if let Some(provider) = provider {
                for name in GUARDED {
                    if global_origin.contains(name) && !provider.auth_env.iter().any(|own| own == name) {
                        draft.remove(name, "contract §8.5: another vendor's global key is removed");
                    }
                }
                if billing.mode == BillingMode::Byok && is_claude_code(from.runtime) {
                    project_vendor(provider, draft);
                }
            }
        }
    }
    billing
}

/// Whether a tenant's vendor model without a key goes to the metered proxy.
fn falls_back(
    catalogue: &Catalogue,
    from: &Assembly<'_>,
    billing: &Billing,
    model: &str,
    draft: &Draft,
) -> bool {
    let tenant = from.server.vars.get("MOLECULE_ORG_ID").is_some_and(|id| !id.is_empty());
    let names: BTreeSet<String> = draft.env.keys().cloned().collect();
    from.behaviours.has(Behaviour::ByokFallsBackToProxy)
        && tenant
        && billing.mode == BillingMode::Byok
        && from.server.proxy_configured()
        && !has_credential(from, derive(catalogue, from.runtime, model, &names).ok(), draft)
}

/// The claude-code client reads Anthropic's names, whoever the vendor is.
fn project_vendor(provider: &Provider, draft: &mut Draft) {
    if let Some(target) = provider.auth_token_env.as_deref()
        && !draft.env.contains_key(target)
        && let Some(origin) = provider.auth_env.iter().find(|name| draft.has_text(name))
    {
        let value = draft.env.get(origin).cloned().unwrap_or_default();
        draft.note(target, format!("copied from {origin}"), "contract §8.5: copy");
        draft.env.insert(target.to_owned(), value);
    }
    if let Some(base) = provider.base_url_anthropic.as_deref()
        && !draft.env.contains_key("ANTHROPIC_BASE_URL")
    {
        draft.set("ANTHROPIC_BASE_URL", trim_v1(base), "contract §8.5: base URL without /v1");
    }
}

/// What a vendor makes of an environment on claude-code, whatever leads to it.
#[cfg(test)]
pub(crate) fn vendor_env(provider: &Provider, env: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut draft = Draft { env, notes: Vec::new() };
    project_vendor(provider, &mut draft);
    draft.env
}

fn project_platform(catalogue: &Catalogue, from: &Assembly<'_>, billing: &Billing, draft: &mut Draft) {
    let server = from.server;
    let (Some(base), Some(token)) = (server.base(), server.token()) else { return };
    for name in GUARDED {
        draft.remove(name, "contract §8.5: the platform pays, every vendor key is removed");
    }
    let rule = "contract §8.5: proxy";
    draft.set("MOLECULE_LLM_BASE_URL", base, rule);
    draft.set("MOLECULE_LLM_USAGE_TOKEN", token, rule);
    if let Some(url) = server.anthropic_base() {
        draft.set("MOLECULE_LLM_ANTHROPIC_BASE_URL", url, rule);
    }
    if let Some(url) = server.usage_url() {
        draft.set("MOLECULE_LLM_USAGE_URL", url, rule);
    }
    if !is_claude_code(from.runtime) {
        draft.set("OPENAI_API_KEY", token, "contract §8.5: proxy, OpenAI-shaped runtimes");
        draft.set("OPENAI_BASE_URL", base, "contract §8.5: proxy, OpenAI-shaped runtimes");
    } else if let Some(url) = server.anthropic_base() {
        let selected = billing.provider_selection.as_deref().and_then(|name| catalogue.provider(name));
        let target = selected.and_then(|p| p.auth_token_env.as_deref()).unwrap_or("ANTHROPIC_API_KEY");
        let rule = "contract §8.5: proxy, claude-code";
        draft.set(target, token, rule);
        draft.set("ANTHROPIC_BASE_URL", url, "contract §8.5: proxy, claude-code, base URL verbatim");
        let header = format!("X-Molecule-Workspace-Id: {}", from.workspace_id);
        draft.set("ANTHROPIC_CUSTOM_HEADERS", &header, rule);
    }
}

/// Steps 7, 8 and 10; returns the model that is named in the end.
fn name_the_model(from: &Assembly<'_>, model: String, draft: &mut Draft) -> String {
    let mut model = model;
    if !model.is_empty() {
        set_model(from.runtime, &model, draft, "contract §8.4: 7, the model's full id");
    }
    if let Some(role) = from.role.filter(|role| !role.is_empty()) {
        draft.set("MOLECULE_AGENT_ROLE", role, "contract §8.4: 8, role");
    }
    if let Some(parent) = from.parent_id.filter(|parent| !parent.is_empty()) {
        draft.set("PARENT_ID", parent, "contract §8.4: 8, parent, at create only");
    }
    if let Some(concierge) = from.concierge {
        let rule = "contract §8.4: 10, concierge";
        if model.is_empty() {
            model = CONCIERGE_MODEL.to_owned();
            set_model(from.runtime, &model, draft, rule);
        }
        draft.set("MOLECULE_API_KEY", &concierge.admin_token, rule);
        draft.set("MOLECULE_ORG_API_KEY", &concierge.admin_token, rule);
        draft.set("MOLECULE_API_URL", &concierge.api_url, rule);
        draft.set("MOLECULE_ORG_ID", &concierge.org_id, rule);
    }
    model
}

fn set_model(runtime: &str, model: &str, draft: &mut Draft, rule: &'static str) {
    draft.set("MOLECULE_MODEL", model, rule);
    draft.set("MODEL", model, rule);
    if runtime == "hermes" {
        draft.set("HERMES_DEFAULT_MODEL", model, rule);
    }
}

fn is_claude_code(runtime: &str) -> bool {
    runtime.trim().eq_ignore_ascii_case("claude-code")
}

/// All trailing slashes, then one trailing `/v1`.
pub(crate) fn trim_v1(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v1").unwrap_or(url)
}
