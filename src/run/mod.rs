//! Waiting, owning and cancelling: what every step stands on.

pub mod cancel;
pub mod folder;
pub mod instance;
pub mod ledger;
pub mod look;
pub mod mutation;
pub mod poller;
pub mod signals;
pub mod state_file;
pub mod status_wait;
pub mod wait;
