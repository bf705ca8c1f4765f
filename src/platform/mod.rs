//! Typed client of the workspace-server.
