//! `lifecycle replay`: every red of a run named again, from its log alone.

use clap::Args;

use super::Shell;
use super::failure::CliError;
use crate::domain::ExitCode;
use crate::mechanism::again::{Again, judge};
use crate::mechanism::catalogue;
use crate::report::text::clean;
use crate::scenario::{scenario_of, without_round};
use crate::session::recorded;

/// Which run
#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Its folder, its id, a unique part of it, or `last`
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Only this scenario, or this instance of one
    #[arg(value_name = "SCENARIO")]
    pub scenario: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Says what changed; 1 when something did.
pub(crate) fn run(args: &ReplayArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let (path, state) = recorded::read(&args.run, shell)?;
    let judged = judge(catalogue::shipped(), &path)
        .map_err(|e| CliError::new(ExitCode::Environment, e.to_string()))?;
    let is_meant = |name: &str| {
        args.scenario
            .as_deref()
            .is_none_or(|named| [name, without_round(name), scenario_of(name)].contains(&named))
    };
    let reds: Vec<&Again> = judged.reds.iter().filter(|red| is_meant(&red.scenario)).collect();
    if let (true, Some(named)) = (reds.is_empty(), &args.scenario) {
        let text = format!("no red of {} is called `{named}`", state.identity.run);
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let changed = reds.iter().filter(|red| red.changed()).count();
    if args.json {
        let rows: Vec<_> = reds.iter().map(|red| row(red)).collect();
        shell.printer.data(&serde_json::to_string_pretty(&rows).unwrap_or_default())?;
    } else {
        for red in &reds {
            for line in lines(red) {
                shell.printer.data(&clean(&line))?;
            }
        }
        let not = reds.iter().filter(|red| red.now.is_none()).count();
        let lost = if not == 0 { String::new() } else { format!(", {not} not recorded") };
        shell.printer.data(&format!("{} reds, {changed} named otherwise{lost}", reds.len()))?;
    }
    Ok(if changed == 0 { ExitCode::Passed } else { ExitCode::Failed })
}

fn lines(red: &Again) -> Vec<String> {
    let place = format!("{} step {}", red.scenario, red.step);
    match &red.now {
        None => vec![format!(
            "not recorded  {place}: {} (the log is of a version that did not keep how a step failed)",
            red.then.mechanism
        )],
        Some(now) if !red.changed() => {
            let mut lines = vec![format!("same          {place}: {}", now.mechanism)];
            if now.evidence != red.then.evidence {
                lines.push("              its evidence is quoted otherwise".to_owned());
            }
            lines
        }
        Some(now) => {
            let mut lines =
                vec![format!("changed       {place}: {} → {}", red.then.mechanism, now.mechanism)];
            lines.extend(now.evidence.iter().take(3).map(|line| format!("              {line}")));
            lines
        }
    }
}

fn row(red: &Again) -> serde_json::Value {
    serde_json::json!({
        "scenario": red.scenario, "step": red.step, "then": red.then.mechanism,
        "now": red.now.as_ref().map(|now| &now.mechanism), "changed": red.changed(),
        "also_seen": red.now.as_ref().map(|now| &now.also_seen),
        "evidence": red.now.as_ref().map(|now| &now.evidence),
    })
}
