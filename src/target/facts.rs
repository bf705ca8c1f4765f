//! What the engine knows of a target: only capabilities, never its kind.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::model::Capability;

/// What the agents of a target can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answers {
    /// Known questions.
    Known,
    /// The stub's one sentence.
    Stub,
    /// Nobody knows.
    #[default]
    None,
}

/// What a target offers.
#[derive(Clone, Debug, Default)]
pub struct TargetFacts {
    /// What it offers.
    pub capabilities: BTreeSet<Capability>,
    /// Behaviours that were probed or declared: `wakes: false`.
    pub behaviours: BTreeMap<Capability, bool>,
    /// What it lacks, and why.
    pub lacks: BTreeMap<String, String>,
    /// What its agents answer.
    pub answers: Answers,
    /// A provider of ours that answers for every vendor, as its instances reach it.
    pub provider: Option<String>,
}
