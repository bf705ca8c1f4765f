//! From text to a checked scenario. No IO: callers hand texts over.

mod check;
pub mod decode;
pub mod fragment;
pub mod known;
pub mod matcher;
mod matrix;
pub mod model;
pub mod need;
mod any;
pub mod raw;
mod read;
pub mod remembered;
mod schema;
mod shipped;
pub mod template;
pub mod verbs;
#[cfg(test)]
mod tests;

pub use check::WORKSPACE_FIELDS;
pub use fragment::Fragments;
pub use matrix::{Instance, expand_matrix, scenario_of, without_round};
pub use model::Scenario;
pub use schema::{fragment_schema, schema, schema_of, schema_of_written};
pub use shipped::{shipped, shipped_fragment_files, shipped_fragments, shipped_profiles};

use crate::source::{Level, Problem, SourceFile};
use crate::yaml::{Aliases, Reading};

/// What came of reading a scenario file.
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

/// Reads and checks a scenario; every mistake of the file is reported at once.
pub fn load(source: &SourceFile, fragments: &Fragments) -> Loaded {
    read::scenario(source, fragments)
}

/// An expected failure whose last day lies before `today` (`YYYY-MM-DD`).
pub fn expired(scenario: &Scenario, today: &str) -> Option<Problem> {
    let expected = scenario.expect_failure.as_ref()?;
    (expected.until.as_str() < today).then(|| {
        let message = format!("the expected failure {} ran out on {}", expected.issue, expected.until);
        Problem::error("scenario::expired", message)
            .at(&scenario.source, expected.span, format!("today is {today}"))
            .hint("mend it, or look into the issue and set a new `until`")
    })
}

/// A scenario is a page or two.
const READING: Reading = Reading {
    code: "scenario",
    max_nodes: 20_000,
    max_aliases: 200,
    max_bytes: 1 << 20,
    aliases: Aliases::Used,
};
