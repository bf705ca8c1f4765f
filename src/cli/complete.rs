//! What a shell offers while a command line is typed: scenarios, tags, faults, profiles, runs.

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap_complete::env::{CompleteEnv, Shells};

use super::Shell;
use super::args::Cli;
use super::failure::CliError;
use crate::domain::ExitCode;
use crate::session::env::current_folder;
use crate::source::did_you_mean;

/// The variable by which a shell asks.
const ASKS: &str = "LIFECYCLE_COMPLETE";

/// Answers a shell that asks; false: nobody does.
pub(super) fn answer(args: &[OsString]) -> bool {
    let folder = current_folder().ok();
    let asked = CompleteEnv::with_factory(Cli::command).var(ASKS);
    asked.try_complete(args.iter().cloned(), folder.as_deref()).unwrap_or(true)
}

/// `lifecycle completions`: what a shell's own start-up file reads.
pub(super) fn run(which: clap_complete::Shell, shell: &Shell) -> Result<ExitCode, CliError> {
    let name = which.to_string();
    let shells = Shells::builtins();
    let completer = shells.completer(&name).ok_or_else(|| {
        CliError::new(ExitCode::BadInput, format!("no completions for `{name}`"))
            .next(did_you_mean(&name, Shells::builtins().names()))
    })?;
    let mut text = Vec::new();
    completer.write_registration(ASKS, "lifecycle", "lifecycle", "lifecycle", &mut text)?;
    shell.printer.data(String::from_utf8_lossy(&text).trim_end())?;
    Ok(ExitCode::Passed)
}
