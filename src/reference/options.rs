//! What a reference platform is started with. Nothing is read from the environment.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::faults::Faults;
use super::provision::Provisioner;
use crate::behaviour::{Behaviours, Edition};
use crate::domain::Secret;
use crate::wire::Network;

/// Development or production, as `MOLECULE_ENV` decides on a real server (contract §1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// No rate limit, loopback and private addresses may be called.
    #[default]
    Development,
    /// 600 requests a minute, no private addresses.
    Production,
}

/// What runs the workspaces.
#[derive(Clone, Default)]
pub enum ProvisionerKind {
    /// Tasks in this process, each with a port of its own.
    #[default]
    Embedded,
    /// What the control plane of the server's environment makes (contract §10).
    ControlPlane {
        /// One key for all tries, retries, no privileged names: as since August.
        retries: bool,
    },
    /// Something else, such as containers.
    Custom(Arc<dyn Provisioner>),
    /// Nothing: managed workspaces end `failed`.
    None,
}

/// What an instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AgentKind {
    /// The reference agent: asks the model that its environment names.
    #[default]
    Reference,
    /// Answers `STUB OK` to everything.
    Stub,
    /// Somebody else's: says what it was told, under a card of its own.
    Echo,
}

/// How long an embedded instance takes to start and stop, in contract time (contract §14.1).
#[derive(Clone, Copy, Debug)]
pub struct BootTiming {
    /// From the start of provisioning until the agent runs.
    pub provision: Duration,
    /// Up to this share is added or taken off at random: 0.1 is ±10 %.
    pub jitter: f64,
    /// From asking an instance to stop until it is gone.
    pub stop: Duration,
}

impl Default for BootTiming {
    fn default() -> Self {
        BootTiming { provision: Duration::from_millis(470), jitter: 0.1, stop: Duration::from_millis(100) }
    }
}

/// Everything that a reference platform is started with.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; the first one is the base URL. Empty: a free port on loopback.
    pub listen: Vec<SocketAddr>,
    /// Where it and its embedded agents listen, and through which they call, instead of sockets.
    pub network: Option<Network>,
    /// The token of `admin` routes.
    pub admin_token: Secret,
    /// How many times faster than real time the platform's clock runs.
    pub time_scale: f64,
    /// The least real time that waits for real work get, however fast the clock runs.
    pub patience: Duration,
    /// The state of the platform that is played: runtimes, defaults, wordings.
    pub edition: Edition,
    /// What it does one way or the other.
    pub behaviours: Behaviours,
    /// Offer `/__lifecycle/…`.
    pub inspect: bool,
    /// Development or production.
    pub mode: Mode,
    /// What runs the workspaces.
    pub provisioner: ProvisionerKind,
    /// What goes wrong.
    pub faults: Faults,
    /// Decides jitter.
    pub seed: u64,
    /// Whether the server has a model proxy configured, so that platform models can be provisioned.
    pub llm_proxy: bool,
    /// The server's own environment, as far as it matters (contract §8.3, §8.5, §11.1).
    pub server_env: BTreeMap<String, String>,
    /// How long instances take.
    pub boot: BootTiming,
    /// What embedded instances run.
    pub agent: AgentKind,
    /// How often embedded agents send a heartbeat, in contract time.
    pub heartbeat: Duration,
    /// The platform's URL as instances reach it; `None`: the base URL.
    pub platform_url: Option<String>,
    /// The reference provider that stands in for every vendor, as instances reach it; told under `/__lifecycle`.
    pub provider: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            network: None,
            admin_token: Secret::default(),
            time_scale: 1.0,
            patience: Duration::from_secs(5),
            edition: Edition::default(),
            behaviours: Behaviours::default(),
            inspect: false,
            mode: Mode::default(),
            provisioner: ProvisionerKind::default(),
            faults: Faults::none(),
            seed: 0,
            llm_proxy: false,
            server_env: BTreeMap::new(),
            boot: BootTiming::default(),
            agent: AgentKind::default(),
            heartbeat: Duration::from_secs(30),
            platform_url: None,
            provider: None,
        }
    }
}
