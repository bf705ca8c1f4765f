//! From text to a checked scenario. No IO: callers hand texts over.

mod check;
pub(crate) mod decode;
pub(crate) mod fragment;
pub(crate) mod known;
mod load;
mod loaded;
pub(crate) mod matcher;
mod matrix;
pub(crate) mod model;
pub(crate) mod need;
mod any;
pub(crate) mod raw;
mod read;
mod reading;
pub(crate) mod remembered;
mod schema;
mod shipped;
pub(crate) mod template;
pub(crate) mod verbs;
#[cfg(test)]
mod tests;

pub use fragment::Fragments;
pub(crate) use load::expired;
pub use load::load;
pub(crate) use matrix::without_round;
pub use matrix::{expand_matrix, scenario_of};
pub use model::Scenario;
pub(crate) use schema::{fragment_schema, schema, schema_of, schema_of_written};
pub(crate) use shipped::name_of;
pub use shipped::{shipped, shipped_fragment_files, shipped_fragments, shipped_profiles};
