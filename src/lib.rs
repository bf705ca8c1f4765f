//! End-to-end lifecycle harness for platforms that run AI agents in workspaces.
//!
//! Modules are listed top down: a module imports only from modules below it
//! (`tests/suite/layers.rs` enforces it).

pub mod facade;
mod cli;
mod session;
mod history;
mod report;
mod runner;
mod targets;
mod mechanism;
mod reference;
mod platform;
mod docker;
mod run;
mod http;
mod wire;
mod scenario;
mod models;
mod event;
mod behaviour;
mod yaml;
mod source;
mod output;
mod redact;
mod clock;
mod tls;
mod chance;
mod domain;
