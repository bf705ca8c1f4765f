//! What a workspace-server may do one way or the other: named behaviours, and editions as sets of them.

pub(crate) mod contract;
pub(crate) mod overlay;
pub(crate) mod page;
pub(crate) mod probe;
mod table;

use std::fmt;

use crate::source::{did_you_mean, nearest};

pub(crate) use contract::{Contract, Drift};
pub(crate) use table::{EditionRow, Row, edition, editions, row, rows};

macro_rules! behaviours {
    ($($variant:ident = $name:literal,)*) => {
        /// One thing that a server does or does not; `behaviours.yaml` says what it means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum Behaviour {
            $(
                #[doc = $name]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl Behaviour {
            /// All of them, in the order of documentation.
            pub const ALL: &[Behaviour] = &[$(Behaviour::$variant),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Behaviour::$variant => $name,)*
                }
            }
        }
    };
}

behaviours! {
    HibernateWakes = "hibernate-wakes",
    RegisterKeepsDormant = "register-keeps-dormant",
    ForcedHibernateWorks = "forced-hibernate-works",
    TemplateVariantIsNoRuntime = "template-variant-is-no-runtime",
    AdminTokenKeptBack = "admin-token-kept-back",
    EarlyDeleteIsFinal = "early-delete-is-final",
    DeleteRemovesVolume = "delete-removes-volume",
    KimiIsExternal = "kimi-is-external",
    SweepSparesApiTokens = "sweep-spares-api-tokens",
    ExpirySparesFailed = "expiry-spares-failed",
    RestartForgetsAddress = "restart-forgets-address",
    RemovedTakesNoMessage = "removed-takes-no-message",
    EmptyAnswerIsAnError = "empty-answer-is-an-error",
    EscapingTemplateRefused = "escaping-template-refused",
    CreateMayBeARoot = "create-may-be-a-root",
    AdminReadsState = "admin-reads-state",
    RemovedMayNotRegister = "removed-may-not-register",
    UnknownHeartbeatRefused = "unknown-heartbeat-refused",
    RootsMayTalk = "roots-may-talk",
    ExternalResumesExternal = "external-resumes-external",
    BillingRoute = "billing-route",
    GoogleAdkRuntime = "google-adk-runtime",
    ResolvedProvider = "resolved-provider",
    BaseUrlDefaults = "base-url-defaults",
    LlmProviderPinned = "llm-provider-pinned",
    CredentialPerProvider = "credential-per-provider",
    ByokFallsBackToProxy = "byok-falls-back-to-proxy",
    CreateRefusesAfterCommit = "create-refuses-after-commit",
    RootKeepsItsPlace = "root-keeps-its-place",
    ParentIsValidated = "parent-is-validated",
    AnonymousA2a = "anonymous-a2a",
    QueuedWhileProvisioning = "queued-while-provisioning",
    MessageToRemovedIsQueued = "message-to-removed-is-queued",
    BusyWhileAlive = "busy-while-alive",
    BootTurnGate = "boot-turn-gate",
    CallsExternalWithBearer = "calls-external-with-bearer",
    CanvasContext = "canvas-context",
    WsNeedsBearer = "ws-needs-bearer",
    PartialEdges = "partial-edges",
    InfrastructureNeedsAdmin = "infrastructure-needs-admin",
    LoopbackInDevelopment = "loopback-in-development",
    SeededPlatformAgent = "seeded-platform-agent",
    SingleReadTellsHealth = "single-read-tells-health",
    HeartbeatTellsGeneration = "heartbeat-tells-generation",
    ActivityHasSeq = "activity-has-seq",
    HistoryIdsTellRole = "history-ids-tell-role",
    LivenessListsAtOnce = "liveness-lists-at-once",
    RestartKeepsAddress = "restart-keeps-address",
    SchedulesAreCounted = "schedules-are-counted",
    RemovedTokenIsRefused = "removed-token-is-refused",
    BootSteps = "boot-steps",
    RuntimeChangeResetsModel = "runtime-change-resets-model",
    ListFailsClosed = "list-fails-closed",
    RestartCanBeDeclined = "restart-can-be-declined",
    AbsentFileIs404 = "absent-file-is-404",
}

impl Behaviour {
    /// By its name.
    pub fn named(name: &str) -> Option<Behaviour> {
        Behaviour::ALL.iter().copied().find(|b| b.as_str() == name)
    }

    /// The name that may have been meant.
    pub fn near(word: &str) -> Option<&'static str> {
        let near = nearest(word, Behaviour::names()).into_iter().next()?;
        did_you_mean(word, [near])
            .starts_with("did you mean")
            .then(|| Behaviour::named(near).map(Behaviour::as_str))?
    }

    /// What to do about a word that is no name: there are too many to list them.
    pub fn hint(word: &str) -> String {
        match Behaviour::near(word) {
            Some(name) => format!("did you mean `{name}`? `lifecycle behaviours list` shows them all"),
            None => "`lifecycle behaviours list` shows them all".to_owned(),
        }
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Behaviour::ALL.iter().map(|b| b.as_str())
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A state of the platform that is described.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Edition {
    /// 2026-06-15.
    #[default]
    MidJune,
    /// 2026-08-14.
    MidAugust,
}

impl Edition {
    /// All of them, oldest first.
    pub const ALL: [Edition; 2] = [Edition::MidJune, Edition::MidAugust];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Edition::MidJune => "mid-june",
            Edition::MidAugust => "mid-august",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Edition> {
        Edition::ALL.into_iter().find(|e| e.as_str() == name)
    }

    /// What it does.
    pub fn behaviours(self) -> Behaviours {
        rows()
            .iter()
            .filter(|row| row.editions.contains(&self))
            .fold(Behaviours::NONE, |set, row| set.with(row.behaviour, true))
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a server does: each behaviour on or off.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Behaviours(u128);

impl Behaviours {
    /// None of them.
    pub const NONE: Behaviours = Behaviours(0);

    /// Whether this one is on.
    pub const fn has(self, behaviour: Behaviour) -> bool {
        self.0 & (1 << behaviour as u32) != 0
    }

    /// With this one on or off.
    #[must_use]
    pub const fn with(self, behaviour: Behaviour, on: bool) -> Behaviours {
        let bit = 1 << behaviour as u32;
        Behaviours(if on { self.0 | bit } else { self.0 & !bit })
    }
}

impl Default for Behaviours {
    fn default() -> Self {
        Edition::default().behaviours()
    }
}

impl fmt::Debug for Behaviours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Behaviour::ALL.iter().filter(|b| self.has(**b)).map(|b| b.as_str())).finish()
    }
}

/// What a reference platform plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Runtimes, defaults and wordings.
    pub edition: Edition,
    /// What it does.
    pub behaviours: Behaviours,
}

impl Played {
    /// An edition, with some behaviours the other way.
    pub fn of<'a>(edition: Edition, changed: impl IntoIterator<Item = (&'a Behaviour, &'a bool)>) -> Played {
        let behaviours = changed.into_iter().fold(edition.behaviours(), |set, (b, on)| set.with(*b, *on));
        Played { edition, behaviours }
    }
}

/// `NAME=on|off`, as it is typed.
///
/// # Errors
/// What is wrong with it, and what could be meant.
pub(crate) fn typed(text: &str) -> Result<(Behaviour, bool), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=on or NAME=off"))?;
    let behaviour = Behaviour::named(name)
        .ok_or_else(|| format!("no behaviour is called `{name}`: {}", Behaviour::hint(name)))?;
    match value {
        "on" | "true" => Ok((behaviour, true)),
        "off" | "false" => Ok((behaviour, false)),
        _ => Err(format!("`{value}` is neither `on` nor `off`")),
    }
}

/// `on` or `off`.
pub(crate) const fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_behaviour_once_and_in_order() {
        let named: Vec<Behaviour> = rows().iter().map(|row| row.behaviour).collect();
        assert_eq!(named, Behaviour::ALL);
        assert!(Behaviour::ALL.len() < 128);
        assert_eq!(editions().iter().map(|e| e.name).collect::<Vec<_>>(), Edition::ALL);
        for row in rows() {
            assert!(!row.says.ends_with('.') && !row.seen.is_empty(), "{}", row.behaviour);
        }
    }

    #[test]
    fn editions_are_sets() {
        let (june, august) = (Edition::MidJune.behaviours(), Edition::MidAugust.behaviours());
        assert!(june.has(Behaviour::BillingRoute) && !august.has(Behaviour::BillingRoute));
        assert!(!june.has(Behaviour::HibernateWakes) && august.has(Behaviour::HibernateWakes));
        assert_eq!(june.with(Behaviour::HibernateWakes, true).with(Behaviour::HibernateWakes, false), june);
        assert_eq!(Behaviours::default(), june);
    }

    #[test]
    fn what_is_typed() {
        assert_eq!(typed("hibernate-wakes=on"), Ok((Behaviour::HibernateWakes, true)));
        assert_eq!(typed("billing-route=off"), Ok((Behaviour::BillingRoute, false)));
        assert!(typed("hibernate-wake=on").unwrap_err().contains("hibernate-wakes"));
        assert!(typed("hibernate-wakes").is_err() && typed("hibernate-wakes=perhaps").is_err());
    }
}
