//! What one run works with: what it was asked for, and what was made of that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::SessionError;
use super::library::Library;
use super::profile;
use super::settings::RunSettings;
use super::shell::Shell;
use crate::event::Log;
use crate::redact::Redactor;
use crate::report::FileKind;
use crate::run::folder::RunFolder;
use crate::runner::demand::Demand;
use crate::runner::plan::{self, InputSources, Instance, Only};
use crate::scenario::Scenario;
use crate::scenario::known::KnownReds;
use crate::targets::profile::lane::Lane;
use crate::targets::{self, TargetFacts};

/// A run and what it was asked for.
pub(super) struct Work<'a> {
    pub known: KnownReds,
    pub asked: &'a RunSettings,
    pub shell: &'a Shell,
    pub library: &'a Library,
    pub settings: targets::Settings,
    pub only: Only,
    pub sources: InputSources,
    pub profile: Option<profile::Chosen>,
    pub demand: Demand,
}

impl Work<'_> {
    /// Knows every secret that settings and environment hold.
    pub(super) fn redactor(&self, scenarios: &[Arc<Scenario>]) -> Redactor {
        let redactor = Redactor::new();
        for (name, value) in self.shell.env.secrets() {
            redactor.register(name, value);
        }
        if let Some(token) = &self.settings.saas.cp_token {
            redactor.register("CP_ADMIN_API_TOKEN", token.expose());
        }
        if let Some(token) = &self.settings.admin_token {
            redactor.register("ADMIN_TOKEN", token.expose());
        }
        for scenario in scenarios {
            for (name, input) in scenario.inputs.iter().filter(|(_, input)| input.secret) {
                let values = [self.sources.flags.get(name), input.default.as_ref()]
                    .into_iter()
                    .chain(input.env.iter().map(|v| self.sources.env.get(v)));
                values.flatten().for_each(|value| redactor.register(name, value));
            }
        }
        redactor
    }

    /// Something is made before the target is there: the run's identity comes before the ledger of it.
    pub(super) fn told_early(&self) -> bool {
        self.profile.is_some() || self.settings.kind.has_control_plane()
    }

    /// What a profile brings up, prepared.
    pub(super) fn lane(&mut self, folder: &RunFolder, log: &Log) -> Result<Option<Lane>, SessionError> {
        let Some(chosen) = self.profile.as_ref().filter(|p| p.skip.is_none()) else { return Ok(None) };
        let typed = &self.asked.target;
        let lane = chosen.lane(self.shell, typed, &mut self.settings, &mut self.sources, folder, log)?;
        Ok(Some(lane))
    }

    /// The instances of a run whose target is not there.
    pub(super) fn instances(&self, scenarios: &[Arc<Scenario>]) -> Vec<Instance> {
        plan::plan(scenarios, &self.only, &self.sources, &TargetFacts::everything(), self.asked.rounds())
            .unwrap_or_default()
    }

    /// Where its reports go.
    pub(super) fn files(&self) -> Vec<(FileKind, PathBuf)> {
        let mut files = self.asked.reports.clone();
        if self.shell.printer.is_ci()
            && let Some(summary) = self.shell.env.get("GITHUB_STEP_SUMMARY")
        {
            files.push((FileKind::StepSummary, Path::new(summary).to_owned()));
        }
        if let Some(outputs) = self.shell.env.get("GITHUB_OUTPUT") {
            files.push((FileKind::StepOutputs, Path::new(outputs).to_owned()));
        }
        files
    }
}
