//! Model rules: pure, offline. Callers read files and environments and hand them in.

pub mod allowlist;
pub mod auto;
pub mod billing;
pub mod catalogue;
pub mod certainty;
pub mod classes;
pub mod container;
pub mod contradictions;
pub mod derive;
pub mod detect;
mod detect_env;
pub mod diff;
pub mod dispatch;
pub mod expected;
pub mod explain;
pub mod gates;
pub mod inputs;
pub mod keys;
mod loaded;
pub mod preferences;
pub mod projection;
mod read;
pub mod server_env;
pub mod situation;
pub mod situation_file;
pub mod slug;
pub mod spelling;
pub mod table;
pub mod workflow;
pub mod yaml;

#[cfg(test)]
mod tests;
