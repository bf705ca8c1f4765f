//! What holds after every run, whatever happened to it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use lifecycle_harness::facade::domain::ExitCode;
use lifecycle_harness::facade::event::{CancelReason, Class, EventKind, ScenarioFinished, Verdict};

use lifecycle_harness::facade::reference::fault_runs::FaultRun;

use super::case::{Case, Cut, OF_TENANTS};
use super::play::Played;
use super::world::{ADMIN_TOKEN, KEYS, SHARED_SECRET};

/// What does not hold.
pub(crate) fn broken(case: &Case, played: &Played) -> Vec<String> {
    let mut wrong = Vec::new();
    let killed = matches!(case.cut, Cut::Kill(_));
    if played.hung {
        wrong.push("the run did not end in four hours".to_owned());
    }
    if let Some(why) = &played.unreadable {
        wrong.push(format!("the log does not read back: {why}"));
    }
    // Those of a killed process are gone with it.
    if played.alive > 0 && !killed {
        wrong.push(format!("{} tasks outlive the run", played.alive));
    }
    if !played.lost_strangers.is_empty() {
        wrong.push(format!("workspaces of others are gone: {:?}", played.lost_strangers));
    }
    if let Some(first) = played.early.first() {
        let more = played.early.len() - 1;
        wrong.push(format!("{first} left before the control plane's limit was over, and {more} more"));
    }
    secrets(played, &mut wrong);
    let ended = played.finished().is_some();
    match &played.ran {
        Some(Ok(code)) if Some(*code) != played.exit() => {
            wrong.push(format!("the process ends with {code:?}, the log with {:?}", played.exit()));
        }
        None if !killed && !played.hung => wrong.push("it neither ended nor hung".to_owned()),
        _ => {}
    }
    if !killed && !ended && !played.hung {
        wrong.push(format!("the log has no end: {:?}", played.ran));
    }
    if ended {
        settled(played, &mut wrong);
        left(played, &mut wrong);
        exit(played, &mut wrong);
    }
    swept(played, &mut wrong);
    prompt(played, &mut wrong);
    paced(case, played, &mut wrong);
    if let Some(row) = case.row {
        by_the_table(row, played, &mut wrong);
    }
    if case.is_healthy() {
        healthy(played, &mut wrong);
    }
    wrong
}

/// No credential that was anywhere on the wire is in the log, in no encoding.
fn secrets(played: &Played, wrong: &mut Vec<String>) {
    let planted = KEYS.iter().map(|(_, value)| *value).chain([ADMIN_TOKEN]);
    // A wrong token that a scenario sends on purpose is no secret; what servers say among each other nobody tells a run.
    let written = |secret: &&str| {
        *secret == SHARED_SECRET || OF_TENANTS.iter().any(|scenario| scenario.source.text.contains(*secret))
    };
    let seen = played.credentials.iter().map(String::as_str).filter(|secret| !written(secret));
    for secret in seen.chain(planted).filter(|s| s.len() >= 8) {
        if played.said.contains(secret) {
            wrong.push("a secret was told to a person".to_owned());
        }
        let encoded = [STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
        if let Some(shown) =
            std::iter::once(secret).chain(encoded.iter().map(String::as_str)).find(|s| played.log.contains(s))
        {
            let line = played.log.lines().find(|line| line.contains(shown)).unwrap_or_default();
            let at = line.find(shown).unwrap_or_default();
            let from = line.floor_char_boundary(at.saturating_sub(120));
            wrong
                .push(format!("a secret is in the log: …{}", &line[from..line.floor_char_boundary(at + 60)]));
            return;
        }
    }
}

/// A step ends so soon after an interrupt.
const STEP_ENDS: u64 = 1_000;
/// The whole run does: scenarios have 90 s for their clean-up, the run its own.
const RUN_ENDS: u64 = 180_000;
/// So soon after a second interrupt.
const CUT_SHORT: u64 = 10_000;

/// Whoever interrupts does not wait: no step goes on, none begins, and the run ends.
fn prompt(played: &Played, wrong: &mut Vec<String>) {
    let (mut first, mut second) = (None, None);
    for event in &played.events {
        match &event.event {
            EventKind::CancelBegan { reason: CancelReason::SecondInterrupt } => {
                first.get_or_insert(event.ms);
                second.get_or_insert(event.ms);
            }
            EventKind::CancelBegan { reason: CancelReason::Interrupted | CancelReason::Terminated } => {
                first.get_or_insert(event.ms);
            }
            EventKind::StepFinished(step) => {
                if let Some(at) = first.filter(|at| event.ms > at + STEP_ENDS) {
                    wrong.push(format!(
                        "{} {} ended {} ms after the interrupt: {}",
                        step.scenario,
                        step.step,
                        event.ms - at,
                        step.message
                    ));
                }
            }
            EventKind::RunFinished(_) => {
                for (at, limit) in [(first, RUN_ENDS), (second, CUT_SHORT)] {
                    if let Some(took) = at.map(|at| event.ms - at).filter(|took| *took > limit) {
                        wrong.push(format!("the run ended {took} ms after the interrupt, limit {limit} ms"));
                    }
                }
            }
            _ => {}
        }
    }
}

/// A limit is obeyed by everybody: no request leaves before the server asked for it.
fn paced(case: &Case, played: &Played, wrong: &mut Vec<String>) {
    let exchanges = || {
        played.events.iter().filter_map(|event| match &event.event {
            EventKind::Exchange(one) => Some(one),
            _ => None,
        })
    };
    let windows: Vec<(u64, u64, &str)> = exchanges()
        .filter(|one| one.status == Some(429) && !one.url.ends_with("/a2a"))
        .filter_map(|one| {
            let seconds = one.headers.get("retry-after")?.parse::<f64>().ok()?;
            let told = one.started_ms + one.took_ms;
            Some((told, told + (seconds * 1_000.0 / case.time_scale) as u64, one.url.as_str()))
        })
        .collect();
    for one in exchanges() {
        let early =
            |(told, until, _): &&(u64, u64, &str)| one.started_ms > told + 1 && one.started_ms + 2 < *until;
        if let Some((told, until, url)) = windows.iter().find(early) {
            wrong.push(format!(
                "{} {} left at {} ms; by the answer to {url} of {told} ms limited until {until} ms",
                one.method, one.url, one.started_ms
            ));
        }
    }
}

/// The table of faults holds in simulated time too.
fn by_the_table(row: &FaultRun, played: &Played, wrong: &mut Vec<String>) {
    let verdicts = played.events.iter().filter_map(|event| match &event.event {
        EventKind::ScenarioFinished(one) => Some(one.verdict.as_str()),
        _ => None,
    });
    for verdict in verdicts.filter(|verdict| Some(*verdict) != row.verdict) {
        wrong.push(format!("{}: {verdict}, by the table {:?}", row.fault, row.verdict));
    }
    if played.exit().map(|exit| i32::from(exit.code())) != Some(row.exit) {
        wrong.push(format!("{}: exit {:?}, by the table {}", row.fault, played.exit(), row.exit));
    }
    let mechanisms = played.events.iter().filter_map(|event| match &event.event {
        EventKind::Diagnosed(diagnosis) => Some(diagnosis.mechanism.as_str()),
        _ => None,
    });
    for mechanism in mechanisms.filter(|mechanism| *mechanism != row.mechanism) {
        wrong.push(format!("{}: {mechanism}, by the table {}", row.fault, row.mechanism));
    }
}

/// Every intent is released or told.
fn settled(played: &Played, wrong: &mut Vec<String>) {
    let mut open = BTreeMap::new();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &played.events {
        match &event.event {
            EventKind::Intent(intent) => {
                open.insert(intent.resource.as_str(), &intent.name);
            }
            EventKind::Released(released) => {
                let ends = ends.entry(&released.resource).or_default();
                // What was left may go with its organisation: then that is how it ended.
                *ends = if *ends == 1 && released.by == "went with its organisation" { 1 } else { *ends + 1 };
                open.remove(released.resource.as_str());
            }
            EventKind::Left(left) => {
                *ends.entry(&left.resource).or_default() += 1;
                open.remove(left.resource.as_str());
            }
            _ => {}
        }
    }
    for (resource, name) in open {
        wrong.push(format!("{resource} ({name}) was intended, and never released nor told"));
    }
    for (resource, times) in ends.into_iter().filter(|(_, times)| *times > 1) {
        wrong.push(format!("{resource} ended {times} times"));
    }
}

/// What could not be removed, and did not go with its organisation after that.
fn finally_left(played: &Played) -> BTreeSet<&str> {
    let mut left = BTreeSet::new();
    for event in &played.events {
        match &event.event {
            EventKind::Left(one) => {
                left.insert(one.resource.as_str());
            }
            EventKind::Released(one) => {
                left.remove(one.resource.as_str());
            }
            _ => {}
        }
    }
    left
}

/// Whatever is on the platform was told.
fn left(played: &Played, wrong: &mut Vec<String>) {
    let mut told = BTreeSet::new();
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for event in &played.events {
        match &event.event {
            EventKind::Owned(owned) => {
                ids.insert(&owned.resource, &owned.id);
            }
            EventKind::Warning { text, .. } => {
                told.extend(
                    text.split_once(": it ")
                        .filter(|(_, what)| what.contains("`lifecycle sweep`"))
                        .map(|(name, _)| name),
                );
            }
            EventKind::Left(left) => {
                told.extend(left.id.as_deref());
                told.extend(ids.get(left.resource.as_str()).copied());
                told.insert(&left.name);
            }
            _ => {}
        }
    }
    for (id, name) in &played.after_run.rows {
        let base = name.split(" (").next().unwrap_or(name);
        if !told.contains(id.as_str()) && !told.contains(name.as_str()) && !told.contains(base) {
            wrong.push(format!("{name} {id} is still there, and nobody was told"));
        }
    }
    let names = names(played);
    for id in &played.after_run.instances {
        let name = names.get(id.as_str()).copied().unwrap_or(id);
        let told = told.contains(id.as_str()) || told.contains(name);
        if !told && !played.after_run.rows.iter().any(|(row, _)| row == id) {
            wrong.push(format!("the instance of {id} runs without a row, and nobody was told"));
        }
    }
}

/// The exit code follows from what was filed, by the table.
fn exit(played: &Played, wrong: &mut Vec<String>) {
    let Some(finished) = played.finished() else { return };
    // It had no target: the reason is its own.
    if let Some(Err(_)) = &played.ran {
        let fits =
            [ExitCode::Environment, ExitCode::Interrupted, ExitCode::Terminated].contains(&finished.exit);
        // The proxy of the platform's models is asked before an organisation is made.
        let no_proxy = finished.exit == ExitCode::DependencyDown && finished.reason.contains("DEP-DOWN");
        let fits = fits || no_proxy;
        let has_left = !finally_left(played).is_empty();
        if !fits || has_left == finished.left.is_empty() {
            wrong.push(format!("without a target: exit {:?}, left {:?}", finished.exit, finished.left));
        }
        return;
    }
    let mut codes = BTreeSet::new();
    let has_left = !finally_left(played).is_empty();
    let mut verdicts: Vec<&ScenarioFinished> = Vec::new();
    let mut worst: Option<CancelReason> = None;
    for event in &played.events {
        match &event.event {
            EventKind::CancelBegan { reason } => worst = worst.max(Some(*reason)),
            EventKind::ScenarioFinished(one) => verdicts.push(one),
            _ => {}
        }
    }
    match worst {
        Some(CancelReason::Interrupted | CancelReason::SecondInterrupt) => {
            codes.insert(ExitCode::Interrupted)
        }
        Some(CancelReason::Terminated) => codes.insert(ExitCode::Terminated),
        Some(CancelReason::TargetDead | CancelReason::CannotWrite) => codes.insert(ExitCode::Environment),
        Some(CancelReason::Overtime) => codes.insert(ExitCode::Failed),
        Some(CancelReason::EnoughReds) | None => false,
    };
    for one in verdicts.iter().filter(|one| !one.advisory) {
        codes.extend(match one.verdict {
            Verdict::Failed | Verdict::Inconclusive => Some(match one.class.unwrap_or_default() {
                Class::Infra | Class::Harness => ExitCode::Environment,
                Class::Provider => ExitCode::DependencyDown,
                _ => ExitCode::Failed,
            }),
            Verdict::Error => Some(ExitCode::Environment),
            Verdict::UnexpectedPass | Verdict::Flaky => Some(ExitCode::Flaky),
            _ => None,
        });
    }
    // All of them were named: where each was skipped, nothing was tested.
    if !verdicts.is_empty() && verdicts.iter().all(|one| one.verdict == Verdict::Skipped) {
        codes.insert(ExitCode::NotLive);
    }
    if has_left {
        codes.insert(ExitCode::Leak);
    }
    let wanted = ExitCode::worst(&codes);
    if finished.exit != wanted {
        wrong.push(format!("exit {:?} ({}), by the table {wanted:?}", finished.exit, finished.reason));
    }
    if has_left == finished.left.is_empty() {
        wrong.push(format!("told as left: {has_left}, by the end: {:?}", finished.left));
    }
}

/// After a sweep of a platform that answers, nothing is left but what would take something of others with it.
fn swept(played: &Played, wrong: &mut Vec<String>) {
    let left: BTreeMap<&str, &str> = played
        .swept
        .events
        .iter()
        .filter_map(|event| match &event.event {
            EventKind::Left(left) => Some((left.id.as_deref().unwrap_or(&left.name), left.reason.as_str())),
            _ => None,
        })
        .collect();
    for (id, name) in &played.after_sweep.rows {
        // What may come back yet was told, with the sweep that removes it.
        if played.swept.said.iter().any(|line| line.contains(name) && line.contains("`lifecycle sweep`")) {
            continue;
        }
        let why = left.get(id.as_str()).or_else(|| left.get(name.as_str()));
        if !why.is_some_and(|why| justified(why)) {
            wrong.push(format!("{name} {id} outlives the sweep: {}", why.unwrap_or(&"untold")));
        }
    }
    let names = names(played);
    for id in &played.after_sweep.instances {
        let name = names.get(id.as_str()).copied().unwrap_or(id);
        let told = played.swept.said.iter().any(|line| line.contains(id) || line.contains(name));
        if !told && !played.after_sweep.rows.iter().any(|(row, _)| row == id) {
            wrong.push(format!("the instance of {id} outlives the sweep, and nobody was told"));
        }
    }
    for id in &played.after_second.instances {
        if !played.after_second.rows.iter().any(|(row, _)| row == id) {
            wrong.push(format!("the instance of {id} outlives a second sweep"));
        }
    }
}

/// Names by id of what the run owned.
fn names(played: &Played) -> BTreeMap<&str, &str> {
    let owned = played.events.iter().filter_map(|event| match &event.event {
        EventKind::Owned(owned) => Some((owned.id.as_str(), owned.name.as_str())),
        _ => None,
    });
    owned.collect()
}

fn justified(why: &str) -> bool {
    why.contains("of somebody else hang under it") || why.contains("the row is still there")
}

fn verdicts(played: &Played) -> impl Iterator<Item = Verdict> {
    played.events.iter().filter_map(|event| match &event.event {
        EventKind::ScenarioFinished(one) => Some(one.verdict),
        _ => None,
    })
}

/// Nothing happened: nothing is red, and nobody explains anything.
fn healthy(played: &Played, wrong: &mut Vec<String>) {
    if let Some(Err(why)) = &played.ran {
        wrong.push(format!("a run of a healthy platform did not begin: {why}"));
    }
    // Whoever puts something under what is the run's own keeps it there.
    let told = played.events.iter().filter_map(|event| match &event.event {
        EventKind::Left(left) => Some(left.reason.as_str()),
        _ => None,
    });
    let kept =
        played.exit() == Some(ExitCode::Leak) && told.clone().count() > 0 && told.clone().all(justified);
    // What was named may need what this edition does not have.
    let skipped =
        played.exit() == Some(ExitCode::NotLive) && verdicts(played).all(|one| one == Verdict::Skipped);
    if played.exit() != Some(ExitCode::Passed) && !kept && !skipped {
        let why = played.finished().map(|finished| finished.reason.as_str()).unwrap_or_default();
        wrong.push(format!("a healthy platform is red: {:?} {why}", played.exit()));
    }
    let expected: BTreeSet<&str> = played
        .events
        .iter()
        .filter_map(|event| match &event.event {
            EventKind::ScenarioFinished(one) if one.verdict == Verdict::ExpectedFailure => {
                Some(one.scenario.as_str())
            }
            _ => None,
        })
        .collect();
    for event in &played.events {
        if let EventKind::Diagnosed(diagnosis) = &event.event
            && !expected.contains(diagnosis.scenario.as_str())
        {
            wrong.push(format!("{}: {} on a healthy platform", diagnosis.scenario, diagnosis.mechanism));
        }
    }
}

/// Where two runs of one seed part.
pub(crate) fn differs(one: &str, other: &str) -> Option<String> {
    if one == other {
        return None;
    }
    let (mut ones, mut others) = (one.lines(), other.lines());
    for number in 1.. {
        match (ones.next(), others.next()) {
            (Some(a), Some(b)) if a == b => {}
            (a, b) => {
                let cut = |line: Option<&str>| line.unwrap_or("(end)").chars().take(600).collect::<String>();
                return Some(format!(
                    "the same seed gives other events from line {number} on:\n  {}\n  {}",
                    cut(a),
                    cut(b)
                ));
            }
        }
    }
    None
}
