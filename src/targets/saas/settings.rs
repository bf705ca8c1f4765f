//! How an organisation is made, and how long that may take.

use std::time::Duration;

use super::llm_proxy::LlmProxy;
use super::org::Org;
use super::outliving::Leaks;
use super::purge::PurgeRules;
use super::slug;
use super::spread::Spread;
use crate::domain::Secret;
use crate::reference::control_plane::Rule;

/// Where, under which name, and what goes wrong on purpose.
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
    /// Over how many organisations scenarios are spread.
    pub spread: Spread,
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
    /// The command that ends an instance, in place of the control plane; words in braces say which.
    pub terminate: Option<Vec<String>>,
    /// The proxy that is asked before anything is made; `None`: no scenario of this run needs it.
    pub llm_proxy: Option<LlmProxy>,
    /// What a purge does about instances that outlive the organisation.
    pub leaks: Leaks,
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
            spread: Spread::default(),
            keep: false,
            tenant_domain: None,
            waits: Waits::default(),
            lease: Duration::from_secs(2 * 3_600),
            rules: Vec::new(),
            tenant_env: Vec::new(),
            poison: false,
            terminate: None,
            llm_proxy: None,
            leaks: Leaks::default(),
            alone: false,
        }
    }
}

impl Settings {
    /// How organisations are purged.
    pub(crate) fn purge(&self) -> PurgeRules {
        PurgeRules { limit: self.waits.purge, leaks: self.leaks }
    }

    /// The token that a run uses at a tenant: its own, or one that is wrong on purpose.
    pub(crate) fn token_of(&self, org: &Org) -> Secret {
        match self.poison {
            true => Secret::new(format!("lc-poisoned-{:032x}", crate::chance::random::<u128>())),
            false => org.admin_token.clone(),
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
