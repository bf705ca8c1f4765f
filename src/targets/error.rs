//! Why a target cannot be used.

/// What is in the way, and what to check.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct OpenError {
    /// What happened, with the whole chain of causes.
    pub what: String,
    /// What to check, one line each.
    pub check: Vec<String>,
    /// Somebody else uses it.
    pub busy: bool,
    /// It answered, and refused the credential.
    pub refused: bool,
}

impl OpenError {
    pub(super) fn new(what: impl Into<String>, check: &[&str]) -> Self {
        let check = check.iter().map(|s| (*s).to_owned()).collect();
        OpenError { what: what.into(), check, busy: false, refused: false }
    }

    pub(super) fn refused(what: impl Into<String>, check: &[&str]) -> Self {
        OpenError { refused: true, ..OpenError::new(what, check) }
    }

    pub(super) fn busy(what: impl Into<String>) -> Self {
        OpenError {
            busy: true,
            ..OpenError::new(what, &["it ends by itself, or `lifecycle sweep --cp-url`"])
        }
    }
}
