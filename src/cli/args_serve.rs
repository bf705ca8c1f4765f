//! What can be typed after `serve`.

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;

use super::candidates;
use super::values::{behaviour, duration, edition, scale};
use crate::behaviour::{Behaviour, Edition};

/// `serve`.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    pub part: Part,
}

/// Parts of the reference platform.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// The workspace-server, with the reference provider beside it
    Platform(ServePlatform),
    /// The control plane: organisations, each with a workspace-server in SaaS mode, and what real servers call
    ControlPlane(ServeControlPlane),
    /// The model provider that answers for every vendor
    Provider(ServeProvider),
    /// An agent, configured by the environment that a platform gives it
    Agent(ServeAgent),
}

/// `serve control-plane`.
#[derive(Args, Debug)]
pub(crate) struct ServeControlPlane {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    pub listen: std::net::SocketAddr,
    /// Its administrator's token; generated when absent
    #[arg(long, value_name = "TOKEN")]
    pub admin_token: Option<String>,
    /// What servers must send as their bearer (MOLECULE_CP_SHARED_SECRET of the server); nothing is asked for when absent
    #[arg(long, value_name = "SECRET")]
    pub shared_secret: Option<String>,
    /// How many times faster than real time its clock runs
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale)]
    pub time_scale: f64,
    /// Idempotency keys, and names that are refused, as since mid-August
    #[arg(long)]
    pub august: bool,
    /// How many organisations may live at once
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub quota: usize,
    /// The host name under which agents are reached; a server in SaaS mode takes no loopback address but `localhost`
    #[arg(long, value_name = "HOST")]
    pub advertise: Option<String>,
    /// Answer so instead: `METHOD PATH=STATUS[xTIMES]`, or `=reset`, `=hang`, `=garbage`, `=html`
    #[arg(long = "route", value_name = "RULE")]
    pub routes: Vec<crate::reference::control_plane::Rule>,
    /// A variable of each tenant's server; an empty value takes it away
    #[arg(long = "tenant-env", value_name = "NAME=VALUE", value_parser = super::values::pair)]
    pub tenant_env: Vec<(String, String)>,
}

/// `serve platform`.
#[derive(Args, Debug)]
pub(crate) struct ServePlatform {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: Vec<std::net::SocketAddr>,
    /// The admin token [env: ADMIN_TOKEN; else generated and printed]
    #[arg(long, value_name = "TOKEN")]
    pub admin_token: Option<String>,
    /// How many times faster than real time its clock runs
    #[arg(long, default_value = "1", value_name = "N", value_parser = scale)]
    pub time_scale: f64,
    /// The edition that is played
    #[arg(long, default_value = "mid-june", value_name = "EDITION", value_parser = edition)]
    pub edition: Edition,
    /// A behaviour that differs from the edition: NAME=on or NAME=off (`lifecycle behaviours list`)
    #[arg(long = "behaviour", value_name = "NAME=on|off", value_parser = behaviour)]
    pub behaviours: Vec<(Behaviour, bool)>,
    /// Show each workspace's environment under /__lifecycle to admins
    #[arg(long)]
    pub inspect: bool,
    /// Every workspace is a container of this machine's engine; it listens on loopback and the bridge
    #[arg(long)]
    pub docker: bool,
    /// With --docker: the image of the agent, instead of the one that is made from this program
    #[arg(long, value_name = "IMAGE", requires = "docker")]
    pub agent_image: Option<String>,
    /// With --docker: tiers 3 and 4 may be made
    #[arg(long, requires = "docker")]
    pub allow_privileged: bool,
    /// Rate limit and address rules of production
    #[arg(long)]
    pub production: bool,
    /// No model proxy: platform-billed models cannot be provisioned
    #[arg(long)]
    pub no_proxy: bool,
    /// Agents answer `STUB OK` to everything
    #[arg(long)]
    pub stub: bool,
    /// Switch a fault on
    #[arg(long = "fault", value_name = "NAME[=N]", long_help = fault_help(), add = ArgValueCandidates::new(candidates::faults))]
    pub faults: Vec<String>,
    /// Decides jitter
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Contract time from create to a running agent
    #[arg(long, default_value = "470ms", value_name = "DURATION", value_parser = duration)]
    pub boot: std::time::Duration,
    /// Share of boot time that is added or taken off at random
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    pub jitter: f64,
}

/// `serve provider`.
#[derive(Args, Debug)]
pub(crate) struct ServeProvider {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT")]
    pub listen: std::net::SocketAddr,
    /// A key that every vendor takes; without any, every key is taken
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<String>,
}

/// `serve agent`.
#[derive(Args, Debug)]
pub(crate) struct ServeAgent {
    /// Where to listen
    #[arg(long, default_value = "0.0.0.0:8000", value_name = "ADDRESS:PORT")]
    pub listen: std::net::SocketAddr,
    /// Answer `STUB OK` to everything
    #[arg(long)]
    pub stub: bool,
    /// Contract time between heartbeats
    #[arg(long, default_value = "5s", value_name = "DURATION", value_parser = duration)]
    pub heartbeat: std::time::Duration,
    /// How many times faster than real time the platform's clock runs
    #[arg(long, default_value = "1", value_name = "N", value_parser = scale)]
    pub time_scale: f64,
}

pub(super) fn fault_help() -> String {
    let mut text = String::from("Switch a fault on; may be given several times. Faults:\n");
    for info in crate::reference::faults::ALL {
        let value = info.value.map(|v| format!("={v}")).unwrap_or_default();
        let historic = info.historic.map(|h| format!(" ({h})")).unwrap_or_default();
        text.push_str(&format!("  {}{value}: {}{historic}\n", info.name, info.does));
    }
    text
}
