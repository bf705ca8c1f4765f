//! Runs scenarios and emits events.
