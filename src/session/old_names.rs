//! Variables of the old scripts that nothing here reads: whoever still sets one is told what to do instead.

use super::env::Env;

/// Each with what there is in its place. The page docs/old-scripts.md has all variables, these among them.
pub const NOT_READ: [(&str, &str); 20] = [
    ("CACHE_TAG", "no tag of an image is moved; the profile's `images` gives further names"),
    ("CP_STUB_BASE", "the control plane is the one of the target"),
    ("E2E_AWS_LEAK_CHECK_INTERVAL", "looks come at a pace of their own"),
    ("E2E_AWS_REGION", "the control plane is asked for instances, not a cloud"),
    (
        "E2E_BILLING_MODE",
        "the cell of `minimal-boot` is paid by the platform; elsewhere E2E_LLM_PATH decides",
    ),
    ("E2E_INSTANCE_ID_GRACE_SECS", "another instance is recognised without an id too"),
    ("E2E_PRIORITY_UNIT_SOURCE", "nothing is sourced"),
    ("E2E_PROVIDER", "the provider follows from the model: E2E_MODEL"),
    ("E2E_RUNTIMES", "name the arms: lifecycle run mock 'runtimes[runtime=codex]'"),
    ("E2E_STALE_WAIT_SECS", "the silence that must be borne is an input: -i quiet=90s"),
    ("E2E_TRANSIENT_RETRIES", "faults of the wire are tried again until the step's deadline"),
    ("GITEA_BRANCH_API", "no tag of an image is looked up"),
    ("HARNESS_GIT_SHA", "set LIFECYCLE_EXPECT_BUILD, or --expect-build"),
    ("KEEP_UP", "a profile comes down in every ending; --base-url names a server that stays"),
    ("LIFECYCLE_LLM", "--profile minimax"),
    ("LIFECYCLE_LLM_KEY", "set the vendor's own variable, for example ANTHROPIC_API_KEY"),
    ("LIFECYCLE_LLM_VALUE", "set the vendor's own variable, for example ANTHROPIC_API_KEY"),
    ("LIFECYCLE_PROVISIONER_BUILDS", "--profile minimax, where the server builds"),
    ("REBUILD", "build before: docker compose build --no-cache"),
    ("STUB_REGISTER_URL", "MOLECULE_WORKSPACE_URL"),
];

/// A line for each that is set.
pub(crate) fn told(env: &Env) -> Vec<String> {
    let set = NOT_READ.iter().filter(|(name, _)| env.get(name).is_some());
    set.map(|(name, instead)| format!("{name} is set and not read: {instead}")).collect()
}
