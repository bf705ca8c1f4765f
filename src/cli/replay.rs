//! `lifecycle replay`: every decision of a run taken again, and every red of it named again, from its log alone.

use std::collections::BTreeMap;

use clap::Args;

use super::failure::CliError;
use super::format::FormatArgs;
use super::{Shell, format};
use crate::domain::ExitCode;
use crate::domain::words::count;
use crate::event::StepOutcome;
use crate::mechanism::again::{Again, judge};
use crate::mechanism::catalogue;
use crate::report::text::clean;
use crate::runner::again::{Decision, Now, decide};
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
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Says what changed; 1 when something did.
pub(crate) fn run(args: &ReplayArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let opened = recorded::open(&args.run, shell)?;
    let state = recorded::state(opened.folder())?;
    let unreadable = |e: crate::event::LogError| CliError::new(ExitCode::Environment, e.to_string());
    let judged = judge(catalogue::shipped(), opened.folder()).map_err(unreadable)?;
    let today = recorded::today(&state, shell)?;
    let decided = decide(opened.folder(), &today).map_err(unreadable)?;
    let is_meant = |name: &str| {
        args.scenario
            .as_deref()
            .is_none_or(|named| [name, without_round(name), scenario_of(name)].contains(&named))
    };
    let reds: Vec<&Again> = judged.reds.iter().filter(|red| is_meant(&red.scenario)).collect();
    let decided: Vec<&Decision> = decided.iter().filter(|one| is_meant(&one.scenario)).collect();
    if let (true, true, Some(named)) = (reds.is_empty(), decided.is_empty(), &args.scenario) {
        let text = format!("no red and no decision of {} is of `{named}`", state.identity.run);
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let counts = Counts::of(&decided);
    let changed = reds.iter().filter(|red| red.changed()).count();
    if args.format.is_json() {
        let reds: Vec<_> = reds.iter().map(|red| row(red)).collect();
        let steps: Vec<_> = decided.iter().map(|one| step(one)).collect();
        let document = serde_json::json!({
            "run": state.identity.run, "reds": reds, "decisions": steps, "same": counts.same,
            "changed": counts.changed, "diverged": counts.diverged, "not_judged": counts.unjudged,
        });
        format::print(shell, &document)?;
    } else {
        for line in reds.iter().flat_map(|red| lines(red)).chain(told(&decided)) {
            shell.printer.data(&clean(&line))?;
        }
        let not = reds.iter().filter(|red| red.now.is_none()).count();
        let lost = if not == 0 { String::new() } else { format!(", {not} not recorded") };
        shell.printer.data(&format!("{}, {changed} named otherwise{lost}", count(reds.len(), "red")))?;
        let Counts { same, changed, diverged, unjudged } = &counts;
        shell.printer.data(&format!(
            "{} decisions: {same} the same, {changed} otherwise, {diverged} diverged, {unjudged} cannot be judged again",
            decided.len()
        ))?;
    }
    let all_same = changed + counts.changed + counts.diverged == 0;
    Ok(if all_same { ExitCode::Passed } else { ExitCode::Failed })
}

/// How many decisions came to what.
#[derive(Default)]
struct Counts {
    same: usize,
    changed: usize,
    diverged: usize,
    unjudged: usize,
}

impl Counts {
    fn of(decided: &[&Decision]) -> Counts {
        let mut counts = Counts::default();
        for one in decided {
            match one.now {
                Now::Diverged(_) => counts.diverged += 1,
                Now::Unjudged(_) => counts.unjudged += 1,
                Now::Holds | Now::Fails(_) if one.changed() => counts.changed += 1,
                Now::Holds | Now::Fails(_) => counts.same += 1,
            }
        }
        counts
    }
}

/// What is not as it was, a line each; what cannot be judged, a line for each reason.
fn told(decided: &[&Decision]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut reasons: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for one in decided {
        let place = place(one);
        match &one.now {
            Now::Holds if one.changed() => {
                lines.push(format!("changed       {place}: holds now; then: {}", one.said))
            }
            Now::Fails(why) if one.changed() => {
                lines.push(format!("changed       {place}: passed then; now: {why}"))
            }
            Now::Holds | Now::Fails(_) => {}
            Now::Diverged(why) => lines.push(format!("diverged      {place}: {why}")),
            Now::Unjudged(lack) => reasons.entry(lack.to_string()).or_insert_with(|| (0, place)).0 += 1,
        }
    }
    let unjudged = |(reason, (count, first)): (String, (usize, String))| {
        let more = if count == 1 { String::new() } else { format!(" and {} more", count - 1) };
        format!("not judged    {first}{more}: cannot be judged again: {reason}")
    };
    lines.extend(reasons.into_iter().map(unjudged));
    lines
}

fn place(one: &Decision) -> String {
    let attempt = if one.attempt > 1 { format!(" attempt {}", one.attempt) } else { String::new() };
    format!("{} step {}{attempt} ({})", one.scenario, one.step, one.verb)
}

fn step(one: &Decision) -> serde_json::Value {
    let (now, why) = match &one.now {
        Now::Holds => ("holds", None),
        Now::Fails(why) => ("fails", Some(why.clone())),
        Now::Diverged(why) => ("diverged", Some(why.clone())),
        Now::Unjudged(lack) => ("not_judged", Some(lack.to_string())),
    };
    serde_json::json!({
        "scenario": one.scenario, "step": one.step, "attempt": one.attempt, "verb": one.verb,
        "passed_then": one.then == StepOutcome::Passed, "now": now, "why": why, "changed": one.changed(),
    })
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
