//! A message on its way to an agent, and who sent it.

use uuid::Uuid;

use super::envelope::Envelope;
use crate::clock::Instant;

/// Who sent a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A person at the canvas, or nobody in particular.
    Canvas,
    /// A workspace.
    Agent(Uuid),
    /// The platform itself, under a synthetic name.
    System(&'static str),
}

impl Sender {
    pub(super) fn source(&self) -> Option<Uuid> {
        match self {
            Sender::Agent(id) => Some(*id),
            Sender::Canvas | Sender::System(_) => None,
        }
    }

    pub(super) fn is_canvas(&self) -> bool {
        *self == Sender::Canvas
    }
}

/// One message on its way.
pub(super) struct Message {
    pub(super) id: Uuid,
    pub(super) envelope: Envelope,
    pub(super) sender: Sender,
    pub(super) started: Instant,
}
