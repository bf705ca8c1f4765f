//! The reference control plane: organisations, their tenants and the instances of their workspaces.
//!
//! A tenant is a reference platform in SaaS mode, found by the Host of a request or by its organisation headers.
//! What workspace-servers call is there for real ones too (contract §10).

mod admin;
mod front;
mod instances;
mod org;
mod server_calls;
mod state;
mod stub;
mod tenant;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::faults::Faults;
use super::options::BootTiming;
use super::outbound::Outbound;
use super::server::url_of;
use crate::behaviour::Played;
use crate::domain::Secret;
use crate::wire::{self, Network, Place, Side};
use state::State;
pub use stub::{Rule, RuleError};

/// What a control plane is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The token of `/cp/admin/…`.
    pub admin_token: Secret,
    /// What servers must send as their bearer; `None` asks for nothing.
    pub shared_secret: Option<Secret>,
    /// How much faster than real time its clock and its tenants' run.
    pub time_scale: f64,
    /// How long things take.
    pub timing: Timing,
    /// The environment of each tenant's server, besides its own organisation.
    pub tenant_env: BTreeMap<String, String>,
    /// The provider that stands in for every vendor, told under `/__lifecycle`.
    pub provider: Option<String>,
    /// Keep or mend what a real server does and should not.
    pub plays: Played,
    /// Idempotency keys and refused names, as since August.
    pub august: bool,
    /// How many organisations may live at once.
    pub quota: usize,
    /// Where agents are reached, as a host name; loopback when nothing is said.
    pub advertise: Option<String>,
    /// What is answered instead, from the start.
    pub rules: Vec<Rule>,
    /// What goes wrong on the tenants' servers.
    pub faults: Faults,
    /// Decides jitter.
    pub seed: u64,
    /// Where it and all behind it listen instead of on sockets.
    pub network: Option<Network>,
}

/// How long the phases of an organisation take, in contract time.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From the create until the machine runs.
    pub machine: Duration,
    /// From the start of the server until its routes answer; `/health` answers first.
    pub api: Duration,
    /// How long the purge takes.
    pub purge: Duration,
    /// Of workspaces.
    pub boot: BootTiming,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            machine: Duration::from_secs(2),
            api: Duration::from_secs(1),
            purge: Duration::from_millis(500),
            boot: BootTiming::default(),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            admin_token: Secret::default(),
            shared_secret: None,
            time_scale: 1.0,
            timing: Timing::default(),
            tenant_env: BTreeMap::new(),
            provider: None,
            plays: Played::default(),
            august: false,
            quota: 1_000,
            advertise: None,
            rules: Vec::new(),
            faults: Faults::none(),
            seed: 0,
            network: None,
        }
    }
}

/// What its parts share.
struct Plane {
    options: Options,
    base_url: String,
    clock: Clock,
    outbound: Outbound,
    agents: Outbound,
    stopping: CancellationToken,
    tasks: TaskTracker,
    state: Mutex<State>,
}

impl Plane {
    /// The state. Never held across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work that outlives its request; it ends when the control plane stops.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let _ = stopping.run_until_cancelled_owned(work).await;
        });
    }
}

/// A control plane that serves.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    plane: Arc<Plane>,
    closed: CancellationToken,
    server: JoinHandle<()>,
}

/// Starts one.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn start(options: Options) -> io::Result<Running> {
    let place = Place::take(options.network.as_ref(), options.listen).await?;
    let addr = place.local_addr()?;
    let through = |side| options.network.clone().map(|network| (network, side));
    let (outbound, agents) = (
        Outbound::new()?.through(through(Side::Platform)),
        Outbound::to_one_server()?.through(through(Side::Agent)),
    );
    let clock = Clock::new(options.time_scale).with_floor(Duration::from_secs(5));
    let plane = Arc::new(Plane {
        base_url: url_of(addr),
        clock: clock.clone(),
        outbound,
        agents,
        stopping: CancellationToken::new(),
        tasks: TaskTracker::new(),
        state: Mutex::new(State::new(options.rules.clone())),
        options,
    });
    plane.spawn(async move { clock.watch().await });
    let closed = CancellationToken::new();
    let server = wire::serve(place, front::app(Arc::clone(&plane)), closed.clone());
    Ok(Running { addr, plane, closed, server })
}

impl Running {
    /// The URL that a client on this machine uses; no slash at the end.
    pub fn base_url(&self) -> String {
        self.plane.base_url.clone()
    }

    /// Ends it, its tenants and all instances.
    pub async fn stop(self) {
        self.plane.stopping.cancel();
        self.plane.tasks.close();
        self.plane.tasks.wait().await;
        let orgs: Vec<_> = self.plane.state().orgs.values().map(|org| org.id).collect();
        for org in orgs {
            tenant::remove(&self.plane, org).await;
        }
        self.closed.cancel();
        let _ = (&self.server, self.closed.cancelled().await);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.plane.stopping.cancel();
        self.closed.cancel();
        self.server.abort();
    }
}

/// Names that no server may put into a workspace: the control plane refuses them since August.
pub fn privileged(name: &str) -> bool {
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

#[cfg(test)]
mod tests;
