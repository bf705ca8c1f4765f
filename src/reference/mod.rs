//! The reference platform: a real HTTP server that keeps the workspace-server's contract.
//!
//! One state machine (`state`), one table of routes (`routes`), every time constant behind one
//! factor (`clock`). The harness meets it over HTTP only.

pub(crate) mod agent;
pub(crate) mod clock;
pub(crate) mod control_plane;
pub mod fault_runs;
pub mod faults;
pub(crate) mod options;
pub(crate) mod outbound;
pub mod provider;
pub(crate) mod provision;
pub mod server;

mod addresses;
mod cycle;
mod platform;
mod proxy;
mod ratelimit;
mod reply;
mod routes;
mod rules;
mod stall;
mod state;
mod sweeps;
mod vendors;

#[cfg(test)]
mod tests;
