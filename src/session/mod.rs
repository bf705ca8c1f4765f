//! A run from beginning to end: options become [`RunSettings`] once, [`run()`] opens, runs, closes and concludes. Knows
//! no command line.

pub(crate) mod archive;
pub(crate) mod at_most;
mod at_target;
mod brought_up;
mod busy;
pub(crate) mod classify;
pub(crate) mod env;
pub(crate) mod failure;
pub(crate) mod files;
pub(crate) mod gathered;
mod identity;
pub(crate) mod project;
mod kind;
pub(crate) mod library;
pub(crate) mod old_names;
mod on_new;
pub(crate) mod organisation;
pub(crate) mod outside;
pub(crate) mod profile;
pub(crate) mod recorded;
mod run;
pub(crate) mod selection;
pub(crate) mod settings;
mod shell;
mod state;
pub(crate) mod target;
pub(crate) mod unreadable;
mod work;

pub(crate) use at_target::left_on_engine;
pub(crate) use brought_up::off_the_engine;
pub use env::Env;
pub use failure::SessionError;
pub use outside::{Outside, RunName};
pub(crate) use recorded::Recorded;
pub(crate) use settings::Again;
pub use settings::{LibrarySettings, RunSettings, TargetSettings};
pub(crate) use shell::Ran;
pub use shell::Shell;

use crate::domain::ExitCode;

/// Runs what the settings say; `again` in them adds what an earlier run recorded.
///
/// # Errors
/// It did not begin, or its end could not be told.
pub async fn run(asked: RunSettings, shell: &Shell, outside: Outside) -> Result<Ran, SessionError> {
    match Recorded::of(&asked, shell)? {
        None => run::run(asked, None, shell, outside).await,
        Some(recorded) if recorded.is_empty() => {
            shell.printer.talk(&recorded.nothing())?;
            Ok(Ran { code: ExitCode::Passed, folder: None })
        }
        Some(recorded) => run_again(asked, &recorded, shell, outside).await,
    }
}

/// Runs again what was recorded.
///
/// # Errors
/// As [`run()`].
pub(crate) async fn run_again(
    asked: RunSettings,
    recorded: &Recorded,
    shell: &Shell,
    outside: Outside,
) -> Result<Ran, SessionError> {
    let asked = recorded.settings(&asked, shell)?;
    run::run(asked, Some(recorded), shell, outside).await
}
