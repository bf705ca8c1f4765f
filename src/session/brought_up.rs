//! A profile: what a run does for a server that it brings up itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::failure::SessionError;
use super::profile::Chosen;
use super::settings::TargetSettings;
use super::shell::Shell;
use crate::clock::Instant;
use crate::docker::{Engine, EngineError};
use crate::domain::{ExitCode, time};
use crate::event::{
    Class, EventKind, Log, Planned, Released, RunFinished, ScenarioFinished, TargetIdentity, Verdict,
};
use crate::run::folder::RunFolder;
use crate::run::ledger::{Entry, Ledger};
use crate::run::signals::Signals;
use crate::runner::context::RunContext;
use crate::runner::demand::Demand;
use crate::runner::plan::{self, InputSources, Instance};
use crate::scenario::model::Gate;
use crate::scenario::need::Need;
use crate::scenario::remembered::Sighting;
use crate::targets::profile::lane::down::Haste;
use crate::targets::profile::lane::told::Told;
use crate::targets::profile::lane::{Died, Lane, Setup};
use crate::targets::{self, Kind, OpenError};

impl Chosen {
    /// The target's flags, as the profile decides them.
    pub(crate) fn target(&self, typed: &TargetSettings) -> Result<TargetSettings, SessionError> {
        let twice = |flag: &'static str, field: &'static str| {
            Err(SessionError::DecidedTwice { flag, field, profile: self.profile.name.clone() })
        };
        if typed.admin_token.is_some() && self.profile.admin_token.is_some() {
            return twice("--admin-token", "admin_token");
        }
        if typed.org_id.is_some() && self.profile.org.is_some() {
            return twice("--org-id", "org");
        }
        if self.profile.makes_organisation {
            return Ok(TargetSettings {
                kind: Some(Kind::of_a_control_plane()),
                answers: typed.answers.or(self.profile.answers),
                org_prefix: typed.org_prefix.clone().or_else(|| self.profile.org_prefix.clone()),
                ..typed.clone()
            });
        }
        Ok(TargetSettings {
            kind: Some(Kind::of_an_address()),
            // Its address is known when it is up.
            base_url: Some("http://127.0.0.1".to_owned()),
            docker: typed.docker || self.profile.containers,
            answers: typed.answers.or(self.profile.answers),
            ..typed.clone()
        })
    }

    /// Prepares what is brought up, and tells the target's settings what is known of it.
    pub(crate) fn lane(
        &self,
        shell: &Shell,
        typed: &TargetSettings,
        settings: &mut targets::Settings,
        sources: &mut InputSources,
        folder: &RunFolder,
        log: &Log,
    ) -> Result<Lane, SessionError> {
        let program = super::env::program().map_err(SessionError::Program)?;
        let setup = Setup {
            profile: Arc::clone(&self.profile),
            env: shell.env.vars().clone(),
            program,
            run: folder.run.clone(),
            logs: folder.path.join("logs"),
            temp: shell.env.temp(),
            log: log.clone(),
            engine: shell.env.docker(),
            http: settings.http.clone(),
        };
        let lane = Lane::new(setup).map_err(SessionError::Port)?;
        let asked = &mut settings.contract;
        asked.edition = asked.edition.or(self.profile.edition);
        asked.build = asked.build.take().or_else(|| self.profile.expect_build.clone());
        for (need, there) in &self.profile.declares {
            match need {
                Need::Capability(capability) => {
                    settings.declared.insert(*capability, *there);
                }
                // What is typed wins.
                Need::Behaviour(behaviour) => {
                    asked.declared.entry(*behaviour).or_insert(*there);
                }
            }
        }
        // Its address is not that of the environment, and its organisation neither.
        let foreseen = self.outlook.base_url.clone();
        (settings.base_url, settings.org) = (Some(foreseen.unwrap_or_default()), typed.org_id.clone());
        let told = lane.told_early();
        sources.not_yet.retain(|name| !told.inputs.contains_key(name));
        sources.profile.extend(told.inputs.clone());
        tell(settings, told);
        Ok(lane)
    }
}

/// Brings a profile up, and tells what is known only then.
pub(crate) async fn up(
    lane: &mut Lane,
    settings: &mut targets::Settings,
    sources: &mut InputSources,
) -> Result<(), OpenError> {
    lane.up().await?;
    let mut told = lane.told()?;
    for name in std::mem::take(&mut sources.not_yet) {
        sources.profile.extend(told.inputs.remove_entry(&name));
    }
    tell(settings, told);
    Ok(())
}

/// What a profile says of its target is told to the target's settings; flags that it may not contradict stay.
fn tell(settings: &mut targets::Settings, told: Told) {
    settings.base_url = told.base_url.or(settings.base_url.take());
    settings.admin_token = told.admin_token.or(settings.admin_token.take());
    settings.org = settings.org.take().or(told.org);
    settings.provider = settings.provider.take().or(told.provider);
}

/// The target as it is known before it is there.
pub(crate) fn planned_target(settings: &targets::Settings) -> TargetIdentity {
    TargetIdentity {
        kind: settings.kind.as_str().to_owned(),
        base_url: settings.base_url.clone().unwrap_or_default(),
        time_scale: 1.0,
        insecure: settings.http.insecure,
        ..TargetIdentity::default()
    }
}

/// How much time there is to take it down.
pub(crate) fn haste(ended: &Result<RunFinished, SessionError>) -> Haste {
    if is_interrupted(ended) { Haste::None.more() } else { Haste::None }
}

/// Whether it ended because somebody wanted it to.
pub(crate) fn is_interrupted(ended: &Result<RunFinished, SessionError>) -> bool {
    let code = match ended {
        Ok(finished) => finished.exit,
        Err(error) => error.code(),
    };
    matches!(code, ExitCode::Interrupted | ExitCode::Terminated)
}

/// Somebody wants it to end while what it used is stopped; the first one decides the code.
pub(crate) fn interrupt(ended: &mut Result<RunFinished, SessionError>, code: ExitCode, why: &'static str) {
    if is_interrupted(ended) {
        return;
    }
    match ended {
        Ok(finished) => {
            (finished.exit, finished.code) = (code, code.code());
            why.clone_into(&mut finished.reason);
        }
        Err(error) => {
            let first = std::mem::replace(error, SessionError::Interrupted { code, why });
            *error = SessionError::Cut { code, first: Box::new(first) };
        }
    }
}

/// Takes it down; every interrupt meanwhile leaves less time.
pub(crate) async fn down(
    lane: &mut Lane,
    haste: Haste,
    signals: &mut Signals,
    ended: &mut Result<RunFinished, SessionError>,
) -> Vec<String> {
    let (hurry, hurried) = watch::channel(haste);
    let mut taken = std::pin::pin!(lane.down(&hurried));
    loop {
        let code = tokio::select! {
            biased;
            left = &mut taken => return left,
            code = signals.interrupted() => code,
        };
        hurry.send_modify(|haste| *haste = haste.more());
        interrupt(ended, code, "interrupted while the profile was brought down");
    }
}

/// A part that ends by itself ends the run. Only the target's own end means that nothing can be asked of it.
pub(crate) fn watch(mut died: watch::Receiver<Died>, context: &Arc<RunContext>, stop: CancellationToken) {
    let (poller, cancel) = (context.poller.clone(), context.cancel.clone());
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let first = died.wait_for(|died| died.why.is_some()).await.map(|died| died.why.clone());
        let Ok(Some(why)) = first else { return };
        poller.give_up(&why);
        if died.wait_for(|died| died.server).await.is_ok() {
            cancel.cleanup().cancel();
        }
    }));
}

/// What a target had, where else it may be, and what was seen there.
pub(crate) struct Had {
    /// What a state remembers of it.
    pub seen: Vec<Sighting>,
    /// What was made.
    pub ledger: Ledger,
    /// The engine of its workspaces.
    pub engine: Option<Engine>,
}

/// Whether what the target still had went with it: it ended by itself, or an interrupt cut the clean-up short and
/// it was stopped then. What is on an engine then is a sweep's: whoever interrupts does not wait for it.
pub(crate) fn took_all_with_it(lane: &Lane, finished: &RunFinished, had: &Had) -> bool {
    let interrupted = matches!(finished.exit, ExitCode::Interrupted | ExitCode::Terminated);
    lane.server_died() || (lane.server_stopped() && interrupted && had.engine.is_none())
}

/// What a server had goes with it; what it had on the engine is removed, by the ids of the ledger.
pub(crate) async fn went_with_its_server(log: &Log, had: &Had) -> Vec<String> {
    let Had { ledger, engine, .. } = had;
    let mut left = Vec::new();
    let entries = ledger.left().into_iter().chain(ledger.all_open());
    for entry in entries {
        match off_the_engine(engine.as_ref(), &entry).await {
            Ok(foreign) => {
                if let Some(what) = foreign {
                    let text = format!("{}: {what}", entry.name);
                    log.emit(EventKind::Warning { scenario: entry.scenario.clone(), text });
                }
                log.emit(EventKind::Released(Released {
                    resource: entry.resource,
                    by: "went with its server".to_owned(),
                    left_by_platform: None,
                }));
            }
            Err(why) => left.push(format!("{} {}: {}", entry.kind, entry.name, why.what)),
        }
    }
    left
}

/// Removes the container and the volumes that bear a workspace's id; gives what is somebody else's and stays.
pub(crate) async fn off_the_engine(
    engine: Option<&Engine>,
    entry: &Entry,
) -> Result<Option<String>, EngineError> {
    let (Some(engine), Some(id)) = (engine, &entry.id) else { return Ok(None) };
    if entry.kind != "workspace" {
        return Ok(None);
    }
    engine.remove_workspace(id).await
}

/// Files a verdict for every scenario of a run that did not get to any.
pub(crate) fn file_unrun(
    log: &Log,
    instances: &[Instance],
    verdict: Verdict,
    reason: &str,
) -> BTreeMap<Verdict, usize> {
    let skip = (verdict == Verdict::Skipped).then(|| reason.to_owned());
    let planned = instances.iter().map(|i| {
        let mut planned = plan::planned(i);
        planned.skip = planned.skip.or_else(|| skip.clone());
        planned
    });
    log.emit(EventKind::Planned(Planned { scenarios: planned.collect() }));
    for instance in instances {
        log.emit(EventKind::ScenarioFinished(Box::new(ScenarioFinished {
            scenario: instance.name.clone(),
            verdict,
            advisory: instance.scenario.gate == Gate::Advisory,
            class: (verdict == Verdict::Error).then_some(Class::Infra),
            reason: reason.to_owned(),
            missing_milestones: instance.scenario.milestones.clone(),
            ..ScenarioFinished::default()
        })));
    }
    BTreeMap::from([(verdict, instances.len())])
}

/// A run of which nothing is configured: loud, counted, red unless somebody allows it.
pub(crate) fn all_skipped(
    log: &Log,
    instances: &[Instance],
    why: &str,
    demand: &Demand,
    began: Instant,
) -> RunFinished {
    log.emit(EventKind::Warning { scenario: None, text: format!("nothing runs: {why}") });
    let counts = file_unrun(log, instances, Verdict::Skipped, why);
    // A lane was named, by its profile or by the demand for live work.
    let exit = match demand.allow_none && !demand.live {
        true => ExitCode::Passed,
        false => ExitCode::NotLive,
    };
    RunFinished {
        exit,
        code: exit.code(),
        reason: why.to_owned(),
        counts,
        advisory_reds: 0,
        left: Vec::new(),
        took_ms: time::ms(began.elapsed()),
    }
}
