//! What a control plane is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::rule::Rule;
use crate::behaviour::Played;
use crate::domain::Secret;
use crate::reference::faults::Faults;
use crate::reference::options::BootTiming;
use crate::wire::Network;

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
