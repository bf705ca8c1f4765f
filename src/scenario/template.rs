//! `${…}`: lookup of inputs, captures and resources, plus a fixed set of functions.

use crate::source::Span;

/// A text with lookups.
#[derive(Clone, Debug)]
pub struct Template {
    /// As written.
    pub raw: String,
    /// What it is made of.
    pub parts: Vec<Part>,
    /// Where it is written.
    pub span: Span,
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Literal text.
    Text(String),
    /// A lookup or a call.
    Expr(Expr),
}

/// What stands between `${` and `}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `inputs.runtime`, `ws.id`, `run.id`, `matrix.runtime`, `cursor`.
    Path(Vec<String>),
    /// `'text'`.
    Literal(String),
    /// `sha256(ws.id)`.
    Call {
        /// One of the fixed set.
        function: Function,
        /// Its arguments.
        args: Vec<Expr>,
    },
}

/// The fixed set of functions (DESIGN §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// A random UUID.
    Uuid,
    /// Random hex digits: `random(8)`.
    Random,
    /// Lower-case hex.
    Sha256,
    /// Percent-encoding of everything that is not unreserved.
    Urlencode,
    /// Standard base64.
    Base64,
    /// The first argument that is not empty.
    First,
}

/// A JSON value with templates at its string leaves.
#[derive(Clone, Debug)]
pub enum TemplateValue {
    /// null, a bool or a number.
    Plain(serde_json::Value),
    /// A string.
    Text(Template),
    /// An array.
    List(Vec<TemplateValue>),
    /// An object.
    Map(indexmap::IndexMap<String, TemplateValue>),
}
