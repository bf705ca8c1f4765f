//! A control plane as target: an organisation is made, waited for phase by phase, and purged.

mod ask;
mod behind;
mod bring_up;
mod client;
mod desk;
mod llm_proxy;
mod org;
mod phase;
mod plane;
mod purge;
mod settings;
pub mod slug;
mod stage;

pub use behind::Behind;
pub use bring_up::Maker;
pub use desk::{Desk, ORGANISATION};
pub use llm_proxy::{LlmProxy, ROUTE as LLM_PROXY_ROUTE};
pub use org::{Made, Org};
pub use phase::Phase;
pub use plane::Plane;
pub use purge::{purge, stale};
pub use settings::{Settings, Waits};
pub use stage::{Hurry, Stage};
