//! Starting and stopping a reference platform.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use super::faults::{Fault, Faults};
pub use super::options::{AgentKind, BootTiming, Mode, Options, ProvisionerKind};
use super::platform::Platform;
use super::{routes, sweeps};
use crate::behaviour::Behaviour;
use crate::wire::{self, Place};

/// How many instances are stopped at once.
const AT_ONCE: usize = 16;

/// A platform that serves.
pub struct Running {
    /// Where it listens, the first address of the options.
    pub addr: SocketAddr,
    platform: Arc<Platform>,
    closed: CancellationToken,
    servers: Vec<JoinHandle<()>>,
}

/// Starts a platform.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn start(options: Options) -> io::Result<Running> {
    let mut addresses = options.listen.clone();
    if addresses.is_empty() {
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    let mut places = Vec::new();
    for address in addresses {
        places.push(Place::take(options.network.as_ref(), address).await?);
    }
    let addr =
        places.first().map_or_else(|| Err(io::ErrorKind::AddrNotAvailable.into()), Place::local_addr)?;
    let platform_url = options.platform_url.clone().unwrap_or_else(|| url_of(addr));
    let platform = Arc::new(Platform::new(options, platform_url)?);
    let closed = CancellationToken::new();
    let servers = places
        .into_iter()
        .map(|place| wire::serve(place, routes::app(Arc::clone(&platform)), closed.clone()))
        .collect();
    if platform.does(Behaviour::SeededPlatformAgent) && !platform.saas() {
        platform.state().seed_platform_agent(crate::chance::uuid());
    }
    sweeps::start(&platform);
    Ok(Running { addr, platform, closed, servers })
}

/// As a client on this machine writes it.
pub fn url_of(addr: SocketAddr) -> String {
    let ip = match addr.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, addr.port()))
}

impl Running {
    /// The URL that a client on this machine uses; no slash at the end.
    pub fn base_url(&self) -> String {
        url_of(self.addr)
    }

    /// What the tests set up and look at behind the routes.
    #[cfg(test)]
    pub(super) fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    /// Answers a request that came in by another door.
    pub(super) async fn answer(
        &self,
        peer: &wire::Peer,
        request: axum::http::Request<axum::body::Body>,
    ) -> axum::response::Response {
        routes::answer(Arc::clone(&self.platform), peer.clone(), request).await
    }

    /// Writes a line into the server's log.
    pub(super) fn say(&self, line: &str) {
        self.platform.say(line);
    }

    /// Ids and names of the workspaces that are there, for whoever checks what a run left.
    pub fn workspaces(&self) -> Vec<(Uuid, String)> {
        self.platform.state().live().map(|w| (w.id, w.name.clone())).collect()
    }

    /// The workspaces that have an instance, whatever the rows say.
    pub async fn instances(&self) -> Vec<Uuid> {
        self.platform.provisioner.instances().await.into_iter().map(|one| one.workspace_id).collect()
    }

    /// The server's own log, oldest line first.
    pub fn log(&self) -> Vec<String> {
        self.platform.log()
    }

    /// Reads that log for as long as anybody wants it.
    pub fn log_reader(&self) -> impl Fn() -> Vec<String> + Send + Sync + use<> {
        let platform = Arc::clone(&self.platform);
        move || platform.log()
    }

    /// The server's environment, with what `llm_proxy` added: a provider has to know the usage token.
    pub fn server_env(&self) -> &BTreeMap<String, String> {
        &self.platform.server.vars
    }

    /// Ends the platform: instances stopped, connections cut, ports free.
    pub async fn stop(mut self) {
        self.platform.stop().await;
        let provisioner = &self.platform.provisioner;
        let instances = provisioner.instances().await.into_iter();
        let stops = instances.map(|instance| provisioner.stop(instance.workspace_id));
        let _ = stream::iter(stops).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
        self.closed.cancel();
        for server in std::mem::take(&mut self.servers) {
            let _ = server.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.platform.stopping.cancel();
        self.closed.cancel();
    }
}
