//! A model that the catalogue accepts, with a credential that create *and* provision accept, and why.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::models::allowlist::{Allowlist, external_like};
use crate::models::billing::BillingMode;
use crate::models::catalogue::{Catalogue, Provider, Runtime};
use crate::models::derive::{OfferedModel, derive, derive_how};
use crate::models::dispatch::Plan;
use crate::models::inputs::{Inputs, LlmPath, holder};
use crate::models::keys::is_guarded;
use crate::models::preferences::{FAVOURED, by_pattern, ranked, secrets_of, usable};

pub(crate) use crate::models::preferences::{foreign, usable_keys};

/// What happened to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ruling {
    /// It decided.
    Fired,
    /// It was tried and lost.
    Lost,
    /// It has nothing to say here.
    Skipped,
}

/// A rule, what happened to it and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    /// For example `slug override`, `key E2E_MINIMAX_API_KEY`.
    pub rule: String,
    /// What happened.
    pub verdict: Ruling,
    /// Why.
    pub because: String,
}

/// What the user said beside runtime, path and keys.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overrides<'a> {
    /// An explicit model: it is used or refused, never replaced.
    pub slug: Option<&'a str>,
    /// The model to prefer where the platform pays.
    pub default_platform_model: Option<&'a str>,
}

impl<'a> Overrides<'a> {
    /// Those of CI's variables.
    pub(crate) fn of(inputs: &'a Inputs) -> Self {
        Overrides {
            slug: inputs.slug.as_deref(),
            default_platform_model: inputs.default_platform_model.as_deref(),
        }
    }
}

/// A create that works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Choice {
    /// `runtime` of the body.
    pub runtime: String,
    /// `template` of the body; then `runtime` is what it resolves to and is not sent.
    pub template: Option<&'static str>,
    /// `model` of the body.
    pub model: String,
    /// The provider that it derives to.
    pub provider: String,
    /// Who pays.
    pub billing: BillingMode,
    /// `secrets` of the body: everything that the provider needs, because the create gate looks there only.
    pub create_secrets: Plan,
    /// Secrets to write after the create: settings that the create gate does not need.
    pub deferred_secrets: Plan,
    /// What fired, what lost.
    pub why: Vec<Reason>,
}

/// Why there is no such create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NoChoice {
    /// What was tried, and why it lost; never empty.
    pub why: Vec<Reason>,
    /// Only a key is missing.
    pub not_configured: bool,
    /// Variables any of which would help, best first; empty where a key does not help.
    pub keys_that_would_do: Vec<String>,
}

impl NoChoice {
    /// The last reason, in one line.
    pub(crate) fn summary(&self) -> String {
        self.why.last().map(|reason| format!("{}: {}", reason.rule, reason.because)).unwrap_or_default()
    }
}

/// Chooses a model. `keys` holds names of variables with a vendor's key (native, or with `E2E_`);
/// `offered` is what the server at hand offers, when it was asked.
pub(crate) fn auto(
    catalogue: &Catalogue,
    allowlist: &Allowlist,
    runtime: &str,
    path: LlmPath,
    keys: &BTreeSet<String>,
    overrides: Overrides<'_>,
    offered: Option<&[OfferedModel]>,
) -> Result<Choice, NoChoice> {
    let mut search = Search { catalogue, path, keys, offered, why: Vec::new() };
    // A template variant: the platform resolves it to the runtime that serves it.
    let (asked, template) = match runtime {
        "seo-agent" if allowlist.allows("claude-code") => ("claude-code", Some("seo-agent")),
        other => (other, None),
    };
    let found = match catalogue.runtime(asked) {
        _ if external_like(asked) => {
            return search.none(
                "runtime",
                format!("`{asked}` is run by somebody else and takes no model"),
                Vec::new(),
            );
        }
        _ if !allowlist.allows(asked) => {
            return search.none(
                "runtime",
                format!("the platform does not accept runtime `{asked}`"),
                Vec::new(),
            );
        }
        None => {
            return search.none(
                "runtime",
                format!("the catalogue has no models for runtime `{asked}`"),
                Vec::new(),
            );
        }
        Some(found) => found,
    };
    let chosen = match (overrides.slug, path) {
        (Some(slug), _) => search.explicit(found, slug),
        (None, LlmPath::Platform) => search.platform(found, overrides.default_platform_model),
        (None, LlmPath::Byok) => search.byok(found),
    };
    let (model, provider, secrets) = match chosen {
        Ok(chosen) => chosen,
        Err(Missing { rule, because, would_do }) => return search.none(&rule, because, would_do),
    };
    Ok(Choice {
        runtime: asked.to_owned(),
        template,
        billing: if provider.is_platform() { BillingMode::PlatformManaged } else { BillingMode::Byok },
        provider: provider.name.clone(),
        model,
        create_secrets: secrets,
        deferred_secrets: Plan::new(),
        why: search.why,
    })
}

struct Missing {
    rule: String,
    because: String,
    /// Keys that would help; none where no key does.
    would_do: Vec<String>,
}

impl Missing {
    fn new(rule: impl Into<String>, because: impl Into<String>) -> Self {
        Missing { rule: rule.into(), because: because.into(), would_do: Vec::new() }
    }
}

type Chosen<'c> = Result<(String, &'c Provider, Plan), Missing>;

struct Search<'c, 'a> {
    catalogue: &'c Catalogue,
    path: LlmPath,
    keys: &'a BTreeSet<String>,
    offered: Option<&'a [OfferedModel]>,
    why: Vec<Reason>,
}

impl<'c> Search<'c, '_> {
    fn say(&mut self, rule: impl Into<String>, verdict: Ruling, because: impl Into<String>) {
        self.why.push(Reason { rule: rule.into(), verdict, because: because.into() });
    }

    fn none(mut self, rule: &str, because: String, would_do: Vec<String>) -> Result<Choice, NoChoice> {
        self.say(rule, Ruling::Lost, because);
        Err(NoChoice { why: self.why, not_configured: !would_do.is_empty(), keys_that_would_do: would_do })
    }

    /// An explicit model is used or refused.
    fn explicit(&mut self, runtime: &Runtime, slug: &str) -> Chosen<'c> {
        let rule = format!("slug override `{slug}`");
        let none = BTreeSet::new();
        let (provider, _) = derive_how(self.catalogue, &runtime.name, slug, &none)
            .map_err(|error| Missing::new(&rule, error.to_string()))?;
        match (self.path, provider.is_platform()) {
            (LlmPath::Platform, false) => {
                let because =
                    format!("{} serves it with your own key, and the path is platform", provider.name);
                return Err(Missing::new(rule, because));
            }
            (LlmPath::Byok, true) => {
                let because = "the platform pays for it, and the path is byok";
                return Err(Missing::new(rule, because));
            }
            (LlmPath::Platform, true) => {
                self.say(rule, Ruling::Fired, "a platform model, as the path asks");
                return Ok((slug.trim().to_owned(), provider, Plan::new()));
            }
            (LlmPath::Byok, false) => {}
        }
        // Several arms may list it: the one whose key is at hand.
        let servers: Vec<&Provider> = self.servers(runtime, slug);
        for provider in &servers {
            if let Some((secrets, key)) = self.credential(provider, slug, runtime) {
                self.say(rule, Ruling::Fired, format!("{} serves it, {key} has the key", provider.name));
                return Ok((slug.trim().to_owned(), provider, secrets));
            }
        }
        let would_do: Vec<String> =
            servers.iter().flat_map(|p| p.auth_env.iter().filter(|name| usable(p, name))).cloned().collect();
        let because = match would_do[..] {
            [] => format!("{} serves it, and no key passes both create and provision", provider.name),
            _ => format!("{} serves it, and none of {} is set", provider.name, would_do.join(", ")),
        };
        Err(Missing { rule, because, would_do })
    }

    /// Providers that the model may derive to, given the right key.
    fn servers(&self, runtime: &Runtime, model: &str) -> Vec<&'c Provider> {
        let mut servers: Vec<&Provider> = Vec::new();
        for arm in &runtime.arms {
            let provider = self.catalogue.provider_of(arm);
            let only: BTreeSet<String> = provider.auth_env.iter().cloned().collect();
            let derived = derive(self.catalogue, &runtime.name, model, &only);
            if derived.is_ok_and(|derived| derived.name == provider.name) {
                servers.push(provider);
            }
        }
        servers
    }

    fn platform(&mut self, runtime: &Runtime, preferred: Option<&str>) -> Chosen<'c> {
        if let Some(model) = preferred {
            let rule = format!("E2E_DEFAULT_PLATFORM_MODEL `{model}`");
            match derive(self.catalogue, &runtime.name, model, &BTreeSet::new()) {
                Ok(provider) if !provider.is_platform() => {
                    self.say(
                        rule,
                        Ruling::Lost,
                        format!("on {} it is {}'s, not the platform's", runtime.name, provider.name),
                    );
                }
                Ok(_) if !self.is_offered(model, true) => {
                    self.say(rule, Ruling::Lost, "the server does not offer it");
                }
                Ok(provider) => {
                    self.say(rule, Ruling::Fired, "a platform model");
                    return Ok((model.trim().to_owned(), provider, Plan::new()));
                }
                Err(error) => self.say(rule, Ruling::Lost, error.to_string()),
            }
        }
        let rule = "platform path";
        if !self.keys.is_empty() {
            let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
            self.say("keys", Ruling::Skipped, format!("the platform pays: {} stays unused", keys.join(", ")));
        }
        let arm = runtime.arms.iter().find(|arm| self.catalogue.provider_of(arm).is_platform());
        let Some(arm) = arm else {
            return Err(Missing::new(rule, format!("the platform serves nothing on {}", runtime.name)));
        };
        let listed: Vec<&str> = arm.models.iter().map(|m| m.id.as_str()).collect();
        match self.best(&listed, true) {
            Some(model) => {
                self.say(
                    rule,
                    Ruling::Fired,
                    format!("`{model}` is in the platform's arm of {}", runtime.name),
                );
                Ok((model.to_owned(), self.catalogue.provider_of(arm), Plan::new()))
            }
            None => Err(Missing::new(rule, format!("no platform model of {} is offered", runtime.name))),
        }
    }

    fn byok(&mut self, runtime: &Runtime) -> Chosen<'c> {
        for provider in ranked(self.catalogue, runtime) {
            let arm = runtime.arms.iter().find(|arm| self.catalogue.provider_of(arm).name == provider.name);
            let listed: Vec<&str> =
                arm.into_iter().flat_map(|arm| &arm.models).map(|m| m.id.as_str()).collect();
            let model = if listed.is_empty() {
                by_pattern(&runtime.name, provider)
            } else {
                self.best(&listed, false)
            };
            if let Some(key) = provider.auth_env.iter().find_map(|name| holder(self.keys, name))
                && model.is_none()
            {
                self.say(
                    format!("key {key}"),
                    Ruling::Lost,
                    format!("no model of {} is offered", provider.name),
                );
            }
            let Some(model) = model else { continue };
            let Some((secrets, key)) = self.credential(provider, model, runtime) else { continue };
            let names: BTreeSet<String> = secrets.keys().cloned().collect();
            match derive(self.catalogue, &runtime.name, model, &names) {
                Ok(derived) if derived.name == provider.name => {
                    self.say(format!("key {key}"), Ruling::Fired, format!("`{model}` of {}", provider.name));
                    self.say_unused(&key);
                    return Ok((model.to_owned(), provider, secrets));
                }
                other => {
                    let got = other.map(|p| p.name.clone()).unwrap_or_else(|error| error.to_string());
                    self.say(
                        format!("key {key}"),
                        Ruling::Lost,
                        format!("`{model}` is not {}'s but {got}", provider.name),
                    );
                }
            }
        }
        self.say_unused("");
        let would_do: Vec<String> =
            usable_keys(self.catalogue, &runtime.name).into_iter().map(str::to_owned).collect();
        let because = format!("no usable key for {}; any of {} would do", runtime.name, would_do.join(", "));
        Err(Missing { rule: "byok path".into(), because, would_do })
    }

    fn say_unused(&mut self, used: &str) {
        let unused: Vec<&str> = self.keys.iter().map(String::as_str).filter(|key| *key != used).collect();
        for key in unused {
            self.say(
                format!("key {key}"),
                Ruling::Skipped,
                "not needed, or no provider of this runtime takes it",
            );
        }
    }

    /// The secrets of a provider, when a key for it is at hand, and the variable that has it.
    fn credential(&mut self, provider: &Provider, model: &str, runtime: &Runtime) -> Option<(Plan, String)> {
        for name in &provider.auth_env {
            let Some(key) = holder(self.keys, name).map(str::to_owned) else { continue };
            if foreign(provider, name) {
                self.say(
                    format!("key {key}"),
                    Ruling::Lost,
                    format!("{name} would carry another vendor's key to {}", provider.name),
                );
                continue;
            }
            let secrets = secrets_of(name, &key, model, runtime);
            if secrets.keys().any(|name| is_guarded(name)) {
                return Some((secrets, key));
            }
            self.say(
                format!("key {key}"),
                Ruling::Lost,
                format!("create would take {name} and provision would not"),
            );
        }
        None
    }

    fn best<'m>(&self, listed: &[&'m str], platform: bool) -> Option<&'m str> {
        let able: Vec<&str> =
            listed.iter().copied().filter(|model| self.is_offered(model, platform)).collect();
        FAVOURED
            .iter()
            .find_map(|model| able.iter().copied().find(|id| id == model))
            .or(able.first().copied())
    }

    fn is_offered(&self, model: &str, platform: bool) -> bool {
        match self.offered {
            Some(offered) => offered.iter().any(|row| row.model == model && row.platform_billed == platform),
            None => true,
        }
    }
}
