//! `--format json`: the same on every command whose answer a script reads.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Shell;
use super::failure::CliError;
use crate::domain::ExitCode;

/// How an answer is printed.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct FormatArgs {
    /// How the answer is printed: text or json
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT", hide_possible_values = true)]
    format: Format,
    /// As `--format json`
    #[arg(long, hide = true)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document on standard output
    Json,
}

impl FormatArgs {
    /// For a script.
    pub(crate) fn is_json(self) -> bool {
        self.json || self.format == Format::Json
    }
}

/// Prints one document.
pub(crate) fn print(shell: &Shell, document: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|e| CliError::new(ExitCode::Environment, format!("cannot write JSON: {e}")))?;
    Ok(shell.printer.json(&text)?)
}
