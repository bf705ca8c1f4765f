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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// They write files, pages or what another program reads, or run until they are stopped.
    const WITHOUT: &[&str] =
        &["run", "report", "serve", "probe", "schema", "completions", "man", "help", "model"];

    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        format: FormatArgs,
    }

    fn leaves(command: &clap::Command, path: &str, all: &mut Vec<(String, clap::Command)>) {
        for sub in command.get_subcommands().filter(|sub| !WITHOUT.contains(&sub.get_name())) {
            let path = format!("{path} {}", sub.get_name());
            match sub.has_subcommands() {
                true => leaves(sub, &path, all),
                false => all.push((path, sub.clone())),
            }
        }
    }

    #[test]
    fn every_command_with_an_answer_takes_the_same_flag() {
        let help = |command: &clap::Command| {
            let found = command.get_arguments().find(|arg| arg.get_id() == "format");
            found.and_then(|arg| arg.get_help()).map(ToString::to_string)
        };
        let same = help(&Only::command());
        assert!(same.is_some());
        let mut all = Vec::new();
        leaves(&crate::cli::args::Cli::command(), "", &mut all);
        let wrong: Vec<_> =
            all.iter().filter(|(_, command)| help(command) != same).map(|(path, _)| path).collect();
        assert!(wrong.is_empty() && all.len() > 15, "{wrong:?}");
    }
}
