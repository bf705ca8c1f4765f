//! Model rules: pure, offline.
