//! From evidence to a named cause.
//!
//! [`Symptoms`] are what the engine saw, [`facts::Facts`] what follows from them by name, and a
//! [`file::Mechanism`] says which facts prove a cause and which reds it can have made. Of those that can, the one of
//! the lowest layer is named; what holds besides is also seen.

pub mod again;
pub mod catalogue;
pub mod condition;
mod diagnose;
mod extract;
pub mod facts;
pub mod file;
pub mod lint;
pub mod page;
mod red;
pub mod said;
pub mod template;

pub use crate::event::{Subject, Symptoms, Wait};
pub use diagnose::{UNCLASSIFIED, diagnose};
pub use extract::{facts_of, short_time};
pub use red::red_of;

#[cfg(test)]
mod tests;
