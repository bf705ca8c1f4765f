//! How much YAML a scenario may be.

use crate::yaml::{Aliases, Reading};

/// A scenario is a page or two.
pub(super) const READING: Reading = Reading {
    code: "scenario",
    max_nodes: 20_000,
    max_aliases: 200,
    max_bytes: 1 << 20,
    aliases: Aliases::Used,
};
