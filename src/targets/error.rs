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
    /// What it needs of others is not there.
    pub dependency: Option<Dependency>,
}

/// What is wrong with what a target needs of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// It is down.
    Down,
    /// Nobody said where it is.
    NotConfigured,
}

impl OpenError {
    pub(super) fn new(what: impl Into<String>, check: &[&str]) -> Self {
        let check = check.iter().map(|s| (*s).to_owned()).collect();
        OpenError { what: what.into(), check, busy: false, refused: false, dependency: None }
    }

    pub(super) fn refused(what: impl Into<String>, check: &[&str]) -> Self {
        OpenError { refused: true, ..OpenError::new(what, check) }
    }

    pub(super) fn dependency(kind: Dependency, what: impl Into<String>, check: &[&str]) -> Self {
        OpenError { dependency: Some(kind), ..OpenError::new(what, check) }
    }

    pub(super) fn busy(what: impl Into<String>) -> Self {
        OpenError {
            busy: true,
            ..OpenError::new(what, &["it ends by itself, or `lifecycle sweep --cp-url`"])
        }
    }
}
