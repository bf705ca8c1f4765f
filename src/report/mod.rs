//! Projections of the event log: console, progress, files. A reporter knows no engine.
//!
//! [`Reporters::spawn`] listens to a log that is being written; [`fold`] reads one that is finished.
//! Both build the same [`RunState`], and every report is a function of it.

mod block;
mod causes;
mod commands;
mod console;
mod drifted;
mod explain;
mod files;
mod forge;
pub(crate) mod html;
mod json;
mod junit;
mod live;
mod markdown;
mod outputs;
mod progress;
pub(crate) mod run_diff;
mod scenario_state;
mod state;
mod summary;
pub(crate) mod text;
mod timeline;
mod whole;

#[cfg(test)]
mod tests;

pub(crate) use causes::Cause;
pub(crate) use commands::{profile_name, quote as shell_word};
pub(crate) use console::Console;
pub(crate) use explain::{explain_brief, explain_head, explain_text};
pub(crate) use files::{FileKind, ReportError, open, write_all};
pub(crate) use forge::{Workspace, ending, problem};
pub(crate) use json::schema as json_schema;
pub(crate) use live::{ReporterConfig, Reporters};
pub(crate) use scenario_state::{ScenarioState, StepState};
pub(crate) use state::RunState;
pub use state::fold;

use crate::event::{CancelReason, Class, StepOutcome};

/// A class of cause as it is written on disk.
fn class_name(class: Class) -> &'static str {
    match class {
        Class::Product => "product",
        Class::Config => "config",
        Class::Infra => "infra",
        Class::Provider => "provider",
        Class::Harness => "harness",
        Class::Contract => "contract",
        Class::Unclassified => "unclassified",
    }
}

/// Why a run is being cancelled, for people.
fn cancel_text(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::EnoughReds => "ended early: as many reds as --max-fail or --fail-fast asks for",
        CancelReason::Overtime => "ended early: the time of --global-timeout is over",
        CancelReason::TargetDead => "cancelled: what the run needs is gone",
        CancelReason::CannotWrite => "cancelled: the log or a report cannot be written",
        CancelReason::Terminated => "terminated",
        CancelReason::Interrupted => "interrupted",
        CancelReason::SecondInterrupt => "interrupted twice: clean-up stops too",
    }
}

/// How a step ended, for people.
fn outcome_name(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Passed => "passed",
        StepOutcome::Failed => "failed",
        StepOutcome::Inconclusive => "inconclusive",
        StepOutcome::Skipped => "skipped",
        StepOutcome::Error => "error",
        StepOutcome::Cancelled => "cancelled",
    }
}
