//! From runtime and model to a provider (contract §8.2).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::models::catalogue::{Catalogue, Provider};

/// Why nothing serves a model. Never a fall-back: the platform has none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeriveError {
    /// The model is empty or blank.
    #[error("a model is required")]
    ModelRequired,
    /// The catalogue has no such runtime; runtimes are not trimmed and case-sensitive.
    #[error("unknown runtime `{runtime}`")]
    UnknownRuntime {
        /// As it was given.
        runtime: String,
    },
    /// No arm lists the model and no pattern takes it.
    #[error("`{model}` is not a registered model of runtime `{runtime}`")]
    Unregistered {
        /// The runtime.
        runtime: String,
        /// The model, trimmed.
        model: String,
    },
    /// Several patterns take the model and the credentials at hand do not tell them apart.
    #[error("`{model}` is ambiguous on runtime `{runtime}`: {}", candidates.join(", "))]
    Ambiguous {
        /// The runtime.
        runtime: String,
        /// The model, trimmed.
        model: String,
        /// Names of the providers that are left.
        candidates: Vec<String>,
    },
}

/// How a provider was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Matched {
    /// One arm lists the id.
    Listed,
    /// Several arms list the id; the credentials at hand chose.
    ListedByCredential,
    /// Several arms list the id; the first in the file won.
    ListedFirst,
    /// No arm lists the id; one pattern takes it.
    Pattern,
    /// Several patterns take the id; the credentials at hand chose.
    PatternByCredential,
}

impl Matched {
    /// Whether the exact id is in the catalogue.
    pub(crate) fn is_listed(self) -> bool {
        matches!(self, Matched::Listed | Matched::ListedByCredential | Matched::ListedFirst)
    }

    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Matched::Listed => "listed by one arm",
            Matched::ListedByCredential => "listed by several arms, chosen by the credentials at hand",
            Matched::ListedFirst => "listed by several arms, the first declared wins",
            Matched::Pattern => "not listed, taken by one pattern",
            Matched::PatternByCredential => "not listed, several patterns, chosen by the credentials at hand",
        }
    }
}

/// The provider of a model. `available` holds names of environment variables, never values.
pub(crate) fn derive<'c>(
    catalogue: &'c Catalogue,
    runtime: &str,
    model: &str,
    available: &BTreeSet<String>,
) -> Result<&'c Provider, DeriveError> {
    derive_how(catalogue, runtime, model, available).map(|(provider, _)| provider)
}

/// The provider of a model and how it was found.
pub(crate) fn derive_how<'c>(
    catalogue: &'c Catalogue,
    runtime: &str,
    model: &str,
    available: &BTreeSet<String>,
) -> Result<(&'c Provider, Matched), DeriveError> {
    let model = model.trim();
    if model.is_empty() {
        return Err(DeriveError::ModelRequired);
    }
    let Some(found) = catalogue.runtime(runtime) else {
        return Err(DeriveError::UnknownRuntime { runtime: runtime.to_owned() });
    };
    let listed: Vec<&Provider> = found
        .arms
        .iter()
        .filter(|arm| arm.models.iter().any(|listed| listed.id == model))
        .map(|arm| catalogue.provider_of(arm))
        .collect();
    match listed[..] {
        [] => {}
        [one] => return Ok((one, Matched::Listed)),
        [first, ..] => {
            return Ok(match with_credential(&listed, available)[..] {
                [one] => (one, Matched::ListedByCredential),
                _ => (first, Matched::ListedFirst),
            });
        }
    }
    let taken: Vec<&Provider> = found
        .arms
        .iter()
        .map(|arm| catalogue.provider_of(arm))
        .filter(|provider| provider.pattern.is_match(model))
        .collect();
    match taken[..] {
        [] => Err(DeriveError::Unregistered { runtime: runtime.to_owned(), model: model.to_owned() }),
        [one] => Ok((one, Matched::Pattern)),
        _ => {
            let narrowed = with_credential(&taken, available);
            match narrowed[..] {
                [one] => Ok((one, Matched::PatternByCredential)),
                _ => {
                    let left = if narrowed.is_empty() { taken } else { narrowed };
                    Err(DeriveError::Ambiguous {
                        runtime: runtime.to_owned(),
                        model: model.to_owned(),
                        candidates: left.iter().map(|provider| provider.name.clone()).collect(),
                    })
                }
            }
        }
    }
}

fn with_credential<'c>(providers: &[&'c Provider], available: &BTreeSet<String>) -> Vec<&'c Provider> {
    providers.iter().copied().filter(|p| p.accepts(available.iter().map(String::as_str))).collect()
}

/// Whether a create with this pair passes the registration gate: an empty model and an unknown
/// runtime do (the gate is open for what it does not know).
pub(crate) fn registered(catalogue: &Catalogue, runtime: &str, model: &str) -> bool {
    model.is_empty()
        || catalogue.runtime(runtime).is_none()
        || catalogue.models_for(runtime).is_some_and(|models| models.contains(&model))
        || derive(catalogue, runtime, model, &BTreeSet::new()).is_ok()
}

/// A row of `GET /admin/llm/offered-models`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct OfferedModel {
    /// Exact id.
    pub model: String,
    /// The provider that it derives to without any credential.
    pub provider: String,
    /// Whether the platform pays.
    pub platform_billed: bool,
    /// Credentials that it takes; absent where the platform pays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auth_env: Vec<String>,
}

/// The models that a platform offers for a runtime, sorted by id. `None`: unknown runtime (404).
pub(crate) fn offered_models(catalogue: &Catalogue, runtime: &str) -> Option<Vec<OfferedModel>> {
    let none = BTreeSet::new();
    let mut offered: Vec<OfferedModel> = catalogue
        .models_for(runtime)?
        .into_iter()
        .filter_map(|model| {
            let provider = derive(catalogue, runtime, model, &none).ok()?;
            let platform_billed = provider.is_platform();
            Some(OfferedModel {
                model: model.to_owned(),
                provider: provider.name.clone(),
                platform_billed,
                auth_env: if platform_billed { Vec::new() } else { provider.auth_env.clone() },
            })
        })
        .collect();
    offered.sort_by(|a, b| a.model.cmp(&b.model));
    Some(offered)
}
