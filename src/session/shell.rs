//! Where a run happens, and what it comes to.

use std::path::PathBuf;

use super::env::Env;
use super::failure::SessionError;
use super::project::{Preset, Project};
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
    /// The project that the command was typed in.
    pub project: Option<Project>,
    /// Which of its profiles was named.
    pub preset: Option<String>,
}

impl Shell {
    /// Outside of any project.
    pub fn new(printer: Printer, env: Env, runs_dir: PathBuf) -> Shell {
        Shell { printer, env, runs_dir, project: None, preset: None }
    }

    /// The project as the chosen profile of it sees it.
    ///
    /// # Errors
    /// It has no such profile.
    pub fn preset(&self) -> Result<Option<Preset<'_>>, SessionError> {
        match (&self.project, &self.preset) {
            (Some(project), preset) => project.chosen(preset.as_deref(), self.printer.is_ci()).map(Some),
            (None, Some(name)) => {
                let hint = "there is no lifecycle.yaml here or above; `lifecycle init` writes one".to_owned();
                Err(SessionError::NoPreset { name: name.clone(), hint })
            }
            (None, None) => Ok(None),
        }
    }
}

/// A run that came to its end.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub code: ExitCode,
    /// Its folder; `None`: of an earlier run nothing was to be run again.
    pub folder: Option<PathBuf>,
}
