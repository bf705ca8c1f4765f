//! A message on its way to an agent, and who sent it.

use uuid::Uuid;

use super::envelope::Envelope;
use crate::clock::Instant;
use crate::reference::state::activity::{Body, Row};

/// Who sent a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A person at the canvas, or nobody in particular.
    Canvas,
    /// An admin in the name of a workspace, or of something that is none.
    User(Option<Uuid>),
    /// A workspace.
    Agent(Uuid),
    /// The platform itself, under a synthetic name.
    System(&'static str),
}

impl Sender {
    pub(super) fn source(&self) -> Option<Uuid> {
        match self {
            Sender::Agent(id) => Some(*id),
            Sender::User(named) => *named,
            Sender::Canvas | Sender::System(_) => None,
        }
    }

    pub(super) fn is_canvas(&self) -> bool {
        matches!(self, Sender::Canvas | Sender::User(_))
    }

    /// Whether a row can name it.
    pub(super) fn writes_rows(&self) -> bool {
        *self != Sender::User(None)
    }
}

/// One message on its way.
pub(super) struct Message {
    pub(super) id: Uuid,
    pub(super) envelope: Envelope,
    pub(super) sender: Sender,
    pub(super) started: Instant,
}

impl Message {
    /// How long it has been on its way, in milliseconds.
    pub(super) fn took(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// The row of a message, and how its summary ends. Only the one at receipt is known by the message's id.
pub(super) fn received(id: Uuid, name: &str, envelope: &Envelope, sender: &Sender, how: &str) -> Row {
    Row {
        source: sender.source(),
        target: Some(id),
        method: Some(envelope.method.clone()),
        summary: Some(format!("{} → {name}{how}", envelope.method)),
        request_body: Some(Body::new(&envelope.value)),
        message_id: Some(envelope.message_id.clone()).filter(|m| !m.is_empty()),
        ..Row::new("a2a_receive")
    }
}
