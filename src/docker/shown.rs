//! A container as the engine shows it.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerInspectResponse, PortBinding};

/// A container as the engine shows it.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// The image it was made from, as it was named.
    pub image: String,
    /// `created`, `running`, `paused`, `restarting`, `exited`, `dead`.
    pub status: String,
    /// Its process runs (also when paused).
    pub running: bool,
    /// It is frozen.
    pub paused: bool,
    /// How its process ended.
    pub exit_code: i64,
    /// The kernel killed it for its memory.
    pub oom_killed: bool,
    /// How often the engine has started it again.
    pub restarts: i64,
    /// RFC 3339; year 1 when it never was.
    pub started_at: String,
    /// RFC 3339; year 1 when it never did.
    pub finished_at: String,
    /// Why it could not be started.
    pub error: String,
    /// What its image runs, before any arguments.
    pub entrypoint: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Networks and its address on each.
    pub networks: BTreeMap<String, String>,
    /// Its names on any of them.
    pub aliases: Vec<String>,
    /// Path inside and the volume (or folder) that is mounted there.
    pub mounts: BTreeMap<String, String>,
    /// Folders in memory: path and options.
    pub tmpfs: BTreeMap<String, String>,
    /// Bytes; 0 is no limit.
    pub memory: i64,
    /// Billionths of a CPU; 0 is no limit.
    pub nano_cpus: i64,
    /// Privileged.
    pub privileged: bool,
    /// It sees the host's processes.
    pub host_pid: bool,
    /// It has no network of its own.
    pub host_network: bool,
    /// Its root cannot be written to.
    pub read_only: bool,
    /// `no`, `always`, `unless-stopped`, `on-failure`.
    pub restart_policy: String,
    /// Port inside (`8000/tcp`) and the host's addresses that lead to it.
    pub published: BTreeMap<String, Vec<String>>,
}

impl Container {
    /// Changes with every start, so that a container that was started again is a new instance.
    pub fn instance(&self) -> String {
        let id = self.id.get(..12).unwrap_or(&self.id);
        crate::domain::instance::name(id, &self.started_at)
    }
}

/// A name without its slash.
pub(super) fn name_of(name: Option<&String>) -> String {
    name.map(|n| n.trim_start_matches('/').to_owned()).unwrap_or_default()
}

/// Of an answer.
pub(super) fn shown(found: ContainerInspectResponse) -> Container {
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let host = found.host_config.unwrap_or_default();
    let settings = found.network_settings.unwrap_or_default();
    let pair = |line: String| {
        let (name, value) = line.split_once('=').unwrap_or((&line, ""));
        (name.to_owned(), value.to_owned())
    };
    let networks = settings.networks.unwrap_or_default();
    let bound = host.port_bindings.unwrap_or_default();
    let published = settings.ports.unwrap_or_default().into_iter().filter(|(_, on)| on.is_some());
    // An engine shows no ports of what does not run; what it was made with says the same.
    let published: HashMap<_, _> = if state.running == Some(true) { published.collect() } else { bound };
    Container {
        id: found.id.unwrap_or_default(),
        name: name_of(found.name.as_ref()),
        image: config.image.unwrap_or_default(),
        status: state.status.map(|s| s.to_string()).unwrap_or_default(),
        running: state.running.unwrap_or_default(),
        paused: state.paused.unwrap_or_default(),
        exit_code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        restarts: found.restart_count.unwrap_or_default(),
        started_at: state.started_at.unwrap_or_default(),
        finished_at: state.finished_at.unwrap_or_default(),
        error: state.error.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        env: config.env.unwrap_or_default().into_iter().map(pair).collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        aliases: networks.values().flat_map(|end| end.aliases.clone().unwrap_or_default()).collect(),
        networks: networks
            .into_iter()
            .map(|(name, end)| (name, end.ip_address.unwrap_or_default()))
            .collect(),
        mounts: found
            .mounts
            .unwrap_or_default()
            .into_iter()
            .map(|m| {
                let source = m.name.filter(|n| !n.is_empty()).or(m.source);
                (m.destination.unwrap_or_default(), source.unwrap_or_default())
            })
            .collect(),
        tmpfs: host.tmpfs.unwrap_or_default().into_iter().collect(),
        memory: host.memory.unwrap_or_default(),
        nano_cpus: host.nano_cpus.unwrap_or_default(),
        privileged: host.privileged.unwrap_or_default(),
        host_pid: host.pid_mode.as_deref() == Some("host"),
        host_network: host.network_mode.as_deref() == Some("host"),
        read_only: host.readonly_rootfs.unwrap_or_default(),
        restart_policy: host.restart_policy.and_then(|p| p.name).map(|n| n.to_string()).unwrap_or_default(),
        published: published
            .into_iter()
            .map(|(inside, on)| {
                let address = |b: PortBinding| {
                    format!("{}:{}", b.host_ip.unwrap_or_default(), b.host_port.unwrap_or_default())
                };
                (inside, on.unwrap_or_default().into_iter().map(address).collect())
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_changes_with_every_start() {
        let created = Container {
            id: "0123456789abcdef".into(),
            started_at: "0001-01-01T00:00:00Z".into(),
            ..Container::default()
        };
        let first = Container { started_at: "2026-06-13T05:41:00.1Z".into(), ..created.clone() };
        let again = Container { started_at: "2026-06-13T05:42:00.1Z".into(), ..created.clone() };
        assert_eq!(created.instance(), "0123456789ab@created");
        assert_ne!(first.instance(), again.instance());
    }
}
