//! `lifecycle run`: typed options become settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Shell;
use super::args::{LibraryArgs, RunArgs};
use super::args_target::TargetArgs;
use super::failure::CliError;
use super::report::report_files;
use super::runtime::runtime;
use crate::domain::{ExitCode, Secret};
use crate::session::project::Told;
use crate::session::{
    self, Again, Env, LibrarySettings, Outside, Ran, Recorded, RunSettings, TargetSettings,
};

/// Runs scenarios.
pub(crate) fn run(args: &RunArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let settings = args.settings(shell)?.0;
    let ran = runtime()?.block_on(async { session::run(settings, shell, Outside::real()?).await })?;
    Ok(ran.code)
}

/// Runs again what was recorded.
pub(super) fn again(settings: RunSettings, recorded: &Recorded, shell: &Shell) -> Result<Ran, CliError> {
    let again = async { session::run_again(settings, recorded, shell, Outside::real()?).await };
    Ok(runtime()?.block_on(again)?)
}

impl RunArgs {
    /// What was typed, what CI's variables mean, what the project wants; and where the latter comes from.
    pub(super) fn settings(&self, shell: &Shell) -> Result<(RunSettings, Vec<Told>), CliError> {
        let like = self.like.clone().map(Again::Like);
        let mut settings = RunSettings {
            selection: self.selection.clone(),
            library: match self.like.is_some() || self.rerun_failed.is_some() {
                // A run again has the catalogue that it had.
                true => self.library.settings(),
                false => self.library.in_env(&shell.env),
            },
            profile: self.profile.clone(),
            target: self.target.settings(),
            inputs: self.inputs.iter().cloned().collect(),
            again: like.or_else(|| self.rerun_failed.clone().map(Again::RerunFailed)),
            jobs: self.jobs,
            seed: self.seed,
            repeat: self.repeat,
            require_live: self.require_live || shell.env.flag("E2E_REQUIRE_LIVE"),
            allow_none: self.allow_none,
            max_fail: self.max_fail.or(self.fail_fast.then_some(1)),
            retries: self.retries,
            global_timeout: self.global_timeout,
            destroy: self.destroy,
            deny_warnings: self.deny_warnings,
            exclusive: self.exclusive,
            allow_exec: self.allow_exec,
            known: self.known.clone(),
            state: self.state.clone(),
            on_new: self.on_new.clone(),
            keep_runs: self.keep_runs,
            reports: report_files(&self.reports),
            defaults: BTreeMap::new(),
        };
        let told = shell.preset()?.map(|preset| preset.fill(&mut settings)).unwrap_or_default();
        Ok((settings, told))
    }
}

impl LibraryArgs {
    /// What was typed.
    pub(super) fn settings(&self) -> LibrarySettings {
        let LibraryArgs { scenarios, providers, manifest } = self.clone();
        LibrarySettings { scenarios, providers, manifest, edition: None }
    }

    /// What was typed, else what CI's variables name.
    pub(super) fn in_env(&self, env: &Env) -> LibrarySettings {
        let typed = self.settings();
        let path = |name: &str| env.get(name).map(PathBuf::from);
        LibrarySettings {
            providers: typed.providers.or_else(|| path("PROVIDERS_YAML_PATH")),
            manifest: typed.manifest.or_else(|| path("WORKSPACE_MANIFEST_PATH")),
            ..typed
        }
    }

    /// What was typed, else what the project wants.
    pub(super) fn in_project(&self, shell: &Shell) -> Result<(RunSettings, Vec<Told>), CliError> {
        let mut settings = RunSettings { library: self.in_env(&shell.env), ..RunSettings::default() };
        let told = shell.preset()?.map(|preset| preset.fill(&mut settings)).unwrap_or_default();
        Ok((settings, told))
    }
}

impl TargetArgs {
    /// What was typed.
    pub(super) fn settings(&self) -> TargetSettings {
        let typed = self.clone();
        TargetSettings {
            kind: typed.target,
            base_url: typed.base_url,
            admin_token: typed.admin_token.as_deref().map(Secret::new),
            org_id: typed.org_id,
            ca_cert: typed.ca_cert,
            insecure: typed.insecure,
            docker: typed.docker,
            server_log: typed.server_log.clone(),
            agent_image: typed.agent_image,
            allow_privileged: typed.allow_privileged,
            provider_url: typed.provider_url,
            answers: typed.answers,
            patience: typed.patience,
            time_scale: typed.time_scale,
            edition: typed.edition,
            expect_build: typed.expect_build,
            behaviours: typed.behaviours.into_iter().collect(),
            contract: typed.contract,
            faults: typed.faults,
            cp_url: typed.organisation.cp_url,
            cp_token: typed.organisation.cp_token.as_deref().map(Secret::new),
            org_prefix: typed.organisation.org_prefix,
            spread: typed.organisation.org,
            keep_org: typed.organisation.keep_org,
            tenant_domain: typed.organisation.tenant_domain,
            org_within: typed.organisation.org_within,
            cp_routes: typed.organisation.cp_routes,
            tenant_env: typed.organisation.tenant_env,
        }
    }
}
