//! A control plane as target: an organisation is made, waited for phase by phase, and purged.

mod bring_up;
mod desk;
mod purge;
pub mod slug;
mod stage;
mod ask;

use std::time::Duration;

use super::OpenError;
use super::embedded::{self, proxy_env};
use crate::behaviour::Edition;
use crate::domain::Secret;
use crate::http;
use crate::platform::control_plane::ControlPlane;
use crate::reference::control_plane::{self, Rule};
use crate::reference::provider;

pub use bring_up::{Made, Maker, Phase};
pub use desk::{Desk, ORGANISATION};
pub use purge::{purge, stale};
pub use stage::{Behind, Hurry, Stage};

/// How an organisation is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The control plane; `None`: one in this process.
    pub cp_url: Option<String>,
    /// Its administrator's token.
    pub cp_token: Option<Secret>,
    /// What names begin with.
    pub prefix: String,
    /// What CI calls this run.
    pub run_name: String,
    /// It stays when the run ends.
    pub keep: bool,
    /// Where tenants are: a domain, or an address with `{slug}`.
    pub tenant_domain: Option<String>,
    /// How long the phases may take.
    pub waits: Waits,
    /// How long the run may take in all: said in the organisation's name.
    pub lease: Duration,
    /// What an embedded control plane answers instead of the truth.
    pub rules: Vec<Rule>,
    /// Environment of embedded tenants, over the usual.
    pub tenant_env: Vec<(String, String)>,
    /// The tenant's token is spoilt on purpose: the run proves that it can be red.
    pub poison: bool,
    /// Somebody else's live organisation with the same prefix ends the run before it makes one.
    pub alone: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            cp_url: None,
            cp_token: None,
            prefix: slug::PREFIX.to_owned(),
            run_name: String::new(),
            keep: false,
            tenant_domain: None,
            waits: Waits::default(),
            lease: Duration::from_secs(2 * 3_600),
            rules: Vec::new(),
            tenant_env: Vec::new(),
            poison: false,
            alone: false,
        }
    }
}

/// The deadlines of the phases.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// The control plane answers.
    pub control_plane: Duration,
    /// The create is answered.
    pub create: Duration,
    /// The machine of the tenant runs.
    pub instance: Duration,
    /// The tenant's own token can be read.
    pub token: Duration,
    /// Its name resolves.
    pub dns: Duration,
    /// Its certificate is good.
    pub tls: Duration,
    /// `/health` answers.
    pub health: Duration,
    /// The routes answer: after `/health`, as a rule.
    pub api: Duration,
    /// The purge is over.
    pub purge: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Waits {
            control_plane: seconds(30),
            create: seconds(60),
            instance: seconds(900),
            token: seconds(120),
            dns: seconds(900),
            tls: seconds(900),
            health: seconds(900),
            api: seconds(300),
            purge: seconds(180),
        }
    }
}

impl Waits {
    /// All of them together: what an organisation adds to the worst case.
    pub fn sum(&self) -> Duration {
        self.before() + self.purge
    }

    /// Those before the first scenario.
    pub fn before(&self) -> Duration {
        self.control_plane
            + self.create
            + self.instance
            + self.token
            + self.dns
            + self.tls
            + self.health
            + self.api
    }
}

/// A control plane that can be asked.
pub struct Plane {
    /// The client.
    pub api: ControlPlane,
    /// Where tenants are.
    pub pattern: String,
    /// In this process.
    embedded: Option<(control_plane::Running, provider::Running)>,
}

/// An organisation of ours that works.
#[derive(Clone, Debug)]
pub struct Org {
    /// Its slug.
    pub slug: String,
    /// Its id, which every request to the tenant names.
    pub id: String,
    /// The address of its tenant.
    pub base_url: String,
    /// The tenant's own token.
    pub admin_token: Secret,
}

impl Plane {
    /// Connects, and starts what must be started.
    ///
    /// # Errors
    /// No client, no port.
    pub async fn open(
        settings: &Settings,
        http: &http::Config,
        reference: &embedded::Settings,
    ) -> Result<Plane, OpenError> {
        if let Some(url) = &settings.cp_url {
            let base_url = url.trim_end_matches('/').to_owned();
            let pattern =
                crate::platform::control_plane::tenant_pattern(&base_url, settings.tenant_domain.as_deref());
            let api = ControlPlane {
                client: client(http, base_url.starts_with("https://"))?,
                base_url,
                token: settings.cp_token.clone(),
            };
            return Ok(Plane { api, pattern, embedded: None });
        }
        let fail = |what: &str, e: std::io::Error| {
            OpenError::new(
                format!("cannot start the reference {what}: {e}"),
                &["does this machine have a loopback interface?"],
            )
        };
        let provider =
            provider::start(provider::Options { accept_any_key: true, ..provider::Options::default() })
                .await
                .map_err(|e| fail("provider", e))?;
        let token = Secret::new(format!("lc-cp-{:032x}", crate::chance::random::<u128>()));
        let secret = Secret::new(format!("lc-shared-{:032x}", crate::chance::random::<u128>()));
        let mut tenant_env = proxy_env(&provider.base_url());
        tenant_env.insert(
            "MOLECULE_LLM_USAGE_URL".to_owned(),
            format!("{}/api/v1/internal/llm/usage", provider.base_url()),
        );
        tenant_env.extend(settings.tenant_env.iter().cloned());
        let running = control_plane::start(control_plane::Options {
            admin_token: token.clone(),
            shared_secret: Some(secret),
            time_scale: reference.time_scale,
            plays: reference.plays,
            timing: control_plane::Timing { boot: reference.boot, ..control_plane::Timing::default() },
            tenant_env,
            provider: Some(provider.base_url()),
            august: reference.plays.edition == Edition::MidAugust,
            rules: settings.rules.clone(),
            faults: reference.faults.clone(),
            seed: reference.seed,
            ..control_plane::Options::default()
        })
        .await
        .map_err(|e| fail("control plane", e))?;
        let base_url = running.base_url();
        let pattern = crate::platform::control_plane::tenant_pattern(&base_url, None);
        let api = ControlPlane { client: client(http, false)?, base_url, token: Some(token) };
        Ok(Plane { api, pattern, embedded: Some((running, provider)) })
    }

    /// Whether it lives and dies with this process.
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Makes organisations here.
    pub fn maker(&self) -> Maker<'_> {
        Maker { api: &self.api, pattern: &self.pattern }
    }

    /// Stops what was started.
    pub async fn stop(self) {
        if let Some((plane, provider)) = self.embedded {
            plane.stop().await;
            provider.stop().await;
        }
    }
}

fn client(http: &http::Config, tls: bool) -> Result<http::Client, OpenError> {
    let config = http::Config { tls, ..http.clone() };
    http::Client::new(&config)
        .map_err(|why| OpenError::new(why, &["--ca-cert, --insecure and the proxy variables"]))
}
