//! Profiles: which server, how it is brought up and down, and what runs against it.

pub mod books;
mod check;
pub mod error;
pub mod foresee;
pub mod lane;
pub mod model;
pub mod part_log;
pub mod process;
pub mod raw;
pub mod ready;
mod saas;
mod shipped;
pub mod values;

pub use check::{Loaded, load};
pub use foresee::foresee;
pub use model::Profile;
pub use shipped::shipped;

use crate::source::SourceFile;

/// Whether a text is a profile rather than a scenario: its first key is `profile`.
pub fn is_profile(source: &SourceFile) -> bool {
    source.text.lines().any(|line| line.starts_with("profile:"))
}

/// The schema of profile files, for editors.
pub fn schema() -> serde_json::Value {
    crate::scenario::schema_of::<raw::RawProfile>()
}
