//! What no server may put into a workspace.

/// Names that no server may put into a workspace: the control plane refuses them since August.
pub(crate) fn privileged(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "ADMIN_TOKEN",
        "MOLECULE_ADMIN_TOKEN",
        "SECRETS_ENCRYPTION_KEY",
        "DATABASE_URL",
        "REDIS_URL",
        "CP_ADMIN_API_TOKEN",
        "MOLECULE_CP_SHARED_SECRET",
        "PROVISION_SHARED_SECRET",
        "MOLECULE_REGISTRY_TOKEN",
    ];
    NAMES.contains(&name)
}
