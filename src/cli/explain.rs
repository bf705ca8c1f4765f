//! `lifecycle explain`: why a run was red, from its log alone.

use super::args::ExplainArgs;
use super::failure::CliError;
use super::pages::Pages;
use super::{Shell, format};
use crate::domain::ExitCode;
use crate::report::{FileKind, RunState, ScenarioState, explain_brief, explain_head, explain_text};
use crate::scenario::{scenario_of, without_round};
use crate::session::recorded;
use crate::source::did_you_mean;

/// Says it; the answer is data.
pub(crate) fn run(args: &ExplainArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let (path, state) = recorded::read(&args.run, shell)?;
    let scenarios = chosen(&state, args.scenario.as_deref())?;
    if args.format.is_json() {
        let names: Vec<&str> = scenarios.iter().map(|s| s.name()).collect();
        let fail = |e: &dyn std::fmt::Display| CliError::new(ExitCode::Environment, e.to_string());
        let text = FileKind::Json.render(&state).map_err(|e| fail(&e))?;
        let mut report: serde_json::Value = serde_json::from_str(&text).map_err(|e| fail(&e))?;
        if let Some(all) = report["scenarios"].as_array_mut() {
            all.retain(|s| s["name"].as_str().is_some_and(|name| names.contains(&name)));
        }
        format::print(shell, &report)?;
        return Ok(ExitCode::Passed);
    }
    let run = path.display().to_string();
    let mut text = explain_head(&state, shell.printer.width());
    if scenarios.is_empty() {
        text.push_str(match &state.finished {
            Some(finished) if finished.code == 0 => "nothing is red\n",
            _ => "no scenario is red\n",
        });
    }
    if !args.full {
        text.push_str(&explain_brief(&state, &scenarios, &run, shell.printer.width()));
        shell.printer.data(&text)?;
        return Ok(ExitCode::Passed);
    }
    let mut pages = Pages::open(shell);
    pages.add(&text)?;
    for scenario in scenarios {
        // One at a time: the whole evidence of a run may be long.
        pages.add(&format!("\n{}", explain_text(&state, scenario, &run, shell.printer.width())))?;
    }
    pages.close();
    Ok(ExitCode::Passed)
}

/// The scenarios that are meant: every red, or every instance that is named so, whatever became of it.
pub(super) fn chosen<'a>(
    state: &'a RunState,
    named: Option<&str>,
) -> Result<Vec<&'a ScenarioState>, CliError> {
    let Some(named) = named else { return Ok(state.reds().collect()) };
    let is_meant = |name: &str| [name, without_round(name), scenario_of(name)].contains(&named);
    let found: Vec<&ScenarioState> = state.scenarios.values().filter(|s| is_meant(s.name())).collect();
    if found.is_empty() {
        let names = state.scenarios.keys().map(String::as_str);
        let text = format!("no scenario of {} is called `{named}`", state.identity.run);
        return Err(CliError::new(ExitCode::BadInput, text).next(did_you_mean(named, names)));
    }
    Ok(found)
}
