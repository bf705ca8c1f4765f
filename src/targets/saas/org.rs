//! An organisation: asked for, and ours once it works.

use crate::domain::Secret;

/// An organisation of ours that works.
#[derive(Clone, Debug)]
pub struct Org {
    /// Its slug.
    pub slug: String,
    /// Its id, which every request to the tenant names.
    pub id: String,
    /// The address of its tenant.
    pub base_url: String,
    /// The tenant's own token.
    pub admin_token: Secret,
}

/// An organisation that was asked for.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its entry in the ledger.
    pub resource: String,
    /// Its slug.
    pub slug: String,
}
