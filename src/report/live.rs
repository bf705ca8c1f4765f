//! The reporters of a run that goes on: one task takes the events in and tells them all.

use std::path::PathBuf;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::console::Console;
use super::files::{OpenFiles, ReportError};
use super::forge::Workspace;
use super::state::RunState;
use crate::clock::MissedTickBehavior;
use crate::event::Log;
use crate::output::{CiLog, Printer};

/// Events that are taken in before the console is written to and a tick may come.
const BATCH: usize = 1_000;

/// What reports a run gets.
#[derive(Debug)]
pub(crate) struct ReporterConfig {
    /// Where the console goes.
    pub printer: Printer,
    /// Which commands the log of the CI system understands.
    pub ci: CiLog,
    /// Where the forge finds files.
    pub workspace: Workspace,
    /// The run's folder as a person would type it.
    pub run_folder: PathBuf,
    /// File reports, already open.
    pub files: OpenFiles,
}

/// Everything that reads the log while it is written.
pub(crate) struct Reporters;

/// Reporters at work.
#[derive(Debug)]
pub(crate) struct ReportersHandle {
    task: JoinHandle<Result<RunState, ReportError>>,
    broken: CancellationToken,
}

impl Reporters {
    /// Starts the reporters; they see every event that is emitted from now on. They end with the log.
    pub(crate) fn spawn(log: &Log, config: ReporterConfig) -> ReportersHandle {
        let broken = CancellationToken::new();
        let events = log.listen();
        let task = tokio::spawn(report(log.clone(), events, config, broken.clone()));
        ReportersHandle { task, broken }
    }
}

impl ReportersHandle {
    /// Cancelled once a reporter failed: the run should end, the other reporters go on.
    pub(crate) fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Waits until the log is closed and everything is written; gives what the reporters know.
    ///
    /// # Errors
    /// The first thing that could not be written; everything else was.
    pub(crate) async fn finish(self) -> Result<RunState, ReportError> {
        self.task.await.unwrap_or_else(|error| Err(ReportError::Stopped(error.to_string())))
    }
}

async fn report(
    log: Log,
    mut events: tokio::sync::mpsc::UnboundedReceiver<std::sync::Arc<crate::event::Event>>,
    config: ReporterConfig,
    broken: CancellationToken,
) -> Result<RunState, ReportError> {
    let mut state = RunState::default();
    let mut console =
        Console::new(config.printer, config.ci, &config.run_folder).in_workspace(config.workspace);
    let mut first: Option<ReportError> = None;
    let mut keep = |result: Result<(), ReportError>| {
        if let Err(error) = result {
            first.get_or_insert(error);
            broken.cancel();
        }
    };
    let mut ticks = crate::clock::interval(console.ticks());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => {
                    let more = std::iter::from_fn(|| events.try_recv().ok());
                    for event in std::iter::once(event).chain(more).take(BATCH) {
                        state.apply(&event);
                        console.event(&state, &event);
                    }
                    keep(console.flush().map_err(ReportError::Terminal));
                }
                None => break,
            },
            _ = ticks.tick() => {
                console.tick(&state, log.ms());
                keep(console.flush().map_err(ReportError::Terminal));
            }
        }
    }
    // Files first: a summary that was seen means that the files are there.
    keep(config.files.write(&state));
    keep(console.finish(&state).map_err(ReportError::Terminal));
    match first {
        None => Ok(state),
        Some(error) => Err(error),
    }
}
