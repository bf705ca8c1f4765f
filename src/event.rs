//! The event log: the one truth of a run.
