//! Waiting, owning and cancelling.
