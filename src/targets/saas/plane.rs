//! A control plane that can be asked.

use super::bring_up::Maker;
use super::client::client;
use super::settings::Settings;
use crate::behaviour::Edition;
use crate::domain::Secret;
use crate::http;
use crate::platform::control_plane::ControlPlane;
use crate::platform::limits::Limits;
use crate::reference::control_plane;
use crate::reference::provider;
use crate::targets::OpenError;
use crate::targets::embedded::{self, proxy_env};

/// Somebody's, or one of this process.
pub(crate) struct Plane {
    /// The client.
    pub api: ControlPlane,
    /// Where tenants are.
    pub pattern: String,
    /// In this process.
    embedded: Option<(control_plane::Running, provider::Running)>,
}

impl Plane {
    /// Connects, and starts what must be started.
    ///
    /// # Errors
    /// No client, no port.
    pub(crate) async fn open(
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
                limits: Limits::default(),
            };
            return Ok(Plane { api, pattern, embedded: None });
        }
        let provider = embedded::provider().await?;
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
        .map_err(|e| embedded::not_started("control plane", &e))?;
        let base_url = running.base_url();
        let pattern = crate::platform::control_plane::tenant_pattern(&base_url, None);
        let (client, limits) = (client(http, false)?, Limits::default());
        let api = ControlPlane { client, base_url, token: Some(token), limits };
        Ok(Plane { api, pattern, embedded: Some((running, provider)) })
    }

    /// Whether it lives and dies with this process.
    pub(crate) fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Makes organisations here.
    pub(crate) fn maker(&self) -> Maker<'_> {
        Maker { api: &self.api, pattern: &self.pattern }
    }

    /// Stops what was started.
    pub(crate) async fn stop(self) {
        if let Some((plane, provider)) = self.embedded {
            plane.stop().await;
            provider.stop().await;
        }
    }
}
