//! What an engine says of itself.

use super::engine::Told;
use super::{Engine, EngineError, bounds};

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
}
