//! The container engine: the only user of bollard.
//!
//! Nothing here reads the environment or decides what may be removed: callers pass settings in and
//! name what they own.

mod about;
pub(crate) mod agent_image;
mod bounds;
pub(crate) mod connect;
pub(crate) mod containers;
mod engine;
mod errands;
pub(crate) mod error;
mod inventory;
pub(crate) mod lines;
pub(crate) mod lock;
pub mod names;
pub(crate) mod networks;
pub(crate) mod owned;
pub(crate) mod owner;
pub(crate) mod probe;
mod shown;
pub(crate) mod tags;
pub mod tar;
pub(crate) mod volumes;
pub(crate) mod workspaces;

pub(crate) use about::About;
pub use connect::Settings;
pub(crate) use containers::Listed;
pub use containers::{Action, ContainerSpec};
pub use engine::Engine;
pub(crate) use error::EngineError;
pub use error::ErrorKind;
pub(crate) use shown::Container;

/// Filters as the API takes them: `label` → values.
fn filters(pairs: &[(&str, &str)]) -> std::collections::HashMap<String, Vec<String>> {
    let mut all: std::collections::HashMap<String, Vec<String>> = std::collections::HashMap::new();
    for (key, value) in pairs {
        all.entry((*key).to_owned()).or_default().push((*value).to_owned());
    }
    all
}
