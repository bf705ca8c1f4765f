//! `lifecycle run`: what a run says of itself in its first event.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::failure::CliError;
use super::library;
use super::run::Work;
use crate::engine::plan::Instance;
use crate::event::{ResolvedInput, RunStarted, SCHEMA, ScenarioSource, TargetIdentity};
use crate::scenario::Scenario;

impl Work<'_> {
    /// Everything that tells this run from another.
    pub(super) fn identity(
        &self,
        run: &str,
        scenarios: &[Arc<Scenario>],
        instances: &[Instance],
        target: Option<&TargetIdentity>,
        error: Option<&CliError>,
        seed: u64,
    ) -> RunStarted {
        let inputs: Vec<ResolvedInput> = instances.iter().flat_map(|i| i.resolved.iter().cloned()).collect();
        let mut flags = BTreeMap::from([
            ("jobs".to_owned(), self.args.jobs.to_string()),
            ("seed".to_owned(), seed.to_string()),
        ]);
        for (name, on) in [("require_live", self.require_live), ("exclusive", self.args.exclusive)] {
            if on {
                flags.insert(name.to_owned(), "true".to_owned());
            }
        }
        if !self.args.target.faults.is_empty() {
            flags.insert("faults".to_owned(), self.args.target.faults.join(","));
        }
        if let Some(state) = &self.args.state {
            flags.insert("state".to_owned(), state.display().to_string());
        }
        RunStarted {
            schema: SCHEMA,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            run: run.to_owned(),
            selection: self.args.selection.clone(),
            ci: self.shell.env.ci(),
            host: hostname::get().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default(),
            pid: std::process::id(),
            target: target.cloned(),
            target_error: error.map(CliError::text),
            catalogue: self.library.catalogue_hash.clone(),
            profile: self.profile.as_ref().map(|p| library::hash(&p.profile.source)),
            scenarios: scenarios
                .iter()
                .map(|s| ScenarioSource {
                    scenario: s.name.clone(),
                    file: library::hash(&s.source),
                    text: s.source.text.to_string(),
                })
                .collect(),
            inputs,
            flags,
        }
    }
}
