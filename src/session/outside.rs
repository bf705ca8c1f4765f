//! What a run has from outside: signals, a network, a name. A test hands in its own.

use crate::run::signals::Signals;
use crate::wire::Network;

/// What no setting decides.
pub struct Outside {
    /// Who may want the run to end.
    pub signals: Signals,
    /// Where its servers are, when they are not on the machine's network.
    pub network: Option<Network>,
    /// What it is called.
    pub name: RunName,
}

impl Outside {
    /// The process's own signals, the machine's network, a fresh name.
    ///
    /// # Errors
    /// The system does not let it listen to signals.
    pub fn real() -> std::io::Result<Outside> {
        Ok(Outside { signals: Signals::listen()?, network: None, name: RunName::fresh() })
    }
}

/// The name of a run: when it began, and what tells it from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName {
    /// `20261121-131553`.
    pub stamp: String,
    /// Eight hex digits that every name of the run ends with.
    pub tail: String,
}

impl RunName {
    /// By the clock and chance.
    pub fn fresh() -> RunName {
        RunName {
            stamp: crate::clock::wall().strftime("%Y%m%d-%H%M%S").to_string(),
            tail: format!("{:08x}", crate::chance::random::<u32>()),
        }
    }

    /// The run's id.
    pub fn id(&self) -> String {
        format!("{}-{}", self.stamp, self.tail)
    }
}
