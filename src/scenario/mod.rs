//! From text to a checked scenario.

pub mod model;
pub mod template;
