//! `list`, `schema`, `completions`, `man`.

use clap::CommandFactory as _;
use serde_json::json;

use super::Shell;
use super::args::{Cli, ListArgs, SchemaOf};
use super::failure::CliError;
use crate::domain::{ExitCode, time};
use crate::session::library::Library;

/// `lifecycle list`.
pub(crate) fn list(args: &ListArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let chosen = Library::load(&args.library.settings(), &args.selection)?.chosen()?;
    if args.json {
        let rows: Vec<_> = chosen
            .iter()
            .map(|s| {
                json!({
                    "scenario": s.name, "summary": s.summary, "tags": s.tags, "file": s.source.name,
                    "needs": s.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "gate": s.gate, "budget_ms": time::ms(s.budget),
                    "expect_failure": s.expect_failure.as_ref().map(|e| json!({
                        "issue": e.issue, "reason": e.reason, "mechanism": e.mechanism, "until": e.until,
                    })),
                })
            })
            .collect();
        shell.printer.data(&serde_json::to_string_pretty(&rows).unwrap_or_default())?;
        return Ok(ExitCode::Passed);
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(["SCENARIO", "TAGS", "NEEDS", "SUMMARY"]);
    for scenario in &chosen {
        let mut summary = scenario.summary.clone();
        if let Some(expected) = &scenario.expect_failure {
            summary.push_str(&format!(" [expected to fail: {} until {}]", expected.issue, expected.until));
        }
        if scenario.gate == crate::scenario::model::Gate::Advisory {
            summary.push_str(" [advisory]");
        }
        let needs: Vec<String> = scenario.needs.iter().map(ToString::to_string).collect();
        table.add_row([scenario.name.clone(), scenario.tags.join(" "), needs.join(" "), summary]);
    }
    shell.printer.data(&table.to_string())?;
    Ok(ExitCode::Passed)
}

/// `lifecycle schema`.
pub(crate) fn schema(of: SchemaOf, shell: &Shell) -> Result<ExitCode, CliError> {
    let schema = match of {
        SchemaOf::Scenario => crate::scenario::schema(),
        SchemaOf::Fragment => crate::scenario::fragment_schema(),
        SchemaOf::Profile => crate::targets::profile::schema(),
    };
    shell.printer.data(&serde_json::to_string_pretty(&schema).unwrap_or_default())?;
    Ok(ExitCode::Passed)
}

/// `lifecycle completions`.
pub(crate) fn completions(which: clap_complete::Shell, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(which, &mut Cli::command(), "lifecycle", &mut text);
    shell.printer.data(String::from_utf8_lossy(&text).trim_end())?;
    Ok(ExitCode::Passed)
}

/// `lifecycle man`.
pub(crate) fn man(shell: &Shell) -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    shell.printer.data(String::from_utf8_lossy(&text).trim_end())?;
    Ok(ExitCode::Passed)
}
