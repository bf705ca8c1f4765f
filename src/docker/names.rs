//! Names and labels (contract §9).

use uuid::Uuid;

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

/// Our agent images; the tag is what [`AGENT`] says.
pub const REPOSITORY: &str = "lifecycle-agent";

/// `lifecycle-agent:<version>-<hash>`.
pub fn agent_image(tag: &str) -> String {
    format!("{REPOSITORY}:{tag}")
}

/// `lifecycle-probe-<uuid>`: asks from inside, for a moment.
pub fn probe() -> String {
    format!("{PROBE}{}", crate::chance::uuid())
}

const PROBE: &str = "lifecycle-probe-";

/// `lifecycle-<run>-<part>`: what a profile brings up.
pub fn part(run: &str, part: &str) -> String {
    format!("lifecycle-{run}-{part}")
}

/// `lifecycle-lease-<run>`.
pub fn lease(run: &str) -> String {
    format!("lifecycle-lease-{run}")
}

/// Whether a run of ours may have given a container this name. A label alone says little: an image that was made
/// of a container of ours hands it on to whatever is started from it.
pub fn is_given_by(run: &str, name: &str) -> bool {
    let id = [PROBE, WORKSPACE].iter().find_map(|prefix| name.strip_prefix(prefix));
    id.is_some_and(is_workspace)
        || (!run.is_empty() && name.strip_prefix(&part(run, "")).is_some_and(|part| !part.is_empty()))
}

/// Whether a text can be the id of a workspace: a UUID as platforms write them. A server may say anything.
pub fn is_workspace(id: &str) -> bool {
    Uuid::try_parse(id).is_ok_and(|uuid| uuid.hyphenated().to_string() == id)
}

const WORKSPACE: &str = "ws-";

/// `ws-<uuid>`.
pub fn container(workspace: &str) -> String {
    format!("{WORKSPACE}{workspace}")
}

/// `ws-<first 12>`, as older servers called it (contract §9).
pub fn legacy(workspace: &str) -> Option<String> {
    workspace.get(..12).filter(|short| short.len() < workspace.len()).map(container)
}

/// Whether a container bears the name of a workspace, whole or as older servers gave it.
pub fn is_of(name: &str, workspace: &str) -> bool {
    name == container(workspace) || legacy(workspace).is_some_and(|older| name == older)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ours_is_one_that_we_give() {
        let run = "20260101-000000-0badcafe";
        let id = "0b1e6c1e-0d5c-4f0e-9a55-0123456789ab";
        for (name, is) in [
            (container(id), true),
            (probe(), true),
            (part(run, "server"), true),
            (part(run, ""), false),
            (part("20260102-000000-0badcafe", "server"), false),
            ("quirky_turing".to_owned(), false),
            ("ws-mine".to_owned(), false),
            (format!("ws-{id}-2"), false),
            (container(&id.replace('-', "")), false),
            ("lifecycle-probe-1".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_given_by(run, &name), is, "{name}");
        }
        assert!(!is_given_by("", "lifecycle--x"));
        for id in ["1", "..", "", "../../x", "urn:uuid:0b1e6c1e-0d5c-4f0e-9a55-0123456789ab"] {
            assert!(!is_workspace(id), "{id}");
        }
    }
}
