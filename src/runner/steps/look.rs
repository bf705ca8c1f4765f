//! What a look of an `expect` comes to.

use crate::runner::outcome::{Failure, FailureKind, Passed};
use crate::runner::workspace::Workspace;

/// What a look at something that is expected comes to.
#[derive(Debug)]
pub(in crate::runner) enum Look {
    /// It holds.
    Right(Passed),
    /// Not so now; it may become so.
    NotYet(Failure),
}

/// Nobody looked before the edge: what is there now may be from before it.
pub(super) fn unseen(workspace: &Workspace, why: &str) -> Failure {
    let edge = &workspace.edge_name;
    let text = format!("what ran before the {edge} could not be seen ({why}): this may be the old instance");
    Failure::of(FailureKind::Environment, text).about(&workspace.alias)
}
