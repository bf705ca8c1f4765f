//! What clean-up comes to for one entry of the ledger.

use crate::clock::Instant;

/// A resource that is verified to be gone.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// What the platform had left and we removed.
    pub(super) left_by_platform: Option<String>,
    /// Bears its name and is not its: stays.
    pub(super) foreign: Option<String>,
    /// Its instance may come up yet.
    pub(super) awaited: Option<Awaited>,
    /// What a person must know although it is gone.
    pub(super) told: Option<String>,
}

/// A workspace whose instance may come up after its delete.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    pub(super) id: String,
    pub(super) until: Instant,
    /// It was deleted while it was being provisioned, as far as anybody knows.
    pub(super) overtaken: bool,
}

/// What was found of a workspace that is gone, and removed.
pub(super) struct Seen {
    pub(super) gone: Gone,
    /// An instance was among it.
    pub(super) instance: bool,
}

impl Gone {
    pub(super) fn left(left_by_platform: Option<String>) -> Gone {
        Gone { left_by_platform, ..Gone::default() }
    }
}

/// Why a resource stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stays {
    /// The server cannot be asked, or does not do it.
    #[error("{0}")]
    Server(String),
    /// The server cannot be asked; what the engine had of it is gone.
    #[error("{why}; on the engine were removed: {removed}")]
    RowOnly {
        /// What the server said.
        why: String,
        /// What was removed.
        removed: String,
    },
    /// The row is gone, and the engine does not let go.
    #[error("the row is gone, but not what it had on the engine: {0}")]
    Engine(String),
    /// Somebody else's hang under it.
    #[error(
        "{count} workspaces of somebody else hang under it ({some}): remove or move them, then `lifecycle sweep`"
    )]
    Strangers {
        /// How many.
        count: usize,
        /// The first of them.
        some: String,
    },
    /// What the create's answer named is somebody else's.
    #[error("the workspace with that id is called {name} and hangs under nothing of ours: it is left alone")]
    NotOurs {
        /// How it is called.
        name: String,
    },
    /// Nobody knows whether it was made.
    #[error(
        "its create was not answered, and the server's list does not show everything that is there: whether it was made is not \
         known; look for its name"
    )]
    Unseen,
    /// It may come up after its delete.
    #[error(
        "it was deleted before anybody saw its instance, which may come up yet: `lifecycle sweep` looks again"
    )]
    MayCome,
    /// The row is gone, its instance is not.
    #[error("the row is gone, but its instance runs (contract L1)")]
    Instance,
    /// An interrupt did.
    #[error("clean-up was cut short")]
    CutShort,
}
