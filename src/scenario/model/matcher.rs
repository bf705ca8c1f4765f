//! Tests of values, and the paths that find them.

use crate::scenario::template::{Template, TemplateValue};
use crate::source::Span;

/// A JSON path (RFC 9535) that was parsed at load.
#[derive(Clone, Debug)]
pub struct JsonPath {
    /// As written.
    pub text: String,
    /// Parsed; with stand-ins where something is looked up.
    pub path: serde_json_path::JsonPath,
    /// Where it looks something up: [`JsonPath::resolve`] fills it in.
    pub template: Option<Template>,
    /// Where it is written.
    pub span: Span,
}

/// What must hold of a value, with the place that says so.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The test.
    pub test: MatcherTest,
    /// Where it is written.
    pub span: Span,
}

/// The tests of values.
#[derive(Clone, Debug)]
pub enum MatcherTest {
    /// The same JSON value (numbers by value).
    Equals(TemplateValue),
    /// Anything else.
    Differs(TemplateValue),
    /// The text contains this; with `ignore_case`.
    Contains {
        /// The needle.
        text: Template,
        /// Case does not matter.
        ignore_case: bool,
    },
    /// The text does not contain this.
    Lacks {
        /// The needle.
        text: Template,
        /// Case does not matter.
        ignore_case: bool,
    },
    /// The text matches a regular expression.
    Matches(regex::Regex),
    /// One of these values.
    OneOf(Vec<TemplateValue>),
    /// Something is there (`true`) or nothing (`false`).
    Exists(bool),
    /// `string`, `number`, `bool`, `array`, `object`, `null`.
    Type(String),
    /// Length of a list, object or text.
    Length(Bounds),
    /// A number's bounds.
    Number(Bounds),
    /// Non-empty text, list or object.
    NonEmpty,
    /// A list that has these elements, in any order, perhaps with others.
    Includes(Vec<TemplateValue>),
}

/// Inclusive bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// At least.
    pub min: Option<f64>,
    /// At most.
    pub max: Option<f64>,
}
