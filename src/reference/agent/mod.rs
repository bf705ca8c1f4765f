//! The reference agent: what runs inside a workspace (contract §9.3).
//!
//! It registers, sends heartbeats, answers JSON-RPC, and asks the model that its environment names
//! exactly as the runtime's own client would. One implementation, embedded as a task or as a process.

mod config;
mod core;
mod loops;
mod memory;
mod model;
mod overrides;
mod rpc;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::core::Core;
pub(crate) use self::core::{CONTAINER_PORT, FAULTS_VARIABLE};
use config::Config;
pub(crate) use config::ConfigFiles;

use super::clock::Clock;
use super::options::AgentKind;
use super::outbound::Outbound;
use crate::clock::Instant;
use crate::wire::{self, Place};

/// An agent process that ends as soon as it starts.
const EXIT_AT_ONCE: &str = "exit-at-once";
/// An agent process that takes all the memory it may have.
const OUT_OF_MEMORY: &str = "takes-all-memory";

/// What an embedded agent is made from.
pub(crate) struct Embed {
    /// Taken already.
    pub place: Place,
    /// The whole environment of the instance.
    pub env: BTreeMap<String, String>,
    /// The config volume.
    pub config: ConfigFiles,
    /// What it answers.
    pub kind: AgentKind,
    /// The platform's clock.
    pub clock: Clock,
    /// Time between heartbeats, in contract time.
    pub heartbeat: Duration,
    /// The HTTP client.
    pub outbound: Outbound,
}

/// What an agent process is started with. The caller reads the environment.
pub(crate) struct Settings {
    /// The process's environment: `WORKSPACE_ID`, `PLATFORM_URL` and what the model needs.
    pub env: BTreeMap<String, String>,
    /// Where to listen; inside a container every address, port 8000.
    pub listen: SocketAddr,
    /// What it answers.
    pub kind: AgentKind,
    /// Time between heartbeats, in contract time.
    pub heartbeat: Duration,
    /// How much faster than real time the platform's clock runs.
    pub time_scale: f64,
    /// Gets every line of the agent's log: a container's log is what its process prints.
    pub tell: Option<fn(&str)>,
}

/// An agent that runs.
pub(crate) struct Agent {
    core: Arc<Core>,
    closed: CancellationToken,
    tasks: TaskTracker,
}

/// An agent process that runs.
pub(crate) struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    agent: Agent,
}

/// Starts an agent as tasks of this process.
pub(crate) fn embed(parts: Embed) -> Agent {
    let core = Core {
        env: parts.env,
        config: Config::Memory(parts.config),
        kind: parts.kind,
        clock: parts.clock,
        heartbeat: parts.heartbeat,
        outbound: parts.outbound,
        started: Instant::now(),
        busy: AtomicI64::new(0),
        heard: AtomicI64::new(0),
        log: Mutex::default(),
        tell: None,
    };
    launch(core, parts.place)
}

/// Starts an agent as a process would (contract §9.3).
///
/// # Errors
/// A missing variable, or an address that cannot be listened on.
pub(crate) async fn start(settings: Settings) -> io::Result<Running> {
    let mut settings = settings;
    // The other name under which a platform tells the same.
    if settings.env.get("PLATFORM_URL").is_none_or(|v| v.trim().is_empty())
        && let Some(url) = settings.env.get("MOLECULE_URL").cloned()
    {
        settings.env.insert("PLATFORM_URL".to_owned(), url);
    }
    for name in ["WORKSPACE_ID", "PLATFORM_URL"] {
        if settings.env.get(name).is_none_or(|v| v.trim().is_empty()) {
            let text = format!("an agent needs {name} in its environment");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    }
    let told = settings.env.get(FAULTS_VARIABLE).map(String::as_str).unwrap_or_default();
    if told.split(',').any(|fault| fault == EXIT_AT_ONCE) {
        return Err(io::Error::other("its environment tells it to end at once"));
    }
    let place = Place::take(None, settings.listen).await?;
    let addr = place.local_addr()?;
    let directory = settings.env.get("WORKSPACE_CONFIG_PATH").map_or("/configs", String::as_str);
    let core = Core {
        config: Config::Directory(PathBuf::from(directory)),
        env: settings.env,
        kind: settings.kind,
        clock: Clock::new(settings.time_scale),
        heartbeat: settings.heartbeat,
        outbound: Outbound::new()?,
        started: Instant::now(),
        busy: AtomicI64::new(0),
        heard: AtomicI64::new(0),
        log: Mutex::default(),
        tell: settings.tell,
    };
    Ok(Running { addr, agent: launch(core, place) })
}

fn launch(core: Core, place: Place) -> Agent {
    let core = Arc::new(core);
    let closed = CancellationToken::new();
    let tasks = TaskTracker::new();
    // It listens before it registers, so that nobody is told of an address that does not answer.
    let serving = wire::serve(place, rpc::app(Arc::clone(&core)), closed.clone());
    tasks.spawn(async move {
        let _ = serving.await;
    });
    if core.is_process() && core.fault(OUT_OF_MEMORY) {
        let core = Arc::clone(&core);
        tasks.spawn(async move { core.say(&memory::take_all(&core).await) });
    } else if !core.fault("never-online") {
        let (core, closed) = (Arc::clone(&core), closed.clone());
        tasks.spawn(async move {
            let _ = closed.run_until_cancelled(loops::speak(core)).await;
        });
    }
    tasks.close();
    Agent { core, closed, tasks }
}

impl Agent {
    /// Whether it has not been stopped.
    pub(crate) fn is_running(&self) -> bool {
        !self.closed.is_cancelled()
    }

    /// Ends it at once: its port is free and its connections are cut when this returns.
    pub(crate) async fn stop(&self) {
        self.closed.cancel();
        self.tasks.wait().await;
    }

    /// The last lines of its log.
    pub(crate) fn logs(&self, lines: usize) -> Vec<String> {
        let log = self.core.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().skip(log.len().saturating_sub(lines)).cloned().collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Running {
    /// Ends it.
    pub(crate) async fn stop(self) {
        self.agent.stop().await;
    }
}

#[cfg(test)]
mod tests;
