//! What the engine knows of a target: only capabilities, never its kind.

use std::collections::{BTreeMap, BTreeSet};

use crate::behaviour::Contract;
pub(crate) use crate::domain::answers::Answers;
use crate::models::derive::OfferedModel;
use crate::scenario::model::Capability;
use crate::scenario::need::Need;

impl clap::ValueEnum for Answers {
    fn value_variants<'a>() -> &'a [Self] {
        &[Answers::Known, Answers::Stub, Answers::None]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (word, help) = match self {
            Answers::Known => ("known", "Known questions"),
            Answers::Stub => ("stub", "The stub's one sentence"),
            Answers::None => ("none", "Nobody knows"),
        };
        Some(clap::builder::PossibleValue::new(word).help(help))
    }
}

/// Reads the last lines of a server's log.
#[derive(Clone)]
pub struct ServerLog(std::sync::Arc<dyn Fn() -> Vec<String> + Send + Sync>);

impl ServerLog {
    /// By a function that gives them, oldest first.
    pub fn new(read: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        ServerLog(std::sync::Arc::new(read))
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        (self.0)()
    }
}

impl std::fmt::Debug for ServerLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerLog")
    }
}

/// Where the log of a server is that nobody here started.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// In a file on this machine.
    File(std::path::PathBuf),
    /// What a container on the target's engine prints.
    Container(String),
}

impl std::str::FromStr for LogSource {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix("container:") {
            Some(name) => LogSource::Container(name.to_owned()),
            None => LogSource::File(text.into()),
        })
    }
}

impl std::fmt::Display for LogSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LogSource::File(path) => write!(f, "{}", path.display()),
            LogSource::Container(name) => write!(f, "container:{name}"),
        }
    }
}

/// What a target offers.
#[derive(Clone, Debug, Default)]
pub struct TargetFacts {
    /// What it offers.
    pub capabilities: BTreeSet<Capability>,
    /// What its server is expected to do, and was seen to do.
    pub contract: Contract,
    /// What it lacks, and why.
    pub lacks: BTreeMap<String, String>,
    /// What its agents answer.
    pub answers: Answers,
    /// A provider of ours that answers for every vendor, as its instances reach it.
    pub provider: Option<String>,
    /// What the server offers, by runtime, where it says so.
    pub offered: BTreeMap<String, Vec<OfferedModel>>,
    /// The control plane behind it, and the organisation that it belongs to.
    pub behind: Option<std::sync::Arc<super::saas::Behind>>,
    /// The engine that holds its containers.
    pub engine: Option<crate::docker::Engine>,
    /// Whatever its platform brings up, however late, is removed when the target is closed.
    pub removes_late: bool,
    /// The log of a reference platform that runs in this process.
    pub server_log: Option<ServerLog>,
    /// The log of a server that nobody here started.
    pub log_source: Option<LogSource>,
    /// What the server prints, when a profile started it.
    pub log: Option<super::profile::part_log::PartLog>,
    /// Whether the platform pays for models, where the server says so.
    pub platform_pays: Option<bool>,
    /// Requests that the server allows in a minute, when it says so.
    pub rate_limit: Option<u32>,
    /// Where the server differs from the catalogue: reported, never a red of the platform.
    pub drift: Vec<String>,
}

impl TargetFacts {
    /// A target that offers and does everything, for plans without one.
    pub fn everything() -> TargetFacts {
        TargetFacts {
            capabilities: Capability::ALL.into_iter().collect(),
            contract: Contract::of_everything(),
            ..TargetFacts::default()
        }
    }

    /// Whether the target offers this, or its server does it.
    pub fn offers(&self, need: Need) -> bool {
        match need {
            Need::Capability(capability) => self.capabilities.contains(&capability),
            Need::Behaviour(behaviour) => self.contract.has(behaviour),
        }
    }

    /// Whether a generated key is as good as a real one: our provider answers, or agents that ask no model.
    pub fn takes_any_key(&self) -> bool {
        self.provider.is_some() || self.answers == Answers::Stub
    }
}
