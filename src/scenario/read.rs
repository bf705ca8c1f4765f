//! From a file to a scenario: the document, its steps, and the fragments that they use.

mod document;
mod fragment_use;
mod step;

pub(super) use document::scenario;
