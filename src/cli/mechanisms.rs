//! `lifecycle mechanisms`: the catalogue of causes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use serde_json::json;

use super::failure::CliError;
use super::format::FormatArgs;
use super::{Shell, candidates, format, table};
use crate::domain::ExitCode;
use crate::mechanism::file::{Layer, Mechanism};
use crate::mechanism::{again, catalogue, lint, words};
use crate::report::text::clean;
use crate::run::folder;
use crate::session::files;
use crate::source::{Problem, did_you_mean};

/// The catalogue of causes: list, show, lint, test
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
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Show one: what it needs, quotes, rules out, and what a fix looks like
    Show {
        /// Its name
        #[arg(add = ArgValueCandidates::new(candidates::mechanisms))]
        name: String,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Check files of mechanisms together: unknown facts, never matching, equal, symptom only
    Lint {
        /// Files or folders; nothing means the shipped ones
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Say what each mechanism names in recorded runs, what changed, and which fire on steps that passed
    Test {
        /// Runs: paths, ids, or folders of runs
        #[arg(long, value_name = "RUN", required = true, num_args = 1..)]
        against: Vec<String>,
        /// Files or folders of mechanisms; nothing means the shipped ones
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        format: FormatArgs,
    },
}

/// Runs the command.
pub(crate) fn run(args: &MechanismsArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    match &args.command {
        MechanismsCommand::List { format } if format.is_json() => {
            let rows: Vec<_> = catalogue::shipped().iter().map(row).collect();
            format::print(shell, &rows)?;
        }
        MechanismsCommand::List { .. } => {
            let mut rows = Vec::new();
            for layer in Layer::ALL {
                for m in catalogue::shipped().iter().filter(|m| m.layer == layer) {
                    let issue = m.issue.clone().unwrap_or_default();
                    let (name, class) = (m.name.clone(), words::class(m).to_owned());
                    rows.push(vec![name, layer.as_str().to_owned(), class, issue, m.summary.raw()]);
                }
            }
            let head = ["MECHANISM", "LAYER", "CLASS", "ISSUE", "SUMMARY"];
            shell.printer.data(&table::drawn(shell, &head, &rows))?;
        }
        MechanismsCommand::Show { name, format } => {
            let found = catalogue::find(name).ok_or_else(|| {
                let names = catalogue::shipped().iter().map(|m| m.name.as_str());
                let text = format!("no mechanism is called `{name}`");
                let problem = Problem::error("mechanism::unknown", text);
                CliError::problems(vec![problem.hint(did_you_mean(name, names))])
            })?;
            match format.is_json() {
                true => format::print(shell, &row(found))?,
                false => shell.printer.data(show(found).trim_end())?,
            }
        }
        MechanismsCommand::Lint { paths, format } => {
            let checked = load(paths)?.len();
            match format.is_json() {
                true => format::print(shell, &json!({ "checked": checked, "errors": 0 }))?,
                false => shell.printer.data(&format!("checked {checked} mechanisms: 0 errors"))?,
            }
        }
        MechanismsCommand::Test { against, paths, format } => test(&load(paths)?, against, *format, shell)?,
    }
    Ok(ExitCode::Passed)
}

fn load(paths: &[PathBuf]) -> Result<Vec<Mechanism>, CliError> {
    let mut sources = Vec::new();
    for path in paths {
        sources.extend(files::walk(path)?);
    }
    lint::load(if paths.is_empty() { catalogue::files() } else { sources }.as_slice())
        .map_err(CliError::problems)
}

/// Every run of what is named: itself, or the runs in a folder.
fn runs(named: &[String], shell: &Shell) -> Result<Vec<PathBuf>, CliError> {
    let mut runs = Vec::new();
    for name in named {
        let inside = folder::list(Path::new(name));
        if inside.is_empty() {
            runs.push(
                folder::find(&shell.runs_dir, name)
                    .map_err(|why| CliError::new(ExitCode::BadInput, why.to_string()))?,
            );
        } else {
            runs.extend(inside);
        }
    }
    Ok(runs)
}

/// Counts over runs: reds by mechanism, names that changed, what fires where nothing failed.
fn test(
    mechanisms: &[Mechanism],
    against: &[String],
    shape: FormatArgs,
    shell: &Shell,
) -> Result<(), CliError> {
    let runs = runs(against, shell)?;
    let (mut named, mut fired) =
        (BTreeMap::<String, usize>::new(), BTreeMap::<String, (usize, String)>::new());
    let (mut reds, mut unclassified, mut passed, mut lost) = (0, 0, 0, 0);
    let mut changed = Vec::new();
    for run in &runs {
        let judged = again::judge(mechanisms, run)
            .map_err(|e| CliError::new(ExitCode::BadInput, format!("{}: {e}", run.display())))?;
        unclassified += judged.unclassified();
        passed += judged.passed;
        for red in judged.reds {
            reds += 1;
            lost += usize::from(red.now.is_none());
            if red.changed() {
                let now = red.now.as_ref().map(|now| now.mechanism.as_str()).unwrap_or_default();
                changed.push(format!("{} step {}: {} → {now}", red.scenario, red.step, red.then.mechanism));
            }
            *named.entry(red.now.unwrap_or(red.then).mechanism).or_default() += 1;
        }
        for one in judged.fired {
            let place = format!("{} step {}", one.scenario, one.step);
            fired.entry(one.mechanism).or_insert_with(|| (0, place)).0 += 1;
        }
    }
    if shape.is_json() {
        let fired: BTreeMap<_, _> = fired
            .iter()
            .map(|(mechanism, (times, place))| (mechanism, json!({ "times": times, "first": place })))
            .collect();
        let document = json!({
            "runs": runs.len(), "reds": reds, "unclassified": unclassified, "not_tried_again": lost,
            "named": named, "changed": changed, "steps_passed": passed, "fired_on_passes": fired,
        });
        return format::print(shell, &document);
    }
    let rate = if reds == 0 { 0.0 } else { unclassified as f64 * 100.0 / reds as f64 };
    let printer = &shell.printer;
    printer.data(&format!("runs {}, reds {reds}, unclassified {unclassified} ({rate:.1} %)", runs.len()))?;
    if lost > 0 {
        printer.data(&format!(
            "not tried again: {lost} (their logs are of a version that did not keep how a step failed)"
        ))?;
    }
    for (mechanism, count) in named {
        printer.data(&format!("  {count:>5}  {mechanism}"))?;
    }
    printer.data(&format!("names that changed: {}", changed.len()))?;
    for line in &changed {
        printer.data(&format!("  {}", clean(line)))?;
    }
    printer
        .data(&format!("fires on steps that passed: {} mechanisms, {passed} steps looked at", fired.len()))?;
    for (mechanism, (count, place)) in fired {
        printer.data(&format!("  {count:>5}  {mechanism}, first at {}", clean(&place)))?;
    }
    Ok(())
}

fn row(m: &Mechanism) -> serde_json::Value {
    serde_json::json!({
        "mechanism": m.name, "layer": m.layer.as_str(), "class": words::class(m), "summary": m.summary.raw(),
        "explains": words::explained(m), "match": words::words(&m.matches), "fix_shape": m.fix_shape.raw(), "part": m.part, "issue": m.issue,
        "fallback": m.fallback, "yields": m.yields, "never_seen": m.never_seen, "fingerprint_field": m.fingerprint_field,
    })
}

/// One mechanism, whole.
pub(super) fn show(m: &Mechanism) -> String {
    let mut text =
        format!("{} ({}, layer {})\n  {}\n", m.name, words::class(m), m.layer.as_str(), m.summary.raw());
    let mut list = |title: &str, lines: Vec<String>| {
        for (i, line) in lines.iter().enumerate() {
            let label = if i == 0 { title } else { "" };
            text.push_str(&format!("\n  {label:<10} {line}"));
        }
        if !lines.is_empty() {
            text.push('\n');
        }
    };
    list("can make", words::explained(m));
    list("needs", words::words(&m.matches));
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
