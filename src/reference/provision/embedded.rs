//! Instances as tasks of this process, each with a port and a volume of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use super::{Instance, InstanceSpec, Pending, Provisioner, StartError};
use crate::models::allowlist::has_image;
use crate::reference::agent::{self, Agent, ConfigFiles};
use crate::reference::clock::{Clock, wall};
use crate::reference::options::{AgentKind, BootTiming};
use crate::reference::outbound::Outbound;
use crate::wire::{Network, Place};

/// Runs agents as tasks.
pub(crate) struct Embedded {
    clock: Clock,
    boot: BootTiming,
    kind: AgentKind,
    heartbeat: Duration,
    slower: Duration,
    outbound: Outbound,
    network: Option<Network>,
    advertise: Option<String>,
    state: Mutex<Inner>,
}

struct Inner {
    jitter: SmallRng,
    slots: BTreeMap<Uuid, Slot>,
    volumes: BTreeSet<String>,
}

#[derive(Default)]
struct Slot {
    config: ConfigFiles,
    instance: Option<(Instance, Agent)>,
}

/// How an embedded backend is set up.
pub(crate) struct Setup {
    /// Its clock.
    pub clock: Clock,
    /// How long things take.
    pub boot: BootTiming,
    /// What it runs.
    pub kind: AgentKind,
    /// How often agents send a heartbeat, in contract time.
    pub heartbeat: Duration,
    /// How much longer than usual a boot takes, in contract time.
    pub slower: Duration,
    /// Decides jitter.
    pub seed: u64,
    /// The HTTP client that agents use.
    pub outbound: Outbound,
    /// Where agents listen instead of on sockets.
    pub network: Option<Network>,
    /// The host name under which agents are reached from elsewhere; `None`: this machine alone, as `localhost`.
    pub advertise: Option<String>,
}

fn config_volume(workspace: Uuid) -> String {
    format!("ws-{workspace}-configs")
}

fn workspace_volume(workspace: Uuid) -> String {
    format!("ws-{workspace}-workspace")
}

fn sessions_volume(workspace: Uuid) -> String {
    format!("ws-{workspace}-claude-sessions")
}

impl Embedded {
    /// An empty backend.
    pub(crate) fn new(setup: Setup) -> Embedded {
        Embedded {
            clock: setup.clock,
            boot: setup.boot,
            kind: setup.kind,
            heartbeat: setup.heartbeat,
            slower: setup.slower,
            outbound: setup.outbound,
            network: setup.network,
            advertise: setup.advertise,
            state: Mutex::new(Inner {
                jitter: SmallRng::seed_from_u64(setup.seed),
                slots: BTreeMap::new(),
                volumes: BTreeSet::new(),
            }),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn boot_time(&self) -> Duration {
        let share = self.boot.jitter.clamp(0.0, 1.0);
        let factor =
            if share > 0.0 { self.lock().jitter.random_range(1.0 - share..=1.0 + share) } else { 1.0 };
        self.boot.provision.mul_f64(factor) + self.slower
    }

    async fn boot(&self, spec: InstanceSpec) -> Result<Instance, StartError> {
        if !has_image(&spec.runtime) {
            return Err(StartError::NoImage(spec.runtime));
        }
        let workspace = spec.workspace;
        let config = {
            let mut state = self.lock();
            let slot = state.slots.entry(workspace).or_default();
            if !spec.first && !spec.files.contains_key("config.yaml") && !slot.config.has("config.yaml") {
                return Err(StartError::EmptyVolume(workspace));
            }
            slot.config.write(spec.files);
            slot.config.clone()
        };
        self.clock.sleep(self.boot_time()).await;
        let (bind, host) = match &self.advertise {
            None => (Ipv4Addr::LOCALHOST, "localhost"),
            Some(host) => (Ipv4Addr::UNSPECIFIED, host.as_str()),
        };
        let place = Place::take(self.network.as_ref(), SocketAddr::from((bind, 0)))
            .await
            .map_err(|e| StartError::Backend(format!("no port: {e}")))?;
        let port = place.local_addr().map_err(|e| StartError::Backend(e.to_string()))?.port();
        let url = format!("http://{host}:{port}");
        let mut env = spec.env;
        env.insert("MOLECULE_WORKSPACE_URL".to_owned(), url.clone());
        let instance = Instance {
            instance: crate::chance::uuid().simple().to_string(),
            workspace_id: workspace,
            url,
            started_at: wall(),
            env: env.clone(),
            running: true,
        };
        let agent = agent::embed(agent::Embed {
            place,
            env,
            config: config.clone(),
            kind: self.kind,
            clock: self.clock.clone(),
            heartbeat: self.heartbeat,
            outbound: self.outbound.clone(),
        });
        let mut state = self.lock();
        // A delete in the meantime has removed what was there; the container comes up all the same.
        state.volumes.extend([config_volume(workspace), workspace_volume(workspace)]);
        if spec.runtime == "claude-code" {
            state.volumes.insert(sessions_volume(workspace));
        }
        let running = Some((instance.clone(), agent));
        state.slots.insert(workspace, Slot { config, instance: running });
        Ok(instance)
    }
}

impl Provisioner for Embedded {
    fn start(&self, spec: InstanceSpec) -> Pending<'_, Result<Instance, StartError>> {
        Box::pin(self.boot(spec))
    }

    fn stop(&self, workspace: Uuid) -> Pending<'_, Result<(), String>> {
        Box::pin(async move {
            if self.lock().slots.get(&workspace).is_none_or(|s| s.instance.is_none()) {
                return Ok(());
            }
            self.clock.sleep(self.boot.stop).await;
            let stopped = self.lock().slots.get_mut(&workspace).and_then(|s| s.instance.take());
            if let Some((_, agent)) = stopped {
                agent.stop().await;
            }
            Ok(())
        })
    }

    fn is_running(&self, workspace: Uuid) -> Pending<'_, Result<bool, String>> {
        Box::pin(async move {
            Ok(self
                .lock()
                .slots
                .get(&workspace)
                .and_then(|s| s.instance.as_ref())
                .is_some_and(|(_, agent)| agent.is_running()))
        })
    }

    fn instance(&self, workspace: Uuid) -> Pending<'_, Option<Instance>> {
        Box::pin(async move { self.lock().slots.get(&workspace).and_then(Slot::shown) })
    }

    fn instances(&self) -> Pending<'_, Vec<Instance>> {
        Box::pin(async move {
            let mut found: Vec<Instance> = self.lock().slots.values().filter_map(Slot::shown).collect();
            found.sort_by(|a, b| a.started_at.cmp(&b.started_at));
            found
        })
    }

    fn volumes(&self) -> Pending<'_, Vec<String>> {
        Box::pin(async move { self.lock().volumes.iter().cloned().collect() })
    }

    fn remove_volumes(&self, workspace: Uuid, also_workspace: bool) -> Pending<'_, Result<(), String>> {
        Box::pin(async move {
            let mut state = self.lock();
            state.volumes.remove(&config_volume(workspace));
            state.volumes.remove(&sessions_volume(workspace));
            if also_workspace {
                state.volumes.remove(&workspace_volume(workspace));
            }
            if state.slots.get(&workspace).is_some_and(|s| s.instance.is_none()) {
                state.slots.remove(&workspace);
            }
            Ok(())
        })
    }

    fn empty_config(&self, workspace: Uuid) -> Pending<'_, ()> {
        Box::pin(async move {
            if let Some(slot) = self.lock().slots.get(&workspace) {
                slot.config.clear();
            }
        })
    }

    fn logs(&self, workspace: Uuid, lines: usize) -> Pending<'_, Vec<String>> {
        Box::pin(async move {
            self.lock()
                .slots
                .get(&workspace)
                .and_then(|s| s.instance.as_ref())
                .map(|(_, agent)| agent.logs(lines))
                .unwrap_or_default()
        })
    }
}

impl Slot {
    fn shown(&self) -> Option<Instance> {
        let (instance, agent) = self.instance.as_ref()?;
        Some(Instance { running: agent.is_running(), ..instance.clone() })
    }
}

/// A backend that others can hold.
pub(crate) fn shared(setup: Setup) -> Arc<dyn Provisioner> {
    Arc::new(Embedded::new(setup))
}
