//! Tests of parts that meet only over HTTP, and of the real binary. One binary, one module a concern.
#![expect(clippy::disallowed_types, reason = "a process takes real time")]

#[cfg(test)]
mod again;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod bad_server;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod contract_rows;
#[cfg(test)]
mod contradictions;
#[cfg(test)]
mod daily;
#[cfg(test)]
mod disk;
mod editions;
#[cfg(test)]
mod docker;
#[cfg(test)]
mod engine_care;
#[cfg(test)]
mod engine_proxy;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod fake_engine;
#[cfg(test)]
mod false_greens;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod foreign_clients;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod interrupts;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod live;
#[cfg(test)]
mod no_work;
#[cfg(test)]
mod old_scripts;
#[cfg(test)]
mod ownership;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod profile_endings;
#[cfg(test)]
mod profile_services;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod saas;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod session;
#[cfg(test)]
mod slow_clock;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod state;
#[cfg(test)]
mod sweep_care;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod transport_table;
#[cfg(test)]
mod tutorial;
mod verdicts;
