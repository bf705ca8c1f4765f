//! From evidence to a named cause.

use crate::event::{Class, Diagnosis, Evidence};

/// What mechanisms are tried against.
#[derive(Clone, Debug, Default)]
pub struct Symptoms {
    /// Instance name.
    pub scenario: String,
    /// The step that failed.
    pub step: String,
    /// Its verb.
    pub verb: String,
    /// What it said.
    pub message: String,
    /// More of what it said.
    pub details: Vec<String>,
    /// `product`, `inconclusive`, `environment`, `config`, `harness`.
    pub kind: String,
    /// The last edge of the workspace.
    pub edge: String,
    /// What was gathered.
    pub evidence: Evidence,
}

/// Names the cause.
pub fn diagnose(symptoms: &Symptoms) -> Diagnosis {
    Diagnosis {
        scenario: symptoms.scenario.clone(),
        mechanism: "unclassified".into(),
        summary: symptoms.message.clone(),
        class: Class::Unclassified,
        fingerprint: format!("{}/{}/unclassified", symptoms.scenario, symptoms.step),
        ..Diagnosis::default()
    }
}
