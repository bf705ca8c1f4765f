//! The container engine: the only user of bollard.
//!
//! Nothing here reads the environment or decides what may be removed: callers pass settings in and
//! name what they own.

pub mod agent_image;
mod bounds;
pub mod connect;
pub mod containers;
pub mod error;
mod inventory;
pub mod lines;
pub mod lock;
pub mod names;
pub mod networks;
pub mod owned;
pub mod owner;
pub mod probe;
mod shown;
pub mod tags;
pub mod tar;
pub mod volumes;
pub mod workspaces;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bollard::Docker;
use tokio_util::sync::CancellationToken;

pub use connect::Settings;
pub use containers::{Action, ContainerSpec, Listed};
pub use error::{EngineError, ErrorKind};
pub use shown::Container;

/// A connection to an engine; clones share it.
#[derive(Clone)]
pub struct Engine {
    docker: Docker,
    endpoint: String,
    errands: Arc<probe::Errands>,
    told: Arc<OnceLock<Told>>,
    /// It was given up.
    gone: CancellationToken,
}

/// What an engine said of itself when it was asked, and everybody needs.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    limits: bool,
    /// How far its clock is ahead of ours.
    ahead: jiff::SignedDuration,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.endpoint)
    }
}

/// What an engine says of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// `20.10.24`.
    pub version: String,
    /// `1.41`.
    pub api: String,
    /// `linux`.
    pub os: String,
    /// `x86_64`.
    pub architecture: String,
    /// It runs without root: its bridge is in a namespace of its own.
    pub rootless: bool,
    /// Memory and CPU limits work.
    pub limits: bool,
}

/// The oldest API that has everything that is asked for.
const OLDEST_API: (u32, u32) = (1, 40);

impl About {
    /// What of it is in the way of containers as the contract wants them.
    pub fn trouble(&self) -> Option<String> {
        let mut parts = self.api.split('.').map(|p| p.parse::<u32>().unwrap_or_default());
        let api = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if api < OLDEST_API {
            let (major, minor) = OLDEST_API;
            return Some(format!(
                "engine {} speaks API {}, older than {major}.{minor}: update it",
                self.version, self.api
            ));
        }
        (self.os != "linux").then(|| format!("the engine runs {} containers, not linux ones", self.os))
    }
}

impl Engine {
    /// Where it is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// Why it does not, and what to do.
    pub async fn ping(&self) -> Result<(), EngineError> {
        self.within(bounds::PING, "ping", self.docker.ping()).await.map(|_| ())
    }

    /// Version, kind and limits.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn about(&self) -> Result<About, EngineError> {
        let version = self.look("ask for its version", self.docker.version()).await?;
        let info = self.look("ask about it", self.docker.info()).await?;
        let options = info.security_options.unwrap_or_default();
        let limits = info.memory_limit == Some(true) && info.cpu_cfs_quota == Some(true);
        let clock = info.system_time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let ahead = clock.map(|clock| clock.duration_since(crate::clock::wall())).unwrap_or_default();
        // Only the first answer counts.
        let _ = self.told.set(Told { limits, ahead });
        Ok(About {
            version: version.version.unwrap_or_default(),
            api: version.api_version.unwrap_or_default(),
            os: info.os_type.unwrap_or_default(),
            architecture: info.architecture.unwrap_or_default(),
            rootless: options.iter().any(|o| o.contains("rootless")),
            limits,
        })
    }

    /// Whether memory and CPU limits of containers work; asked for with [`Engine::about`].
    pub fn keeps_limits(&self) -> bool {
        self.told.get().is_none_or(|told| told.limits)
    }

    /// Now, by the engine's clock.
    fn now(&self) -> jiff::Timestamp {
        let ahead = self.told.get().map(|told| told.ahead).unwrap_or_default();
        crate::clock::wall().saturating_add(ahead).unwrap_or_else(|_| crate::clock::wall())
    }

    fn error(&self, doing: &str, error: &bollard::errors::Error) -> EngineError {
        error::of(&self.endpoint, doing, error)
    }
}

/// Filters as the API takes them: `label` → values.
fn filters(pairs: &[(&str, &str)]) -> std::collections::HashMap<String, Vec<String>> {
    let mut all: std::collections::HashMap<String, Vec<String>> = std::collections::HashMap::new();
    for (key, value) in pairs {
        all.entry((*key).to_owned()).or_default().push((*value).to_owned());
    }
    all
}
