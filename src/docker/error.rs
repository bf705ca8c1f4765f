//! What an engine refuses, sorted, with what to type.

use std::error::Error as _;
use std::io;

use bollard::errors::Error;

/// Why the engine did not do it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}")]
pub struct EngineError {
    /// What happened, with the whole chain of causes.
    pub what: String,
    /// Which sort.
    pub kind: ErrorKind,
    /// What to check or type, one line each.
    pub check: Vec<String>,
    /// The engine answered that it does not: nothing came of it.
    pub refused: bool,
}

/// Sorts of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no socket, or nothing listens.
    NotRunning,
    /// The socket is there and not for us.
    NoPermission,
    /// What was asked about is not there.
    NotFound,
    /// A name is taken, or something is in use.
    Conflict,
    /// The server's containers are on another engine.
    Elsewhere,
    /// A host port is taken.
    PortTaken,
    /// No space left.
    DiskFull,
    /// It is somebody else's, and not touched.
    Foreign,
    /// Settings that mean nothing.
    BadSettings,
    /// Anything else.
    Other,
}

impl EngineError {
    /// One of a kind, without hints.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        EngineError { what: what.into(), kind, check: Vec::new(), refused: false }
    }

    /// Adds a hint.
    #[must_use]
    pub fn check(mut self, hint: impl Into<String>) -> Self {
        self.check.push(hint.into());
        self
    }

    /// Whether the engine itself could not be spoken to.
    pub fn is_dead(&self) -> bool {
        matches!(self.kind, ErrorKind::NotRunning | ErrorKind::NoPermission)
    }
}

/// Sorts what bollard says.
pub(super) fn of(endpoint: &str, doing: &str, error: &Error) -> EngineError {
    if let Error::DockerResponseServerError { status_code, message } = error {
        let kind = sort(*status_code, message);
        let mut error = EngineError::new(kind, format!("cannot {doing}: {message} ({status_code})"));
        // A proxy that waits for the engine in vain answers 502 or 504 by itself.
        error.refused = !matches!(status_code, 502..=504);
        return match kind {
            ErrorKind::DiskFull => error.check("docker system df shows what takes the space"),
            _ => error,
        };
    }
    let text = chain(error);
    let what = format!("cannot {doing}: {text}");
    let says = |kind: io::ErrorKind, words: &str| has_io(error, kind) || text.contains(words);
    if says(io::ErrorKind::PermissionDenied, "ermission denied") {
        return EngineError::new(ErrorKind::NoPermission, what)
            .check(format!("may this user use {endpoint}?"))
            .check("sudo usermod -aG docker $USER, then log in again");
    }
    let gone = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused, io::ErrorKind::ConnectionReset];
    let dead = gone.iter().any(|kind| has_io(error, *kind));
    if dead || matches!(error, Error::SocketNotFoundError(_)) || text.contains("onnection refused") {
        return EngineError::new(ErrorKind::NotRunning, what)
            .check(format!("does an engine listen at {endpoint}? `docker info` tells"))
            .check("start it: systemctl start docker, or dockerd; install it: apt-get install docker.io");
    }
    if matches!(error, Error::HyperLegacyError { .. } | Error::RequestTimeoutError) {
        return EngineError::new(ErrorKind::NotRunning, what).check(format!("is {endpoint} the engine?"));
    }
    EngineError::new(ErrorKind::Other, what)
}

fn sort(status: u16, message: &str) -> ErrorKind {
    let message = message.to_ascii_lowercase();
    if message.contains("port is already allocated") || message.contains("address already in use") {
        ErrorKind::PortTaken
    } else if message.contains("no space left") {
        ErrorKind::DiskFull
    } else {
        match status {
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            _ => ErrorKind::Other,
        }
    }
}

fn has_io(error: &Error, kind: io::ErrorKind) -> bool {
    let mut cause = error.source();
    if let Error::IOError { err } = error
        && err.kind() == kind
    {
        return true;
    }
    while let Some(at) = cause {
        if at.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == kind) {
            return true;
        }
        cause = at.source();
    }
    false
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(at) = cause {
        let more = at.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = at.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_sorted() {
        for (status, message, kind) in [
            (404, "No such container: x", ErrorKind::NotFound),
            (409, "Conflict. The container name \"/x\" is already in use", ErrorKind::Conflict),
            (
                500,
                "driver failed: Bind for 127.0.0.1:80 failed: port is already allocated",
                ErrorKind::PortTaken,
            ),
            (500, "listen tcp4 127.0.0.1:80: bind: address already in use", ErrorKind::PortTaken),
            (500, "write /x: no space left on device", ErrorKind::DiskFull),
            (500, "something", ErrorKind::Other),
        ] {
            assert_eq!(sort(status, message), kind, "{message}");
        }
    }
}
