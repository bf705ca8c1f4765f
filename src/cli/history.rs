//! `lifecycle history` and `lifecycle gate`: what the runs that are kept say together.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use super::failure::CliError;
use super::format::FormatArgs;
use super::{Shell, diff, format};
use crate::domain::{ExitCode, time};
use crate::history::{
    Decision, History, Judged, Kept, Rules, Sample, Why, histories, judge, page, samples_of,
};
use crate::run::folder;
use crate::scenario::scenario_of;
use crate::session::{RunSettings, gathered};
use crate::source::did_you_mean;

/// Which runs, and of which scenario.
#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// A scenario or an instance; none means all
    pub scenario: Option<String>,
    /// Runs besides those of the runs folder: a folder, artifacts of CI, zips
    #[arg(long, value_name = "PATH")]
    pub from: Vec<PathBuf>,
    /// Only the newest N runs that count
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Also write one HTML file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// The same, and what is asked of a lane.
#[derive(Args, Debug)]
pub(crate) struct GateArgs {
    #[command(flatten)]
    pub history: HistoryArgs,
    /// Judged runs that a scenario needs to be promoted
    #[arg(long, value_name = "N", default_value_t = Rules::default().runs)]
    pub runs: usize,
    /// The percentage of them that must be good; a flake counts as a failure
    #[arg(long, value_name = "PERCENT", default_value_t = Rules::default().rate * 100.0, value_parser = percent)]
    pub rate: f64,
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 =
        text.trim_end_matches('%').parse().map_err(|_| "a percentage is a number".to_owned())?;
    if (0.0..=100.0).contains(&number) {
        Ok(number)
    } else {
        Err("a percentage lies between 0 and 100".to_owned())
    }
}

/// Shows rates and durations.
pub(crate) fn run(args: &HistoryArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let found = read(args, shell)?;
    match args.format.is_json() {
        true => format::print(shell, &found)?,
        false => {
            for (i, one) in found.iter().enumerate() {
                let gap = if i == 0 { "" } else { "\n" };
                shell.printer.data(&format!("{gap}{}", lines(one).join("\n")))?;
            }
        }
    }
    Ok(ExitCode::Passed)
}

/// Judges every scenario; one that is to be demoted makes it exit 1.
pub(crate) fn gate(args: &GateArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let rules = Rules { runs: args.runs, rate: args.rate / 100.0 };
    let judged: Vec<Judged> = read(&args.history, shell)?.iter().map(|one| judge(one, &rules)).collect();
    match args.history.format.is_json() {
        true => format::print(shell, &judged)?,
        false => {
            for one in &judged {
                shell.printer.data(&format!(
                    "{:<8} {} on {}  {}",
                    one.decision.as_str(),
                    one.scenario,
                    one.target,
                    one.because
                ))?;
            }
        }
    }
    let demoted = judged.iter().any(|one| one.decision == Decision::Demote);
    Ok(if demoted { ExitCode::Failed } else { ExitCode::Passed })
}

fn read(args: &HistoryArgs, shell: &Shell) -> Result<Vec<History>, CliError> {
    let own = folder::list(&shell.runs_dir).into_iter().map(gathered::Kept::Folder);
    let mut runs: Vec<gathered::Kept> = own.collect();
    for from in &args.from {
        let found = gathered::at(from);
        if found.is_empty() {
            let text = format!("no run is in {}", from.display());
            return Err(CliError::new(ExitCode::BadInput, text)
                .next("runs in a folder, artifacts of CI (zip, or unpacked), a .jsonl.gz")
                .next("a state file remembers reds and no rates: `lifecycle state list --state FILE`"));
        }
        runs.extend(found);
    }
    // Names begin with the time, wherever the run is.
    runs.sort_by_cached_key(gathered::Kept::name);
    let (mut kept, mut newest_first) = (Kept::default(), Vec::new());
    let (mut seen, temp) = (BTreeSet::new(), shell.env.temp());
    for run in runs.iter().rev() {
        if args.last.is_some_and(|last| kept.counted >= last) {
            break;
        }
        // One run in memory at a time; a log that cannot be read is told and left out.
        match run.read(&temp) {
            // The same run, here and in an artifact.
            Ok(state) if !seen.insert(state.identity.run.clone()) => {}
            Ok(state) if !RunSettings::recorded(&state.identity).target.faults.is_empty() => {
                kept.leave_out(Why::Fault);
            }
            Ok(state) => match samples_of(&state) {
                samples if samples.is_empty() => kept.leave_out(Why::NoEnd),
                samples => {
                    kept.counted += 1;
                    newest_first.push(samples);
                }
            },
            Err(error) => {
                kept.leave_out(Why::Unreadable);
                let text = CliError::from(error).text();
                shell.printer.note(&format!("left out: {}: {text}", run.place()))?;
            }
        }
    }
    let mut samples: Vec<Sample> = newest_first.into_iter().rev().flatten().collect();
    if samples.is_empty() {
        let text = kept.nothing(&shell.runs_dir.display().to_string());
        return Err(CliError::new(ExitCode::BadInput, text)
            .next("`--runs-dir DIR` or `--from DIR` names another folder"));
    }
    shell.printer.note(&kept.line())?;
    if let Some(wanted) = &args.scenario {
        let names: BTreeSet<String> = samples.iter().map(|s| s.scenario.clone()).collect();
        samples.retain(|s| s.scenario == *wanted || scenario_of(&s.scenario) == wanted);
        if samples.is_empty() {
            let text = format!("of {} none had a scenario `{wanted}`", kept.line());
            let hint = did_you_mean(wanted, names.iter().map(String::as_str));
            return Err(CliError::new(ExitCode::BadInput, text).next(hint));
        }
    }
    let found = histories(&samples);
    if let Some(file) = &args.html {
        diff::write(file, &page(&found, &kept))?;
    }
    Ok(found)
}

fn lines(one: &History) -> Vec<String> {
    let show = |ms: u64| time::show(std::time::Duration::from_millis(ms));
    let mut lines = vec![format!("{} on {}  {}", one.scenario, one.target, one.strip)];
    let percent = |n: usize| 100.0 * n as f64 / one.judged.max(1) as f64;
    let runs = if one.judged == 1 { "run" } else { "runs" };
    let mut counts =
        format!("  {} {runs} judged: {} good ({:.1} %)", one.judged, one.good, percent(one.good));
    for (n, what) in [(one.flaky, "flaky"), (one.bad, "red"), (one.unjudged, "not judged")] {
        if n > 0 {
            counts.push_str(&format!(", {n} {what}"));
        }
    }
    lines.push(counts);
    if let Some(bound) = one.flake_rate_below {
        let rate = percent(one.flaky);
        lines.push(format!("  flake rate {rate:.1} %, below {:.1} % with 95 % confidence", bound * 100.0));
    }
    let spreads =
        one.took.iter().map(|took| ("passes", took)).chain(one.phases.iter().map(|(p, s)| (p.as_str(), s)));
    for (what, spread) in spreads {
        lines.push(format!("  {what}: p50 {}, p95 {}", show(spread.p50), show(spread.p95)));
    }
    if let Some(slow) = &one.slow {
        let (took, p95) = (show(slow.took_ms), show(slow.p95));
        lines.push(format!("  slow: {} took {took}; 95 of 100 before it took at most {p95}", slow.run));
    }
    for (cause, times) in &one.causes {
        lines.push(format!("  cause {cause}: {times} ×"));
    }
    lines
}
