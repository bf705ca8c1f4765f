//! `lifecycle run`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::RunArgs;
use super::failure::CliError;
use super::library::Library;
use super::recorded::Recorded;
use super::report::report_files;
use super::run_target::Pieces;
use super::target_flags::target_settings;
use super::{Shell, profile, run_profile, run_state, runtime};
use crate::clock::Instant;
use crate::domain::ExitCode;
use crate::event::{EventKind, Log, RunFinished, Verdict};
use crate::models::contradictions::{Target, TargetKind};
use crate::redact::Redactor;
use crate::report::{CiLog, FileKind, ReporterConfig, Reporters};
use crate::run::folder::{self, RunFolder};
use crate::runner::contradictions::{self, Against};
use crate::runner::dispatcher::Signals;
use crate::runner::plan::{self, InputSources, Instance, Only};
use crate::scenario::Scenario;
use crate::scenario::known::KnownReds;
use crate::scenario::model::Capability;
use crate::source::{Level, Problem};
use crate::targets::profile::lane::Lane;
use crate::targets::{self, Kind, TargetFacts};

/// Runs scenarios.
pub(crate) fn run(args: &RunArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    match Recorded::of(args, shell)? {
        None => execute(args, None, shell).map(|ran| ran.code),
        Some(recorded) if recorded.is_empty() => {
            shell.printer.talk(&recorded.nothing())?;
            Ok(ExitCode::Passed)
        }
        Some(recorded) => {
            let args = recorded.args(args, shell)?;
            execute(&args, Some(&recorded), shell).map(|ran| ran.code)
        }
    }
}

/// A run that came to its end.
pub(super) struct Ran {
    /// How it ended.
    pub code: ExitCode,
    /// Its folder.
    pub folder: PathBuf,
}

/// Runs what the arguments say, or of it what an earlier run recorded.
pub(super) fn execute(args: &RunArgs, recorded: Option<&Recorded>, shell: &Shell) -> Result<Ran, CliError> {
    let library = match recorded {
        Some(recorded) => recorded.library(args, shell)?,
        None => Library::load(&args.library, &args.selection)?,
    };
    let profile =
        args.profile.as_deref().map(|wanted| profile::choose(wanted, &args.library, shell)).transpose()?;
    let scenarios = match &profile {
        // What was recorded was chosen, by a profile too.
        Some(profile) if recorded.is_some() => profile.gated(library.chosen()?),
        Some(profile) => profile.scenarios(&library, &args.selection)?,
        None => library.chosen()?,
    };
    for warning in library.problems.iter().filter(|p| p.level == Level::Warning) {
        shell.printer.note(&warning.line())?;
    }
    let mut sources = profile::sources(&args.inputs, profile.as_ref(), shell);
    let mut only = library.only(&scenarios);
    if let Some(recorded) = recorded {
        recorded.check(profile.as_ref(), &library, shell)?;
        recorded.narrow(&mut only);
        sources.recorded = recorded.inputs();
    }
    // Everything that can be wrong without a network is wrong now, before anything is sent.
    if let Some(problem) = plan::too_many(&scenarios, args.repeat.unwrap_or(1) as usize) {
        return Err(CliError::problems(vec![problem]));
    }
    let instances = plan::plan(&scenarios, &only, &sources, &everything(), 1).map_err(CliError::problems)?;
    if recorded.is_some() && instances.is_empty() {
        let text = "nothing of the earlier run is chosen: nothing was sent";
        return Err(CliError::new(ExitCode::BadInput, text).next("`lifecycle report RUN` names what ran"));
    }
    let named = match &profile {
        Some(profile) => profile.target_args(&args.target)?,
        None => args.target.clone(),
    };
    let settings = target_settings(&named, shell, args.seed, Arc::clone(&library.catalogue))?;
    refuse_contradictions(&instances, &library, &settings, args, shell)?;
    let today = crate::clock::wall().to_string();
    let expired: Vec<Problem> = scenarios
        .iter()
        .filter_map(|s| crate::scenario::expired(s, today.get(..10).unwrap_or_default()))
        .collect();
    if !expired.is_empty() {
        return Err(CliError::problems(expired));
    }
    let known = args.known.as_deref().map(super::library::known).transpose()?.unwrap_or_default();
    let require_live = args.require_live || shell.env.flag("E2E_REQUIRE_LIVE");
    raise_file_limit();
    runtime()?.block_on(async {
        let library = &library;
        let work = Work { known, args, shell, library, settings, only, sources, require_live, profile };
        work.run(&scenarios).await
    })
}

/// A contradiction that certainly ends in a 4xx or a failed boot is refused before any request.
fn refuse_contradictions(
    instances: &[Instance],
    library: &Library,
    settings: &targets::Settings,
    args: &RunArgs,
    shell: &Shell,
) -> Result<(), CliError> {
    // The reference platform, either way.
    let embedded = matches!(settings.kind, Kind::Embedded | Kind::Docker);
    let against = Against {
        catalogue: &library.catalogue,
        allowlist: &library.allowlist,
        allowlist_known: embedded || args.library.manifest.is_some(),
        env: shell.env.vars(),
        target: Target {
            kind: match settings.kind {
                Kind::Embedded => TargetKind::Embedded,
                Kind::Docker => TargetKind::Docker,
                Kind::Live => TargetKind::Unknown,
            },
            proxy: embedded.then_some(true),
        },
    };
    let found = contradictions::of_instances(instances, &against);
    let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(|p| p.level == Level::Error);
    if !errors.is_empty() || (args.deny_warnings && !warnings.is_empty()) {
        return Err(CliError::problems(errors.into_iter().chain(warnings).collect()));
    }
    for warning in warnings {
        shell.printer.note(&warning.line())?;
    }
    Ok(())
}

/// What is planned before a target is known.
fn everything() -> TargetFacts {
    TargetFacts { capabilities: Capability::ALL.into_iter().collect(), ..TargetFacts::default() }
}

/// A run and what it was asked for.
pub(super) struct Work<'a> {
    pub known: KnownReds,
    pub args: &'a RunArgs,
    pub shell: &'a Shell,
    pub library: &'a Library,
    pub settings: targets::Settings,
    pub only: Only,
    pub sources: InputSources,
    pub require_live: bool,
    pub profile: Option<profile::Chosen>,
}

impl Work<'_> {
    async fn run(mut self, scenarios: &[Arc<Scenario>]) -> Result<Ran, CliError> {
        let began = Instant::now();
        let mut signals = Signals::listen()?;
        let seed = self.args.seed.unwrap_or_else(|| crate::chance::random::<u32>().into());
        self.settings.embedded.seed = seed;
        let tail = format!("{:08x}", crate::chance::random::<u32>());
        let stamp = crate::clock::wall().strftime("%Y%m%d-%H%M%S").to_string();
        let run = format!("{stamp}-{tail}");
        let cannot_write = |e: &dyn std::fmt::Display| {
            CliError::new(ExitCode::Environment, format!("{e}; nothing was sent"))
                .next("the disk: is it full or read-only? --runs-dir DIR writes elsewhere")
        };
        self.settings.docker.seed = seed;
        self.settings.docker.run.clone_from(&run);
        let mut state = self.args.state.as_deref().map(|path| run_state::open(path, &run)).transpose()?;
        if let Some(state) = &state {
            self.known = std::mem::take(&mut self.known).remembering(state.remembered.clone());
        }
        let folder = RunFolder::create(&self.shell.runs_dir, &run).map_err(|e| cannot_write(&e))?;
        let redactor = Redactor::new();
        for (name, value) in self.shell.env.secrets() {
            redactor.register(name, value);
        }
        if let Some(token) = &self.settings.admin_token {
            redactor.register("ADMIN_TOKEN", token.expose());
        }
        for scenario in scenarios {
            for (name, input) in scenario.inputs.iter().filter(|(_, input)| input.secret) {
                let values = [self.sources.flags.get(name)]
                    .into_iter()
                    .chain(input.env.iter().map(|v| self.sources.env.get(v)));
                values.flatten().for_each(|value| redactor.register(name, value));
            }
        }
        let log = Log::create(&folder.path, redactor).map_err(|e| cannot_write(&e))?;
        let files = crate::report::open(&self.files()).map_err(|e| {
            CliError::new(ExitCode::Environment, format!("{e}; nothing was sent"))
                .next("the path that the report was given")
        })?;
        let ci = self.shell.env.ci();
        let reporters = Reporters::spawn(
            &log,
            ReporterConfig {
                printer: self.shell.printer.clone(),
                ci: if self.shell.printer.is_ci() {
                    ci.get("system").map(|s| CiLog::of_system(s)).unwrap_or_default()
                } else {
                    CiLog::Plain
                },
                run_folder: folder.path.clone(),
                files,
            },
        );
        let mut lane = self.lane(&folder, &log)?;
        if self.profile.is_some() {
            // The identity comes first in a log: also before the ledger of what a profile starts.
            let instances = self.instances(scenarios);
            let planned = lane.as_ref().map(|_| run_profile::planned_target(&self.settings));
            let identity = self.identity(&run, scenarios, &instances, planned.as_ref(), None, seed);
            log.emit(EventKind::RunStarted(Box::new(identity)));
        }
        let skip = self.profile.as_ref().and_then(|p| p.skip.clone());
        let (mut ended, mut left, had) = match skip {
            Some(why) => {
                let instances = self.instances(scenarios);
                let finished = run_profile::all_skipped(&log, &instances, &why, self.require_live, began);
                (Ok(finished), Vec::new(), None)
            }
            None => {
                let pieces = Pieces { log: &log, folder: &folder, tail: &tail, seed, began };
                self.at_target(scenarios, lane.as_mut(), &pieces, &mut signals).await
            }
        };
        if let Some(lane) = &mut lane {
            let haste = run_profile::haste(&ended);
            left.extend(run_profile::down(lane, haste, &mut signals, &mut ended).await);
            // Not before it is down: until then it may still make what is looked for.
            if let (Ok(finished), Some(had)) = (&mut ended, &had)
                && run_profile::took_all_with_it(lane, finished, had)
            {
                finished.left = run_profile::went_with_its_server(&log, had).await;
            }
        }
        let code = match ended {
            Ok(mut finished) => {
                if !left.is_empty() {
                    finished.exit = ExitCode::worst(&BTreeSet::from([finished.exit, ExitCode::Leak]));
                    finished.code = finished.exit.code();
                    finished.left.append(&mut left);
                }
                if let (Some(state), Some(had)) = (&mut state, &had) {
                    run_state::learn(state, &had.seen, &run, &log, &mut finished);
                }
                let code = finished.exit;
                log.emit(EventKind::RunFinished(finished));
                Ok(code)
            }
            Err(error) => {
                let mut counts = BTreeMap::new();
                if self.profile.is_none() {
                    let identity = self.identity(&run, scenarios, &[], None, Some(&error), seed);
                    log.emit(EventKind::RunStarted(Box::new(identity)));
                } else {
                    let instances = self.instances(scenarios);
                    let interrupted = matches!(error.code, ExitCode::Interrupted | ExitCode::Terminated);
                    let verdict = if interrupted { Verdict::Cancelled } else { Verdict::Error };
                    counts = run_profile::file_unrun(&log, &instances, verdict, &error.text());
                }
                log.emit(EventKind::RunFinished(RunFinished {
                    exit: error.code,
                    code: error.code.code(),
                    reason: error.text(),
                    counts,
                    advisory_reds: 0,
                    left,
                    took_ms: crate::domain::time::ms(began.elapsed()),
                }));
                Err(error)
            }
        };
        log.close();
        let reported = reporters.finish().await;
        let ended = folder.path.clone();
        drop(folder);
        if let Some(keep) = self.args.keep_runs {
            folder::prune(&self.shell.runs_dir, keep, &ended);
        }
        let code = code?;
        let ran = Ran { code, folder: ended };
        match reported {
            Ok(_) => Ok(ran),
            Err(error) if code == ExitCode::Passed => {
                Err(CliError::new(ExitCode::Environment, error.to_string()))
            }
            Err(error) => {
                self.shell.printer.talk(&format!("error: {error}"))?;
                Ok(ran)
            }
        }
    }

    /// What a profile brings up, prepared.
    fn lane(&mut self, folder: &RunFolder, log: &Log) -> Result<Option<Lane>, CliError> {
        let Some(chosen) = self.profile.as_ref().filter(|p| p.skip.is_none()) else { return Ok(None) };
        let typed = &self.args.target;
        let lane = chosen.lane(self.shell, typed, &mut self.settings, &mut self.sources, folder, log)?;
        Ok(Some(lane))
    }

    /// The instances of a run whose target is not there.
    fn instances(&self, scenarios: &[Arc<Scenario>]) -> Vec<Instance> {
        plan::plan(scenarios, &self.only, &self.sources, &everything(), self.repeat()).unwrap_or_default()
    }

    /// How many times each instance runs.
    pub(super) fn repeat(&self) -> usize {
        self.args.repeat.unwrap_or(1) as usize
    }

    fn files(&self) -> Vec<(FileKind, PathBuf)> {
        let mut files = report_files(&self.args.reports);
        if self.shell.printer.is_ci()
            && let Some(summary) = self.shell.env.get("GITHUB_STEP_SUMMARY")
        {
            files.push((FileKind::StepSummary, Path::new(summary).to_owned()));
        }
        files
    }
}

/// A thousand waits need a thousand descriptors; a limit that cannot be raised is respected.
fn raise_file_limit() {
    let _ = rlimit::increase_nofile_limit(65_536);
}
