//! The only user of reqwest.
