//! Names that steps introduce and templates look up.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::source::Span;

/// Fields of a workspace that templates can look up.
pub(crate) const WORKSPACE_FIELDS: [&str; 9] =
    ["id", "name", "token", "url", "status", "runtime", "model", "provider", "parent_id"];
pub(super) const RUN_FIELDS: [&str; 3] = ["id", "root", "tail"];
pub(super) const ROOTS: [&str; 5] = ["inputs", "matrix", "run", "target", "with"];

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scenario) enum Means {
    /// A workspace, with fields.
    Workspace,
    /// A text without fields.
    Text,
    /// Any JSON value.
    Value,
}

#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) means: Means,
    pub(super) span: Span,
    pub(super) file: String,
    /// Something happened that may bring a new instance.
    pub(super) edge: bool,
}

/// The names that are known at one place of a scenario.
#[derive(Clone, Debug, Default)]
pub(in crate::scenario) struct Names {
    pub(super) known: IndexMap<String, Named>,
    /// Every name of the file and the line that introduces it, for hints.
    pub(super) anywhere: HashMap<String, usize>,
    /// Definitions that something refers to: file and place.
    pub(super) used: HashSet<(String, usize)>,
}

impl Names {
    /// A branch sees what is known now; [`Names::join`] brings back what it found out.
    pub(in crate::scenario) fn branch(&self) -> Names {
        self.clone()
    }

    /// Adds what a branch introduced; the names that two branches both introduce come back.
    pub(in crate::scenario) fn join(&mut self, before: &Names, branch: Names) -> Vec<(String, Span)> {
        self.used.extend(branch.used);
        let mut twice = Vec::new();
        for (name, named) in branch.known {
            if before.known.contains_key(&name) {
                if let Some(known) = self.known.get_mut(&name) {
                    known.edge |= named.edge;
                }
            } else if self.known.contains_key(&name) {
                twice.push((name, named.span));
            } else {
                self.known.insert(name, named);
            }
        }
        twice
    }

    /// Keeps what a branch used and forgets what it introduced.
    pub(in crate::scenario) fn leave(&mut self, branch: Names) -> Vec<(String, Span, String)> {
        let unused = branch.unused(|name| !self.known.contains_key(name));
        self.used.extend(branch.used);
        for (name, named) in branch.known {
            if let Some(known) = self.known.get_mut(&name) {
                known.edge |= named.edge;
            }
        }
        unused
    }

    /// Captures that nothing refers to.
    pub(in crate::scenario) fn unused(&self, of: impl Fn(&str) -> bool) -> Vec<(String, Span, String)> {
        let is_unused =
            |n: &Named| n.means != Means::Workspace && !self.used.contains(&(n.file.clone(), n.span.start));
        self.known
            .iter()
            .filter(|(name, named)| of(name) && is_unused(named))
            .map(|(name, named)| (name.clone(), named.span, named.file.clone()))
            .collect()
    }

    pub(super) fn workspaces(&self) -> Vec<&str> {
        self.of(Means::Workspace)
    }

    pub(super) fn of(&self, means: Means) -> Vec<&str> {
        self.known.iter().filter(|(_, n)| n.means == means).map(|(name, _)| name.as_str()).collect()
    }
}
