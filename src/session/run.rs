//! One run: everything that can be wrong without a network first, then folder, log, reports, target, end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::at_target::Pieces;
use super::failure::SessionError;
use super::library::{self, Library};
use super::outside::{Outside, RunName};
use super::recorded::Recorded;
use super::selection::Choice;
use super::settings::{Again, LibrarySettings, RunSettings};
use super::shell::{Ran, Shell};
use super::target::target_settings;
use super::work::Work;
use super::{brought_up, old_names, on_new, organisation, profile, state};
use crate::behaviour::Contract;
use crate::behaviour::overlay::Overlay;
use crate::clock::Instant;
use crate::domain::words::count;
use crate::domain::{ExitCode, time};
use crate::event::{EventKind, Log, RunFinished, Verdict};
use crate::models::contradictions::Target;
use crate::output::CiLog;
use crate::report::{self, ReporterConfig, Reporters};
use crate::run::folder::{self, RunFolder};
use crate::run::signals::Signals;
use crate::runner::contradictions::{self, Against};
use crate::runner::demand::Demand;
use crate::runner::plan::{self, Instance};
use crate::scenario::Scenario;
use crate::source::{Level, Problem};
use crate::targets::saas::Stage;
use crate::targets::{self, TargetFacts};

/// Runs what the settings say, or of it what an earlier run recorded.
pub(super) async fn run(
    mut asked: RunSettings,
    recorded: Option<&Recorded>,
    shell: &Shell,
    outside: Outside,
) -> Result<Ran, SessionError> {
    let library = match recorded {
        Some(recorded) => recorded.library(&asked, shell)?,
        None => Library::load_meant(
            &LibrarySettings { edition: asked.target.edition, ..asked.library.clone() },
            &asked.selection,
            asked.profile.as_deref(),
        )?,
    };
    let profile =
        asked.profile.as_deref().map(|wanted| profile::choose(wanted, &asked.library, shell)).transpose()?;
    let Choice { scenarios, mut only, named: by_name } = match &profile {
        // What was recorded was chosen, by a profile too.
        Some(profile) if recorded.is_some() => profile.gated(library.chosen()?),
        Some(profile) => profile.scenarios(&library, &asked.selection)?,
        None => library.chosen()?,
    };
    for line in old_names::told(&shell.env) {
        shell.printer.note(&line)?;
    }
    for warning in library.problems.iter().filter(|p| p.level == Level::Warning) {
        shell.printer.note(&warning.line())?;
    }
    let mut sources = profile::sources(&asked.inputs, profile.as_ref(), shell);
    sources.project.clone_from(&asked.defaults);
    if let Some(recorded) = recorded {
        recorded.check(profile.as_ref(), &library, shell)?;
        recorded.narrow(&mut only);
        sources.recorded = recorded.inputs();
    }
    // Everything that can be wrong without a network is wrong now, before anything is sent.
    if let Some(problem) = plan::too_many(&scenarios, asked.rounds()) {
        return Err(SessionError::Problems(vec![problem]));
    }
    let mut able = TargetFacts::everything();
    if let Some(edition) = asked.target.edition {
        let declared = &asked.target.behaviours;
        able.contract = Contract::of(Some(edition), None, BTreeMap::new(), &Overlay::default(), declared);
    }
    let instances = plan::plan(&scenarios, &only, &sources, &able, 1).map_err(SessionError::Problems)?;
    if recorded.is_some() && instances.is_empty() {
        return Err(SessionError::NothingOfIt);
    }
    if !asked.allow_exec {
        let commands = plan::commands(&instances);
        if !commands.is_empty() {
            return Err(SessionError::Problems(commands));
        }
    }
    let named = match &profile {
        Some(profile) => profile.target(&asked.target)?,
        None => asked.target.clone(),
    };
    let mut settings = target_settings(&named, shell, asked.seed, Arc::clone(&library.catalogue))?;
    // A lock file reaches as far as its disk; other machines are seen by what they have there.
    settings.saas.alone = asked.state.is_some();
    if settings.kind.has_control_plane() {
        organisation::learn_proxy(&mut settings.saas, &instances, &shell.env);
        settings.saas.lease = organisation::lease(&settings.saas, &instances, &asked);
    }
    refuse_contradictions(&instances, &library, &settings, &asked, shell)?;
    let today = crate::clock::wall().to_string();
    let expired: Vec<Problem> = scenarios
        .iter()
        .filter_map(|s| crate::scenario::expired(s, today.get(..10).unwrap_or_default()))
        .collect();
    if !expired.is_empty() {
        return Err(SessionError::Problems(expired));
    }
    let known = asked.known.as_deref().map(library::known).transpose()?.unwrap_or_default();
    raise_file_limit();
    // What is recorded is what was decided.
    asked.target.kind = Some(settings.kind);
    asked.seed = Some(asked.seed.unwrap_or_else(|| crate::chance::random::<u32>().into()));
    let Outside { signals, network, name } = outside;
    settings.http.network = network;
    let (asked, library) = (&asked, &library);
    let demand = Demand {
        live: asked.require_live,
        chosen: !asked.selection.is_empty() || asked.again.is_some() || profile.is_some(),
        named: by_name,
        reds: matches!(asked.again, Some(Again::RerunFailed(_))),
        allow_none: asked.allow_none,
        within: asked.global_timeout,
    };
    let work = Work { known, asked, shell, library, settings, only, sources, profile, demand };
    work.run(&scenarios, &name, signals).await
}

/// A contradiction that certainly ends in a 4xx or a failed boot is refused before any request.
fn refuse_contradictions(
    instances: &[Instance],
    library: &Library,
    settings: &targets::Settings,
    asked: &RunSettings,
    shell: &Shell,
) -> Result<(), SessionError> {
    let ours = settings.is_ours();
    let against = Against {
        catalogue: &library.catalogue,
        allowlist: &library.allowlist,
        allowlist_known: ours || asked.library.manifest.is_some(),
        env: shell.env.vars(),
        target: Target { kind: settings.kind.for_models(), proxy: ours.then_some(true) },
    };
    let found = contradictions::of_instances(instances, &against);
    let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(|p| p.level == Level::Error);
    if !errors.is_empty() || (asked.deny_warnings && !warnings.is_empty()) {
        return Err(SessionError::Problems(errors.into_iter().chain(warnings).collect()));
    }
    for warning in warnings {
        shell.printer.note(&warning.line())?;
    }
    Ok(())
}

impl Work<'_> {
    /// Why nothing of a lane is live: an organisation in this process proves nothing about a control plane that a forge
    /// has no address of.
    fn lacks_live(&self) -> Option<String> {
        let settings = &self.settings;
        let none = settings.kind.has_control_plane() && settings.saas.cp_url.is_none();
        (self.demand.live && none).then(|| {
            "not configured: live work is demanded, and no control plane is named: --cp-url or MOLECULE_CP_URL".to_owned()
        })
    }

    async fn run(
        mut self,
        scenarios: &[Arc<Scenario>],
        name: &RunName,
        mut signals: Signals,
    ) -> Result<Ran, SessionError> {
        let began = Instant::now();
        let seed = self.asked.seed.unwrap_or_default();
        let run = name.id();
        self.settings.embedded.seed = seed;
        self.settings.docker.seed = seed;
        self.settings.docker.run.clone_from(&run);
        let mut state = self.asked.state.as_deref().map(|path| state::open(path, &run)).transpose()?;
        if let Some(state) = &state {
            self.known = std::mem::take(&mut self.known).remembering(state.remembered.clone());
        }
        let folder = RunFolder::create(&self.shell.runs_dir, &run)?;
        let redactor = self.redactor(scenarios);
        self.settings.http.redactor = redactor.clone();
        let log = Log::create(&folder.path, redactor).map_err(SessionError::Log)?;
        let files = report::open(&self.files()).map_err(SessionError::NoReport)?;
        let reporters = Reporters::spawn(
            &log,
            ReporterConfig {
                printer: self.shell.printer.clone(),
                ci: if self.shell.printer.is_ci() { self.shell.printer.ci_log() } else { CiLog::Plain },
                workspace: self.shell.env.workspace(),
                run_folder: folder.path.clone(),
                files,
            },
        );
        let mut lane = self.lane(&folder, &log)?;
        let mut stage =
            self.settings.kind.has_control_plane().then(|| Stage::new(&self.settings.saas, log.clone()));
        if self.told_early() {
            // The identity comes first in a log: also before the ledger of what a profile starts.
            let instances = self.instances(scenarios);
            let planned = (lane.is_some() || self.profile.is_none())
                .then(|| brought_up::planned_target(&self.settings));
            let identity = self.identity(&run, scenarios, &instances, planned.as_ref(), None);
            log.emit(EventKind::RunStarted(Box::new(identity)));
        }
        let skip = self.profile.as_ref().and_then(|p| p.skip.clone()).or_else(|| self.lacks_live());
        let (mut ended, mut left, had) = match skip {
            Some(why) => {
                let instances = self.instances(scenarios);
                let finished = brought_up::all_skipped(&log, &instances, &why, &self.demand, began);
                (Ok(finished), Vec::new(), None)
            }
            None => {
                let unreported = reporters.broken();
                let pieces = Pieces { log: &log, folder: &folder, tail: &name.tail, seed, began, unreported };
                self.at_target(scenarios, lane.as_mut(), stage.as_mut(), &pieces, &mut signals).await
            }
        };
        if let Some(stage) = &mut stage {
            left.extend(organisation::down(stage, &log, &mut signals, &mut ended).await);
            if left.is_empty()
                && stage.is_empty()
                && let (Ok(finished), Some(had)) = (&mut ended, &had)
            {
                organisation::took_all_with_it(finished, &had.ledger);
            }
        }
        if let Some(lane) = &mut lane {
            let haste = brought_up::haste(&ended);
            left.extend(brought_up::down(lane, haste, &mut signals, &mut ended).await);
            // Not before it is down: until then it may still make what is looked for.
            if let (Ok(finished), Some(had)) = (&mut ended, &had)
                && brought_up::took_all_with_it(lane, finished, had)
            {
                finished.left = brought_up::went_with_its_server(&log, had).await;
            }
        }
        let code = match ended {
            Ok(mut finished) => {
                if !left.is_empty() {
                    let worst = ExitCode::worst(&BTreeSet::from([finished.exit, ExitCode::Leak]));
                    if worst != finished.exit {
                        (finished.exit, finished.code) = (worst, worst.code());
                        let left = count(left.len(), "resource");
                        finished.reason = format!("{left} could not be removed");
                    }
                    finished.left.append(&mut left);
                }
                if let (Some(state), Some(had)) = (&mut state, &had) {
                    state::learn(state, &had.seen, &run, &log, &mut finished);
                }
                let code = finished.exit;
                log.emit(EventKind::RunFinished(finished));
                Ok(code)
            }
            Err(error) => {
                self.file_failure(&log, &run, scenarios, &error, left, began);
                Err(error.told())
            }
        };
        log.close();
        let reported = reporters.finish().await;
        let ended = folder.path.clone();
        drop(folder);
        if let Some(keep) = self.asked.keep_runs {
            let named = state.as_ref().map(|state| state.remembered.runs_of_open_reds()).unwrap_or_default();
            folder::prune(&self.shell.runs_dir, keep, &ended, &named);
        }
        if let (Some(command), Ok(state)) = (&self.asked.on_new, &reported) {
            on_new::tell(command, state, &self.shell.printer).await;
        }
        let mut code = code?;
        if let Err(error) = reported {
            if code == ExitCode::Passed {
                return Err(SessionError::Report(error));
            }
            // Nobody may be there to be told.
            let _ = self.shell.printer.talk(&format!("error: {error}"));
            code = ExitCode::worst(&BTreeSet::from([code, ExitCode::Environment]));
        }
        Ok(Ran { code, folder: Some(ended) })
    }

    /// The end of a run that had no target.
    fn file_failure(
        &self,
        log: &Log,
        run: &str,
        scenarios: &[Arc<Scenario>],
        error: &SessionError,
        left: Vec<String>,
        began: Instant,
    ) {
        let mut counts = BTreeMap::new();
        let exit = error.code();
        if !self.told_early() {
            let identity = self.identity(run, scenarios, &[], None, Some(error));
            log.emit(EventKind::RunStarted(Box::new(identity)));
        } else {
            let instances = self.instances(scenarios);
            let interrupted = matches!(exit, ExitCode::Interrupted | ExitCode::Terminated);
            let verdict = if interrupted { Verdict::Cancelled } else { Verdict::Error };
            counts = brought_up::file_unrun(log, &instances, verdict, &error.line());
        }
        log.emit(EventKind::RunFinished(RunFinished {
            exit,
            code: exit.code(),
            reason: error.line(),
            counts,
            advisory_reds: 0,
            left,
            took_ms: time::ms(began.elapsed()),
        }));
    }
}

/// A thousand waits need a thousand descriptors; a limit that cannot be raised is respected.
fn raise_file_limit() {
    let _ = rlimit::increase_nofile_limit(65_536);
}
