//! Contradictions when some variables may or may not be set: tried both ways.

use std::collections::BTreeSet;

use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::models::contradictions::{Finding, Situation};
use crate::models::detect::detect;
use crate::models::situation::SET;
use crate::source::Level;

/// What holds for certain, and what hangs on settings that nobody can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// In every completion of what is not known.
    pub certain: Vec<Finding>,
    /// In some only.
    pub possible: Vec<Finding>,
}

/// The same over every completion of the variables that may or may not be set.
pub(crate) fn detect_certain(catalogue: &Catalogue, allowlist: &Allowlist, situation: &Situation) -> Report {
    let maybe: Vec<&String> = situation.maybe.iter().collect();
    // Beyond a handful only none, each alone and all: enough to see whether a finding hangs on them.
    let sets: Vec<BTreeSet<&String>> = if maybe.len() <= 5 {
        (0..1_u32 << maybe.len())
            .map(|bits| {
                maybe.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, m)| *m).collect()
            })
            .collect()
    } else {
        let single = maybe.iter().map(|name| BTreeSet::from([*name]));
        [BTreeSet::new(), maybe.iter().copied().collect()].into_iter().chain(single).collect()
    };
    let runs: Vec<Vec<Finding>> = sets
        .iter()
        .map(|set| {
            let mut known = situation.clone();
            known.maybe.clear();
            known.env.extend(set.iter().map(|name| ((*name).clone(), SET.to_owned())));
            detect(catalogue, allowlist, &known)
        })
        .collect();
    let mut report = Report::default();
    for finding in runs.iter().flatten() {
        let same = |other: &Finding| other.class == finding.class;
        if report.certain.iter().chain(&report.possible).any(same) {
            continue;
        }
        let levels: Option<Level> =
            runs.iter().map(|run| run.iter().filter(|f| same(f)).map(|f| f.level).max()).min().flatten();
        match levels {
            Some(level) => report.certain.push(Finding { level, ..finding.clone() }),
            None => report.possible.push(finding.clone()),
        }
    }
    report
}
