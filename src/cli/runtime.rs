//! Where commands that speak to servers run.

use super::failure::CliError;
use crate::domain::ExitCode;

/// The runtime of commands that speak to servers.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| CliError::new(ExitCode::Environment, format!("cannot start: {e}")))
}
