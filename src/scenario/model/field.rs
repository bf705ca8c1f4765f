//! What many steps have: a workspace, a duration, a condition, attempts.

use std::time::Duration;

use crate::scenario::template::Template;
use crate::source::Span;

/// A reference to a workspace by the name that `as:` gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceRef {
    /// The name.
    pub name: String,
    /// Where it is used.
    pub span: Span,
}

/// A duration, or a template that becomes one.
#[derive(Clone, Debug)]
pub enum DurationField {
    /// Known at load.
    Literal(Duration),
    /// Known when the inputs are.
    Template(Template),
}

/// A `when:` of a step: `${inputs.mode} == full`, `!=`, `in [a, b]`, or a bare template that is `true`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Left side.
    pub left: Template,
    /// The comparison.
    pub test: ConditionTest,
    /// For reports.
    pub text: String,
}

/// The comparison of a [`Condition`].
#[derive(Clone, Debug)]
pub enum ConditionTest {
    /// Non-empty and not `false` or `0`.
    Truthy,
    /// Equal texts.
    Equals(Template),
    /// Different texts.
    Differs(Template),
    /// One of these.
    In(Vec<Template>),
}

/// How often a step is tried; a pass after a failure is flaky, not green.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// Pause between them.
    pub pause: Duration,
}
