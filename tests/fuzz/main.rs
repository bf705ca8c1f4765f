//! Everything that is read from outside, with inputs that nobody would write: no panic, bounded memory and time.
//!
//! `LIFECYCLE_FUZZ_SECONDS=N` gives each target N seconds of the processor (1 without it), after its corpus;
//! `LIFECYCLE_FUZZ_SEED=N` begins elsewhere. An input that did harm is kept in `fixtures/fuzz/<target>/` and is tried
//! first ever after.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "switches of CI, and the time of a process"
)]

#[cfg(test)]
mod mutate;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod wire;
