//! Errors of commands: what happened, the whole chain, what to do next, and the exit code.

use crate::domain::ExitCode;
use crate::output::Printer;
use crate::report::text::clean;
use crate::report::{Workspace, ending, problem};
use crate::session::SessionError;
use crate::source::{Level, Problem};
use crate::targets::OpenError;

/// A command that did not do its work.
#[derive(Debug)]
pub(crate) struct CliError {
    /// How the process ends.
    pub code: ExitCode,
    /// One line.
    message: String,
    /// What to check or do, one line each.
    next: Vec<String>,
    /// Problems in files.
    problems: Vec<Problem>,
    /// Somebody has told it.
    told: bool,
}

impl CliError {
    /// With a code and a line.
    pub(super) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        CliError { code, message: message.into(), next: Vec::new(), problems: Vec::new(), told: false }
    }

    /// With what to do.
    pub(super) fn next(mut self, line: impl Into<String>) -> Self {
        self.next.push(line.into());
        self
    }

    /// On one line.
    pub(super) fn text(&self) -> String {
        match self.next.as_slice() {
            [] => self.message.clone(),
            next => format!("{}; check: {}", self.message, next.join("; ")),
        }
    }

    /// On one line, with the problems in files; hints are for the terminal.
    pub(super) fn whole(&self) -> String {
        let problem = |p: &Problem| {
            let place = p.place().map(|place| format!("{place}: ")).unwrap_or_default();
            format!("; {place}{}", p.message)
        };
        let problems = self.problems.iter().filter(|p| p.level == Level::Error).take(20).map(problem);
        self.text() + &problems.collect::<String>()
    }

    /// Commands to the log of a forge: each problem at its place, or why nothing ran.
    pub(super) fn annotations(&self, workspace: &Workspace) -> Vec<String> {
        const MAX: usize = 10;
        let errors = self.problems.iter().filter(|p| p.level == Level::Error);
        let mut all: Vec<String> = errors
            .take(MAX)
            .map(|p| {
                let at = p.source.as_ref().zip(p.labels.first());
                let (file, line) = at.map_or(("", 0), |(source, (span, _))| {
                    (source.name.as_str(), source.position(span.start).line)
                });
                let hint = p.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
                problem("error", file, line, &format!("{}{hint}", p.message), workspace)
            })
            .collect();
        if all.is_empty() {
            all.push(ending(self.code.code(), &self.text()));
        }
        all
    }

    /// Problems of input: exit 2, nothing was sent.
    pub(super) fn problems(problems: Vec<Problem>) -> Self {
        let errors = problems.iter().filter(|p| p.level == Level::Error).count();
        let message = match errors {
            1 => "1 error, nothing was sent".to_owned(),
            n => format!("{n} errors, nothing was sent"),
        };
        CliError { code: ExitCode::BadInput, message, next: Vec::new(), problems, told: false }
    }

    /// Whether nobody has told it yet.
    pub(super) fn is_news(&self) -> bool {
        !self.told
    }

    /// Drawn for the terminal.
    pub(super) fn draw(&self, printer: &Printer) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            text.push_str(&problem.draw(printer.stderr_colour(), printer.width()));
            text.push('\n');
        }
        // A server's own words may be in them: they steer no terminal and write no line of a CI's log.
        text.push_str(&format!("error: {}", clean(&self.message)));
        for line in &self.next {
            text.push_str(&format!("\n  check: {}", clean(line)));
        }
        text
    }
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> Self {
        CliError {
            code: error.code(),
            message: error.to_string(),
            next: error.next(),
            problems: error.problems().to_vec(),
            told: matches!(error, SessionError::Told(_)),
        }
    }
}

impl From<OpenError> for CliError {
    fn from(error: OpenError) -> Self {
        let mut failure = CliError::new(ExitCode::Environment, error.what);
        failure.next = error.check;
        failure
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        CliError::new(ExitCode::Environment, format!("{error:#}"))
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        CliError::new(ExitCode::Environment, error.to_string())
    }
}
