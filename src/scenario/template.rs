//! `${…}`: lookup of inputs, captures and resources, plus a fixed set of functions.

mod parse;
mod render;
#[cfg(test)]
pub(crate) mod tests;

pub use render::Scope;
pub(crate) use render::{TemplateError, show};

use crate::source::Span;

/// A text with lookups.
#[derive(Clone, Debug)]
pub struct Template {
    /// As written.
    pub raw: String,
    /// What it is made of.
    pub parts: Vec<Piece>,
    /// Where it is written.
    pub span: Span,
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
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
    /// The text without this beginning.
    Without,
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

impl Function {
    /// All of them, in the order of documentation.
    pub const ALL: [Function; 7] = [
        Function::Uuid,
        Function::Random,
        Function::Sha256,
        Function::Urlencode,
        Function::Base64,
        Function::First,
        Function::Without,
    ];

    /// The word in templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Function::Uuid => "uuid",
            Function::Random => "random",
            Function::Sha256 => "sha256",
            Function::Urlencode => "urlencode",
            Function::Base64 => "base64",
            Function::First => "first",
            Function::Without => "without",
        }
    }

    /// How many arguments it takes, at least and at most.
    pub fn arity(self) -> (usize, usize) {
        match self {
            Function::Uuid => (0, 0),
            Function::Random => (0, 1),
            Function::Sha256 | Function::Urlencode | Function::Base64 => (1, 1),
            Function::First => (1, usize::MAX),
            Function::Without => (2, 2),
        }
    }
}

impl Template {
    /// A text without lookups.
    pub fn literal(text: impl Into<String>) -> Template {
        let text = text.into();
        let raw = text.replace("${", "$${");
        let parts = if text.is_empty() { Vec::new() } else { vec![Piece::Text(text)] };
        Template { raw, parts, span: Span::default() }
    }

    /// The text, when there is nothing to look up.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Every path that is looked up, also inside calls.
    pub fn paths(&self) -> Vec<&[String]> {
        let mut paths = Vec::new();
        for part in &self.parts {
            if let Piece::Expr(expr) = part {
                expr.collect(&mut paths);
            }
        }
        paths
    }

    /// Whether each render may differ: it calls `uuid` or `random`.
    pub fn is_random(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Piece::Expr(expr) if expr.is_random()))
    }
}

impl Expr {
    fn collect<'a>(&'a self, paths: &mut Vec<&'a [String]>) {
        match self {
            Expr::Path(path) => paths.push(path),
            Expr::Literal(_) => {}
            Expr::Call { args, .. } => args.iter().for_each(|arg| arg.collect(paths)),
        }
    }

    fn is_random(&self) -> bool {
        match self {
            Expr::Call { function: Function::Uuid | Function::Random, .. } => true,
            Expr::Call { args, .. } => args.iter().any(Expr::is_random),
            Expr::Path(_) | Expr::Literal(_) => false,
        }
    }
}

impl std::fmt::Display for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expr::Path(path) => f.write_str(&path.join(".")),
            Expr::Literal(text) => {
                let quote = if text.contains('\'') { '"' } else { '\'' };
                write!(f, "{quote}{text}{quote}")
            }
            Expr::Call { function, args } => {
                write!(f, "{}(", function.as_str())?;
                for (i, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}
