//! `lifecycle mechanisms`: the catalogue of causes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Shell;
use super::failure::CliError;
use crate::domain::ExitCode;
use crate::mechanism::file::{Layer, Mechanism};
use crate::mechanism::{catalogue, lint, page};
use crate::session::files;
use crate::source::{Problem, did_you_mean};

/// The catalogue of causes: list, show, lint
#[derive(Args, Debug)]
pub(crate) struct MechanismsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: MechanismsCommand,
}

/// What can be done with mechanisms.
#[derive(Debug, Subcommand)]
pub(crate) enum MechanismsCommand {
    /// Show all of them, by layer, bottom up
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one: what it needs, quotes, rules out, and what a fix looks like
    Show {
        /// Its name
        name: String,
    },
    /// Check files of mechanisms together: unknown facts, never matching, equal, symptom only
    Lint {
        /// Files or folders; nothing means the shipped ones
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(args: &MechanismsArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    match &args.command {
        MechanismsCommand::List { json: true } => {
            let rows: Vec<_> = catalogue::shipped().iter().map(row).collect();
            shell.printer.data(&serde_json::to_string_pretty(&rows).unwrap_or_default())?;
        }
        MechanismsCommand::List { json: false } => {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
            table.set_header(["LAYER", "MECHANISM", "CLASS", "ISSUE", "SUMMARY"]);
            for layer in Layer::ALL {
                for m in catalogue::shipped().iter().filter(|m| m.layer == layer) {
                    let issue = m.issue.clone().unwrap_or_default();
                    let (name, class) = (m.name.clone(), page::class(m).to_owned());
                    table.add_row([layer.as_str().to_owned(), name, class, issue, m.summary.raw()]);
                }
            }
            shell.printer.data(&table.to_string())?;
        }
        MechanismsCommand::Show { name } => {
            let found = catalogue::find(name).ok_or_else(|| {
                let names = catalogue::shipped().iter().map(|m| m.name.as_str());
                let text = format!("no mechanism is called `{name}`");
                let problem = Problem::error("mechanism::unknown", text);
                CliError::problems(vec![problem.hint(did_you_mean(name, names))])
            })?;
            shell.printer.data(show(found).trim_end())?;
        }
        MechanismsCommand::Lint { paths } => {
            let files = if paths.is_empty() {
                catalogue::files()
            } else {
                let mut files = Vec::new();
                for path in paths {
                    files.extend(files::walk(path)?);
                }
                files
            };
            let mechanisms = lint::load(&files).map_err(CliError::problems)?;
            shell.printer.data(&format!("checked {} mechanisms: 0 errors", mechanisms.len()))?;
        }
    }
    Ok(ExitCode::Passed)
}

fn row(m: &Mechanism) -> serde_json::Value {
    serde_json::json!({
        "mechanism": m.name, "layer": m.layer.as_str(), "class": page::class(m), "summary": m.summary.raw(),
        "match": page::words(&m.matches), "fix_shape": m.fix_shape.raw(), "part": m.part, "issue": m.issue,
        "fallback": m.fallback, "fingerprint_field": m.fingerprint_field,
    })
}

fn show(m: &Mechanism) -> String {
    let mut text =
        format!("{} ({}, layer {})\n  {}\n", m.name, page::class(m), m.layer.as_str(), m.summary.raw());
    let mut list = |title: &str, lines: Vec<String>| {
        for (i, line) in lines.iter().enumerate() {
            let label = if i == 0 { title } else { "" };
            text.push_str(&format!("\n  {label:<10} {line}"));
        }
        if !lines.is_empty() {
            text.push('\n');
        }
    };
    list("needs", page::words(&m.matches));
    list("quotes", m.evidence.iter().map(|t| t.raw()).collect());
    let ruled = m.rules_out.iter().map(|r| match r.when.as_slice() {
        [] => r.text.raw(),
        when => {
            let when: Vec<String> = when.iter().map(|c| c.words()).collect();
            format!("{} [when {}]", r.text.raw(), when.join(" and "))
        }
    });
    list("rules out", ruled.collect());
    list("fix shape", vec![m.fix_shape.raw()]);
    list("part", vec![m.part.clone()]);
    list("issue", m.issue.iter().cloned().collect());
    list("told apart", m.fingerprint_field.iter().map(|f| format!("by {f}")).collect());
    text
}
