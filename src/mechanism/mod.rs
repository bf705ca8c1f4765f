//! From evidence to a named cause.
//!
//! [`Symptoms`] are what the engine saw, [`facts::Facts`] what follows from them by name, and a
//! [`file::Mechanism`] says which facts prove a cause and which reds it can have made. Of those that can, the one of
//! the lowest layer is named; what holds besides is also seen.

pub(crate) mod again;
pub(crate) mod catalogue;
pub(crate) mod condition;
mod diagnose;
mod extract;
pub(crate) mod facts;
pub(crate) mod file;
pub(crate) mod lint;
#[cfg(test)]
mod page;
mod red;
pub(crate) mod said;
pub(crate) mod template;
pub(crate) mod words;

pub(crate) use crate::event::Symptoms;
pub(crate) use diagnose::{UNCLASSIFIED, diagnose};
pub(crate) use extract::short_time;

#[cfg(test)]
mod tests;
