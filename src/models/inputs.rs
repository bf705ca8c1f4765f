//! The inputs that CI sets, under the names that scripts already use.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::behaviour::{self, Edition};
use crate::models::catalogue::Catalogue;
use crate::models::keys::GUARDED;

/// Explicit model id; wins over everything.
pub(crate) const MODEL_SLUG: &str = "E2E_MODEL_SLUG";
/// `platform` or `byok`.
pub(crate) const LLM_PATH: &str = "E2E_LLM_PATH";
/// The model of the platform's path.
pub(crate) const DEFAULT_PLATFORM_MODEL: &str = "E2E_DEFAULT_PLATFORM_MODEL";
/// The runtime.
pub(crate) const RUNTIME: &str = "E2E_RUNTIME";

/// Who is meant to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LlmPath {
    /// The user's own key.
    Byok,
    /// The platform.
    Platform,
}

impl LlmPath {
    /// As in the environment.
    pub fn as_str(self) -> &'static str {
        match self {
            LlmPath::Byok => "byok",
            LlmPath::Platform => "platform",
        }
    }

    /// As scripts read it: exactly `platform`, anything else is `byok`.
    pub fn of_scripts(text: Option<&str>) -> LlmPath {
        if text == Some("platform") { LlmPath::Platform } else { LlmPath::Byok }
    }
}

impl fmt::Display for LlmPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no LLM path is called `{0}`")]
pub struct UnknownPath(pub String);

impl FromStr for LlmPath {
    type Err = UnknownPath;

    fn from_str(text: &str) -> Result<Self, UnknownPath> {
        [LlmPath::Byok, LlmPath::Platform]
            .into_iter()
            .find(|path| path.as_str() == text)
            .ok_or_else(|| UnknownPath(text.to_owned()))
    }
}

/// What is set. An empty variable is unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// `E2E_MODEL_SLUG`.
    pub slug: Option<String>,
    /// `E2E_LLM_PATH`, as it is written.
    pub llm_path: Option<String>,
    /// The catalogue's: scripts change with it.
    pub edition: Edition,
    /// What scripts of the catalogue's edition take when that is not set; `None`: June's.
    pub usual_platform_model: Option<String>,
    /// `E2E_DEFAULT_PLATFORM_MODEL`.
    pub default_platform_model: Option<String>,
    /// Names of the variables that hold a vendor's key: native names and the same with `E2E_`.
    pub keys: BTreeSet<String>,
}

impl Inputs {
    /// Out of an environment; values of keys are not kept.
    pub(crate) fn from_env(catalogue: &Catalogue, env: &BTreeMap<String, String>) -> Inputs {
        let set = |name: &str| env.get(name).filter(|value| !value.is_empty()).cloned();
        let known = catalogue.auth_names();
        let is_key = |name: &str| {
            let native = native(name);
            // Base URLs are guarded but are no credentials, and the proxy's token is the server's.
            native != "MOLECULE_LLM_USAGE_TOKEN"
                && !native.ends_with("_BASE_URL")
                && (known.contains(native) || GUARDED.contains(&native))
        };
        Inputs {
            slug: set(MODEL_SLUG),
            llm_path: set(LLM_PATH),
            edition: catalogue.edition(),
            usual_platform_model: behaviour::edition(catalogue.edition())
                .map(|row| row.platform_model.clone()),
            default_platform_model: set(DEFAULT_PLATFORM_MODEL),
            keys: env
                .iter()
                .filter(|(name, value)| !value.is_empty() && is_key(name))
                .map(|(name, _)| name.clone())
                .collect(),
        }
    }

    /// The variable that holds a native key: the one with `E2E_` first.
    pub(crate) fn holder(&self, key: &str) -> Option<&str> {
        holder(&self.keys, key)
    }
}

/// A key's name without `E2E_`.
pub(crate) fn native(name: &str) -> &str {
    name.strip_prefix("E2E_").unwrap_or(name)
}

/// The variable among `names` that holds a native key: the one with `E2E_` first.
pub(crate) fn holder<'a>(names: &'a BTreeSet<String>, key: &str) -> Option<&'a str> {
    names.get(&format!("E2E_{key}")).or_else(|| names.get(key)).map(String::as_str)
}
