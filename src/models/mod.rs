//! Model rules: pure, offline. Callers read files and environments and hand them in.

pub(crate) mod allowlist;
pub(crate) mod auto;
pub(crate) mod billing;
pub(crate) mod catalogue;
pub(crate) mod certainty;
pub(crate) mod classes;
pub(crate) mod container;
pub(crate) mod contradictions;
pub(crate) mod contradictions_page;
pub(crate) mod derive;
pub(crate) mod detect;
mod detect_env;
pub(crate) mod diff;
pub(crate) mod dispatch;
pub(crate) mod expected;
pub(crate) mod explain;
pub(crate) mod gates;
pub(crate) mod inputs;
pub(crate) mod keys;
mod loaded;
pub(crate) mod preferences;
pub(crate) mod projection;
mod read;
pub(crate) mod server_env;
pub(crate) mod situation;
pub mod situation_file;
pub(crate) mod slug;
pub(crate) mod spelling;
pub(crate) mod table;
pub mod workflow;
pub(crate) mod yaml;

#[cfg(test)]
mod tests;
