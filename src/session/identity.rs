//! What a run says of itself in its first event.

use std::sync::Arc;

use super::failure::SessionError;
use super::library;
use super::work::Work;
use crate::event::{ResolvedInput, RunStarted, SCHEMA, ScenarioSource, TargetIdentity};
use crate::runner::plan::Instance;
use crate::scenario::Scenario;
use crate::source::SourceFile;

impl Work<'_> {
    /// Everything that tells this run from another.
    pub(super) fn identity(
        &self,
        run: &str,
        scenarios: &[Arc<Scenario>],
        instances: &[Instance],
        target: Option<&TargetIdentity>,
        error: Option<&SessionError>,
    ) -> RunStarted {
        let inputs: Vec<ResolvedInput> = instances.iter().flat_map(|i| i.resolved.iter().cloned()).collect();
        RunStarted {
            schema: SCHEMA,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            run: run.to_owned(),
            selection: self.asked.selection.clone(),
            ci: self.shell.env.ci(),
            host: hostname::get().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default(),
            pid: std::process::id(),
            target: target.cloned(),
            target_error: error.map(SessionError::line),
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
            fragments: self.fragments(scenarios),
            inputs,
            settings: self.asked.record(),
            ..RunStarted::default()
        }
    }

    /// Fragments that the scenarios may use: those that are named in them, or in such a fragment.
    fn fragments(&self, scenarios: &[Arc<Scenario>]) -> Vec<ScenarioSource> {
        let mut texts: Vec<&str> = scenarios.iter().map(|s| &*s.source.text).collect();
        let mut left: Vec<&SourceFile> = self.library.fragments.iter().collect();
        let mut used = Vec::new();
        loop {
            let named = |file: &&SourceFile| {
                texts.iter().any(|text| text.contains("use:") && text.contains(fragment_name(file)))
            };
            let (more, others): (Vec<_>, Vec<_>) = left.into_iter().partition(named);
            if more.is_empty() {
                return used;
            }
            texts = more.iter().map(|file| &*file.text).collect();
            used.extend(more.into_iter().map(|file| ScenarioSource {
                scenario: fragment_name(file).to_owned(),
                file: library::hash(file),
                text: file.text.to_string(),
            }));
            left = others;
        }
    }
}

fn fragment_name(file: &SourceFile) -> &str {
    let name = file.text.lines().find_map(|line| line.strip_prefix("fragment:"));
    name.and_then(|name| name.split('#').next()).unwrap_or_default().trim().trim_matches(['"', '\''])
}
