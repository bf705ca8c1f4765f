//! The reference control plane: organisations, their tenants and the instances of their workspaces.
//!
//! A tenant is a reference platform in SaaS mode, found by the Host of a request or by its organisation headers.
//! What workspace-servers call is there for real ones too (contract §10).

mod admin;
mod asked;
mod front;
mod instances;
mod machine;
mod options;
mod org;
mod plane;
mod privileged;
mod rule;
mod server_calls;
mod state;
mod stub;
mod tenant;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::clock::Clock;
use super::outbound::Outbound;
use super::server::url_of;
use crate::wire::{self, Place, Side};
pub use options::{Options, Timing};
use org::Phase;
use plane::Plane;
pub(crate) use privileged::privileged;
pub use rule::Rule;
use state::State;

/// A control plane that serves.
pub struct Running {
    addr: SocketAddr,
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

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ids and slugs of the organisations that are there, for whoever checks what a run left.
    pub fn organisations(&self) -> Vec<(Uuid, String)> {
        let state = self.plane.state();
        let there = state.orgs.values().filter(|org| org.phase != Phase::Purged);
        there.map(|org| (org.id, org.slug.clone())).collect()
    }

    /// The organisation of each machine that is not ended, whatever the rows say.
    pub fn machines(&self) -> Vec<Uuid> {
        self.plane.state().machines.values().filter(|m| !m.ended()).map(|m| m.org).collect()
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

#[cfg(test)]
mod tests;
