//! From evidence to a named cause.
//!
//! [`Symptoms`] are what the engine saw, [`facts::Facts`] what follows from them by name, and a
//! [`file::Mechanism`] says which facts prove a cause. They are tried by layer, bottom up.

pub mod catalogue;
pub mod condition;
mod diagnose;
mod extract;
pub mod facts;
pub mod file;
pub mod lint;
pub mod page;
mod symptoms;
pub mod template;

pub use diagnose::{UNCLASSIFIED, diagnose};
pub use extract::{facts_of, short_time};
pub use symptoms::{Subject, Symptoms, Wait};

#[cfg(test)]
mod tests;
