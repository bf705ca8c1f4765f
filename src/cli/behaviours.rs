//! `lifecycle behaviours`: what a server may do one way or the other, and what one server does.

use clap::{Args, Subcommand};

use super::args_target::TargetArgs;
use super::failure::CliError;
use super::format::FormatArgs;
use super::runtime::runtime;
use super::{Shell, format};
use crate::behaviour::contract::{Told, where_and_how};
use crate::behaviour::{Behaviour, Edition, EditionRow, Row, edition, row, rows, word};
use crate::domain::ExitCode;
use crate::source::Problem;
use crate::targets;

/// What a server may do one way or the other: list, show, probe
#[derive(Args, Debug)]
pub(crate) struct BehavioursArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BehavioursCommand,
}

/// What can be done with behaviours.
#[derive(Debug, Subcommand)]
pub(crate) enum BehavioursCommand {
    /// Show all of them and the editions in which they are on
    List {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Show one behaviour or one edition
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Say what a server does, by read-only requests
    Probe {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        format: FormatArgs,
    },
}

/// Runs the command.
pub(crate) fn run(args: &BehavioursArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    match &args.command {
        BehavioursCommand::List { format } if format.is_json() => {
            format::print(shell, &rows().iter().map(described).collect::<Vec<_>>())?;
        }
        BehavioursCommand::List { .. } => {
            let mut table = table(["BEHAVIOUR", "ON IN", "FOUND BY", "WHERE IT IS ON"]);
            for row in rows() {
                let (place, how) = where_and_how(row.behaviour);
                table.add_row([row.behaviour.as_str(), &place, how, &row.says]);
            }
            shell.printer.data(&table.to_string())?;
        }
        BehavioursCommand::Show { name, format } => match (format.is_json(), shown(name)?) {
            (true, shown) => format::print(shell, &shown.json())?,
            (false, shown) => shell.printer.data(shown.text().trim_end())?,
        },
        BehavioursCommand::Probe { target, format } => return probe(target, format.is_json(), shell),
    }
    Ok(ExitCode::Passed)
}

fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

fn described(row: &Row) -> serde_json::Value {
    serde_json::json!({
        "behaviour": row.behaviour, "says": row.says, "seen": row.seen, "in": row.editions,
        "probe": row.probe.as_ref().map(|probe| format!("GET {}", probe.get)), "played": row.played,
    })
}

/// What a name means.
enum Shown {
    Behaviour(&'static Row),
    Edition(&'static EditionRow),
}

fn shown(name: &str) -> Result<Shown, CliError> {
    if let Some(row) = Behaviour::named(name).and_then(row) {
        return Ok(Shown::Behaviour(row));
    }
    if let Some(row) = Edition::named(name).and_then(edition) {
        return Ok(Shown::Edition(row));
    }
    let problem = Problem::error("behaviour::unknown", format!("no behaviour or edition is called `{name}`"));
    Err(CliError::problems(vec![problem.hint(Behaviour::hint(name))]))
}

impl Shown {
    fn json(&self) -> serde_json::Value {
        match self {
            Shown::Behaviour(row) => described(row),
            Shown::Edition(row) => serde_json::json!({
                "edition": row.name, "says": row.says, "commit": row.commit, "on": on(row),
                "runtimes": row.runtimes, "default_runtime": row.default_runtime, "platform_model": row.platform_model,
            }),
        }
    }

    fn text(&self) -> String {
        match self {
            Shown::Behaviour(row) => {
                let name = row.behaviour.as_str();
                let (place, how) = where_and_how(row.behaviour);
                let probe =
                    row.probe.as_ref().map(|probe| format!(" (GET {})", probe.get)).unwrap_or_default();
                let played = if row.played { "yes" } else { "no" };
                format!(
                    "{name}\n  {}\n\n  seen       {}\n  on in      {place}\n  found by   {how}{probe}\n  played     {played}\n",
                    row.says, row.seen
                )
            }
            Shown::Edition(row) => format!(
                "{}\n  {} (commit {})\n\n  on         {}\n  runtimes   {}\n  default    {}, platform model {}\n",
                row.name,
                row.says,
                row.commit,
                on(row).join(", "),
                row.runtimes.join(", "),
                row.default_runtime,
                row.platform_model
            ),
        }
    }
}

fn on(row: &EditionRow) -> Vec<&'static str> {
    let set = row.name.behaviours();
    Behaviour::ALL.iter().filter(|b| set.has(**b)).map(|b| b.as_str()).collect()
}

fn probe(args: &TargetArgs, json: bool, shell: &Shell) -> Result<ExitCode, CliError> {
    let catalogue = std::sync::Arc::new(crate::models::catalogue::Catalogue::built_in().clone());
    let settings = crate::session::target::target_settings(&args.settings(), shell, None, catalogue)?;
    runtime()?.block_on(async {
        let target = targets::open(&settings).await?;
        let contract = target.facts.contract.clone();
        for left in target.close().await {
            shell.printer.talk(&left)?;
        }
        let how = |behaviour| match contract.told(behaviour) {
            Some(Told::Probe) => "probed",
            Some(Told::Server) => "the server says so",
            None => "expected",
        };
        if json {
            let list: Vec<_> = rows()
                .iter()
                .map(|row| {
                    serde_json::json!({
                        "behaviour": row.behaviour, "on": contract.has(row.behaviour), "how": how(row.behaviour),
                        "expected": contract.expected(row.behaviour).0,
                    })
                })
                .collect();
            let all = serde_json::json!({ "edition": contract.edition, "fits": contract.line(), "behaviours": list });
            format::print(shell, &all)?;
        } else {
            let mut table = table(["BEHAVIOUR", "IS", "HOW", "EXPECTED"]);
            for row in rows() {
                let (is, expected) = (contract.has(row.behaviour), contract.expected(row.behaviour).0);
                let differs = if is == expected { word(expected).to_owned() } else { format!("{} !", word(expected)) };
                table.add_row([row.behaviour.as_str(), word(is), how(row.behaviour), &differs]);
            }
            shell.printer.data(&format!("{}\n\n{table}", contract.line()))?;
        }
        let drifts = contract.drifts();
        for drift in &drifts {
            shell.printer.note(&format!("contract: {}", drift.line()))?;
        }
        Ok(if drifts.is_empty() { ExitCode::Passed } else { ExitCode::Failed })
    })
}
