//! From a file to a scenario.

use super::fragment::Fragments;
use super::loaded::Loaded;
use super::model::Scenario;
use super::read;
use crate::source::{Problem, SourceFile};

/// Reads and checks a scenario; every mistake of the file is reported at once.
pub fn load(source: &SourceFile, fragments: &Fragments) -> Loaded {
    read::scenario(source, fragments)
}

/// An expected failure whose last day lies before `today` (`YYYY-MM-DD`).
pub(crate) fn expired(scenario: &Scenario, today: &str) -> Option<Problem> {
    let expected = scenario.expect_failure.as_ref()?;
    (expected.until.as_str() < today).then(|| {
        let message = format!("the expected failure {} ran out on {}", expected.issue, expected.until);
        Problem::error("scenario::expired", message)
            .at(&scenario.source, expected.span, format!("today is {today}"))
            .hint("mend it, or look into the issue and set a new `until`")
    })
}
