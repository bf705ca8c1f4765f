//! `lifecycle run`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rand::RngExt as _;
use tokio::sync::watch;

use super::args::{QuirksArg, RunArgs, TargetArgs};
use super::failure::CliError;
use super::library::{self, Library};
use super::run_profile::Had;
use super::{Shell, profile, run_profile, runtime};
use crate::domain::{ExitCode, Secret};
use crate::engine::context::RunContext;
use crate::engine::contradictions::{self, Against};
use crate::engine::dispatcher::{self, Signals};
use crate::engine::plan::{self, InputSources, Instance};
use crate::event::{
    EventKind, Log, ResolvedInput, RunFinished, RunStarted, SCHEMA, ScenarioSource, TargetIdentity, Verdict,
};
use crate::http;
use crate::models::catalogue::Catalogue;
use crate::models::contradictions::{Target, TargetKind};
use crate::platform::stream;
use crate::redact::Redactor;
use crate::reference::faults::{ALL, FaultError, Faults};
use crate::reference::options::Quirks;
use crate::report::{CiLog, FileKind, ReporterConfig, Reporters};
use crate::run::cancel::Cancel;
use crate::run::folder::{self, RunFolder};
use crate::run::ledger::{Home, Ledger};
use crate::run::poller::Poller;
use crate::scenario::model::Capability;
use crate::source::{Level, Problem};
use crate::target::profile::lane::{Died, Lane};
use crate::target::{self, Kind, TargetFacts};

/// Runs scenarios.
pub(crate) fn run(args: &RunArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let library = Library::load(&args.library, &args.selection)?;
    let profile =
        args.profile.as_deref().map(|wanted| profile::choose(wanted, &args.library, shell)).transpose()?;
    let scenarios = match &profile {
        Some(profile) => profile.scenarios(&library, &args.selection)?,
        None => library.chosen()?,
    };
    for warning in library.problems.iter().filter(|p| p.level == Level::Warning) {
        shell.printer.note(&warning.line())?;
    }
    let sources = profile::sources(&args.inputs, profile.as_ref(), shell);
    // Everything that can be wrong without a network is wrong now, before anything is sent.
    let instances = plan::plan(&scenarios, &sources, &everything(), 1).map_err(CliError::problems)?;
    let named = match &profile {
        Some(profile) => profile.target_args(&args.target)?,
        None => args.target.clone(),
    };
    let settings = target_settings(&named, shell, args.seed, Arc::clone(&library.catalogue))?;
    refuse_contradictions(&instances, &library, &settings, args, shell)?;
    let today = jiff::Timestamp::now().to_string();
    let expired: Vec<Problem> = scenarios
        .iter()
        .filter_map(|s| crate::scenario::expired(s, today.get(..10).unwrap_or_default()))
        .collect();
    if !expired.is_empty() {
        return Err(CliError::problems(expired));
    }
    let require_live = args.require_live || shell.env.flag("E2E_REQUIRE_LIVE");
    raise_file_limit();
    runtime()?.block_on(async {
        let work = Work { args, shell, library: &library, settings, sources, require_live, profile };
        work.run(&scenarios).await
    })
}

/// A contradiction that certainly ends in a 4xx or a failed boot is refused before any request.
fn refuse_contradictions(
    instances: &[Instance],
    library: &Library,
    settings: &target::Settings,
    args: &RunArgs,
    shell: &Shell,
) -> Result<(), CliError> {
    // The reference platform, either way.
    let embedded = matches!(settings.kind, Kind::Embedded | Kind::Docker);
    let against = Against {
        catalogue: &library.catalogue,
        allowlist: &library.allowlist,
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

/// The pieces of one run, each made once.
struct Pieces<'a> {
    log: &'a Log,
    folder: &'a RunFolder,
    tail: &'a str,
    seed: u64,
    began: Instant,
}

/// Opens the target, which a profile may have to bring up first.
async fn open(
    settings: &mut target::Settings,
    sources: &mut InputSources,
    lane: Option<&mut Lane>,
) -> Result<target::Target, target::OpenError> {
    if let Some(lane) = lane {
        run_profile::up(lane, settings, sources).await?;
    }
    target::open(settings).await
}

/// What is planned before a target is known.
fn everything() -> TargetFacts {
    TargetFacts { capabilities: Capability::ALL.into_iter().collect(), ..TargetFacts::default() }
}

struct Work<'a> {
    args: &'a RunArgs,
    shell: &'a Shell,
    library: &'a Library,
    settings: target::Settings,
    sources: InputSources,
    require_live: bool,
    profile: Option<profile::Chosen>,
}

impl Work<'_> {
    async fn run(mut self, scenarios: &[Arc<crate::scenario::Scenario>]) -> Result<ExitCode, CliError> {
        let began = Instant::now();
        let mut signals = Signals::listen()?;
        let seed = self.args.seed.unwrap_or_else(|| rand::rng().random::<u32>().into());
        self.settings.embedded.seed = seed;
        let tail = format!("{:08x}", rand::rng().random::<u32>());
        let stamp = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
        let run = format!("{stamp}-{tail}");
        let cannot_write = |e: &dyn std::fmt::Display| {
            CliError::new(ExitCode::Environment, format!("{e}; nothing was sent"))
                .next("the disk: is it full or read-only? --runs-dir DIR writes elsewhere")
        };
        self.settings.docker.seed = seed;
        self.settings.docker.run.clone_from(&run);
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
        let files = crate::report::open(&self.files()).map_err(|e| cannot_write(&e))?;
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
            if let (true, Ok(finished), Some(had)) = (lane.server_died(), &mut ended, &had) {
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
        drop(folder);
        if let Some(keep) = self.args.keep_runs {
            folder::prune(&self.shell.runs_dir, keep);
        }
        let code = code?;
        match reported {
            Ok(_) => Ok(code),
            Err(error) if code == ExitCode::Passed => {
                Err(CliError::new(ExitCode::Environment, error.to_string()))
            }
            Err(error) => {
                self.shell.printer.talk(&format!("error: {error}"))?;
                Ok(code)
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
    fn instances(&self, scenarios: &[Arc<crate::scenario::Scenario>]) -> Vec<Instance> {
        let repeat = self.args.repeat as usize;
        plan::plan(scenarios, &self.sources, &everything(), repeat).unwrap_or_default()
    }

    /// Brings up, opens, runs, closes; gives what is left beside how it ended.
    async fn at_target(
        &mut self,
        scenarios: &[Arc<crate::scenario::Scenario>],
        mut lane: Option<&mut Lane>,
        pieces: &Pieces<'_>,
        signals: &mut Signals,
    ) -> (Result<RunFinished, CliError>, Vec<String>, Option<Had>) {
        let early = match &lane {
            Some(_) => "interrupted while the profile was brought up",
            None => "interrupted before anything was made",
        };
        let opened = tokio::select! {
            opened = open(&mut self.settings, &mut self.sources, lane.as_deref_mut()) => opened.map_err(CliError::from),
            code = signals.interrupted() => Err(CliError::new(code, early)),
        };
        let mut target = match opened {
            Ok(target) => target,
            Err(error) => return (Err(error), Vec::new(), None),
        };
        if let Some(admin) = &target.api.admin {
            pieces.log.redactor().register("ADMIN_TOKEN", admin.expose());
        }
        let died = lane.as_deref().map(Lane::died);
        target.facts.log = lane.and_then(|lane| lane.server_log());
        let ended = self.with_target(scenarios, &target, pieces, died, signals).await;
        let left = target.close().await;
        for what in &left {
            // A terminal that is gone cannot be told.
            let _ =
                self.shell.printer.talk(&format!("left on the engine: {what}; `lifecycle sweep --docker`"));
        }
        match ended {
            Ok((finished, had)) => (Ok(finished), left, Some(had)),
            Err(error) => (Err(error), left, None),
        }
    }

    async fn with_target(
        &self,
        scenarios: &[Arc<crate::scenario::Scenario>],
        target: &target::Target,
        pieces: &Pieces<'_>,
        died: Option<watch::Receiver<Died>>,
        signals: &mut Signals,
    ) -> Result<(RunFinished, Had), CliError> {
        let Pieces { log, folder, tail, seed, began } = *pieces;
        let instances = plan::plan(scenarios, &self.sources, &target.facts, self.args.repeat as usize)
            .map_err(CliError::problems)?;
        if self.profile.is_some() {
            log.emit(EventKind::TargetFound(Box::new(target.identity.clone())));
        } else {
            let identity =
                self.identity(&folder.run, scenarios, &instances, Some(&target.identity), None, seed);
            log.emit(EventKind::RunStarted(Box::new(identity)));
        }
        for drift in &target.facts.drift {
            log.emit(EventKind::Warning { scenario: None, text: format!("drift: {drift}") });
        }
        if target.identity.insecure {
            log.emit(EventKind::Warning {
                scenario: None,
                text: "TLS certificates are not verified (--insecure)".into(),
            });
        }
        let poller = Poller::start(Box::new(target.api.clone()));
        if target.facts.capabilities.contains(&crate::scenario::model::Capability::Events) {
            stream::follow(target.api.clone(), poller.clone(), target.stop.clone()).await;
        }
        let home = Home {
            base_url: target.api.base_url.clone(),
            org: target.api.org.clone(),
            credential: "ADMIN_TOKEN".into(),
        };
        let context = Arc::new(RunContext {
            run: folder.run.clone(),
            tail: tail.to_owned(),
            log: log.clone(),
            api: target.api.clone(),
            poller,
            ledger: Ledger::new(log.clone(), home),
            cancel: Cancel::new(),
            target: target.facts.clone(),
            catalogue: Arc::clone(&self.library.catalogue),
            allowlist: self.library.allowlist.clone(),
            env: self.shell.env.vars().clone(),
            root: Mutex::new(None),
            hmac_key: rand::rng().random(),
            seed,
            exclusive: self.args.exclusive,
            destroy: self.args.destroy,
        });
        let jobs = self.jobs(&target.facts, log);
        if let Some(engine) = target.facts.engine.clone() {
            watch_engine(engine, context.poller.clone(), target.stop.clone());
        }
        if let Some(died) = died {
            run_profile::watch(died, &context, target.stop.clone());
        }
        let options = dispatcher::Options { jobs, require_live: self.require_live };
        let ending = dispatcher::run(Arc::clone(&context), instances, &options, signals).await;
        let finished = ending.conclude(&context, self.require_live, began.elapsed());
        Ok((finished, Had { ledger: context.ledger.clone(), engine: target.facts.engine.clone() }))
    }

    /// A server that limits requests is not asked by more scenarios at once than it can answer.
    fn jobs(&self, facts: &TargetFacts, log: &Log) -> usize {
        let wanted = self.args.jobs as usize;
        let Some(limit) = facts.rate_limit else { return wanted };
        let jobs = wanted.min((limit as usize / 100).max(1));
        if jobs < wanted {
            let text = format!("the server allows {limit} requests a minute: {jobs} scenarios at once");
            log.emit(EventKind::Warning { scenario: None, text });
        }
        jobs
    }

    fn files(&self) -> Vec<(FileKind, std::path::PathBuf)> {
        let mut files = report_files(&self.args.reports);
        if self.shell.printer.is_ci()
            && let Some(summary) = self.shell.env.get("GITHUB_STEP_SUMMARY")
        {
            files.push((FileKind::StepSummary, Path::new(summary).to_owned()));
        }
        files
    }

    fn identity(
        &self,
        run: &str,
        scenarios: &[Arc<crate::scenario::Scenario>],
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

/// An engine that does not answer any more takes every container with it: the run ends.
fn watch_engine(engine: crate::docker::Engine, poller: Poller, stop: tokio_util::sync::CancellationToken) {
    const EVERY: std::time::Duration = std::time::Duration::from_secs(2);
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut silent = 0;
        while silent < 3 {
            crate::run::clock::sleep(EVERY).await;
            let answer = tokio::time::timeout(PATIENCE, engine.ping()).await;
            silent = if matches!(answer, Ok(Ok(()))) { 0 } else { silent + 1 };
        }
        poller.give_up("the container engine does not answer any more");
    }));
}

/// The files that a person asked for.
pub(crate) fn report_files(args: &super::args::ReportFiles) -> Vec<(FileKind, std::path::PathBuf)> {
    [
        (FileKind::Junit, &args.junit),
        (FileKind::Json, &args.json),
        (FileKind::Html, &args.html),
        (FileKind::Markdown, &args.markdown),
    ]
    .into_iter()
    .filter_map(|(kind, path)| Some((kind, path.clone()?)))
    .collect()
}

/// Flags and environment, as a target's settings.
pub(crate) fn target_settings(
    args: &TargetArgs,
    shell: &Shell,
    seed: Option<u64>,
    catalogue: Arc<Catalogue>,
) -> Result<target::Settings, CliError> {
    let named = shell.env.get("LIFECYCLE_TARGET").map(|text| {
        <Kind as clap::ValueEnum>::from_str(text, true).map_err(|_| {
            let names = [Kind::Embedded.as_str(), Kind::Docker.as_str(), Kind::Live.as_str()];
            CliError::new(
                ExitCode::BadInput,
                format!("LIFECYCLE_TARGET is `{text}`; {}", crate::source::did_you_mean(text, names)),
            )
        })
    });
    let kind = match (args.target, named.transpose()?) {
        (Some(kind), _) => kind,
        (None, _) if args.base_url.is_some() => Kind::Live,
        (None, Some(kind)) => kind,
        (None, None) => Kind::Embedded,
    };
    let base_url = args.base_url.clone().or_else(|| shell.env.base_url().map(str::to_owned));
    if kind == Kind::Live {
        match &base_url {
            None => {
                return Err(CliError::new(ExitCode::BadInput, "a live target needs an address")
                    .next("--base-url URL, or the variable BASE"));
            }
            Some(url) if !(url.starts_with("http://") || url.starts_with("https://")) => {
                return Err(CliError::new(
                    ExitCode::BadInput,
                    format!("`{url}` is no address: write http://… or https://…"),
                ));
            }
            Some(_) => {}
        }
    }
    let ca_cert = match &args.ca_cert {
        Some(path) => Some(std::fs::read(path).map_err(|e| {
            CliError::new(ExitCode::BadInput, format!("cannot read {}: {e}", path.display()))
        })?),
        None => None,
    };
    let faults = faults(&args.faults)?;
    Ok(target::Settings {
        kind,
        base_url,
        admin_token: args.admin_token.as_deref().map(Secret::new).or_else(|| shell.env.admin_token()),
        org: args.org_id.clone().or_else(|| shell.env.org().map(str::to_owned)),
        http: http::Config { ca_cert, insecure: args.insecure, proxies: shell.env.proxies(), tls: false },
        embedded: target::embedded::Settings {
            time_scale: args.time_scale.unwrap_or(target::embedded::TIME_SCALE),
            quirks: quirks(args.quirks),
            faults: faults.clone(),
            seed: seed.unwrap_or_default(),
            ..target::embedded::Settings::default()
        },
        docker: target::docker::Settings {
            engine: shell.env.docker(),
            run: String::new(),
            agent_image: args.agent_image.clone(),
            allow_privileged: args.allow_privileged,
            time_scale: args.time_scale.unwrap_or(target::docker::TIME_SCALE),
            quirks: quirks(args.quirks),
            faults,
            seed: seed.unwrap_or_default(),
            admin_token: None,
            port: 0,
        },
        with_engine: args.docker,
        provider: args.provider_url.clone(),
        answers: args.answers,
        declared: BTreeMap::new(),
        patience: args.patience,
        catalogue,
    })
}

/// `--fault`, with the valid names where one is none.
pub(crate) fn faults(names: &[String]) -> Result<Faults, CliError> {
    Faults::parse(names).map_err(|error| {
        let failure = CliError::new(ExitCode::BadInput, error.to_string());
        match &error {
            FaultError::Unknown(name) => {
                failure.next(crate::source::did_you_mean(name, ALL.iter().map(|info| info.name)))
            }
            _ => failure,
        }
    })
}

/// `--quirks` as the platform says it.
pub(crate) fn quirks(arg: QuirksArg) -> Quirks {
    match arg {
        QuirksArg::Observed => Quirks::Observed,
        QuirksArg::Intended => Quirks::Intended,
    }
}

/// A thousand waits need a thousand descriptors; a limit that cannot be raised is respected.
fn raise_file_limit() {
    let _ = rlimit::increase_nofile_limit(65_536);
}
