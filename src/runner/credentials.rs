//! Which model a create asks for, and with which credentials (DESIGN §4 `credentials: auto`).
//!
//! Where our own provider answers, values are generated: a real key never leaves for a reference platform.

use std::collections::{BTreeMap, BTreeSet};

use super::context::ScenarioContext;
use super::outcome::{Failure, FailureKind};
use super::scope::StepScope;
use crate::domain::Secret;
use crate::models::allowlist::{Allowlist, external_like};
use crate::models::auto::{Choice, NoChoice, Overrides, auto};
use crate::models::catalogue::{Catalogue, Provider};
use crate::models::derive::{derive, registered};
use crate::models::dispatch::resolve;
use crate::models::inputs::{Inputs, LlmPath};
use crate::scenario::model::{Create, Credentials, ModelField};

/// What the platform runs where a create names nothing (contract §2.1).
pub(crate) const RUNTIME: &str = "claude-code";

/// The name under which instances find where our provider stands in for the vendors (DESIGN §7).
pub(crate) const OVERRIDE: &str = "LIFECYCLE_PROVIDER_OVERRIDE";

/// What a create sends beside its own fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    /// `model`.
    pub model: Option<String>,
    /// What it derives to.
    pub provider: Option<String>,
    /// `secrets`.
    pub secrets: BTreeMap<String, Secret>,
}

/// Chooses for a create.
///
/// # Errors
/// Nothing is configured (a skip), or what is asked for cannot be.
pub(crate) fn choose(
    context: &ScenarioContext,
    verb: &Create,
    runtime: Option<&str>,
    scope: &StepScope<'_>,
) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    let slug = match &verb.model {
        ModelField::None => None,
        ModelField::Auto => Some("auto".to_owned()),
        ModelField::Slug(template) => Some(template.render(scope)?),
    };
    let wants_auto = slug.as_deref().is_some_and(|s| s.is_empty() || s == "auto");
    let explicit = slug.clone().filter(|_| !wants_auto);
    let runtime = runtime.unwrap_or(RUNTIME);
    let external = verb.external || external_like(runtime);
    let auto_credentials = verb.credentials == Credentials::Auto && !external;
    // A pair that the catalogue rejects is sent as it is: refusing it is what such a step is about.
    let sent_on_purpose =
        explicit.as_deref().is_some_and(|m| !registered(&context.run.catalogue, runtime, m));
    if (wants_auto && !external) || (auto_credentials && explicit.is_some() && !sent_on_purpose) {
        let path = match &verb.llm_path {
            Some(path) => path.render(scope)?,
            None => String::new(),
        };
        let path = match path.as_str() {
            "" => LlmPath::Byok,
            text => text.parse().map_err(|e| Failure::of(FailureKind::Config, format!("llm_path: {e}")))?,
        };
        // What the step brings need not be anywhere else.
        let brought = verb.secrets.iter().map(|(name, _)| name.clone()).collect();
        let choice = pick(context, runtime, path, explicit.as_deref(), &brought)?;
        if auto_credentials {
            chosen.secrets = values(context, &choice);
        }
        chosen.provider = Some(choice.provider.clone());
        chosen.model = Some(choice.model);
    } else {
        chosen.model = explicit.filter(|m| !m.is_empty());
    }
    for (name, template) in &verb.secrets {
        let value = template.render(scope)?;
        chosen.secrets.insert(name.clone(), context.secret(name, &value));
    }
    if let Some(provider) = &context.run.target.provider
        && !external
        && verb.credentials == Credentials::Auto
    {
        chosen.secrets.insert(OVERRIDE.into(), Secret::new(override_for(context, provider)));
    }
    if chosen.provider.is_none()
        && let Some(model) = &chosen.model
    {
        let names = chosen.secrets.keys().cloned().collect();
        chosen.provider = derive(&context.run.catalogue, runtime, model, &names).ok().map(|p| p.name.clone());
    }
    let platform = |name: &String| context.run.catalogue.provider(name).is_some_and(Provider::is_platform);
    if context.run.target.platform_pays == Some(false)
        && chosen.provider.as_ref().is_some_and(platform)
        // Such a step is about the refusal.
        && verb.contradiction.is_none()
        && verb.answer.is_default()
    {
        let text = "not configured: the platform pays for no model here (GET /org/identity: \
                    platform_managed_available is false); give the server MOLECULE_LLM_BASE_URL and \
                    MOLECULE_LLM_USAGE_TOKEN";
        return Err(Failure::of(FailureKind::NotConfigured, text));
    }
    Ok(chosen)
}

/// What a create would ask for, as far as it is known before anything runs: `model, provider, who pays, secret names`.
pub(crate) fn foresee(
    catalogue: &Catalogue,
    allowlist: &Allowlist,
    env: &BTreeMap<String, String>,
    runtime: &str,
    path: LlmPath,
    slug: Option<&str>,
) -> Result<Choice, NoChoice> {
    let inputs = Inputs::from_env(catalogue, env);
    let mut overrides = Overrides::of(&inputs);
    overrides.slug = slug.or(overrides.slug.filter(|slug| registered(catalogue, runtime, slug)));
    auto(catalogue, allowlist, runtime, path, &inputs.keys, overrides, None).or_else(|refused| {
        let key = refused.keys_that_would_do.first().filter(|_| refused.not_configured);
        let Some(key) = key else { return Err(refused) };
        let keys =
            inputs.keys.iter().cloned().chain([crate::models::inputs::native(key).to_owned()]).collect();
        auto(catalogue, allowlist, runtime, path, &keys, overrides, None)
    })
}

fn pick(
    context: &ScenarioContext,
    runtime: &str,
    path: LlmPath,
    explicit: Option<&str>,
    brought: &BTreeSet<String>,
) -> Result<Choice, Failure> {
    let catalogue = &context.run.catalogue;
    let mut inputs = Inputs::from_env(catalogue, &context.run.env);
    inputs.keys.extend(brought.iter().cloned());
    let mut overrides = Overrides::of(&inputs);
    // A slug of the environment is meant for one runtime; elsewhere it would be refused.
    overrides.slug = explicit.or(overrides.slug.filter(|slug| registered(catalogue, runtime, slug)));
    let try_with = |keys: &BTreeSet<String>| {
        let offered = context.run.target.offered.get(runtime).map(Vec::as_slice);
        auto(catalogue, &context.run.allowlist, runtime, path, keys, overrides, offered)
    };
    let refused = match try_with(&inputs.keys) {
        Ok(choice) => return Ok(choice),
        Err(refused) => refused,
    };
    if !refused.not_configured {
        return Err(Failure::of(FailureKind::Config, refused.summary()));
    }
    if context.run.target.takes_any_key()
        && let Some(key) = refused.keys_that_would_do.first()
    {
        let keys =
            inputs.keys.iter().cloned().chain([crate::models::inputs::native(key).to_owned()]).collect();
        return try_with(&keys).map_err(|e| Failure::of(FailureKind::Config, e.summary()));
    }
    let keys = refused.keys_that_would_do.iter().take(4).cloned().collect::<Vec<_>>();
    let set = if keys.len() == 1 { "set" } else { "set one of:" };
    Err(Failure::of(
        FailureKind::NotConfigured,
        format!("not configured: {}; {set} {}", refused.summary(), keys.join(", ")),
    ))
}

/// The values of a choice's secrets: generated where our provider answers, else of the environment.
fn values(context: &ScenarioContext, choice: &Choice) -> BTreeMap<String, Secret> {
    let ours = context.run.target.takes_any_key();
    let mut generated: BTreeMap<String, String> = BTreeMap::new();
    let found = resolve(&choice.create_secrets, &context.run.env);
    choice
        .create_secrets
        .iter()
        .filter_map(|(name, origin)| {
            let value = match (ours, origin) {
                (true, crate::models::dispatch::Origin::Env(holder)) => generated
                    .entry(holder.clone())
                    .or_insert_with(|| format!("lc-key-{:032x}", crate::chance::random::<u128>()))
                    .clone(),
                _ => found.get(name)?.clone(),
            };
            Some((name.clone(), context.secret(name, &value)))
        })
        .collect()
}

/// `https://api.minimax.io=http://…` for every vendor of the catalogue.
fn override_for(context: &ScenarioContext, provider: &str) -> String {
    let mut origins =
        BTreeSet::from(["https://api.anthropic.com".to_owned(), "https://api.openai.com".to_owned()]);
    for vendor in context.run.catalogue.providers.iter() {
        for url in [&vendor.base_url_anthropic, &vendor.base_url_template].into_iter().flatten() {
            origins.extend(origin(url));
        }
    }
    let pairs: Vec<String> = origins.into_iter().map(|origin| format!("{origin}={provider}")).collect();
    pairs.join(",")
}

/// Scheme, host and port of a URL without placeholders.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    (!host.is_empty() && !host.contains('{')).then(|| format!("{scheme}://{host}"))
}
