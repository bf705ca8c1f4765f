//! Model rules: pure, offline. Callers read files and environments and hand them in.

pub mod allowlist;
pub mod billing;
pub mod catalogue;
pub mod derive;
pub mod gates;
pub mod keys;
mod read;
pub mod yaml;

#[cfg(test)]
mod tests;
