//! Model rules: pure, offline. Callers read files and environments and hand them in.

pub mod allowlist;
pub mod billing;
pub mod catalogue;
pub mod container;
pub mod derive;
pub mod expected;
pub mod gates;
pub mod keys;
pub mod projection;
mod read;
pub mod server_env;
pub mod yaml;

#[cfg(test)]
mod tests;
