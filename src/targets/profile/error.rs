//! What keeps a part of a profile from being ready, from ending, or from being told of.

use std::io;

use crate::docker::EngineError;
use crate::http::{BadClient, TransportError};
use crate::scenario::template::TemplateError;

/// Why something is not ready yet: the last thing that was seen.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// No client can be made to look with.
    #[error(transparent)]
    Client(#[from] BadClient),
    /// A URL answers with another status than the wanted one.
    #[error("{url} answers {status}, not {wanted}: {said}")]
    Answers {
        /// Who was asked.
        url: String,
        /// What came.
        status: u16,
        /// What the profile says.
        wanted: u16,
        /// The beginning of the answer.
        said: String,
    },
    /// No whole answer came from a URL.
    #[error("{0}: {text}", text = .1.text)]
    NoAnswer(String, TransportError),
    /// A connection failed.
    #[error("{0}: {1}")]
    Connection(String, #[source] io::Error),
    /// Nothing came in time.
    #[error("{0} takes a connection and says nothing")]
    Silent(String),
    /// A forwarder without anybody behind it.
    #[error("{0} takes a connection and closes it")]
    Closes(String),
    /// Other words than the wanted ones.
    #[error("{0} says much, but not `{1}`")]
    SaysOther(String, String),
    /// No line of its log is the wanted one.
    #[error("no line of its log matches `{0}`")]
    NoLine(String),
    /// What is to be looked at cannot be filled in.
    #[error("{0}")]
    Unfilled(String),
}

/// Why something that was started or made is still there.
#[derive(Debug, thiserror::Error)]
pub enum NotEnded {
    /// These processes take no KILL.
    #[error("{}", unkillable(.0))]
    Unkillable(Vec<u32>),
    /// The container engine said so.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No engine is connected any more.
    #[error("there is no engine")]
    NoEngine,
    /// A sweep looks for it later.
    #[error("the engine did not say whether it made it, and may do so yet")]
    Unsure,
    /// A command that takes the rest away did not.
    #[error("`{command}`: {how}")]
    Command {
        /// Its words.
        command: String,
        /// How it ended.
        how: String,
    },
    /// Somebody waits for nothing any more.
    #[error("interrupted twice, and it was not gone by then")]
    InterruptedTwice,
    /// A folder could not be removed.
    #[error(transparent)]
    Folder(#[from] io::Error),
}

fn unkillable(processes: &[u32]) -> String {
    match processes {
        [one] => format!("process {one} refuses to be killed"),
        some => {
            let all: Vec<String> = some.iter().map(u32::to_string).collect();
            format!("processes {} refuse to be killed", all.join(", "))
        }
    }
}

/// Why a user's name says nothing here.
#[derive(Debug, thiserror::Error)]
pub enum NoUser {
    /// The table of users cannot be read.
    #[error("/etc/passwd: {0}")]
    Table(#[from] io::Error),
    /// Nobody is called so.
    #[error("this machine has no user `{0}`")]
    Unknown(String),
}

/// A text of the profile that has no value even now.
#[derive(Debug, thiserror::Error)]
#[error("the profile's {what} cannot be filled in: {error}")]
pub struct Unfilled {
    /// Where it stands in the file.
    pub what: String,
    /// What is missing.
    pub error: TemplateError,
}
