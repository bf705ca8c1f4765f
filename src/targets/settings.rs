//! What a target is opened from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::facts::{Answers, LogSource};
use super::kind::Kind;
use super::{docker, embedded, saas};
use crate::behaviour::overlay::Overlay;
use crate::behaviour::{Behaviour, Behaviours, Edition};
use crate::domain::Secret;
use crate::http;
use crate::models::catalogue::Catalogue;
use crate::scenario::model::Capability;

/// Which target, how it is reached, and what is expected of it.
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
    pub declared: BTreeMap<Capability, bool>,
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
    pub catalogue: Arc<Catalogue>,
}

/// What somebody expects of a server: by flags, a profile, the overlay.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The edition, when one is named.
    pub edition: Option<Edition>,
    /// Single behaviours.
    pub declared: BTreeMap<Behaviour, bool>,
    /// The overlay.
    pub accepted: Overlay,
    /// The build, by `/buildinfo`.
    pub build: Option<String>,
}

impl Settings {
    /// A platform that this run starts: it is the run's alone, and can be told what it is like.
    pub fn is_ours(&self) -> bool {
        self.kind.is_ours() || (self.kind.has_control_plane() && self.saas.cp_url.is_none())
    }
}
