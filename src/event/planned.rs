//! What will run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What will run and what is skipped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    /// In the order of their names.
    pub scenarios: Vec<PlannedScenario>,
}

/// One scenario instance of the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedScenario {
    /// Instance name.
    pub scenario: String,
    /// The file.
    pub file: String,
    /// One line.
    pub summary: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Shown, never turns the run red.
    pub advisory: bool,
    /// Why it does not run here.
    pub skip: Option<String>,
    /// The failure that is expected, with issue and expiry.
    pub expects_failure: Option<ExpectedFailure>,
    /// All steps, in order, nested ones too.
    pub steps: Vec<PlannedStep>,
    /// Bound of the body.
    pub budget_ms: u64,
}

/// An expected failure as the plan shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedFailure {
    /// Where it is tracked.
    pub issue: String,
    /// Why.
    pub reason: String,
    /// Only this mechanism counts.
    pub mechanism: Option<String>,
    /// Last day.
    pub until: String,
}

/// One step of the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStep {
    /// `3`, `4.parallel.2`.
    pub step: String,
    /// For people.
    pub name: String,
    /// The keyword.
    pub verb: String,
    /// Line in the file.
    pub line: usize,
    /// That file, when it is not the scenario's: a fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}
