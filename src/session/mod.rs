//! A run from beginning to end: options become [`RunSettings`] once, [`run`] opens, runs, closes and concludes. Knows
//! no command line.

pub mod archive;
mod at_target;
mod brought_up;
pub mod classify;
pub mod env;
pub mod failure;
pub mod files;
mod identity;
mod organisation;
pub mod project;
pub mod library;
mod on_new;
pub mod outside;
pub mod profile;
pub mod recorded;
mod run;
pub mod selection;
pub mod settings;
mod shell;
mod state;
pub mod target;
pub mod unreadable;
mod work;

pub use at_target::left_on_engine;
pub(crate) use brought_up::off_the_engine;
pub use env::Env;
pub use failure::SessionError;
pub use outside::{Outside, RunName};
pub use recorded::Recorded;
pub use settings::{Again, LibrarySettings, RunSettings, TargetSettings};
pub use shell::{Ran, Shell};

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
/// As [`run`].
pub async fn run_again(
    asked: RunSettings,
    recorded: &Recorded,
    shell: &Shell,
    outside: Outside,
) -> Result<Ran, SessionError> {
    let asked = recorded.settings(&asked, shell)?;
    run::run(asked, Some(recorded), shell, outside).await
}
