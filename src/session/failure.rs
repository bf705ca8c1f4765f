//! Why a run, or what it needs, did not come about. Exit code and advice follow from the kind.

use std::io;
use std::path::PathBuf;

use super::archive::ArchiveError;
use super::unreadable::ReadError;
use crate::behaviour::Behaviour;
use crate::domain::ExitCode;
use crate::event::LogError;
use crate::report::ReportError;
use crate::run::folder::FolderError;
use crate::run::state_file::StateError;
use crate::source::{Level, Problem};
use crate::targets::{Dependency, OpenError};

/// What went wrong before, around or after the scenarios of a run.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Files or options hold errors.
    #[error("{}, nothing was sent", errors(.0))]
    Problems(Vec<Problem>),
    /// A file that was named cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: ReadError,
    },
    /// The log of a container, without the engine that has it.
    #[error(
        "--server-log container:NAME reads the log from the engine of this machine: give --docker and the name"
    )]
    LogOfContainer,
    /// What was named is not there.
    #[error("there is no file or folder `{0}`")]
    NoSuchFile(String),
    /// A folder that was named holds nothing to read.
    #[error("there is no .yaml file in the folder `{0}`")]
    EmptyFolder(String),
    /// A profile was named where scenarios are.
    #[error("{0} is a profile, not a scenario")]
    IsProfile(String),
    /// No profile has this name.
    #[error("there is no profile `{name}`")]
    NoProfile {
        /// What was typed.
        name: String,
        /// Which there are.
        hint: String,
    },
    /// The project file has no such preset.
    #[error("the project file has no profile `{name}`")]
    NoPreset {
        /// What was typed.
        name: String,
        /// Which there are.
        hint: String,
    },
    /// A flag and the profile decide the same.
    #[error("{flag} is given, and the profile `{profile}` has its own `{field}`")]
    DecidedTwice {
        /// The flag.
        flag: &'static str,
        /// The profile's key.
        field: &'static str,
        /// The profile.
        profile: String,
    },
    /// `LIFECYCLE_TARGET` names no kind of target.
    #[error("LIFECYCLE_TARGET is `{text}`; {hint}")]
    NoKind {
        /// Its value.
        text: String,
        /// Which there are.
        hint: String,
    },
    /// A live target without an address.
    #[error("a live target needs an address")]
    NoAddress,
    /// An address that is none.
    #[error("the server's address {0}")]
    BadAddress(String),
    /// A CA file without a certificate.
    #[error("{} holds no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    /// A value for a header that has no one line.
    #[error("{name} has a line break or another control character in it")]
    LineBreak {
        /// The flag or variable.
        name: &'static str,
    },
    /// A flag that says nothing to this target.
    #[error("{flag} is for {whom}, and the target is {kind}")]
    NotForTarget {
        /// The flag.
        flag: &'static str,
        /// What it is for.
        whom: &'static str,
        /// The target.
        kind: &'static str,
    },
    /// A behaviour that the reference platform cannot play.
    #[error("the reference platform cannot play `{0}`")]
    NotPlayed(Behaviour),
    /// What was said of organisations cannot be.
    #[error("{0}")]
    Organisation(String),
    /// A fault that cannot be switched on.
    #[error("{text}")]
    Fault {
        /// What is wrong with it.
        text: String,
        /// Which there are.
        hint: Option<String>,
    },
    /// No run, or more than one, is called so.
    #[error("{0}")]
    NoRun(crate::run::folder::NoRun),
    /// A packed run that cannot be read.
    #[error("cannot read {name}: {why}")]
    Packed {
        /// What was named.
        name: String,
        /// Why.
        why: ArchiveError,
    },
    /// Of an earlier run nothing is left that could run.
    #[error("nothing of the earlier run is chosen: nothing was sent")]
    NothingOfIt,
    /// The log of an earlier run does not hold its scenarios.
    #[error("the log of {0} holds no scenarios")]
    NoScenarios(String),
    /// The log cannot hold what the file said.
    #[error("{0} held a secret that the log does not have, and the file is not there any more")]
    SecretFile(String),
    /// The state file cannot be had.
    #[error("{0}; nothing was sent")]
    State(#[from] StateError),
    /// The folder of the run cannot be written.
    #[error("{0}; nothing was sent")]
    Folder(#[from] FolderError),
    /// Its log cannot be written.
    #[error("{0}; nothing was sent")]
    Log(LogError),
    /// The log of an earlier run cannot be read.
    #[error("{0}")]
    ReadLog(LogError),
    /// A report that was asked for cannot be opened.
    #[error("{0}; nothing was sent")]
    NoReport(ReportError),
    /// A report could not be written.
    #[error("{0}")]
    Report(ReportError),
    /// The target cannot be used.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// Somebody wanted it to end before there was anything to run.
    #[error("{why}")]
    Interrupted {
        /// 130 or 143.
        code: ExitCode,
        /// When.
        why: &'static str,
    },
    /// It had failed, and while it was brought down somebody wanted it to end.
    #[error("{first}")]
    Cut {
        /// 130 or 143.
        code: ExitCode,
        /// How it had failed.
        first: Box<SessionError>,
    },
    /// The run's reporters have told it.
    #[error("{0}")]
    Told(Box<SessionError>),
    /// This program does not know where it is.
    #[error("this program does not know where it is: {0}")]
    Program(io::Error),
    /// No port of loopback.
    #[error("no port of loopback can be had: {0}")]
    Port(io::Error),
    /// The terminal or a signal handler.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// `2 errors`.
fn errors(problems: &[Problem]) -> String {
    match problems.iter().filter(|p| p.level == Level::Error).count() {
        1 => "1 error".to_owned(),
        n => format!("{n} errors"),
    }
}

impl SessionError {
    /// How the process ends.
    pub fn code(&self) -> ExitCode {
        use SessionError as E;
        match self {
            E::Problems(_)
            | E::Unreadable { .. }
            | E::LogOfContainer
            | E::NoSuchFile(_)
            | E::EmptyFolder(_)
            | E::IsProfile(_)
            | E::NoProfile { .. }
            | E::NoPreset { .. }
            | E::DecidedTwice { .. }
            | E::NoKind { .. }
            | E::NoAddress
            | E::BadAddress(_)
            | E::NoCertificate(_)
            | E::LineBreak { .. }
            | E::NotForTarget { .. }
            | E::NotPlayed(_)
            | E::Fault { .. }
            | E::Organisation(_)
            | E::NoRun(_)
            | E::Packed { .. }
            | E::NothingOfIt
            | E::NoScenarios(_)
            | E::SecretFile(_)
            | E::State(StateError::Bad { .. }) => ExitCode::BadInput,
            // What somebody named is no log, or one of a later version.
            E::ReadLog(LogError::BadLine { .. } | LogError::Newer { .. }) => ExitCode::BadInput,
            E::State(StateError::Locked { .. }) => ExitCode::Locked,
            E::Open(OpenError { busy: true, .. }) => ExitCode::Locked,
            E::Open(OpenError { dependency: Some(Dependency::Down), .. }) => ExitCode::DependencyDown,
            E::Open(OpenError { dependency: Some(Dependency::NotConfigured), .. }) => ExitCode::NotConfigured,
            E::Interrupted { code, .. } | E::Cut { code, .. } => *code,
            E::Told(error) => error.code(),
            E::State(StateError::Io { .. })
            | E::Folder(_)
            | E::Log(_)
            | E::ReadLog(_)
            | E::NoReport(_)
            | E::Report(_)
            | E::Open(_)
            | E::Program(_)
            | E::Port(_)
            | E::System(_) => ExitCode::Environment,
        }
    }

    /// What to check or do, one line each.
    pub fn next(&self) -> Vec<String> {
        use SessionError as E;
        let one = |line: &str| vec![line.to_owned()];
        match self {
            E::NoSuchFile(_) => one("`lifecycle list` shows the scenarios there are"),
            E::IsProfile(file) => vec![format!("--profile {file}")],
            E::NoProfile { hint, .. } => {
                vec![hint.clone(), "a file is named with its path: `--profile ./mine.yaml`".to_owned()]
            }
            E::NoPreset { hint, .. } => vec![hint.clone()],
            E::DecidedTwice { flag, field, .. } => {
                vec![format!("leave one of them out: {flag}, or `{field}` in the file")]
            }
            E::NoAddress => one("--base-url URL, or the variable BASE"),
            E::BadAddress(_) => {
                one("--base-url (or BASE) is like https://server.example or http://127.0.0.1:8080")
            }
            E::NoCertificate(_) => one("--ca-cert FILE: a text with `-----BEGIN CERTIFICATE-----` in it"),
            E::NotPlayed(_) => one("`lifecycle behaviours list` says what it plays"),
            E::LineBreak { .. } => {
                one("no header can carry it: take the end of the line away, as `tr -d '\\n'` does")
            }
            E::NotForTarget { .. } => one("--target, or leave one of them out"),
            E::Fault { hint, .. } => hint.iter().cloned().collect(),
            E::NothingOfIt => one("`lifecycle report RUN` names what ran"),
            E::State(StateError::Locked { .. }) => one("wait for that run, or use another --state file"),
            E::State(StateError::Bad { .. }) => {
                one("the path; a state that is moved away makes every red a new one")
            }
            E::State(StateError::Io { .. }) => {
                one("the folder: the state, FILE.new and FILE.lock are written there")
            }
            E::Folder(error) => writable(error.kind()),
            E::Log(LogError::Io { error, .. }) => writable(error.kind()),
            E::Log(_) => writable(io::ErrorKind::Other),
            E::NoReport(_) => one("the path that the report was given"),
            E::Open(error) => error.check.clone(),
            E::Cut { first, .. } => first.next(),
            E::Told(error) => error.next(),
            _ => Vec::new(),
        }
    }

    /// Problems in files, each with its place.
    pub fn problems(&self) -> &[Problem] {
        match self {
            SessionError::Problems(problems) => problems,
            SessionError::Cut { first, .. } => first.problems(),
            SessionError::Told(error) => error.problems(),
            _ => &[],
        }
    }

    /// After the end of a run was written with it. What is in a file is shown besides, and a log that could not be written
    /// told nobody.
    #[must_use]
    pub(super) fn told(self) -> SessionError {
        use SessionError as E;
        match self {
            E::Open(_) | E::Interrupted { .. } | E::Cut { .. } if self.problems().is_empty() => {
                E::Told(Box::new(self))
            }
            other => other,
        }
    }

    /// On one line, with what to check.
    pub fn line(&self) -> String {
        match self.next().as_slice() {
            [] => self.to_string(),
            next => format!("{self}; check: {}", next.join("; ")),
        }
    }
}

/// What to do about a folder of runs that cannot be written to.
fn writable(kind: io::ErrorKind) -> Vec<String> {
    vec![match kind {
        io::ErrorKind::PermissionDenied => {
            "there is no permission to write the runs folder; --runs-dir DIR writes elsewhere".to_owned()
        }
        io::ErrorKind::StorageFull => "the disk is full; --runs-dir DIR writes elsewhere".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => {
            "the disk is read-only; --runs-dir DIR writes elsewhere".to_owned()
        }
        _ => "the runs folder: is it a folder that can be written to? --runs-dir DIR writes elsewhere"
            .to_owned(),
    }]
}
