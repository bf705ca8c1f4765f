//! Names of secrets that the platform treats in a special way (contract §8.1, §8.4).

/// The 23 vendor keys that the platform guards: refused next to a platform-billed model, removed
/// from its environment, and any of them counts as "a credential" when an environment is assembled.
pub(crate) const GUARDED: [&str; 23] = [
    "AI_GATEWAY_API_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ARCEEAI_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CODEX_AUTH_JSON",
    "DASHSCOPE_API_KEY",
    "DEEPSEEK_API_KEY",
    "GEMINI_API_KEY",
    "GLM_API_KEY",
    "HERMES_CUSTOM_API_KEY",
    "HERMES_CUSTOM_BASE_URL",
    "HF_TOKEN",
    "KIMI_API_KEY",
    "KIMI_CN_API_KEY",
    "MINIMAX_API_KEY",
    "MINIMAX_CN_API_KEY",
    "NOUS_API_KEY",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENROUTER_API_KEY",
    "XAI_API_KEY",
    "ZAI_API_KEY",
];

/// Operator credentials that must not be global secrets: an environment with one is not assembled.
pub(crate) const FORBIDDEN_GLOBAL: [&str; 16] = [
    "GITEA_TOKEN",
    "GITEA_PAT",
    "GITHUB_TOKEN",
    "GITHUB_PAT",
    "GH_TOKEN",
    "GITLAB_TOKEN",
    "GL_TOKEN",
    "BITBUCKET_TOKEN",
    "CP_ADMIN_API_TOKEN",
    "CP_ADMIN_TOKEN",
    "INFISICAL_OPERATOR_TOKEN",
    "INFISICAL_BOOTSTRAP_TOKEN",
    "RAILWAY_TOKEN",
    "RAILWAY_PERSONAL_API_TOKEN",
    "HETZNER_TOKEN",
    "HETZNER_API_TOKEN",
];

/// And so is every name that starts like this.
pub(crate) const FORBIDDEN_GLOBAL_PREFIX: &str = "MOLECULE_OPERATOR_";

/// Write tokens of forges that never reach a container (contract §8.6).
pub(crate) const SCM_TOKENS: [&str; 4] = ["GITEA_TOKEN", "GITLAB_TOKEN", "GL_TOKEN", "BITBUCKET_TOKEN"];

/// Whether a name is one of the 23.
pub(crate) fn is_guarded(name: &str) -> bool {
    GUARDED.binary_search(&name).is_ok()
}

/// Whether a global secret of that name stops every provision.
pub(crate) fn is_forbidden_global(name: &str) -> bool {
    FORBIDDEN_GLOBAL.contains(&name) || name.starts_with(FORBIDDEN_GLOBAL_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::catalogue::Catalogue;

    #[test]
    fn guarded_keys_are_sorted_and_differ_from_the_catalogue_as_known() {
        assert!(GUARDED.is_sorted());
        let auth = Catalogue::built_in().auth_names();
        assert_eq!(auth.len(), 31);
        assert_eq!(auth.iter().filter(|name| !is_guarded(name)).count(), 17);
        assert_eq!(GUARDED.iter().filter(|name| !auth.contains(*name)).count(), 9);
    }
}
