//! `list`, `schema`.

use serde_json::json;

use super::args::{ListArgs, SchemaOf};
use super::failure::CliError;
use super::{Shell, table};
use crate::domain::{ExitCode, time};
use crate::session::library::Library;

/// `lifecycle list`.
pub(crate) fn list(args: &ListArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let chosen =
        Library::load(&args.library.in_project(shell)?.0.library, &args.selection)?.chosen()?.scenarios;
    if args.format.is_json() {
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
        shell.printer.json(&serde_json::to_string_pretty(&rows).unwrap_or_default())?;
        return Ok(ExitCode::Passed);
    }
    let rows: Vec<Vec<String>> = chosen
        .iter()
        .map(|scenario| {
            let mut summary = scenario.summary.clone();
            if let Some(expected) = &scenario.expect_failure {
                summary
                    .push_str(&format!(" [expected to fail: {} until {}]", expected.issue, expected.until));
            }
            if scenario.gate == crate::scenario::model::Gate::Advisory {
                summary.push_str(" [advisory]");
            }
            let needs: Vec<String> = scenario.needs.iter().map(ToString::to_string).collect();
            vec![scenario.name.clone(), scenario.tags.join(" "), needs.join(" "), summary]
        })
        .collect();
    if rows.is_empty() {
        shell.printer.note("no scenario is chosen")?;
        return Ok(ExitCode::Passed);
    }
    shell.printer.data(&table::drawn(shell, &["SCENARIO", "TAGS", "NEEDS", "SUMMARY"], &rows))?;
    Ok(ExitCode::Passed)
}

/// `lifecycle schema`.
pub(crate) fn schema(of: SchemaOf, shell: &Shell) -> Result<ExitCode, CliError> {
    let schema = match of {
        SchemaOf::Scenario => crate::scenario::schema(),
        SchemaOf::Fragment => crate::scenario::fragment_schema(),
        SchemaOf::Profile => crate::targets::profile::schema(),
        SchemaOf::Report => crate::report::json_schema(),
        SchemaOf::Events => crate::scenario::schema_of_written::<crate::event::Event>(),
    };
    shell.printer.json(&serde_json::to_string_pretty(&schema).unwrap_or_default())?;
    Ok(ExitCode::Passed)
}
