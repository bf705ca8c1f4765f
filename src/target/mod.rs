//! From a profile to a running target with capabilities.
