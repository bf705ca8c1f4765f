//! Workspaces as containers (contract §9).

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::docker::owned::labels;
use crate::docker::{Action, ContainerSpec, Engine, EngineError, ErrorKind, names};
use crate::models::allowlist::has_image;
use crate::redact::Redactor;
use crate::reference::agent::CONTAINER_PORT;
use crate::reference::provision::{Instance, InstanceSpec, Pending, Provisioner, StartError};

/// Who owns the files of the config volume (contract §9.2).
const FILES_OWNER: u32 = 1000;
/// Host ports that are tried for one container.
const PORTS: u32 = 8;
const MIB: i64 = 1 << 20;
const CPU: i64 = 1_000_000_000;

/// How workspaces are run.
pub(super) struct Setup {
    /// Where.
    pub engine: Engine,
    /// The run that owns them.
    pub run: String,
    /// From which image.
    pub image: String,
    /// With which arguments.
    pub command: Vec<String>,
    /// Tiers 3 and 4 may be made.
    pub allow_privileged: bool,
}

/// Runs workspaces as containers; clones share everything.
#[derive(Clone)]
pub(super) struct Containers {
    setup: Arc<Setup>,
    /// Ids of the containers that we made, so that nobody else's is ever touched.
    made: Arc<Mutex<HashMap<Uuid, String>>>,
    /// Starts under way: the engine goes on with them, so nobody may drop them half-way.
    starts: TaskTracker,
}

/// What a tier allows (contract §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    memory: i64,
    cpus: i64,
    privileged: bool,
    read_only: bool,
    host_network: bool,
}

fn tier(number: i64) -> Tier {
    let plain = Tier { memory: 512, cpus: 1, privileged: false, read_only: false, host_network: false };
    match number {
        1 => Tier { memory: 0, cpus: 0, read_only: true, ..plain },
        3 => Tier { memory: 2_048, cpus: 2, privileged: true, ..plain },
        4 => Tier { memory: 4_096, cpus: 4, privileged: true, host_network: true, ..plain },
        _ => plain,
    }
}

impl Containers {
    /// Nothing runs yet.
    pub(super) fn new(setup: Setup) -> Containers {
        Containers { setup: Arc::new(setup), made: Arc::default(), starts: TaskTracker::new() }
    }

    /// Waits until no start is under way.
    pub(super) async fn settled(&self) {
        self.starts.close();
        self.starts.wait().await;
    }

    fn made(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self, workspace: Uuid) -> Option<String> {
        self.made().get(&workspace).cloned()
    }

    async fn boot(&self, spec: InstanceSpec) -> Result<Instance, StartError> {
        if !has_image(&spec.runtime) {
            return Err(StartError::NoImage(spec.runtime));
        }
        let limits = tier(spec.tier);
        if limits.privileged && !self.setup.allow_privileged {
            return Err(StartError::Backend(format!(
                "tier {} is privileged: --allow-privileged permits it",
                spec.tier
            )));
        }
        let workspace = spec.workspace;
        let id = workspace.to_string();
        let engine = &self.setup.engine;
        if spec.reset_session {
            engine.remove_volume(&names::sessions(&id)).await.map_err(refused)?;
        }
        self.make_volumes(&id, &spec.runtime).await.map_err(refused)?;
        let mut tried = 0;
        loop {
            tried += 1;
            let port = free_port().map_err(|e| StartError::Backend(format!("no port: {e}")))?;
            let container = self.container(&spec, limits, port);
            let made = engine.create(&container).await.map_err(refused)?;
            self.made().insert(workspace, made.clone());
            match self.fill_and_start(&spec, &made).await {
                Ok(()) => return self.show(workspace, &made).await,
                Err(failed) => {
                    // Nothing half-made stays.
                    engine.remove(&made).await.map_err(refused)?;
                    match failed {
                        Failed::Port if tried < PORTS => {}
                        Failed::Port => return Err(StartError::Backend("no free host port".to_owned())),
                        Failed::Other(error) => return Err(error),
                    }
                }
            }
        }
    }

    async fn make_volumes(&self, id: &str, runtime: &str) -> Result<(), EngineError> {
        let ours = labels(&self.setup.run);
        let mut managed = ours.clone();
        managed.extend(platform_labels());
        let engine = &self.setup.engine;
        let (configs, workspace, sessions) = (names::configs(id), names::workspace(id), names::sessions(id));
        // The platform does not label the workspace volume; our own label is there to sweep by.
        tokio::try_join!(engine.make_volume(&configs, &managed), engine.make_volume(&workspace, &ours))?;
        if runtime == "claude-code" {
            engine.make_volume(&sessions, &managed).await?;
        }
        Ok(())
    }

    fn container(&self, spec: &InstanceSpec, limits: Tier, port: u16) -> ContainerSpec {
        let id = spec.workspace.to_string();
        let mut binds = vec![format!("{}:/configs", names::configs(&id))];
        if !limits.read_only {
            binds.push(match &spec.workspace_dir {
                Some((folder, access)) if access == "read_only" => format!("{folder}:/workspace:ro"),
                Some((folder, _)) => format!("{folder}:/workspace"),
                None => format!("{}:/workspace", names::workspace(&id)),
            });
            if spec.runtime == "claude-code" {
                binds.push(format!("{}:/root/.claude/sessions", names::sessions(&id)));
            }
        }
        if limits.host_network {
            binds.push("/var/run/docker.sock:/var/run/docker.sock".to_owned());
        }
        let mut env = spec.env.clone();
        env.insert("MOLECULE_WORKSPACE_URL".to_owned(), format!("http://localhost:{port}"));
        let mut all_labels = labels(&self.setup.run);
        all_labels.extend(platform_labels());
        let mut command = self.setup.command.clone();
        if limits.host_network && !command.is_empty() {
            // Nothing is published there: the agent listens on the port itself.
            command.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
        }
        let tmpfs = limits.read_only.then(|| ("/tmp".to_owned(), "size=64m".to_owned()));
        ContainerSpec {
            name: names::container(&id),
            image: self.setup.image.clone(),
            command,
            env,
            labels: all_labels,
            network: (!limits.host_network).then(|| names::NETWORK.to_owned()),
            publish: (!limits.host_network).then_some((CONTAINER_PORT, port)),
            binds,
            tmpfs: tmpfs.into_iter().collect(),
            memory: limits.memory * MIB,
            nano_cpus: limits.cpus * CPU,
            privileged: limits.privileged,
            read_only: limits.read_only,
            restart: true,
        }
    }

    /// Files go in before the start, so that they are there when the agent looks.
    async fn fill_and_start(&self, spec: &InstanceSpec, container: &str) -> Result<(), Failed> {
        let engine = &self.setup.engine;
        let brings_config = spec.first || spec.files.contains_key("config.yaml");
        if !brings_config && !engine.has_file(container, "/configs/config.yaml").await? {
            return Err(Failed::Other(StartError::EmptyVolume(spec.workspace)));
        }
        engine.put_files(container, "/configs", &spec.files, FILES_OWNER).await?;
        let started = engine.act(container, Action::Start).await;
        // People know it by its name.
        let named = |e: EngineError| EngineError {
            what: e.what.replace(container, &names::container(&spec.workspace.to_string())),
            ..e
        };
        Ok(started.map_err(named)?)
    }

    async fn show(&self, workspace: Uuid, container: &str) -> Result<Instance, StartError> {
        let gone = || StartError::Backend("it was removed while it started".to_owned());
        self.look(workspace, container).await.map_err(refused)?.ok_or_else(gone)
    }

    async fn look(&self, workspace: Uuid, container: &str) -> Result<Option<Instance>, EngineError> {
        let found = self.setup.engine.inspect(container).await?;
        Ok(found.map(|c| Instance {
            instance: c.instance(),
            workspace_id: workspace,
            url: c.env.get("MOLECULE_WORKSPACE_URL").cloned().unwrap_or_default(),
            started_at: c.started_at.clone(),
            running: c.running,
            env: c.env,
        }))
    }
}

enum Failed {
    Port,
    Other(StartError),
}

impl From<EngineError> for Failed {
    fn from(error: EngineError) -> Self {
        if error.kind == ErrorKind::PortTaken { Failed::Port } else { Failed::Other(refused(error)) }
    }
}

fn refused(error: EngineError) -> StartError {
    StartError::Backend(error.what)
}

/// The platform's own labels; it has no database, so its instance is the default one.
fn platform_labels() -> BTreeMap<String, String> {
    [(names::MANAGED, "true"), (names::INSTANCE, "default")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Provisioner for Containers {
    fn start(&self, spec: InstanceSpec) -> Pending<'_, Result<Instance, StartError>> {
        Box::pin(async move {
            let own = self.clone();
            let started = self.starts.spawn(async move { own.boot(spec).await }).await;
            started.unwrap_or_else(|e| Err(StartError::Backend(e.to_string())))
        })
    }

    fn stop(&self, workspace: Uuid) -> Pending<'_, Result<(), String>> {
        Box::pin(async move {
            match self.id(workspace) {
                Some(id) => self.setup.engine.remove(&id).await.map(|_| ()).map_err(|e| e.what),
                None => Ok(()),
            }
        })
    }

    fn is_running(&self, workspace: Uuid) -> Pending<'_, Result<bool, String>> {
        Box::pin(async move {
            let Some(id) = self.id(workspace) else { return Ok(false) };
            let found = self.setup.engine.inspect(&id).await.map_err(|e| e.what)?;
            Ok(found.is_some_and(|c| c.running))
        })
    }

    fn instance(&self, workspace: Uuid) -> Pending<'_, Option<Instance>> {
        Box::pin(async move {
            let id = self.id(workspace)?;
            self.look(workspace, &id).await.ok().flatten()
        })
    }

    fn instances(&self) -> Pending<'_, Vec<Instance>> {
        Box::pin(async move {
            let made: Vec<(Uuid, String)> = self.made().iter().map(|(k, v)| (*k, v.clone())).collect();
            let looks = made.iter().map(|(workspace, id)| self.look(*workspace, id));
            let found = futures_util::future::join_all(looks).await;
            found.into_iter().filter_map(|look| look.ok().flatten()).collect()
        })
    }

    fn volumes(&self) -> Pending<'_, Vec<String>> {
        Box::pin(async move {
            let found = self.setup.engine.volumes(names::RUN, Some(&self.setup.run)).await;
            found.unwrap_or_default().into_iter().map(|v| v.name).filter(|n| n.starts_with("ws-")).collect()
        })
    }

    fn remove_volumes(&self, workspace: Uuid, also_workspace: bool) -> Pending<'_, Result<(), String>> {
        Box::pin(async move {
            let id = workspace.to_string();
            let engine = &self.setup.engine;
            let (configs, sessions) = (names::configs(&id), names::sessions(&id));
            tokio::try_join!(engine.remove_volume(&configs), engine.remove_volume(&sessions))
                .map_err(|e| e.what)?;
            if also_workspace {
                engine.remove_volume(&names::workspace(&id)).await.map_err(|e| e.what)?;
            }
            Ok(())
        })
    }

    fn empty_config(&self, workspace: Uuid) -> Pending<'_, ()> {
        Box::pin(async move {
            let _ = self.setup.engine.remove_volume(&names::configs(&workspace.to_string())).await;
        })
    }

    fn logs(&self, workspace: Uuid, lines: usize) -> Pending<'_, Vec<String>> {
        Box::pin(async move {
            let Some(id) = self.id(workspace) else { return Vec::new() };
            self.setup.engine.logs(&id, lines, &Redactor::new()).await.unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_the_contracts() {
        assert!(tier(1).read_only && !tier(1).privileged);
        for unprivileged in [0, 2, 7] {
            assert_eq!(tier(unprivileged), tier(2));
        }
        assert!(tier(3).privileged && !tier(3).host_network);
        assert!(tier(4).privileged && tier(4).host_network);
        assert_eq!((tier(2).memory, tier(3).memory, tier(4).memory), (512, 2_048, 4_096));
    }
}
