//! `lifecycle run`: what a run says of itself in its first event.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::failure::CliError;
use super::library;
use super::run::Work;
use crate::event::{ResolvedInput, RunStarted, SCHEMA, ScenarioSource, TargetIdentity};
use crate::runner::context::Destroy;
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
        error: Option<&CliError>,
        seed: u64,
    ) -> RunStarted {
        let inputs: Vec<ResolvedInput> = instances.iter().flat_map(|i| i.resolved.iter().cloned()).collect();
        let flags = self.flags(seed);
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
            fragments: self.fragments(scenarios),
            inputs,
            flags,
        }
    }

    /// Flags that change what runs, as they are typed.
    fn flags(&self, seed: u64) -> BTreeMap<String, String> {
        let args = self.args;
        let target = &args.target;
        let word = |value: &dyn std::fmt::Display| Some(value.to_string());
        let on = |on: bool| on.then(|| "true".to_owned());
        let named = [
            ("jobs", word(&args.jobs)),
            ("seed", word(&seed)),
            ("require_live", on(self.require_live)),
            ("exclusive", on(args.exclusive)),
            ("destroy", name_of(args.destroy).filter(|_| args.destroy != Destroy::default())),
            ("repeat", args.repeat.map(|n| n.to_string())),
            ("state", args.state.as_ref().map(|path| path.display().to_string())),
            ("like", args.like.clone()),
            ("rerun_failed", args.rerun_failed.clone()),
            ("target", name_of(self.settings.kind)),
            ("base_url", target.base_url.clone().filter(|_| self.profile.is_none())),
            ("docker", on(target.docker)),
            ("agent_image", target.agent_image.clone()),
            ("provider_url", target.provider_url.clone()),
            ("answers", target.answers.and_then(name_of)),
            ("time_scale", target.time_scale.map(|n| n.to_string())),
            ("quirks", target.quirks.and_then(name_of)),
            ("faults", Some(target.faults.join(",")).filter(|f| !f.is_empty())),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
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

/// What a flag calls a value.
fn name_of(value: impl clap::ValueEnum) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}
