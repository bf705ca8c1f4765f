//! How much is said, whether in colour, and what is known of the terminal.

use std::io::{self, IsTerminal as _};

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Failures and the summary.
    Quiet,
    /// What ended and what is slow.
    #[default]
    Normal,
    /// Steps and exchanges too.
    Verbose,
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// By the terminal, `NO_COLOR` and `CLICOLOR_FORCE`.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

/// What is known of the terminal; the environment is read in `cli`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Stdout is one.
    pub stdout_is_tty: bool,
    /// Stderr is one.
    pub stderr_is_tty: bool,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and not `0`.
    pub clicolor_force: bool,
    /// Columns, when they are set; a terminal is asked each time otherwise.
    pub width: Option<usize>,
}

impl Terminal {
    /// Asks the system about the streams; the two variables are the caller's.
    pub fn detect(no_color: bool, clicolor_force: bool) -> Self {
        let stderr_is_tty = io::stderr().is_terminal();
        Terminal {
            stdout_is_tty: io::stdout().is_terminal(),
            stderr_is_tty,
            no_color,
            clicolor_force,
            width: None,
        }
    }

    pub(super) fn colours(self, is_tty: bool, choice: Colour) -> bool {
        match choice {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if self.no_color => false,
            Colour::Auto => self.clicolor_force || is_tty,
        }
    }
}
