//! Waiting, owning and cancelling: what every step stands on.

pub(crate) mod cancel;
pub(crate) mod folder;
pub(crate) mod heard;
pub(crate) mod instance;
pub(crate) mod ledger;
pub(crate) mod look;
pub(crate) mod mutation;
pub(crate) mod poller;
pub(crate) mod signals;
pub(crate) mod state_file;
pub(crate) mod status_wait;
pub(crate) mod wait;
