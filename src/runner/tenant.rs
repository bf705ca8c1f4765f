//! Names of the tenant's (global) secrets: they are in every environment too (contract §8.4, 1).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the list is.
pub(crate) const ROUTE: &str = "/settings/secrets";

/// What is known of them, read once and again after this run changed one.
#[derive(Debug, Default)]
pub struct Tenant {
    names: Mutex<Option<Names>>,
    /// Whoever reads them holds it.
    pub reading: tokio::sync::Mutex<()>,
}

/// Their names; `None` when the server does not tell.
pub(crate) type Names = Option<Arc<BTreeSet<String>>>;

impl Tenant {
    /// The names, once they were read.
    pub fn names(&self) -> Names {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone().flatten()
    }

    /// Whether they were read, or asked for.
    pub fn is_read(&self) -> bool {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// This run changed one: what is known is old.
    pub fn changed(&self) {
        self.set(None);
    }

    /// They were read, or the server does not tell.
    pub fn set(&self, names: Option<Names>) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}
