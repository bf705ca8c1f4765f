//! The gates that a platform puts before a workspace, a model change and a secret
//! (contract §2.2 rows 4–10 and 15, §8.1). One implementation: the reference platform answers with
//! it, the harness predicts with it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::models::allowlist::{Allowlist, external_like};
use crate::models::billing::BillingMode;
use crate::models::catalogue::{Catalogue, Provider};
use crate::models::derive::{derive, registered};
use crate::models::keys::is_guarded;

/// What a create says about runtime, model and secrets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CreateFacts<'a> {
    /// `runtime` of the body; `None` and empty are the same.
    pub runtime: Option<&'a str>,
    /// `model` of the body; `None` and empty are the same.
    pub model: Option<&'a str>,
    /// `template` of the body; `None` and empty are the same.
    pub template: Option<&'a str>,
    /// `runtime:` of the template's `config.yaml`, when there is one.
    pub template_runtime: Option<&'a str>,
    /// `model:` or `runtime_config.model:` of the template's `config.yaml`, when there is one.
    pub template_model: Option<&'a str>,
    /// `external` of the body.
    pub external: bool,
    /// `secrets` of the body.
    pub secrets: &'a BTreeMap<String, String>,
    /// Names of the tenant's global secrets.
    pub global_secret_names: &'a BTreeSet<String>,
}

/// What a create that passed the gates is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The runtime that the row gets.
    pub runtime: String,
    /// The model; empty for what needs none.
    pub model: String,
    /// Whether somebody else runs the agent.
    pub external: bool,
    /// The provider of the model, where the catalogue knows one.
    pub provider: Option<String>,
}

/// An answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `code` of the body; a 400 has none.
    pub code: Option<&'static str>,
    /// `error` of the body.
    pub error: String,
    /// The other fields of the body. The vendor-key guard's body also has the caller's `workspace_id`.
    pub fields: BTreeMap<&'static str, String>,
    /// The row of contract §2.2 that fired.
    pub row: u8,
}

impl Refusal {
    /// The body as the platform sends it.
    pub fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("error".into(), self.error.clone().into());
        if let Some(code) = self.code {
            body.insert("code".into(), code.into());
        }
        for (name, value) in &self.fields {
            body.insert((*name).into(), value.clone().into());
        }
        Value::Object(body)
    }

    fn new<const N: usize>(
        row: u8,
        code: &'static str,
        error: impl Into<String>,
        fields: [(&'static str, &str); N],
    ) -> Refusal {
        let fields = fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Refusal { status: 422, code: Some(code), error: error.into(), fields, row }
    }

    fn guarded(key: &str, why: &str) -> Refusal {
        Refusal {
            status: 400,
            code: None,
            error: format!("{key} is a vendor LLM key and cannot be stored: {why}"),
            fields: BTreeMap::from([("key", key.to_owned())]),
            row: 15,
        }
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

/// Runtime, model and secrets of a create, in the platform's order.
pub(crate) fn check_create(
    catalogue: &Catalogue,
    allowlist: &Allowlist,
    facts: &CreateFacts<'_>,
) -> Result<Resolved, Refusal> {
    let resolved = check_names(allowlist, facts)?;
    let mut resolved = resolved;
    if !resolved.external {
        let (runtime, model) = (resolved.runtime.as_str(), resolved.model.as_str());
        check_registered(catalogue, runtime, model)?;
        let sent: BTreeSet<String> = facts.secrets.keys().cloned().collect();
        check_credential(catalogue, runtime, model, &sent, facts.global_secret_names)?;
        resolved.provider =
            derive(catalogue, runtime, model, &sent).ok().map(|provider| provider.name.clone());
    }
    check_sent_secrets(catalogue, &resolved.runtime, &resolved.model, facts.secrets)?;
    Ok(resolved)
}

/// Rows 4 to 7: which runtime and model are meant, and whether the platform takes them.
fn check_names(allowlist: &Allowlist, facts: &CreateFacts<'_>) -> Result<Resolved, Refusal> {
    let template = given(facts.template).unwrap_or_default();
    let from_template = |text| if template.is_empty() { None } else { given(text) };
    let runtime = given(facts.runtime).or_else(|| from_template(facts.template_runtime));
    let model = given(facts.model).or_else(|| from_template(facts.template_model)).unwrap_or_default();
    let runtime = match runtime {
        Some(runtime) => runtime,
        None if !template.is_empty() => {
            let error = format!("template \"{template}\" does not say which runtime it is for");
            return Err(Refusal::new(4, "RUNTIME_UNRESOLVED", error, [("template", template)]));
        }
        None if facts.external => "external",
        None => "claude-code",
    };
    if facts.external && !external_like(runtime) {
        let error = "external workspaces must use runtime \"external\", \"kimi\", or \"kimi-cli\"";
        return Err(Refusal::new(5, "RUNTIME_UNSUPPORTED", error, [("runtime", runtime)]));
    }
    let external = external_like(runtime);
    if !external && !allowlist.allows(runtime) {
        let error = "unsupported workspace runtime";
        return Err(Refusal::new(6, "RUNTIME_UNSUPPORTED", error, [("runtime", runtime)]));
    }
    if model.is_empty() && !external {
        let error = format!("runtime \"{runtime}\" needs a model; there is no default");
        let fields = [("runtime", runtime), ("template", template)];
        return Err(Refusal::new(7, "MODEL_REQUIRED", error, fields));
    }
    Ok(Resolved { runtime: runtime.to_owned(), model: model.to_owned(), external, provider: None })
}

/// Row 8. Row 9, a provider that is not in the registry, cannot happen: a [`Catalogue`] has none.
fn check_registered(catalogue: &Catalogue, runtime: &str, model: &str) -> Result<(), Refusal> {
    if registered(catalogue, runtime, model) {
        return Ok(());
    }
    let error = format!("model \"{model}\" is not registered for runtime \"{runtime}\"");
    let fields = [("runtime", runtime), ("model", model)];
    Err(Refusal::new(8, "UNREGISTERED_MODEL_FOR_RUNTIME", error, fields))
}

/// Row 10: a credential by *name*; an empty value passes.
fn check_credential(
    catalogue: &Catalogue,
    runtime: &str,
    model: &str,
    sent: &BTreeSet<String>,
    global: &BTreeSet<String>,
) -> Result<(), Refusal> {
    let has = |provider: &Provider, names: &BTreeSet<String>| {
        provider.is_platform() || provider.accepts(names.iter().map(String::as_str))
    };
    let Ok(provider) = derive(catalogue, runtime, model, sent) else { return Ok(()) };
    if has(provider, sent) {
        return Ok(());
    }
    let all: BTreeSet<String> = sent.union(global).cloned().collect();
    match derive(catalogue, runtime, model, &all) {
        Ok(provider) if !has(provider, &all) => {
            let error = format!(
                "model \"{model}\" is served by {} with your own key; none of {} was sent or is a global secret",
                provider.name,
                provider.auth_env.join(", ")
            );
            let fields = [("runtime", runtime), ("model", model)];
            Err(Refusal::new(10, "MISSING_BYOK_CREDENTIAL", error, fields))
        }
        _ => Ok(()),
    }
}

/// Row 15: a vendor key goes only with a model that a vendor serves.
fn check_sent_secrets(
    catalogue: &Catalogue,
    runtime: &str,
    model: &str,
    secrets: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let names: BTreeSet<String> = secrets.keys().cloned().collect();
    match secrets.keys().find(|name| is_guarded(name)) {
        Some(key) => vendor_only(catalogue, runtime, model, &names, key),
        None => Ok(()),
    }
}

fn vendor_only(
    catalogue: &Catalogue,
    runtime: &str,
    model: &str,
    names: &BTreeSet<String>,
    key: &str,
) -> Result<(), Refusal> {
    match derive(catalogue, runtime, model, names) {
        Ok(provider) if provider.is_platform() => {
            Err(Refusal::guarded(key, "the platform pays for this workspace's model"))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal::guarded(key, &error.to_string())),
    }
}

/// `PUT /workspaces/:id/model`: registration only. An empty model clears and always passes.
pub(crate) fn check_model_put(catalogue: &Catalogue, runtime: &str, model: &str) -> Result<(), Refusal> {
    check_registered(catalogue, runtime, model)
}

/// What a platform has stored about a workspace when a secret is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    /// The row's runtime.
    pub runtime: &'a str,
    /// The stored model; empty when there is none.
    pub model: &'a str,
    /// Names of the workspace's secrets.
    pub secret_names: &'a BTreeSet<String>,
    /// The row's billing override.
    pub billing_override: Option<BillingMode>,
}

/// A write of a workspace secret (contract §8.1): a guarded key needs a stored model that a vendor
/// serves, and no `platform_managed` override. A `byok` override unlocks nothing.
pub(crate) fn check_secret_write(
    catalogue: &Catalogue,
    stored: &Stored<'_>,
    key: &str,
) -> Result<(), Refusal> {
    if !is_guarded(key) {
        return Ok(());
    }
    vendor_only(catalogue, stored.runtime, stored.model, stored.secret_names, key)?;
    if stored.billing_override == Some(BillingMode::PlatformManaged) {
        return Err(Refusal::guarded(key, "the workspace's billing mode is platform_managed"));
    }
    Ok(())
}
