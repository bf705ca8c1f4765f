//! The command line: one file a command, and the only reader of settings.

pub mod model;
