//! A control plane as target: an organisation is made, waited for phase by phase, and purged.

mod ask;
mod behind;
mod bring_up;
mod client;
mod desk;
mod llm_proxy;
mod not_gone;
mod org;
mod outliving;
mod phase;
mod plane;
mod purge;
mod settings;
pub(crate) mod slug;
mod spread;
mod stage;

pub(crate) use behind::Behind;
pub(crate) use bring_up::Maker;
pub use desk::Desk;
pub(crate) use desk::ORGANISATION;
pub(crate) use llm_proxy::{LlmProxy, ROUTE as LLM_PROXY_ROUTE};
pub(crate) use not_gone::NotGone;
pub use org::Made;
pub(crate) use outliving::LeakCheck;
pub use outliving::Leaks;
pub(crate) use phase::Phase;
pub(crate) use plane::Plane;
pub use purge::{PurgeRules, purge};
pub(crate) use purge::{purge_early, stale};
pub use settings::Settings;
pub(crate) use settings::Waits;
pub use spread::Spread;
pub(crate) use stage::{Hurry, Stage};
