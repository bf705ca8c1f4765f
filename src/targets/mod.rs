//! From settings to a running target with capabilities. The engine sees only [`TargetFacts`].

mod ask;
mod build;
pub(crate) mod contract;
pub(crate) mod docker;
mod docker_provisioner;
pub(crate) mod embedded;
mod error;
pub(crate) mod facts;
pub(crate) mod misroute;
mod kind;
mod offered;
pub(crate) mod probe;
pub mod profile;
pub(crate) mod saas;
mod settings;
mod target;

use tokio_util::sync::CancellationToken;

pub(crate) use error::{Dependency, OpenError};
pub(crate) use facts::{Answers, LogSource, ServerLog, TargetFacts};
pub use kind::Kind;
pub use settings::{Asked, Settings};
pub(crate) use target::Target;

/// Opens a target: starts what must be started, then probes.
///
/// # Errors
/// It does not answer, is no workspace-server, or refuses the token.
pub async fn open(settings: &Settings) -> Result<Target, OpenError> {
    let stop = CancellationToken::new();
    match settings.kind {
        Kind::Embedded => {
            let started = embedded::start(&settings.embedded).await?;
            let live = Settings {
                base_url: Some(started.platform.base_url()),
                admin_token: Some(started.admin_token.clone()),
                org: None,
                ..settings.clone()
            };
            let mut target = probe::live(&live, stop).await?;
            target.identity.kind = Kind::Embedded.as_str().into();
            target.facts.removes_late = true;
            target.parts = Some((started.platform, started.provider));
            Ok(target)
        }
        Kind::Docker => {
            let started = docker::start(&settings.docker).await?;
            let live = Settings {
                base_url: Some(started.platform.base_url()),
                admin_token: Some(started.admin_token.clone()),
                org: None,
                provider: Some(started.provider.base_url()),
                played: Some(settings.docker.plays.behaviours),
                ..settings.clone()
            };
            let mut target = match probe::live(&live, stop).await {
                Ok(target) => target,
                Err(error) => {
                    started.stop().await;
                    return Err(error);
                }
            };
            target.identity.kind = Kind::Docker.as_str().into();
            target.sees(started.engine.clone());
            target.facts.removes_late = true;
            target.facts.server_log = Some(ServerLog::new(started.platform.log_reader()));
            target.containers = Some(started);
            Ok(target)
        }
        Kind::Live => {
            let engine = match settings.with_engine {
                true => Some(docker::engine(&settings.docker.engine).await?),
                false => None,
            };
            let mut target = probe::live(settings, stop).await?;
            target.facts.log_source.clone_from(&settings.log_source);
            if let Some(engine) = engine {
                match probe::strangers(&target.api, &engine).await {
                    Some(why) => target.misses(&why),
                    None => target.sees(engine),
                }
            }
            Ok(target)
        }
        Kind::Saas => {
            let mut target = probe::live(settings, stop).await?;
            target.identity.kind = Kind::Saas.as_str().into();
            Ok(target)
        }
    }
}
