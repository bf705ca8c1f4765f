//! Inputs, and whether a red counts.

use crate::source::Span;

/// Whether a red turns the run red.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// It does.
    #[default]
    Required,
    /// Shown, never turns the run red.
    Advisory,
}

/// What the failure of a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepGate {
    /// It ends the scenario.
    Required,
    /// It is shown, and nothing more.
    Advisory,
    /// The scenario is red by it and goes on, so that what is wrong besides is seen too.
    Continue,
}

/// A declared input.
#[derive(Clone, Debug)]
pub struct Input {
    /// Used when nobody sets it; `None` makes it required (a run that lacks it skips as not configured).
    pub default: Option<String>,
    /// Allowed values; empty means any.
    pub one_of: Vec<String>,
    /// Environment variables that set it, first non-empty wins.
    pub env: Vec<String>,
    /// Its value is registered for redaction and never shown.
    pub secret: bool,
    /// What it must parse as.
    pub kind: InputKind,
    /// For people.
    pub summary: String,
    /// Where it is declared.
    pub span: Span,
}

/// What an input's value must parse as.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// Anything.
    #[default]
    Text,
    /// `90s`, or a bare number of seconds.
    Duration,
    /// A whole number.
    Number,
    /// `true` or `false` (also `1`, `0`).
    Bool,
}
