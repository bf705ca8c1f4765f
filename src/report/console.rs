//! The console: lines that move on a terminal, plain lines elsewhere, a block per failure, a summary.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;

use super::block::{BlockLine, Size, failure_block};
use super::commands::{by_fault, profile_name};
use super::forge::{Workspace, annotations};
use super::progress::{dump_lines, progress_lines};
use super::scenario_state::{ExchangeNote, ScenarioState};
use super::state::RunState;
use super::summary::{one_red, summary_lines};
use super::text::{brief, clean, clock, count, fill, wrap};
use crate::domain::ExitCode;
use crate::event::{
    CancelReason, EnvObservation, Event, EventKind, PartState, RunStarted, StepFinished, StepOutcome, Verdict,
};
use crate::output::{CiLog, Printer};

/// Running scenarios that are shown at once.
const MAX_ROWS: usize = 8;
/// Columns of the word that a line begins with.
const WORD: usize = 10;
/// Lines that one message gets on a terminal.
const MAX_WRAPPED: usize = 12;
/// A slow wait says so again after this, where nothing moves on the screen.
const SAY_AGAIN_MS: u64 = 30_000;
/// Annotations that a forge shows of one step.
const MAX_ANNOTATIONS: usize = 10;

/// The console reporter: it is told every event after the state took it in.
pub(crate) struct Console {
    printer: Printer,
    ci: CiLog,
    run: PathBuf,
    /// Slow waits, and when they were last told.
    slow: HashMap<(String, String), u64>,
    /// Causes that were told whole, and of which scenario.
    told: HashMap<(String, String), String>,
    /// Where the forge finds files.
    workspace: Workspace,
    /// Why scenarios did not even begin.
    unrun: HashSet<String>,
    bars: MultiProgress,
    rows: Vec<ProgressBar>,
    /// Lines to print; together, so that the lines that move are drawn once.
    pending: Vec<String>,
}

impl Console {
    /// `run` is the run's folder as a person would type it.
    pub(crate) fn new(printer: Printer, ci: CiLog, run: &Path) -> Self {
        let bars = MultiProgress::with_draw_target(printer.progress_target());
        Console {
            printer,
            ci,
            run: run.to_owned(),
            slow: HashMap::new(),
            told: HashMap::new(),
            workspace: Workspace::default(),
            unrun: HashSet::new(),
            bars,
            rows: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// With the folder from which a forge resolves the paths of annotations.
    pub(crate) fn in_workspace(self, workspace: Workspace) -> Self {
        Console { workspace, ..self }
    }

    /// How often [`Console::tick`] is worth its while.
    pub(crate) fn ticks(&self) -> Duration {
        Duration::from_millis(if self.printer.draws_progress() { 125 } else { 5_000 })
    }

    /// Draws the lines that move, or says again what is still slow.
    pub(crate) fn tick(&mut self, state: &RunState, now_ms: u64) {
        if !self.printer.draws_progress() {
            return self.still_slow(state, now_ms);
        }
        let lines = progress_lines(state, now_ms, self.printer.width(), MAX_ROWS);
        while self.rows.len() > lines.len() {
            if let Some(row) = self.rows.pop() {
                self.bars.remove(&row);
            }
        }
        while self.rows.len() < lines.len() {
            let style = ProgressStyle::with_template("{msg}");
            let row = self.bars.add(ProgressBar::new_spinner());
            self.rows.push(match style {
                Ok(style) => row.with_style(style),
                Err(_) => row,
            });
        }
        for (row, line) in self.rows.iter().zip(lines) {
            row.set_message(line);
            row.tick();
        }
    }

    /// Takes in what an event means to a person who watches; `state` has it already.
    pub(crate) fn event(&mut self, state: &RunState, event: &Event) {
        let at = &event.at;
        match &event.event {
            EventKind::RunStarted(started) => self.run_started(at, started),
            EventKind::Part(part) => {
                let text = format!("{}  {}", part.part, part.text);
                match part.state {
                    PartState::Failed | PartState::Died => {
                        self.say(at, part.state.as_str().to_uppercase().as_str(), &text);
                        let lines: Vec<String> =
                            part.lines.iter().map(|l| format!("    {}", clean(l))).collect();
                        if !lines.is_empty() {
                            self.print(&lines.join("\n"));
                        }
                    }
                    PartState::Given | PartState::Ready => self.note(at, "UP", &text),
                    PartState::Stopped => self.note(at, "DOWN", &text),
                }
            }
            EventKind::Planned(planned) => self.planned(state, at, planned.scenarios.len()),
            EventKind::StepWaiting(wait) if wait.slow => {
                let key = (wait.scenario.clone(), wait.step.clone());
                if !self.slow.contains_key(&key) {
                    self.slow_wait(state, at, event.ms, &key);
                }
            }
            EventKind::ScenarioFinished(finished) => {
                if let Some(scenario) = state.scenarios.get(&finished.scenario) {
                    self.scenario_finished(state, at, scenario);
                }
            }
            EventKind::Warning { scenario, text } => {
                let whose = scenario.as_deref().map(|s| format!("{s}: ")).unwrap_or_default();
                self.note(at, "WARN", &format!("{whose}{text}"))
            }
            EventKind::DumpRequested => {
                let lines = dump_lines(state, event.ms);
                self.print(&lines.join("\n"))
            }
            EventKind::CancelBegan { reason } => {
                let text = format!("{}: {}", super::cancel_text(*reason), what_follows(state, *reason));
                self.say(at, "CANCEL", &text)
            }
            EventKind::CleanupStarted { .. } if state.cancelled.is_some() => {
                self.say(at, "CLEAN", &format!("{} still", to_remove(state)))
            }
            EventKind::CleanupFinished { removed, leaks, took_ms, .. }
                if *leaks > 0 || state.cancelled.is_some() =>
            {
                let text = format!("{removed} removed in all, {leaks} left, in {}", brief(*took_ms));
                self.say(at, "CLEAN", &text)
            }
            EventKind::Left(left) => {
                let id = left.id.as_deref().map(|id| format!(" ({id})")).unwrap_or_default();
                let text = format!("{} {}{id}: {}", left.kind, left.name, left.reason);
                self.say(at, "LEFT", &text)
            }
            other => self.verbose(state, at, other),
        }
    }

    /// Prints what was taken in, above the lines that move.
    ///
    /// # Errors
    /// The terminal cannot be written to; a reader that went away is no error.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.pending).join("\n");
        self.bars.suspend(|| self.printer.talk_with_commands(&text))
    }

    /// Removes the lines that move and prints the summary.
    ///
    /// # Errors
    /// As [`Console::flush`].
    pub(crate) fn finish(&mut self, state: &RunState) -> io::Result<()> {
        // A terminal that is gone has nothing to be cleared.
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
        self.rows.clear();
        if self.ci == CiLog::Commands {
            let commands = annotations(state, &self.workspace, MAX_ANNOTATIONS);
            self.pending.extend(commands);
        }
        let told = state.scenarios.values().any(|s| s.advisory_steps().next().is_some())
            || state.reds().next().is_some()
            || !state.left().is_empty()
            || !state.fixed.is_empty()
            // Nothing passed: silence would look like a pass.
            || !state.scenarios.values().any(|s| s.verdict() == Some(Verdict::Passed));
        let green = state.finished.as_ref().is_some_and(|f| f.code == 0) && !told;
        // Each known red has its line above; there is no more to say of them to somebody who wants little.
        let known = state.finished.as_ref().is_some_and(|f| f.exit == ExitCode::KnownRed)
            && state.left().is_empty()
            && state.fixed.is_empty();
        if !((green || known) && self.printer.is_quiet()) {
            let log = self.run.join("events.jsonl").display().to_string();
            let mut lines = summary_lines(state, Some(&log), self.printer.width());
            // Its block is right above.
            if self.printer.height().is_some() && self.told.len() == 1 && state.reds().count() == 1 {
                one_red(&mut lines, state, &log, self.printer.width());
            }
            self.print(&format!("\n{}", coloured(&lines)));
        }
        self.flush()
    }

    fn planned(&mut self, state: &RunState, at: &str, selected: usize) {
        let skips = state.skips();
        let skipped: usize = skips.values().map(Vec::len).sum();
        let why = match skips.keys().collect::<Vec<_>>().as_slice() {
            _ if skipped == 0 => String::new(),
            [reason] => format!(", {skipped} skipped ({reason})"),
            _ => format!(", {skipped} skipped"),
        };
        self.note(
            at,
            "PLAN",
            &format!("{selected} selected: {} to run{why}", selected - skipped.min(selected)),
        );
        if self.printer.draws_progress() && skips.len() > 1 {
            for (reason, names) in &skips {
                self.note(at, "SKIP", &format!("{}: {reason}", count(names.len() as u64, "scenario")));
            }
        }
    }

    fn run_started(&mut self, at: &str, started: &RunStarted) {
        let target = match (&started.target, &started.target_error) {
            (Some(target), _) => {
                let scale = if target.time_scale > 1.0 {
                    format!(", clock × {}", target.time_scale)
                } else {
                    String::new()
                };
                let contract = match target.contract.as_str() {
                    "" => String::new(),
                    contract => format!(": {contract}"),
                };
                format!("on {} {}{scale}{contract}", target.kind, target.base_url)
            }
            // Why is told once, at the end.
            (None, Some(_)) => "target not reached".to_owned(),
            (None, None) => "without a target".to_owned(),
        };
        let profile = started.profile.as_ref().map(|p| format!(", profile {}", profile_name(&p.name)));
        let profile = profile.unwrap_or_default();
        let text = format!(
            "{} lifecycle {} {target}{profile}{}",
            started.run,
            started.tool_version,
            by_fault(started)
        );
        self.note(at, "RUN", &text);
        if started.target.as_ref().is_some_and(|t| t.insecure) {
            self.say(at, "WARN", "--insecure: TLS certificates are not verified");
        }
    }

    fn slow_wait(&mut self, state: &RunState, at: &str, now_ms: u64, key: &(String, String)) {
        let (name, id) = key;
        let Some(scenario) = state.scenarios.get(name) else { return };
        let Some(step) = scenario.steps.get(id) else { return };
        let Some(waiting) = &step.waiting else { return };
        self.slow.insert(key.clone(), now_ms);
        let waited = brief(now_ms.saturating_sub(step.started_ms.unwrap_or(now_ms)));
        let text = format!(
            "{name} step {} {}: {waited} of {}, expects {}, last saw {}",
            scenario.position(id),
            step.title(),
            brief(step.budget_ms),
            waiting.wants,
            waiting.last
        );
        self.note(at, "SLOW", &text)
    }

    /// A log in which nothing moves says from time to time what it waits for.
    fn still_slow(&mut self, state: &RunState, now_ms: u64) {
        let again: Vec<(String, String)> = state
            .running()
            .into_iter()
            .flat_map(|scenario| scenario.running_steps().into_iter().map(move |step| (scenario, step)))
            .filter(|(_, step)| step.waiting.as_ref().is_some_and(|waiting| waiting.slow))
            .map(|(scenario, step)| (scenario.name().to_owned(), step.step.clone()))
            .filter(|key| self.slow.get(key).is_none_or(|told| now_ms.saturating_sub(*told) >= SAY_AGAIN_MS))
            .collect();
        let at = state.clock_at(now_ms);
        for key in again {
            self.slow_wait(state, &at, now_ms, &key);
        }
    }

    fn scenario_finished(&mut self, state: &RunState, at: &str, scenario: &ScenarioState) {
        let (Some(verdict), Some(finish)) = (scenario.verdict(), &scenario.finish) else { return };
        let mut text = format!("{}  {}", scenario.name(), brief(finish.took_ms));
        if finish.platform_ms > 0 {
            text.push_str(&format!(" (platform {})", brief(finish.platform_ms)));
        }
        if verdict != Verdict::Passed && !verdict.is_red() && !scenario.reason().is_empty() {
            text.push_str(&format!("  {}", scenario.reason()));
        }
        if scenario.is_advisory() && verdict.is_red() {
            text.push_str("  (advisory)");
        }
        if scenario.known().is_some() {
            text.push_str("  (known)");
        } else if scenario.is_new() {
            text.push_str("  (new)");
        }
        if verdict == Verdict::Skipped && self.printer.draws_progress() {
            return;
        }
        // Whoever ended the run knows that what ran did not come to its end; the summary names them.
        if verdict == Verdict::Cancelled && state.cancelled.is_some() && !self.printer.is_verbose() {
            return;
        }
        if !verdict.is_red() {
            self.note(at, word(verdict), &text);
            self.advisory_steps(at, scenario);
            let shown = verdict == Verdict::ExpectedFailure && self.printer.is_verbose();
            if shown {
                self.block(state, scenario);
            }
            return;
        }
        if scenario.started_ms.is_none() {
            // What stopped one before it began stopped them all: it is told once, the summary counts.
            if self.unrun.insert(scenario.reason().to_owned()) {
                self.say(at, word(verdict), &format!("{text}  {}", scenario.reason()));
            }
            return;
        }
        let (cause, key) = scenario.cause();
        let title = if key.is_empty() { cause.to_string() } else { format!("{cause} ({key})") };
        if scenario.known().is_some() {
            // Somebody knows it, and what it is.
            return self.say(at, word(verdict), &format!("{text}  {title}"));
        }
        match self.told.entry((cause.into_owned(), key.to_owned())) {
            Entry::Occupied(first) => {
                let text = format!("{text}  same cause as {}: {title}", first.get());
                self.say(at, word(verdict), &text);
                self.advisory_steps(at, scenario);
            }
            Entry::Vacant(first) => {
                first.insert(scenario.name().to_owned());
                self.say(at, word(verdict), &text);
                self.advisory_steps(at, scenario);
                self.block(state, scenario)
            }
        }
    }

    fn advisory_steps(&mut self, at: &str, scenario: &ScenarioState) {
        for line in scenario.advisory_lines() {
            self.note(at, "ADVISORY", &format!("{}  {line}", scenario.name()));
        }
    }

    fn block(&mut self, state: &RunState, scenario: &ScenarioState) {
        let run = self.run.display().to_string();
        let size = Size::screen(self.printer.width(), self.printer.height(), state.scenarios.len() == 1);
        let block = failure_block(state, scenario, &run, size);
        self.print(&format!("\n{}\n", coloured(&block)));
        // A log in CI may be all that is left of a run: what the block has no room for can be opened.
        let whole = failure_block(state, scenario, &run, Size::WHOLE);
        let rest: Vec<BlockLine> = whole.into_iter().skip(1).filter(|line| !block.contains(line)).collect();
        if self.ci == CiLog::Commands && !rest.is_empty() {
            self.pending.push(format!("::group::full evidence: {}", clean(scenario.name())));
            self.print(&coloured(&rest));
            self.pending.push("::endgroup::".to_owned());
        }
    }

    fn verbose(&mut self, state: &RunState, at: &str, event: &EventKind) {
        if let EventKind::StepStarted(step) = event {
            self.slow.remove(&(step.scenario.clone(), step.step.clone()));
        }
        if !self.printer.is_verbose() {
            return;
        }
        let position = |scenario: &str, step: &str| {
            state.scenarios.get(scenario).map(|s| s.position(step)).unwrap_or_default()
        };
        let (word, text) = match event {
            EventKind::ScenarioStarted { scenario } => ("START", scenario.clone()),
            EventKind::StepStarted(step) => {
                let attempt =
                    if step.attempt > 1 { format!(" (try {})", step.attempt) } else { String::new() };
                let n = position(&step.scenario, &step.step);
                {
                    let title = state.scenarios.get(&step.scenario).and_then(|s| s.steps.get(&step.step));
                    let title = title.map(super::StepState::title).unwrap_or_default();
                    ("STEP", format!("{} {n} {title}{attempt}", step.scenario))
                }
            }
            EventKind::StepWaiting(wait) => {
                let n = position(&wait.scenario, &wait.step);
                ("SAW", format!("{} {n} {} after {}", wait.scenario, wait.last, brief(wait.waited_ms)))
            }
            EventKind::StepFinished(step) => {
                let n = position(&step.scenario, &step.step);
                ("STEP", format!("{} {n} {}", step.scenario, step_end(step)))
            }
            EventKind::Exchange(exchange) => {
                let whose = exchange.scenario.as_deref().unwrap_or(&exchange.step);
                ("HTTP", format!("{whose} {}", ExchangeNote::of(exchange).line()))
            }
            EventKind::Observed(seen) => {
                let status = seen.status.as_ref().map_or("absent", |s| s.as_str());
                ("STATUS", format!("{} {} {status} (by {})", seen.scenario, seen.workspace, seen.via))
            }
            EventKind::EnvObserved(env) => ("ENV", env_line(env)),
            EventKind::Captured { scenario, name, value, .. } => {
                ("CAPTURE", format!("{scenario} {name} = {value}"))
            }
            EventKind::Owned(owned) => ("OWN", format!("{} ({})", owned.name, owned.id)),
            EventKind::Released(released) => ("GONE", format!("{} by {}", released.resource, released.by)),
            EventKind::CleanupStarted { .. } => ("CLEAN", to_remove(state)),
            EventKind::CleanupFinished { removed, took_ms, .. } => {
                ("CLEAN", format!("{removed} removed in {}", brief(*took_ms)))
            }
            _ => return,
        };
        self.note(at, word, &text)
    }

    /// A line that `--quiet` drops.
    fn note(&mut self, at: &str, word: &str, text: &str) {
        if !self.printer.is_quiet() {
            self.say(at, word, text);
        }
    }

    fn say(&mut self, at: &str, word: &str, text: &str) {
        let text = clean(text);
        let painted = paint(word, &fill(word, WORD));
        if self.printer.draws_progress() {
            // Words stay whole; the terminal would break them at its edge.
            let columns = self.printer.width().saturating_sub(WORD + 1).max(30);
            let fits = text.chars().count() <= columns;
            let lines = if fits { vec![text] } else { wrap(&text, columns, MAX_WRAPPED) };
            self.print(&format!("{painted} {}", lines.join(&format!("\n{}", " ".repeat(WORD + 1)))));
        } else {
            self.print(&format!("{} {painted} {text}", clock(at)))
        }
    }

    /// Takes lines in; only what is pushed to `pending` as it is can be a command to a CI system.
    fn print(&mut self, text: &str) {
        self.pending.push(self.printer.ci_log().defuse(text).into_owned());
    }
}

/// Scenarios remove what they made by themselves, the run's clean-up removes the rest: one number for both.
fn to_remove(state: &RunState) -> String {
    format!("{} to remove", count(state.resources.owned.len() as u64, "resource"))
}

/// What happens now that a run is cancelled, and what one more Ctrl-C does.
fn what_follows(state: &RunState, reason: CancelReason) -> String {
    match reason {
        CancelReason::SecondInterrupt => "what is left is listed; `lifecycle sweep` removes it".to_owned(),
        CancelReason::Interrupted => {
            format!("{}; Ctrl-C again stops that and lists what is left", to_remove(state))
        }
        _ => to_remove(state),
    }
}

/// A block as text with colour.
pub(crate) fn coloured(lines: &[BlockLine]) -> String {
    lines.iter().map(BlockLine::coloured).collect::<Vec<_>>().join("\n")
}

/// The word that a line begins with.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "PASS",
        Verdict::Flaky => "FLAKY",
        Verdict::ExpectedFailure => "EXPECTED",
        Verdict::Skipped => "SKIP",
        Verdict::Failed => "FAIL",
        Verdict::Inconclusive => "UNPROVEN",
        Verdict::UnexpectedPass => "UNEXPECTED",
        Verdict::Error => "ERROR",
        Verdict::Cancelled => "CANCELLED",
    }
}

fn paint(word: &str, filled: &str) -> String {
    match word {
        "PASS" => filled.green().to_string(),
        "FAIL" | "UNPROVEN" | "UNEXPECTED" | "ERROR" | "LEFT" => filled.red().bold().to_string(),
        "FLAKY" | "ADVISORY" | "EXPECTED" | "SKIP" | "SLOW" | "WARN" | "CANCEL" | "CANCELLED" => {
            filled.yellow().to_string()
        }
        _ => filled.dimmed().to_string(),
    }
}

/// `passed in 1.2 s`, `failed in 20.0 s: …`.
fn step_end(step: &StepFinished) -> String {
    let took = brief(step.took_ms);
    let how = super::outcome_name(step.outcome);
    if step.outcome == StepOutcome::Passed {
        format!("{how} in {took}")
    } else {
        format!("{how} in {took}: {}", step.message)
    }
}

fn env_line(env: &EnvObservation) -> String {
    let set = env.vars.iter().filter(|v| v.set).count();
    let wrong: Vec<String> = env
        .vars
        .iter()
        .filter(|v| v.ok == Some(false))
        .map(|v| format!("{} is {}", v.name, if v.set { v.value.as_str() } else { "unset" }))
        .collect();
    let wrong =
        if wrong.is_empty() { String::new() } else { format!(", not as expected: {}", wrong.join(", ")) };
    format!("{} {} after {}: {set} variables set{wrong}", env.scenario, env.workspace, env.edge)
}
