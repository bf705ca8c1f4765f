//! What every command that speaks to a server takes: which target, and how its organisation is made.

use std::path::PathBuf;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use super::candidates;
use super::values::{behaviour, duration, edition, pair, phase, scale};
use crate::behaviour::{Behaviour, Edition};
use crate::targets::saas::Spread;
use crate::targets::{Answers, Kind};

/// Which target.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// embedded, docker or live [default: embedded; live with --base-url; env: LIFECYCLE_TARGET]
    #[arg(long, value_enum, value_name = "KIND", hide_possible_values = true)]
    pub target: Option<Kind>,
    /// Address of a live server [env: LIFECYCLE_BASE_URL, BASE]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Its admin token [env: MOLECULE_ADMIN_TOKEN, ADMIN_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub admin_token: Option<String>,
    /// Organisation id of a SaaS tenant [env: MOLECULE_ORG_ID]
    #[arg(long, value_name = "ID")]
    pub org_id: Option<String>,
    /// Trust this CA too (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Do not verify TLS certificates
    #[arg(long)]
    pub insecure: bool,
    /// Live: its containers are on this machine's engine: look at them
    #[arg(long)]
    pub docker: bool,
    /// Live: the server's log, a file or container:NAME (with --docker)
    #[arg(long, value_name = "LOG")]
    pub server_log: Option<crate::targets::LogSource>,
    /// Docker: the agent's image [default: made from this program]
    #[arg(long, value_name = "IMAGE")]
    pub agent_image: Option<String>,
    /// Docker: tiers 3 and 4 (privileged, host's namespaces) may be made
    #[arg(long)]
    pub allow_privileged: bool,
    /// A reference provider that the target's instances can reach
    #[arg(long, value_name = "URL")]
    pub provider_url: Option<String>,
    /// What the target's agents can answer: known, stub or none
    #[arg(long, value_enum, value_name = "WHAT", hide_possible_values = true)]
    pub answers: Option<Answers>,
    /// Wait so long for a live server's first answer [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub patience: Option<std::time::Duration>,
    /// Embedded, docker: its clock runs N times as fast
    #[arg(long, value_name = "N", value_parser = scale)]
    pub time_scale: Option<f64>,
    /// The edition played [default: mid-june], of a live server expected [default: found]
    #[arg(long, value_name = "EDITION", value_parser = edition)]
    pub edition: Option<Edition>,
    /// The build that /buildinfo must name [env: LIFECYCLE_EXPECT_BUILD]
    #[arg(long, value_name = "ID")]
    pub expect_build: Option<String>,
    /// Differs from the edition in this (`lifecycle behaviours list`)
    #[arg(long = "behaviour", value_name = "NAME=on|off", value_parser = behaviour)]
    pub behaviours: Vec<(Behaviour, bool)>,
    /// What was accepted as drift [default: lifecycle.contract.yaml]
    #[arg(long, value_name = "FILE")]
    pub contract: Option<PathBuf>,
    /// Embedded, docker: switch a fault on (`serve platform --help`)
    #[arg(long = "fault", value_name = "NAME[=N]", add = ArgValueCandidates::new(candidates::faults))]
    pub faults: Vec<String>,
    #[command(flatten)]
    pub organisation: OrganisationArgs,
}

/// How an organisation is made at a control plane.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OrganisationArgs {
    /// Saas: the control plane [default: one in this process; env: MOLECULE_CP_URL]
    #[arg(long, value_name = "URL")]
    pub cp_url: Option<String>,
    /// Saas: its admin token [env: CP_ADMIN_API_TOKEN, MOLECULE_ADMIN_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub cp_token: Option<String>,
    /// Saas: what names of organisations begin with [default: e2e-]
    #[arg(long, value_name = "PREFIX")]
    pub org_prefix: Option<String>,
    /// Saas: organisations that scenarios share in turn, or `each` its own [default: 1]
    #[arg(long, value_name = "N|each")]
    pub org: Option<Spread>,
    /// Saas: keep the organisation for `sweep` [env: E2E_KEEP_ORG]
    #[arg(long)]
    pub keep_org: bool,
    /// Saas: tenants' domain or address with {slug} [env: MOLECULE_TENANT_DOMAIN]
    #[arg(long, value_name = "DOMAIN")]
    pub tenant_domain: Option<String>,
    /// Saas: limit of control-plane, create, instance, token, dns, tls, health, api, purge
    #[arg(long = "org-within", value_name = "PHASE=DURATION", value_parser = phase)]
    pub org_within: Vec<(String, std::time::Duration)>,
    /// Saas without --cp-url: `METHOD PATH=STATUS[xTIMES]` (`serve control-plane --help`)
    #[arg(long = "cp-route", value_name = "RULE")]
    pub cp_routes: Vec<String>,
    /// Saas without --cp-url: a variable of each tenant's server; empty: unset
    #[arg(long = "tenant-env", value_name = "NAME=VALUE", value_parser = pair)]
    pub tenant_env: Vec<(String, String)>,
}
