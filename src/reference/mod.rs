//! The reference platform: a real HTTP server that keeps the workspace-server's contract.
//!
//! One state machine (`state`), one table of routes (`routes`), every time constant behind one
//! factor (`clock`). The harness meets it over HTTP only.

pub mod agent;
pub mod clock;
pub mod control_plane;
pub mod fault_runs;
pub mod faults;
pub mod options;
pub mod outbound;
pub mod provider;
pub mod provision;
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
