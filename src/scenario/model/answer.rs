//! What is asserted of an answer, and whose credentials a request carries.

use crate::source::Span;

use super::field::WorkspaceRef;
use super::matcher::{JsonPath, Matcher};
use crate::scenario::template::Template;

/// Whose credentials a request carries.
#[derive(Clone, Debug)]
pub enum Identity {
    /// The admin token.
    Admin,
    /// None at all.
    Anonymous,
    /// The workspace's own token.
    Workspace(WorkspaceRef),
    /// This bearer.
    Bearer(Template),
}

/// What is asserted of an HTTP answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Any of these; empty means the verb's own success.
    pub status: Vec<StatusPattern>,
    /// Where `status` is written.
    pub status_span: Span,
    /// JSON path → what must hold of the nodes it finds.
    pub json: Vec<(JsonPath, Vec<Matcher>)>,
    /// What must hold of the whole body as text.
    pub text: Vec<Matcher>,
    /// Header → what must hold.
    pub headers: Vec<(String, Vec<Matcher>)>,
}

impl Answer {
    /// Whether nothing was said, so that the verb's own success is meant.
    pub fn is_default(&self) -> bool {
        self.status.is_empty() && self.json.is_empty() && self.text.is_empty() && self.headers.is_empty()
    }
}

/// A status or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPattern {
    /// `201`.
    Exact(u16),
    /// `2xx`.
    Class(u16),
    /// `!200`.
    Not(u16),
}

impl StatusPattern {
    /// Whether a status fits.
    pub fn fits(self, status: u16) -> bool {
        match self {
            StatusPattern::Exact(n) => status == n,
            StatusPattern::Class(n) => status / 100 == n,
            StatusPattern::Not(n) => status != n,
        }
    }
}

impl std::fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StatusPattern::Exact(n) => write!(f, "{n}"),
            StatusPattern::Class(n) => write!(f, "{n}xx"),
            StatusPattern::Not(n) => write!(f, "not {n}"),
        }
    }
}
