//! The table in `behaviours.yaml`, read once.

use std::sync::LazyLock;

use serde::Deserialize;

use super::probe::Probe;
use super::{Behaviour, Edition};
use crate::source::SourceFile;
use crate::yaml::{self, Aliases, Reading};

/// One behaviour.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Which.
    #[serde(rename = "name")]
    pub behaviour: Behaviour,
    /// The sentence that is true where it is on.
    pub says: String,
    /// What it looks like from outside.
    pub seen: String,
    /// The editions in which it is on.
    #[serde(rename = "in")]
    pub editions: Vec<Edition>,
    /// A read-only request that tells; `None`: declared only.
    pub probe: Option<Probe>,
    /// Whether the reference platform can play it.
    #[serde(default = "yes")]
    pub played: bool,
}

fn yes() -> bool {
    true
}

/// One edition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditionRow {
    /// Which.
    pub name: Edition,
    /// The commit that a build of it names, from its start.
    pub commit: String,
    /// What it is.
    pub says: String,
    /// Runtimes of its manifest.
    pub runtimes: Vec<String>,
    /// The runtime of a create that names none.
    pub default_runtime: String,
    /// The model of a platform path that nobody pins.
    pub platform_model: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    editions: Vec<EditionRow>,
    behaviours: Vec<Row>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let file = SourceFile::new("behaviours.yaml", include_str!("behaviours.yaml"));
    let reading = Reading {
        code: "behaviours",
        max_nodes: 20_000,
        max_aliases: 0,
        max_bytes: 1 << 20,
        aliases: Aliases::Used,
    };
    let mut problems = Vec::new();
    let node = yaml::parse(&file, &reading, &mut problems);
    node.and_then(|node| serde_json::from_value(node.to_json()).ok()).unwrap_or_default()
});

/// All behaviours, in the order of documentation.
pub(crate) fn rows() -> &'static [Row] {
    &TABLE.behaviours
}

/// All editions, oldest first.
pub(crate) fn editions() -> &'static [EditionRow] {
    &TABLE.editions
}

/// What is known about one behaviour.
pub(crate) fn row(behaviour: Behaviour) -> Option<&'static Row> {
    rows().iter().find(|row| row.behaviour == behaviour)
}

/// What is known about one edition.
pub(crate) fn edition(edition: Edition) -> Option<&'static EditionRow> {
    editions().iter().find(|row| row.name == edition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_carried_table_reads() {
        let file = SourceFile::new("behaviours.yaml", include_str!("behaviours.yaml"));
        let reading = Reading {
            code: "behaviours",
            max_nodes: 20_000,
            max_aliases: 0,
            max_bytes: 1 << 20,
            aliases: Aliases::Used,
        };
        let mut problems = Vec::new();
        let node = yaml::parse(&file, &reading, &mut problems).unwrap();
        let table: Table = serde_json::from_value(node.to_json()).unwrap();
        assert!(problems.is_empty() && !table.behaviours.is_empty());
    }
}
