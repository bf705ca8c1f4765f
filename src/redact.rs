//! Keeps secrets out of events.
