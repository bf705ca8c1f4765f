//! Names and labels (contract §9).

/// The network of workspaces.
pub const NETWORK: &str = "molecule-core-net";
/// The engine's own network, on which nobody knows anybody's name.
pub const BRIDGE: &str = "bridge";
/// The platform's own label.
pub const MANAGED: &str = "molecule.platform.managed";
/// Which platform.
pub const INSTANCE: &str = "molecule.platform.instance";
/// Ours: which run made it. Everything that we make through the engine bears it.
pub const RUN: &str = "lifecycle.run";
/// Ours: which process, as [`super::owner::Owner`] writes it.
pub const OWNER: &str = "lifecycle.owner";
/// Ours: an agent image.
pub const AGENT: &str = "lifecycle.agent";
/// Ours: this volume says that a run uses the network that one of our runs made.
pub const LEASE: &str = "lifecycle.lease";

/// `ws-<uuid>`.
pub fn container(workspace: &str) -> String {
    format!("ws-{workspace}")
}

/// Whether a container bears the name of a workspace: whole, or as older servers gave it (contract §9).
pub fn is_of(name: &str, workspace: &str) -> bool {
    let short = workspace.get(..12).filter(|short| short.len() < workspace.len());
    name == container(workspace) || short.is_some_and(|short| name == container(short))
}

/// `/configs`.
pub fn configs(workspace: &str) -> String {
    format!("ws-{workspace}-configs")
}

/// `/workspace`.
pub fn workspace(workspace: &str) -> String {
    format!("ws-{workspace}-workspace")
}

/// Sessions of claude-code.
pub fn sessions(workspace: &str) -> String {
    format!("ws-{workspace}-claude-sessions")
}

/// All three volumes.
pub fn volumes(id: &str) -> [String; 3] {
    [configs(id), workspace(id), sessions(id)]
}
