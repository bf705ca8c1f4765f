//! Raw → checked: every mistake of a file, each with its place, in one go.
//!
//! A field that is wrong is reported and replaced by something harmless, so that the rest is checked
//! too; a scenario with errors is never handed out.

mod matchers;
pub(in crate::scenario) mod names;
mod naming;
mod values;

use std::collections::HashSet;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::source::{Level, Problem, SourceFile, Span};

use super::decode;
use super::fragment::Fragments;
use super::model::input::Input;
use super::raw::values::Text;
use crate::yaml::Node;

use names::Names;

/// What the checks of one file share.
pub(super) struct Check<'a> {
    /// The text that spans point into: the scenario's, or that of the fragment being expanded.
    pub(super) source: SourceFile,
    pub(super) fragments: &'a Fragments,
    /// Fragments being expanded, outermost first.
    pub(super) expanding: Vec<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) inputs: IndexMap<String, Input>,
    pub(super) matrix: IndexMap<String, Vec<String>>,
    pub(super) names: Names,
    pub(super) used_inputs: HashSet<String>,
    pub(super) used_matrix: HashSet<String>,
    pub(super) milestones: HashSet<String>,
    /// Fields of the step at hand that were left out as wrong: they are there, so none of them is missing.
    pub(super) left_out: HashSet<String>,
    pub(super) budget: Duration,
}

impl<'a> Check<'a> {
    pub(super) fn new(source: &SourceFile, fragments: &'a Fragments) -> Check<'a> {
        Check {
            source: source.clone(),
            fragments,
            expanding: Vec::new(),
            problems: Vec::new(),
            inputs: IndexMap::new(),
            matrix: IndexMap::new(),
            names: Names::default(),
            used_inputs: HashSet::new(),
            used_matrix: HashSet::new(),
            milestones: HashSet::new(),
            left_out: HashSet::new(),
            budget: Duration::from_secs(600),
        }
    }

    /// Reports an error.
    pub(super) fn error(
        &mut self,
        code: &str,
        span: Span,
        message: impl Into<String>,
        label: &str,
        hint: impl Into<Option<String>>,
    ) {
        self.report(Level::Error, code, span, message.into(), label, hint.into());
    }

    /// Reports a warning.
    pub(super) fn warning(
        &mut self,
        code: &str,
        span: Span,
        message: impl Into<String>,
        label: &str,
        hint: impl Into<Option<String>>,
    ) {
        self.report(Level::Warning, code, span, message.into(), label, hint.into());
    }

    fn report(
        &mut self,
        level: Level,
        code: &str,
        span: Span,
        message: String,
        label: &str,
        hint: Option<String>,
    ) {
        let code = format!("scenario::{code}");
        let problem = match level {
            Level::Error => Problem::error(code, message),
            Level::Warning => Problem::warning(code, message),
        };
        let mut problem = problem.at(&self.source, span, label);
        problem.hint = hint;
        // A mistake in a fragment that is used twice is still one mistake.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Reads a raw struct out of a mapping; what is wrong is reported and left out.
    pub(super) fn read<T: for<'de> Deserialize<'de> + Default>(&mut self, node: &Node) -> T {
        let mut errors = Vec::new();
        let value = decode::decode(node, &mut errors);
        for error in errors {
            self.left_out.extend(error.field);
            let label = match error.code {
                "unknown-field" => "not a field",
                "unknown-word" => "not one of them",
                _ => "this",
            };
            self.error(error.code, error.span.unwrap_or(node.span), error.message, label, error.hint);
        }
        value.unwrap_or_default()
    }

    /// The text of a field that must be there.
    pub(super) fn required(
        &mut self,
        field: Option<&Text>,
        verb: &str,
        name: &str,
        span: Span,
        hint: &str,
    ) -> Text {
        if field.is_none() && !self.left_out.contains(name) {
            self.error(
                "missing-field",
                span,
                if verb.contains(' ') {
                    format!("{verb} needs `{name}`")
                } else {
                    format!("`{verb}` needs `{name}`")
                },
                "it is missing here",
                Some(hint.to_owned()),
            );
        }
        field.cloned().unwrap_or_default()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.problems.iter().any(|p| p.level == Level::Error)
    }
}

/// The span of a verb's key and value together.
pub(super) fn whole(span: Span, node: &Node) -> Span {
    Span {
        start: span.start,
        len: (node.span.start + node.span.len).saturating_sub(span.start).max(span.len),
    }
}
