//! A run from beginning to end: options become [`RunSettings`] once, [`run`] opens, runs, closes and concludes. Knows
//! no command line.

mod at_target;
mod brought_up;
pub mod env;
pub mod failure;
pub mod files;
mod identity;
mod organisation;
pub mod library;
pub mod outside;
pub mod profile;
pub mod recorded;
pub mod settings;
mod state;
pub mod target;
mod work;

use std::path::PathBuf;

pub use at_target::left_on_engine;
pub(crate) use brought_up::off_the_engine;
pub use env::Env;
pub use failure::SessionError;
pub use outside::{Outside, RunName};
pub use recorded::Recorded;
pub use settings::{Again, LibrarySettings, RunSettings, TargetSettings};

use crate::domain::ExitCode;
use crate::output::Printer;

/// Where a run happens.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The terminal.
    pub printer: Printer,
    /// The environment.
    pub env: Env,
    /// Where runs are kept.
    pub runs_dir: PathBuf,
}

/// A run that came to its end.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub code: ExitCode,
    /// Its folder; `None`: of an earlier run nothing was to be run again.
    pub folder: Option<PathBuf>,
}

/// Runs what the settings say; `again` in them adds what an earlier run recorded.
///
/// # Errors
/// It did not begin, or its end could not be told.
pub async fn run(asked: RunSettings, shell: &Shell, outside: Outside) -> Result<Ran, SessionError> {
    match Recorded::of(&asked, shell)? {
        None => work::run(asked, None, shell, outside).await,
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
    work::run(asked, Some(recorded), shell, outside).await
}
