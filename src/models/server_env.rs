//! What model rules read out of the server's own environment (contract §8.3, §8.5).

use std::collections::BTreeMap;

/// The part of the server's own environment that model rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerEnv {
    /// Name → value; other names may be in it.
    pub vars: BTreeMap<String, String>,
}

impl ServerEnv {
    /// From any map of an environment.
    pub(crate) fn new(vars: BTreeMap<String, String>) -> Self {
        ServerEnv { vars }
    }

    /// `MOLECULE_LLM_BASE_URL`, else `OPENAI_BASE_URL`.
    pub(crate) fn base(&self) -> Option<&str> {
        self.first(["MOLECULE_LLM_BASE_URL", "OPENAI_BASE_URL"])
    }

    /// `MOLECULE_LLM_ANTHROPIC_BASE_URL`, else `ANTHROPIC_BASE_URL`.
    pub(crate) fn anthropic_base(&self) -> Option<&str> {
        self.first(["MOLECULE_LLM_ANTHROPIC_BASE_URL", "ANTHROPIC_BASE_URL"])
    }

    /// `MOLECULE_LLM_USAGE_TOKEN`, else `OPENAI_API_KEY`.
    pub(crate) fn token(&self) -> Option<&str> {
        self.first(["MOLECULE_LLM_USAGE_TOKEN", "OPENAI_API_KEY"])
    }

    /// `MOLECULE_LLM_USAGE_URL`.
    pub(crate) fn usage_url(&self) -> Option<&str> {
        self.first(["MOLECULE_LLM_USAGE_URL"])
    }

    /// Whether the platform's proxy can serve a workspace.
    pub(crate) fn proxy_configured(&self) -> bool {
        self.base().is_some() && self.token().is_some()
    }

    fn first<const N: usize>(&self, names: [&str; N]) -> Option<&str> {
        names.into_iter().filter_map(|name| self.vars.get(name)).map(|v| v.trim()).find(|v| !v.is_empty())
    }
}
