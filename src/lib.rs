//! End-to-end lifecycle harness for platforms that run AI agents in workspaces.
//!
//! Modules are listed top down: a module imports only from modules below it
//! (`tests/suite/layers.rs` enforces it).

pub mod cli;
pub mod session;
pub mod history;
pub mod report;
pub mod runner;
pub mod targets;
pub mod mechanism;
pub mod reference;
pub mod platform;
pub mod docker;
pub mod run;
pub mod http;
pub mod wire;
pub mod scenario;
pub mod models;
pub mod event;
pub mod behaviour;
pub mod yaml;
pub mod source;
pub mod output;
pub mod redact;
pub mod clock;
pub mod chance;
pub mod domain;
