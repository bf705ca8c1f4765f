//! `resume:` resumes a paused workspace.

use super::edge::{Edge, Request};
use super::pause::RawPause;
use super::spec::{Group, Help, Holds, Names};
use crate::scenario::check::Check;

/// `resume:`, a lifecycle request.
#[derive(Clone, Debug)]
pub struct Resume(pub Edge);

impl Request for Resume {
    const HELP: Help = Help {
        keyword: "resume",
        group: Group::Lifecycle,
        meaning: "Resumes a paused workspace; answer and row. Short form: the workspace.",
        example: "- resume: ws",
        names: Names::None,
        holds: Holds::Nothing,
    };
    const EDGE: bool = true;
    type Raw = RawPause;

    fn made(_: &mut Check<'_>, raw: &RawPause, edge: Edge) -> Self {
        Resume(Edge { cascade: raw.cascade.unwrap_or_default(), ..edge })
    }

    fn edge(&self) -> &Edge {
        &self.0
    }
}
