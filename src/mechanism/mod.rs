//! From evidence to a named cause.
