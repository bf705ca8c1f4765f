//! From settings to a running target with capabilities. The engine sees only [`TargetFacts`].

pub mod contract;
pub mod docker;
mod docker_provisioner;
pub mod embedded;
pub mod facts;
pub mod misroute;
mod kind;
mod offered;
pub mod probe;
pub mod profile;
pub mod saas;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use facts::{Answers, LogSource, ServerLog, TargetFacts};
pub use kind::Kind;

use crate::behaviour::overlay::Overlay;
use crate::behaviour::{Behaviour, Behaviours, Edition};
use crate::domain::Secret;
use crate::event::TargetIdentity;
use crate::http;
use crate::platform::Api;
use crate::reference;

/// An embedded platform stops in so much real time; what does not is left to the end of the process.
const STOP: Duration = Duration::from_secs(10);

/// What a target is opened from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which kind.
    pub kind: Kind,
    /// Of a live one.
    pub base_url: Option<String>,
    /// `ADMIN_TOKEN`; generated for an embedded one.
    pub admin_token: Option<Secret>,
    /// `X-Molecule-Org-Id`.
    pub org: Option<String>,
    /// How it is reached.
    pub http: http::Config,
    /// Of an embedded one.
    pub embedded: embedded::Settings,
    /// Of one with containers; its engine is also what `with_engine` connects to.
    pub docker: docker::Settings,
    /// A live server's containers are on the engine that can be reached from here.
    pub with_engine: bool,
    /// Where the log of a live server is.
    pub log_source: Option<LogSource>,
    /// A provider of ours that the target's instances can reach.
    pub provider: Option<String>,
    /// What its agents answer, when somebody declares it.
    pub answers: Option<Answers>,
    /// Capabilities that a profile declares.
    pub declared: std::collections::BTreeMap<crate::scenario::model::Capability, bool>,
    /// What is expected of the server.
    pub contract: Asked,
    /// What the server plays, where this run starts it and nothing can be asked.
    pub played: Option<Behaviours>,
    /// How long a live server may take to answer for the first time.
    pub patience: Duration,
    /// How an organisation is made, of a control plane.
    pub saas: saas::Settings,
    /// The control plane behind the server, once its organisation is there.
    pub behind: Option<saas::Behind>,
    /// What the server's offers are compared with.
    pub catalogue: std::sync::Arc<crate::models::catalogue::Catalogue>,
}

/// What somebody expects of a server: by flags, a profile, the overlay.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The edition, when one is named.
    pub edition: Option<Edition>,
    /// Single behaviours.
    pub declared: std::collections::BTreeMap<Behaviour, bool>,
    /// The overlay.
    pub accepted: Overlay,
}

/// A target that answers.
pub struct Target {
    /// How to speak to it.
    pub api: Api,
    /// What it offers.
    pub facts: TargetFacts,
    /// For the log.
    pub identity: TargetIdentity,
    /// Stops its event stream.
    pub stop: CancellationToken,
    parts: Option<(reference::server::Running, reference::provider::Running)>,
    containers: Option<docker::Started>,
}

/// Why a target cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct OpenError {
    /// What happened, with the whole chain of causes.
    pub what: String,
    /// What to check, one line each.
    pub check: Vec<String>,
    /// Somebody else uses it.
    pub busy: bool,
    /// It answered, and refused the credential.
    pub refused: bool,
}

impl OpenError {
    fn new(what: impl Into<String>, check: &[&str]) -> Self {
        let check = check.iter().map(|s| (*s).to_owned()).collect();
        OpenError { what: what.into(), check, busy: false, refused: false }
    }

    fn refused(what: impl Into<String>, check: &[&str]) -> Self {
        OpenError { refused: true, ..OpenError::new(what, check) }
    }

    fn busy(what: impl Into<String>) -> Self {
        OpenError {
            busy: true,
            ..OpenError::new(what, &["it ends by itself, or `lifecycle sweep --cp-url`"])
        }
    }
}

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

impl Settings {
    /// A platform that this run starts: it is the run's alone, and can be told what it is like.
    pub fn is_ours(&self) -> bool {
        self.kind.is_ours() || (self.kind.has_control_plane() && self.saas.cp_url.is_none())
    }
}

impl Target {
    /// Its containers are on another engine than the one that was named.
    fn misses(&mut self, why: &str) {
        use crate::scenario::model::Capability::{Containers, Env, Limits};
        for capability in [Containers, Env, Limits] {
            if !self.facts.capabilities.contains(&capability) {
                self.facts.lacks.insert(capability.as_str().to_owned(), why.to_owned());
            }
        }
        self.identity.lacks = self.facts.lacks.clone();
    }

    /// Its containers are on this engine.
    fn sees(&mut self, engine: crate::docker::Engine) {
        use crate::scenario::model::Capability::{Containers, Env, Instances, Limits};
        let limits = engine.keeps_limits();
        for capability in
            [Some(Containers), Some(Env), Some(Instances), limits.then_some(Limits)].into_iter().flatten()
        {
            self.facts.capabilities.insert(capability);
            self.facts.lacks.remove(capability.as_str());
        }
        if !limits {
            let why = "the engine keeps no memory or CPU limits: mount the cgroup controllers";
            self.facts.lacks.insert(Limits.as_str().to_owned(), why.to_owned());
        }
        self.identity.capabilities = self.facts.capabilities.iter().map(ToString::to_string).collect();
        self.identity.lacks = self.facts.lacks.clone();
        self.facts.engine = Some(engine);
    }

    /// Whether the engine that was named is the server's for certain: our own platforms say so themselves.
    pub fn engine_proven(&self) -> bool {
        self.identity.kind != Kind::Live.as_str()
    }

    /// It makes containers, and removes them when it is closed.
    pub fn makes_containers(&self) -> bool {
        self.containers.is_some()
    }

    /// Stops what was started, and removes what it made; gives what is left of it and why.
    pub async fn close(self) -> Vec<String> {
        self.stop.cancel();
        let left = match &self.facts.engine {
            Some(engine) => engine.settled(STOP).await,
            None => Vec::new(),
        };
        if let Some((platform, provider)) = self.parts {
            // Whatever still works in there goes with the process: no run waits for it longer.
            let stopped = async {
                platform.stop().await;
                provider.stop().await;
            };
            let _ = crate::clock::timeout(STOP, stopped).await;
        }
        match self.containers {
            Some(started) => started.stop().await,
            None => left,
        }
    }
}
