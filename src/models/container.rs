//! What a container gets beside the assembled variables: its own, and its `config.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::models::catalogue::Catalogue;
use crate::models::derive::{DeriveError, derive};
use crate::models::keys::SCM_TOKENS;

/// What the container has on top of the assembled variables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContainerFacts<'a> {
    /// The workspace.
    pub workspace_id: &'a str,
    /// Where the container reaches the platform.
    pub platform_url: &'a str,
    /// The workspace's tier.
    pub tier: u8,
    /// The server's admin token, when it has one.
    pub admin_token: Option<&'a str>,
    /// `http://<advertised host>:<host port>`.
    pub workspace_url: Option<&'a str>,
}

/// A container's whole environment (contract §8.6).
pub(crate) fn container_env(
    assembled: &BTreeMap<String, String>,
    facts: &ContainerFacts<'_>,
) -> BTreeMap<String, String> {
    let tier = facts.tier.to_string();
    let mut env: BTreeMap<String, String> = [
        ("WORKSPACE_ID", facts.workspace_id),
        ("WORKSPACE_CONFIG_PATH", "/configs"),
        ("PLATFORM_URL", facts.platform_url),
        ("MOLECULE_URL", facts.platform_url),
        ("TIER", &tier),
        ("PLUGINS_DIR", "/plugins"),
        ("PYTHONPATH", "/app"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let kept = assembled.iter().filter(|(name, _)| !SCM_TOKENS.contains(&name.as_str()));
    env.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(pat) = assembled.get("GH_PAT").filter(|pat| !pat.is_empty()) {
        for name in ["GH_TOKEN", "GITHUB_TOKEN"] {
            env.entry(name.to_owned()).or_insert_with(|| pat.clone());
        }
    }
    for (name, value) in [("ADMIN_TOKEN", facts.admin_token), ("MOLECULE_WORKSPACE_URL", facts.workspace_url)]
    {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            env.insert(name.to_owned(), value.to_owned());
        }
    }
    env
}

/// What a generated `config.yaml` says about the model (models.md §4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ConfigModel {
    /// For claude-code cut at the first `/`, else as it was given.
    pub model: String,
    /// The provider, derived from the full id; absent where nothing derives.
    pub provider: Option<String>,
}

/// The model and provider of a generated `config.yaml`. An ambiguous model is an error.
pub(crate) fn config_yaml_model(
    catalogue: &Catalogue,
    runtime: &str,
    model: &str,
) -> Result<ConfigModel, DeriveError> {
    let provider = match derive(catalogue, runtime, model, &BTreeSet::new()) {
        Ok(provider) => Some(provider.name.clone()),
        Err(error @ DeriveError::Ambiguous { .. }) => return Err(error),
        Err(_) => None,
    };
    let cut = if runtime == "claude-code" { model.split_once('/').map(|(_, rest)| rest) } else { None };
    Ok(ConfigModel { model: cut.unwrap_or(model).to_owned(), provider })
}
