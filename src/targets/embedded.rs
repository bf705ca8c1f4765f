//! The reference platform in this process, on loopback, with its provider.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::OpenError;
use crate::behaviour::Played;
use crate::domain::Secret;
use crate::reference::faults::Faults;
use crate::reference::options::{BootTiming, Options};
use crate::reference::{provider, server};

/// How the embedded platform is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many times faster than real time its clock runs.
    pub time_scale: f64,
    /// What it does one way or the other.
    pub plays: Played,
    /// What goes wrong.
    pub faults: Faults,
    /// Decides jitter.
    pub seed: u64,
    /// How long instances take.
    pub boot: BootTiming,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            time_scale: TIME_SCALE,
            plays: Played::default(),
            faults: Faults::none(),
            seed: 0,
            boot: BootTiming::default(),
        }
    }
}

/// High enough that a suite takes seconds, low enough that a slow machine keeps up with heartbeats.
pub(crate) const TIME_SCALE: f64 = 40.0;

/// The server's model proxy is the reference provider too, under the platform's own paths (contract §8.5).
pub fn proxy_env(provider: &str) -> BTreeMap<String, String> {
    let proxy = |surface: &str| format!("{provider}/api/v1/internal/llm/{surface}");
    BTreeMap::from([
        ("MOLECULE_LLM_BASE_URL".to_owned(), format!("{}/v1", proxy("openai"))),
        ("MOLECULE_LLM_ANTHROPIC_BASE_URL".to_owned(), proxy("anthropic")),
        ("MOLECULE_LLM_USAGE_TOKEN".to_owned(), format!("lc-usage-{:032x}", crate::chance::random::<u128>())),
    ])
}

/// Platform and provider.
pub(crate) struct Started {
    /// The platform.
    pub platform: server::Running,
    /// Answers for every vendor.
    pub provider: provider::Running,
    /// Generated for this run.
    pub admin_token: Secret,
}

/// Why a part of the reference platform does not start on loopback.
pub(super) fn not_started(what: &str, error: &std::io::Error) -> OpenError {
    OpenError::new(
        format!("cannot start the reference {what}: {error}"),
        &["does this machine have a loopback interface?"],
    )
}

/// A provider for every vendor, on a free port of loopback.
///
/// # Errors
/// No port can be had.
pub(super) async fn provider() -> Result<provider::Running, OpenError> {
    let options = provider::Options { accept_any_key: true, ..provider::Options::default() };
    provider::start(options).await.map_err(|e| not_started("provider", &e))
}

/// Starts both on free ports of loopback.
///
/// # Errors
/// No port can be had.
pub(crate) async fn start(settings: &Settings) -> Result<Started, OpenError> {
    let provider = provider().await?;
    let admin_token = Secret::new(format!("lc-admin-{:032x}", crate::chance::random::<u128>()));
    let platform = server::start(Options {
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        admin_token: admin_token.clone(),
        time_scale: settings.time_scale,
        edition: settings.plays.edition,
        behaviours: settings.plays.behaviours,
        inspect: true,
        faults: settings.faults.clone(),
        seed: settings.seed,
        llm_proxy: true,
        boot: settings.boot,
        heartbeat: Duration::from_secs(5),
        server_env: proxy_env(&provider.base_url()),
        provider: Some(provider.base_url()),
        ..Options::default()
    })
    .await
    .map_err(|e| not_started("platform", &e))?;
    Ok(Started { platform, provider, admin_token })
}
