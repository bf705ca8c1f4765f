//! The platform over HTTP: the contract's tables, row by row.

mod access;
mod activity;
mod bad_input;
mod behaviours;
mod clocks;
mod divergences;
mod external;
mod faults;
mod fidelity;
mod gates;
mod lifecycle;
mod limits;
mod messages;
mod open;
mod play;
mod projection;
mod registry;
mod restarts;
mod scripted;
mod secrets;
mod streams;
