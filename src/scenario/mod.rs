//! From text to a checked scenario.

pub mod decode;
pub mod matcher;
pub mod model;
pub mod node;
pub mod template;
mod yaml;
