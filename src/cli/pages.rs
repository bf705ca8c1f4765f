//! Long texts on a terminal go through a pager, elsewhere straight out.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use super::Shell;

/// Where a long text goes.
pub(crate) struct Pages<'a> {
    shell: &'a Shell,
    pager: Option<Child>,
}

impl<'a> Pages<'a> {
    /// `PAGER`, or `less`, when somebody watches; `PAGER=cat` and a machine without one do without.
    pub(crate) fn open(shell: &'a Shell) -> Self {
        let wanted = shell.env.get("PAGER").unwrap_or("less");
        let mut words = wanted.split_whitespace();
        let program = words.next().filter(|program| *program != "cat" && shell.printer.stdout_is_watched());
        let pager = program.and_then(|program| {
            let mut command = Command::new(program);
            command.args(words).stdin(Stdio::piped());
            if shell.env.get("LESS").is_none() {
                // Colours stay, a short text ends at once and stays on the screen.
                command.env("LESS", "FRX");
            }
            command.spawn().ok()
        });
        Pages { shell, pager }
    }

    /// Adds text.
    pub(crate) fn add(&mut self, text: &str) -> std::io::Result<()> {
        match self.pager.as_mut().and_then(|pager| pager.stdin.as_mut()) {
            // Whoever quits the pager has seen enough.
            Some(input) => {
                let _ = writeln!(input, "{}", self.shell.printer.shown(text.trim_end_matches('\n')));
                Ok(())
            }
            None => self.shell.printer.data(text),
        }
    }

    /// Waits until it was read.
    pub(crate) fn close(mut self) {
        if let Some(mut pager) = self.pager.take() {
            drop(pager.stdin.take());
            let _ = pager.wait();
        }
    }
}
