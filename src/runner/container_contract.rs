//! Is a container made as the contract says (§9)? Pure: the container as the engine shows it, against what was asked for.

use serde_json::Value;

use crate::docker::{Container, names};

/// What the container was to be made for.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    /// The workspace's id.
    pub id: String,
    /// Its tier.
    pub tier: i64,
    /// Its runtime.
    pub runtime: String,
    /// A folder of the host in place of the workspace volume.
    pub folder: Option<String>,
    /// The engine keeps limits at all.
    pub limited: bool,
}

impl Made {
    /// From what was sent at create.
    pub(super) fn from_create(id: &str, runtime: &str, sent: &Value) -> Made {
        let text = |field: &str| sent.get(field).and_then(Value::as_str).filter(|t| !t.is_empty());
        let mounts = matches!(text("workspace_access"), Some("read_only" | "read_write"));
        Made {
            limited: true,
            id: id.to_owned(),
            tier: sent.get("tier").and_then(Value::as_i64).unwrap_or(2),
            runtime: runtime.to_owned(),
            folder: text("workspace_dir").filter(|_| mounts).map(str::to_owned),
        }
    }
}

const MIB: i64 = 1 << 20;
const CPU: i64 = 1_000_000_000;
/// Where the agent listens.
const PORT: &str = "8000/tcp";

/// Everything that is not as the contract says: what, what it is, what was expected.
pub(super) fn broken(container: &Container, made: &Made) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |what: &str, is: &str, expected: &str| {
        if is != expected {
            let is = if is.is_empty() { "nothing" } else { is };
            wrong.push(format!("{what} is {is}, expected {expected} (contract §9)"));
        }
    };
    let label = |name: &str| container.labels.get(name).map_or("", String::as_str);
    let name = names::container(&made.id);
    same("its name", &container.name, &name);
    same(&format!("label {}", names::MANAGED), label(names::MANAGED), "true");
    if label(names::INSTANCE).is_empty() {
        same(&format!("label {}", names::INSTANCE), "", "the platform's instance");
    }
    same("its restart policy", &container.restart_policy, "unless-stopped");
    let mounted = |path: &str| container.mounts.get(path).map_or("", String::as_str);
    same("/configs", mounted("/configs"), &names::configs(&made.id));
    let (workspace, sessions) = (mounted("/workspace"), mounted("/root/.claude/sessions"));
    if made.tier == 1 {
        same("/workspace", if workspace.is_empty() { "no volume" } else { workspace }, "no volume");
        same("/tmp", if container.tmpfs.contains_key("/tmp") { "in memory" } else { "on disk" }, "in memory");
    } else {
        let volume = names::workspace(&made.id);
        same("/workspace", workspace, made.folder.as_deref().unwrap_or(&volume));
        if made.runtime == "claude-code" {
            same("/root/.claude/sessions", sessions, &names::sessions(&made.id));
        }
    }
    let said = |is: bool| if is { "yes" } else { "no" };
    let (privileged, host_network) = (matches!(made.tier, 3 | 4), made.tier == 4);
    same("privileged", said(container.privileged), said(privileged));
    same("the host's processes in sight", said(container.host_pid), said(privileged));
    same("the host's network", said(container.host_network), said(host_network));
    same("a root that cannot be written to", said(container.read_only), said(made.tier == 1));
    let (memory, cpus) = match made.tier {
        1 => (0, 0),
        3 => (2_048, 2),
        4 => (4_096, 4),
        _ => (512, 1),
    };
    let limit = |n: i64, unit: i64, word: &str| match n {
        0 => "no limit".to_owned(),
        n if n % unit == 0 => format!("{} {word}", n / unit),
        n => format!("{n} of {unit} {word}"),
    };
    if made.limited {
        same("memory", &limit(container.memory, MIB, "MiB"), &limit(memory * MIB, MIB, "MiB"));
        same("processors", &limit(container.nano_cpus, CPU, "CPU"), &limit(cpus * CPU, CPU, "CPU"));
    }
    if host_network {
        same("/var/run/docker.sock", mounted("/var/run/docker.sock"), "/var/run/docker.sock");
        return wrong;
    }
    let networks: Vec<&str> = container.networks.keys().map(String::as_str).collect();
    same("its network", &networks.join(", "), names::NETWORK);
    if !container.aliases.contains(&name) {
        same("its alias there", &container.aliases.join(", "), &name);
    }
    let addresses = container.published.get(PORT).map(|all| all.join(", ")).unwrap_or_default();
    let port = addresses.strip_prefix("127.0.0.1:").filter(|p| p.parse::<u16>().is_ok_and(|p| p > 0));
    match port {
        None => same("port 8000", &addresses, "published once, on 127.0.0.1"),
        Some(port) => {
            let url = container.env.get("MOLECULE_WORKSPACE_URL").map_or("", String::as_str);
            if !url.ends_with(&format!(":{port}")) {
                same("MOLECULE_WORKSPACE_URL", url, &format!("port {port}, the published one"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Made {
        Made { id: "w".into(), tier: 2, runtime: "claude-code".into(), folder: None, limited: true }
    }

    fn good() -> Container {
        let pairs =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Container {
            name: "ws-w".into(),
            labels: pairs(&[(names::MANAGED, "true"), (names::INSTANCE, "default")]),
            restart_policy: "unless-stopped".into(),
            mounts: pairs(&[
                ("/configs", "ws-w-configs"),
                ("/workspace", "ws-w-workspace"),
                ("/root/.claude/sessions", "ws-w-claude-sessions"),
            ]),
            networks: pairs(&[(names::NETWORK, "172.18.0.2")]),
            aliases: vec!["ws-w".into(), "0123456789ab".into()],
            env: pairs(&[("MOLECULE_WORKSPACE_URL", "http://localhost:41000")]),
            published: [(PORT.to_owned(), vec!["127.0.0.1:41000".to_owned()])].into(),
            memory: 512 * MIB,
            nano_cpus: CPU,
            ..Container::default()
        }
    }

    #[test]
    fn a_container_of_the_contract_is_right() {
        assert_eq!(broken(&good(), &made()), Vec::<String>::new());
        let codex = Made { runtime: "codex".into(), ..made() };
        let mut without_sessions = good();
        without_sessions.mounts.remove("/root/.claude/sessions");
        assert_eq!(broken(&without_sessions, &codex), Vec::<String>::new());
    }

    #[test]
    fn an_engine_without_limits_is_not_the_platforms_fault() {
        let bare = Container { memory: 0, nano_cpus: 0, ..good() };
        assert_eq!(broken(&bare, &Made { limited: false, ..made() }), Vec::<String>::new());
        assert_eq!(broken(&bare, &made()).len(), 2);
    }

    #[test]
    fn each_departure_is_named_alone() {
        type Spoil = fn(&mut Container);
        let spoilt: [(Spoil, &str); 14] = [
            (|c| c.labels.clear(), "label molecule.platform.managed is nothing, expected true"),
            (|c| c.restart_policy = "always".into(), "its restart policy is always"),
            (|c| c.memory = 0, "memory is no limit, expected 512 MiB"),
            (|c| c.memory = 1_000 * MIB, "memory is 1000 MiB, expected 512 MiB"),
            (|c| c.nano_cpus = CPU / 2, "processors is 500000000 of 1000000000 CPU, expected 1 CPU"),
            (|c| c.privileged = true, "privileged is yes, expected no"),
            (|c| c.host_pid = true, "the host's processes in sight is yes"),
            (|c| c.networks.clear(), "its network is nothing, expected molecule-core-net"),
            (|c| c.aliases.clear(), "its alias there is nothing, expected ws-w"),
            (|c| c.published.clear(), "port 8000 is nothing, expected published once, on 127.0.0.1"),
            (
                |c| _ = c.published.insert(PORT.into(), vec!["0.0.0.0:41000".into()]),
                "port 8000 is 0.0.0.0:41000",
            ),
            (
                |c| _ = c.published.insert(PORT.into(), vec!["127.0.0.1:41001".into()]),
                "MOLECULE_WORKSPACE_URL is http://localhost:41000, expected port 41001",
            ),
            (|c| _ = c.mounts.remove("/configs"), "/configs is nothing, expected ws-w-configs"),
            (
                |c| _ = c.mounts.insert("/workspace".into(), "ws-x-workspace".into()),
                "/workspace is ws-x-workspace, expected ws-w-workspace",
            ),
        ];
        for (spoil, expected) in spoilt {
            let mut container = good();
            spoil(&mut container);
            let wrong = broken(&container, &made());
            assert!(wrong.iter().any(|w| w.contains(expected)), "{expected}: {wrong:?}");
            assert!(wrong.len() <= 2, "{expected}: {wrong:?}");
        }
    }

    #[test]
    fn tiers_differ() {
        let privileged = Made { tier: 3, ..made() };
        let wrong = broken(&good(), &privileged);
        assert_eq!(wrong.len(), 4, "privileged, processes, memory, processors: {wrong:?}");
        let bare = Made { tier: 1, ..made() };
        assert!(broken(&good(), &bare).iter().any(|w| w.starts_with("memory is 512 MiB, expected no limit")));
    }
}
