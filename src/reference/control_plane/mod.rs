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
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::outbound::Outbound;
use super::server::url_of;
use crate::wire::{self, Place, Side};
pub(crate) use options::{Options, Timing};
use plane::Plane;
pub(crate) use privileged::privileged;
pub(crate) use rule::Rule;
use state::State;

/// A control plane that serves.
pub(crate) struct Running {
    plane: Arc<Plane>,
    closed: CancellationToken,
    server: JoinHandle<()>,
}

/// Starts one.
///
/// # Errors
/// An address that cannot be listened on.
pub(crate) async fn start(options: Options) -> io::Result<Running> {
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
    Ok(Running { plane, closed, server })
}

impl Running {
    /// The URL that a client on this machine uses; no slash at the end.
    pub(crate) fn base_url(&self) -> String {
        self.plane.base_url.clone()
    }

    /// Ends it, its tenants and all instances.
    pub(crate) async fn stop(self) {
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
