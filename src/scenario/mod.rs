//! From text to a checked scenario. No IO: callers hand texts over.

mod check;
pub mod decode;
pub mod fragment;
pub mod known;
mod load;
mod loaded;
pub mod matcher;
mod matrix;
pub mod model;
pub mod need;
mod any;
pub mod raw;
mod read;
mod reading;
pub mod remembered;
mod schema;
mod shipped;
pub mod template;
pub mod verbs;
#[cfg(test)]
mod tests;

pub use check::WORKSPACE_FIELDS;
pub use fragment::Fragments;
pub use load::{expired, load};
pub use loaded::Loaded;
pub use matrix::{Instance, expand_matrix, scenario_of, without_round};
pub use model::Scenario;
pub use schema::{fragment_schema, schema, schema_of, schema_of_written};
pub use shipped::{shipped, shipped_fragment_files, shipped_fragments, shipped_profiles};
