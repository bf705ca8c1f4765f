//! A scenario file as a whole.

use std::time::Duration;

use indexmap::IndexMap;

use super::input::{Gate, Input};
use crate::scenario::need::Need;
use crate::scenario::verbs::Step;
use crate::source::{SourceFile, Span};

/// One scenario file, checked. Spans point into `source`.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `scenario:`, unique among the loaded ones: lower-case words with dashes.
    pub name: String,
    /// One line for lists.
    pub summary: String,
    /// For `@tag` selection.
    pub tags: Vec<String>,
    /// Whether a red here turns the run red.
    pub gate: Gate,
    /// What the target must offer; else a counted skip.
    pub needs: Vec<Need>,
    /// The whole body's budget.
    pub budget: Duration,
    /// Declared inputs, in order.
    pub inputs: IndexMap<String, Input>,
    /// One scenario per combination; empty when there is no matrix.
    pub matrix: IndexMap<String, Vec<String>>,
    /// The body.
    pub steps: Vec<Step>,
    /// Runs after the body in every ending, before clean-up.
    pub finally: Vec<Step>,
    /// Names that must have been reached under `--require-live`.
    pub milestones: Vec<String>,
    /// The body is expected to fail.
    pub expect_failure: Option<ExpectFailure>,
    /// The file.
    pub source: SourceFile,
}

/// `expect_failure`: the body runs, and must fail in this way.
#[derive(Clone, Debug)]
pub struct ExpectFailure {
    /// Where it is tracked, for example `#2863`.
    pub issue: String,
    /// Why, for people.
    pub reason: String,
    /// Only this mechanism is the expected one.
    pub mechanism: Option<String>,
    /// Last day on which it is still expected (`YYYY-MM-DD`).
    pub until: String,
    /// Holds only where the target behaves like this (`hibernate-wakes: false`); elsewhere the body must pass.
    pub when: IndexMap<Need, bool>,
    /// Where it is declared.
    pub span: Span,
}
