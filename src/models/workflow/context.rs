//! What a check of a workflow file needs beside the file.

use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::source::SourceFile;

/// What a check needs beside the file.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// Runtimes that the platform accepts.
    pub allowlist: &'a Allowlist,
    /// Reads a file of the repository by its path from the root: composite actions that a step uses.
    pub read: &'a dyn Fn(&str) -> Option<SourceFile>,
}
