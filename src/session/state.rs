//! The state file of a cron: one run at a time, and old reds told from new ones.

use std::path::Path;

use super::failure::SessionError;
use super::files;
use crate::domain::ExitCode;
use crate::event::{EventKind, Fixed, Log, RunFinished};
use crate::run::state_file::{Holder, StateFile};
use crate::scenario::remembered::Sighting;

/// Takes the state for a run; nothing was sent yet, and the run has no folder.
pub(crate) fn open(path: &Path, run: &str) -> Result<StateFile, SessionError> {
    let holder = Holder { run: run.to_owned(), pid: std::process::id(), since: now() };
    Ok(StateFile::open(path, &holder, &files::text)?)
}

/// Takes in what a run saw. A run that did not come to its own end learns nothing: not from an interrupt, nor from a
/// broken environment.
pub(crate) fn learn(
    state: &mut StateFile,
    seen: &[Sighting],
    run: &str,
    log: &Log,
    finished: &mut RunFinished,
) {
    let ended_early =
        [ExitCode::Interrupted, ExitCode::Terminated, ExitCode::BadInput, ExitCode::Environment];
    if ended_early.contains(&finished.exit) {
        return;
    }
    for red in state.remembered.learn(run, &now(), seen) {
        let told = red.told();
        log.emit(EventKind::Fixed(Fixed { fingerprint: red.fingerprint, scenario: red.scenario, told }));
    }
    if let Err(error) = state.write() {
        // What the next run would say of known and new would be wrong.
        (finished.exit, finished.code) = (ExitCode::Environment, ExitCode::Environment.code());
        finished.reason = error.to_string();
    }
}

/// To the second, UTC.
fn now() -> String {
    crate::clock::wall().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
