//! What a `hold` watches of a workspace: its status, and that it is the same instance all the time.

use std::time::Duration;

use serde_json::Value;

use crate::clock::{self, Instant};
use crate::domain::instance::same;
use crate::domain::{Status, time};
use crate::event::EventKind;
use crate::platform::policy;
use crate::platform::row::Row;
use crate::run::look::{Seen, View};
use crate::run::poller::Watch;
use crate::run::wait::STALE;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind};
use crate::runner::workspace::Workspace;
use crate::runner::{container, environment};

/// An agent says so often, on the platform's clock, that it lives: in a longer window its uptime must have moved.
const HEARTBEATS: Duration = Duration::from_secs(90);

/// A workspace in a quiet window.
pub(super) struct Held {
    workspace: Workspace,
    statuses: Vec<Status>,
    watch: Watch,
    began: Instant,
    /// Only a workspace that is up all the time has one instance.
    up: bool,
    instance: Option<String>,
    restarts: Option<i64>,
    url: String,
    /// The highest that was seen.
    uptime: Option<i64>,
    /// What one look showed of another instance, and when: a copy of the row that lags shows an old one too.
    suspect: Option<(Instant, String)>,
    first_uptime: Option<i64>,
    last_good: Option<Instant>,
    last_bad: String,
}

impl Held {
    /// Begins to watch.
    pub(super) async fn begin(
        context: &ScenarioContext,
        workspace: Workspace,
        statuses: &[Status],
        step: &StepRun,
    ) -> Result<Held, Failure> {
        let is_up = |status: &Status| matches!(status, Status::Online | Status::Degraded);
        let up = workspace.managed && statuses.iter().all(is_up);
        let instance = match up && environment::in_reach(&context.run.target) {
            true => environment::instance(context, &workspace, step).await,
            false => None,
        };
        let restarts = if up { container::restarts(context, &workspace).await } else { None };
        let began = Instant::now();
        let watch = context.run.poller.watch(&workspace.id);
        let mut held = Held {
            statuses: statuses.to_vec(),
            watch,
            began,
            up,
            instance,
            restarts,
            url: String::new(),
            uptime: None,
            suspect: None,
            first_uptime: None,
            last_good: None,
            last_bad: "nothing was seen yet".to_owned(),
            workspace,
        };
        held.fresh(context).await?;
        Ok(held)
    }

    /// Wants another look after so long.
    pub(super) fn want(&self, pause: Duration) {
        self.watch.want(Instant::now() + pause);
    }

    /// Resolves when there was a new look.
    pub(super) async fn changed(&mut self) {
        self.watch.changed().await;
    }

    /// A look that begins now, if one can be had: the ends of a window are seen in earnest.
    pub(super) async fn fresh(&mut self, context: &ScenarioContext) -> Result<(), Failure> {
        let asked = Instant::now();
        let by = asked + policy::LOOK.within;
        self.watch.want(asked);
        loop {
            tokio::select! {
                biased;
                () = context.stop.cancelled() => break,
                () = self.watch.changed() => {}
                () = clock::sleep_until(by) => break,
            }
            let view = self.watch.last();
            if view.at.is_some_and(|at| at >= asked) {
                break;
            }
            self.watch.want(Instant::now());
        }
        self.look(context)
    }

    /// Judges the newest look, and what the stream has told since the window began.
    pub(super) fn look(&mut self, context: &ScenarioContext) -> Result<(), Failure> {
        // A stream that lags may tell of what was before the window.
        if !context.run.poller.lags(&self.workspace.id) {
            self.announced(context)?;
        }
        let view = self.watch.view();
        self.judge(context, &view)
    }

    fn judge(&mut self, context: &ScenarioContext, view: &View) -> Result<(), Failure> {
        let alias = &self.workspace.alias;
        match view.seen() {
            Some(Seen::Record(row)) => {
                self.last_good = view.at;
                context.observe(alias, row, if view.woken { "event" } else { "poll" });
                let status = row.status();
                if let Some(status) = status.filter(|status| !self.statuses.contains(status)) {
                    return Err(self.failure(format!("{alias} left its status: {status}")));
                }
                if self.up { self.same_instance(row, view.at) } else { Ok(()) }
            }
            Some(Seen::Gone { status, .. }) => Err(self.failure(format!("{alias} is gone ({status})"))),
            // A look that fails says nothing about the status.
            Some(Seen::Refused { status, text }) => {
                self.last_bad = format!("{status}: {text}");
                Ok(())
            }
            Some(Seen::Unavailable { text } | Seen::Transport { text, .. }) => {
                self.last_bad.clone_from(text);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Another instance shows in two looks in a row.
    fn same_instance(&mut self, row: &Value, at: Option<Instant>) -> Result<(), Failure> {
        match (self.unlike(row), at, &self.suspect) {
            (Some(text), Some(at), Some((before, _))) if at > *before => return Err(self.failure(text)),
            (Some(text), Some(at), None) => self.suspect = Some((at, text)),
            (Some(_), ..) => {}
            (None, ..) => {
                self.suspect = None;
                if !row.url().is_empty() {
                    row.url().clone_into(&mut self.url);
                }
                let uptime = row.uptime();
                self.uptime = uptime.or(self.uptime);
                self.first_uptime = self.first_uptime.or(uptime);
            }
        }
        Ok(())
    }

    /// What a row shows of another instance.
    fn unlike(&self, row: &Value) -> Option<String> {
        let (alias, url) = (&self.workspace.alias, row.url());
        if !self.url.is_empty() && !url.is_empty() && url != self.url {
            return Some(format!("{alias} got another instance: its URL went from {} to {url}", self.url));
        }
        let (old, new) = self.uptime.zip(row.uptime()).filter(|(old, new)| new < old)?;
        Some(format!("{alias} got another instance: its uptime went from {old} s to {new} s"))
    }

    /// No event may tell of another instance, or of none.
    fn announced(&self, context: &ScenarioContext) -> Result<(), Failure> {
        const BAD: [&str; 3] = ["WORKSPACE_PROVISIONING", "WORKSPACE_OFFLINE", "WORKSPACE_PROVISION_FAILED"];
        let events = context.run.poller.events_since(&self.workspace.id, self.began);
        let bad = events.into_iter().find(|event| self.up && BAD.contains(&event.kind.as_str()));
        bad.map_or(Ok(()), |event| {
            let (alias, kind) = (&self.workspace.alias, event.kind);
            Err(self.failure(format!("{alias} did not stay as it was: the platform announced {kind}")))
        })
    }

    /// A window that nobody saw the end of is no evidence.
    pub(super) fn was_seen(&self, now: Instant, every: Duration) -> Result<(), Failure> {
        if self.last_good.is_some_and(|seen| now.saturating_duration_since(seen) <= STALE.max(every * 2)) {
            return Ok(());
        }
        let alias = &self.workspace.alias;
        let text = format!("nobody could see whether {alias} held its status: {}", self.last_bad);
        Err(Failure::of(FailureKind::Environment, text).about(alias))
    }

    /// At the end: the same instance, and a word about what a row does not show.
    pub(super) async fn ends(
        &mut self,
        context: &ScenarioContext,
        wanted: Duration,
        step: &StepRun,
    ) -> Result<(), Failure> {
        if !self.up {
            return Ok(());
        }
        self.announced(context)?;
        let alias = self.workspace.alias.clone();
        let now = match &self.instance {
            Some(_) => environment::instance(context, &self.workspace, step).await,
            None => None,
        };
        match (&self.instance, now, self.suspect.take()) {
            (Some(before), Some(now), _) if !same(before, &now) => {
                return Err(self.failure(format!("{alias} got another instance: {before} → {now}")));
            }
            // The last look of all shows another one, and nothing better tells.
            (_, None, Some((_, text))) => return Err(self.failure(text)),
            _ => {}
        }
        let warn = |text: String| {
            context.run.log.emit(EventKind::Warning { scenario: Some(context.name.to_string()), text });
        };
        let before = self.restarts.unwrap_or_default();
        for what in container::unlike_its_row(context, &self.workspace, before).await {
            warn(format!("{alias} held its status, but {what}"));
        }
        if wanted >= HEARTBEATS
            && let Some(uptime) = self.uptime.filter(|uptime| self.first_uptime == Some(*uptime))
        {
            warn(format!(
                "{alias} held its status for {}, but no heartbeat of it was accepted: its uptime stood still at {uptime} s",
                time::show(wanted)
            ));
        }
        Ok(())
    }

    fn failure(&self, text: String) -> Failure {
        Failure::product(text).about(&self.workspace.alias)
    }
}
