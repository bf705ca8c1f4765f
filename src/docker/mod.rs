//! The container engine: the only user of bollard.
//!
//! Nothing here reads the environment or decides what may be removed: callers pass settings in and
//! name what they own.

mod about;
pub mod agent_image;
mod bounds;
pub mod connect;
pub mod containers;
mod engine;
mod errands;
pub mod error;
mod inventory;
pub mod lines;
pub mod lock;
pub mod names;
pub mod networks;
pub mod owned;
pub mod owner;
pub mod probe;
mod shown;
pub mod tags;
pub mod tar;
pub mod volumes;
pub mod workspaces;

pub use about::About;
pub use connect::Settings;
pub use containers::{Action, ContainerSpec, Listed};
pub use engine::Engine;
pub use error::{EngineError, ErrorKind};
pub use shown::Container;

/// Filters as the API takes them: `label` → values.
fn filters(pairs: &[(&str, &str)]) -> std::collections::HashMap<String, Vec<String>> {
    let mut all: std::collections::HashMap<String, Vec<String>> = std::collections::HashMap::new();
    for (key, value) in pairs {
        all.entry((*key).to_owned()).or_default().push((*value).to_owned());
    }
    all
}
