//! Why a purge is not over.

/// Why an organisation is not known to be gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotGone {
    /// The control plane took the delete, and it or an instance of it is there all the same.
    #[error("{0}")]
    Remains(String),
    /// The delete was not taken, or what the control plane shows proves nothing.
    #[error("{0}")]
    Unproven(String),
}
