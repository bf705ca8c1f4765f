//! Whole runs in simulated time: harness, wire and reference platform in one runtime whose clock is paused, all chance
//! from one seed (docs/simulation.md).
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "switches of the tests; seeds take real time"
)]

#[cfg(test)]
mod case;
#[cfg(test)]
mod control_plane;
#[cfg(test)]
mod directed;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod organisations;
#[cfg(test)]
mod play;
#[cfg(test)]
mod precision;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod transports;
#[cfg(test)]
mod world;
