//! What came of reading a scenario file.

use super::model::Scenario;
use crate::source::{Level, Problem};

/// A scenario and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The scenario; none when there is an error.
    pub scenario: Option<Scenario>,
    /// Errors and warnings, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Whether something is wrong enough not to run.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|p| p.level == Level::Error)
    }
}
