//! The model rules as this platform applies them. The rules themselves are `crate::models`.

use std::collections::BTreeMap;

use super::faults::Fault;
use super::platform::Platform;
use super::state::State;
use super::state::workspace::{SecretRow, Workspace};
use crate::behaviour::Behaviour;
use crate::models::billing::{Billing, BillingMode, decide};
use crate::models::catalogue::Provider;
use crate::models::container::{ContainerFacts, config_yaml_model, container_env};
use crate::models::derive::derive;
use crate::models::keys::GUARDED;
use crate::models::projection::{Abort, Assembly, Concierge, assemble};

/// What the agent sends to a provider that the `agent-401` fault gave a wrong credential.
const WRONG_CREDENTIAL: &str = "lifecycle-fault-agent-401";
/// Faults that the agent itself shows.
const AGENT_FAULTS: [Fault; 6] = [
    Fault::NeverOnline,
    Fault::EmptyCompletion,
    Fault::ErrorAsText,
    Fault::AcknowledgesFirst,
    Fault::ReplyOfAnother,
    Fault::UrlUnroutable,
];

/// Values of a table of secrets.
fn values(rows: &BTreeMap<String, SecretRow>) -> BTreeMap<String, String> {
    rows.iter().map(|(key, row)| (key.clone(), row.value.clone())).collect()
}

/// The billing override of a row.
pub(super) fn override_of(workspace: &Workspace) -> Option<BillingMode> {
    workspace.billing_override.as_deref().and_then(|word| word.parse().ok())
}

/// Who pays for a workspace.
pub(super) fn billing(platform: &Platform, state: &State, workspace: &Workspace) -> Billing {
    let names = state.global_secrets.keys().chain(workspace.secrets.keys()).cloned().collect();
    decide(
        platform.catalogue,
        override_of(workspace),
        &workspace.runtime,
        workspace.model(),
        &names,
        platform.server.proxy_configured(),
    )
}

/// The environment of the next instance, as contract §8.4 to §8.6 assemble it, faults applied.
///
/// # Errors
/// Why the provision is aborted.
pub(super) fn environment(
    platform: &Platform,
    state: &State,
    workspace: &Workspace,
    first: bool,
) -> Result<BTreeMap<String, String>, Abort> {
    let (global, own) = (values(&state.global_secrets), values(&workspace.secrets));
    let id = workspace.id.to_string();
    let parent = workspace.parent.map(|p| p.to_string());
    let concierge = workspace.platform.then(|| Concierge {
        admin_token: platform.admin_token.expose().to_owned(),
        api_url: platform.platform_url.clone(),
        org_id: platform.server_var("MOLECULE_ORG_ID").unwrap_or_default().to_owned(),
    });
    let tier = u8::try_from(workspace.tier).unwrap_or(0);
    let assembled = assemble(
        platform.catalogue,
        &Assembly {
            workspace_id: &id,
            name: &workspace.name,
            runtime: &workspace.runtime,
            role: workspace.role.as_deref(),
            parent_id: parent.as_deref().filter(|_| first),
            payload_model: first.then(|| workspace.model()),
            billing_override: override_of(workspace),
            global_secrets: &global,
            workspace_secrets: &own,
            server: &platform.server,
            behaviours: platform.behaviours,
            concierge: concierge.as_ref(),
            required_env: &[],
            seeded_runtime: None,
        },
    )?;
    let mut env = assembled.env;
    let provider =
        derive(platform.catalogue, &workspace.runtime, &assembled.model, &env.keys().cloned().collect()).ok();
    spoil(platform, &mut env, &own, provider, first);
    let admin = platform.admin_token.expose();
    let facts = ContainerFacts {
        workspace_id: &id,
        platform_url: &platform.platform_url,
        tier,
        // Putting the server's own token there is what real servers do (contract §14.2, L5).
        admin_token: Some(admin).filter(|_| !platform.does(Behaviour::AdminTokenKeptBack)),
        workspace_url: None,
    };
    Ok(container_env(&env, &facts))
}

/// Applies the faults of the projection, each at its own place.
fn spoil(
    platform: &Platform,
    env: &mut BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
    provider: Option<&Provider>,
    first: bool,
) {
    let lost =
        platform.fault(Fault::NoProjection) || (platform.fault(Fault::ProjectionLostOnRestart) && !first);
    if lost {
        env.retain(|name, _| !name.starts_with("ANTHROPIC_") || own.contains_key(name));
    }
    if platform.fault(Fault::BaseUrlDoubleV1)
        && let Some(base) = env.get_mut("ANTHROPIC_BASE_URL")
        && !own.contains_key("ANTHROPIC_BASE_URL")
    {
        // The platform's own is this server's proxy, wherever that is.
        *base = provider
            .filter(|p| !p.is_platform())
            .and_then(|p| p.base_url_anthropic.clone())
            .unwrap_or_else(|| format!("{}/v1", base.trim_end_matches('/')));
    }
    if platform.fault(Fault::Agent401) {
        let vendor: Vec<&str> =
            provider.map(|p| p.auth_env.iter().map(String::as_str).collect()).unwrap_or_default();
        for (name, value) in env.iter_mut() {
            let credential = GUARDED.contains(&name.as_str()) && !name.ends_with("_BASE_URL");
            if credential || vendor.contains(&name.as_str()) {
                WRONG_CREDENTIAL.clone_into(value);
            }
        }
    }
    let shown: Vec<&str> =
        AGENT_FAULTS.into_iter().filter(|f| platform.fault(*f)).map(|f| f.info().name).collect();
    if !shown.is_empty() {
        env.insert(super::agent::FAULTS_VARIABLE.to_owned(), shown.join(","));
    }
}

/// The `config.yaml` that the platform generates for a new workspace (contract §9.2).
///
/// # Errors
/// When the model is ambiguous.
pub(super) fn config_yaml(platform: &Platform, workspace: &Workspace) -> Result<String, String> {
    let model = config_yaml_model(platform.catalogue, &workspace.runtime, workspace.model())
        .map_err(|e| e.to_string())?;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut lines = vec![
        format!("name: {}", quoted(&workspace.name)),
        format!("description: {}", quoted(workspace.role.as_deref().unwrap_or_default())),
        "version: 1.0.0".to_owned(),
        format!("tier: {}", workspace.tier),
        format!("runtime: {}", workspace.runtime),
        format!("model: {}", quoted(&model.model)),
    ];
    if let Some(provider) = &model.provider {
        lines.push(format!("provider: {provider}"));
    }
    lines.push("runtime_config:".to_owned());
    if workspace.runtime == "claude-code" {
        lines.push(format!("  model: {}", quoted(&model.model)));
    }
    if let Some(provider) = &model.provider {
        lines.push(format!("  provider: {provider}"));
    }
    lines.push("  timeout: 0".to_owned());
    Ok(lines.join("\n") + "\n")
}
