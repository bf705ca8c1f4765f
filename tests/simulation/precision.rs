//! What is named when something is wrong: every fault of the reference platform in every shipped scenario, on both
//! editions. A wrong name is an error; a name that is missing is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lifecycle_harness::facade::behaviour::Edition;
use lifecycle_harness::facade::domain::ExitCode;
use lifecycle_harness::facade::event::{Class, Diagnosis, EventKind, ScenarioFinished, Verdict};
use lifecycle_harness::facade::reference::fault_runs;
use lifecycle_harness::facade::reference::faults::{self, Fault, FaultInfo};
use lifecycle_harness::facade::reference::options::{AgentKind, BootTiming};
use lifecycle_harness::facade::scenario::{expand_matrix, scenario_of};

use super::case::{Case, Cut, SCENARIOS, Server, Trouble};
use super::play::{self, Played};
use super::replay;
use super::seeds::{examine, keep_log, number};

/// Of so many runs one is played; all with `LIFECYCLE_PRECISION=all`.
const SAMPLE: usize = 48;
/// So many healthy runs are played on servers and with agents of every kind; `LIFECYCLE_HEALTHY` says otherwise.
const HEALTHY: u64 = 24;

fn all() -> bool {
    std::env::var("LIFECYCLE_PRECISION").is_ok_and(|value| value == "all")
}

/// A run on a clock that is no faster than a real server's.
fn case(scenario: &str, edition: Edition, faults: &[&str]) -> Case {
    Case {
        seed: 7,
        instances: vec![scenario.to_owned()],
        own: None,
        jobs: 1,
        max_fail: None,
        time_scale: 1.0,
        keys: false,
        strangers: 0,
        late_stranger: None,
        latency: Duration::ZERO,
        trouble: Trouble::Platform(faults.iter().map(|fault| (*fault).to_owned()).collect()),
        cut: Cut::None,
        row: None,
        inputs: BTreeMap::new(),
        swept_at_once: false,
        server: Server { edition, ..Server::default() },
        plane: false,
        spread: None,
    }
}

/// What came of a run of one scenario.
struct Told {
    finished: Option<ScenarioFinished>,
    diagnosis: Option<Diagnosis>,
    exit: Option<i32>,
}

impl Told {
    fn of(played: &Played) -> Told {
        let finished = played.events.iter().find_map(|event| match &event.event {
            EventKind::ScenarioFinished(one) => Some((**one).clone()),
            _ => None,
        });
        let diagnosis = played.events.iter().find_map(|event| match &event.event {
            EventKind::Diagnosed(diagnosis) => Some((**diagnosis).clone()),
            _ => None,
        });
        Told { finished, diagnosis, exit: played.exit().map(|exit| i32::from(exit.code())) }
    }

    /// Red, and not by what the scenario expects.
    fn is_red(&self) -> bool {
        self.finished.as_ref().is_some_and(|one| {
            matches!(one.verdict, Verdict::Failed | Verdict::Inconclusive | Verdict::Error)
        })
    }

    fn mechanism(&self) -> &str {
        self.diagnosis.as_ref().map_or("", |diagnosis| &diagnosis.mechanism)
    }

    fn class(&self) -> Class {
        self.finished.as_ref().and_then(|one| one.class).unwrap_or_default()
    }
}

/// What is known of the names that were given.
#[derive(Default)]
struct Figures {
    runs: usize,
    red: usize,
    right: usize,
    missing: Vec<String>,
    wrong: Vec<String>,
    /// Faults that turned a run red or were told.
    noticed: BTreeSet<&'static str>,
    by_name: BTreeMap<(&'static str, String), usize>,
    /// Decisions of reds that were taken again, and what came out otherwise from the log alone.
    decided: usize,
    otherwise: Vec<String>,
}

impl Figures {
    fn count(&mut self, fault: &FaultInfo, edition: Edition, scenario: &str, told: &Told) {
        self.runs += 1;
        // A run that does not begin says so by its exit.
        if told.exit == Some(3) {
            self.noticed.insert(fault.name);
        }
        if !told.is_red() {
            return;
        }
        self.red += 1;
        self.noticed.insert(fault.name);
        let name = told.mechanism().to_owned();
        *self.by_name.entry((fault.name, name.clone())).or_default() += 1;
        let shown = |told: &Told| {
            let diagnosis = told.diagnosis.clone().unwrap_or_default();
            let reason = told.finished.as_ref().map(|one| one.reason.clone()).unwrap_or_default();
            format!(
                "{} on {edition} in {scenario}: {}, exit {:?}\n    {reason}\n    evidence {:?}\n    nearest {:?}\n    also {:?}",
                fault.name,
                diagnosis.fingerprint,
                told.exit,
                diagnosis.evidence,
                diagnosis.nearest,
                diagnosis.also_seen.iter().map(|also| &also.mechanism).collect::<Vec<_>>()
            )
        };
        if fault.fault.mechanisms().contains(&name.as_str()) {
            self.right += 1;
            // The class decides over the exit, wherever it is named.
            let class = told.class().exit().code();
            if told.exit != Some(i32::from(class)) && told.exit != Some(4) {
                self.wrong.push(format!("class {:?} and {}", told.class(), shown(told)));
            }
        } else if name == "unclassified" || name.is_empty() {
            self.missing.push(shown(told));
        } else {
            self.wrong.push(shown(told));
        }
    }

    fn print(&self) {
        for ((fault, name), count) in &self.by_name {
            println!("{fault:28} {count:4}  {name}");
        }
        for line in &self.missing {
            println!("not named: {line}");
        }
        let named = self.right + self.wrong.len();
        println!(
            "{} runs, {} red: {} named rightly, {} wrongly, {} not named: precision {:.1} %, recall {:.1} %",
            self.runs,
            self.red,
            self.right,
            self.wrong.len(),
            self.missing.len(),
            percent(self.right, named),
            percent(self.right, self.red)
        );
        println!("{} decisions of them taken again, {} otherwise", self.decided, self.otherwise.len());
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 100.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// The first instance of each scenario.
fn instances() -> Vec<String> {
    SCENARIOS.iter().map(|scenario| expand_matrix(scenario).swap_remove(0).name).collect()
}

/// Plays what falls to one of the tests that share the table; the scenarios that are known to notice a fault always.
fn table(edition: Edition) {
    let began = Instant::now();
    let only = std::env::var("LIFECYCLE_FAULT").ok();
    let mut figures = Figures::default();
    let mut number = 0;
    let played = || faults::ALL.iter().filter(|info| only.as_deref().is_none_or(|name| name == info.name));
    for info in played() {
        let known: Vec<&str> = fault_runs::TABLE
            .iter()
            .filter(|run| run.name() == info.name && run.verdict == Some("failed"))
            .filter_map(|run| run.scenarios.first().copied())
            .collect();
        for scenario in instances() {
            number += 1;
            if !all() && number % SAMPLE != 0 && !known.contains(&scenario_of(&scenario)) {
                continue;
            }
            let played = play::play(&case(&scenario, edition, &[info.name]));
            let told = Told::of(&played);
            if told.is_red() {
                let (lines, judged) = replay::otherwise(&played);
                figures.decided += judged;
                figures
                    .otherwise
                    .extend(lines.iter().map(|line| format!("{}, {edition}: {line}", info.name)));
            }
            figures.count(info, edition, &scenario, &told);
        }
    }
    figures.print();
    println!("{edition}: {:.1} s", began.elapsed().as_secs_f64());
    assert!(figures.wrong.is_empty(), "{}", figures.wrong.join("\n"));
    assert!(figures.otherwise.is_empty(), "replayed otherwise:\n{}", figures.otherwise.join("\n"));
    let recall = percent(figures.right, figures.red);
    assert!(recall >= 95.0, "{recall:.1} % of the reds are named:\n{}", figures.missing.join("\n"));
    let unseen: Vec<&str> = played()
        .map(|info| info.name)
        .filter(|name| all() && !figures.noticed.contains(name) && !BORNE.contains(name))
        .collect();
    assert!(unseen.is_empty(), "no scenario notices {unseen:?}");
}

/// Faults that must not turn a run red: the harness bears them, and says so where there is something to say.
const BORNE: [&str; 4] = ["old-lingers", "create-duplicates-on-retry", "delete-busy", "delete-later"];

#[test]
fn faults_are_named_on_june() {
    table(Edition::MidJune);
}

#[test]
fn faults_are_named_on_august() {
    table(Edition::MidAugust);
}

/// When a fault shows in `local-provision`, the earlier the lower; the same number: at the same step.
const IN_TIME: [(Fault, u8); 13] = [
    (Fault::BootFailed, 1),
    (Fault::NeverOnline, 2),
    (Fault::UrlUnroutable, 2),
    (Fault::NoProjection, 3),
    (Fault::BaseUrlDoubleV1, 3),
    (Fault::Agent401, 3),
    (Fault::EmptyCompletion, 9),
    (Fault::ErrorAsText, 9),
    (Fault::ConfigVolumeLost, 5),
    (Fault::TokenLostOnRestart, 6),
    (Fault::ProjectionLostOnRestart, 5),
    (Fault::RestartNoop, 5),
    (Fault::RestartContextSource, 8),
];

/// So many pairs of them are played; all with `LIFECYCLE_PRECISION=all`.
const PAIRS: usize = 30;

/// Two faults at once: named is the one that shows first, never a third.
#[test]
fn of_two_causes_the_first_is_named() {
    let mut pairs = Vec::new();
    for (at, one) in IN_TIME.iter().enumerate() {
        pairs.extend(IN_TIME[at + 1..].iter().map(|other| (*one, *other)));
    }
    let (mut wrong, mut first, mut second) = (Vec::new(), 0, 0);
    let played = if all() { pairs.len() } else { PAIRS };
    let pairs: Vec<_> = (0..played).map(|n| pairs[n * pairs.len() / played]).collect();
    for ((one, early), (other, late)) in &pairs {
        let names = [one.info().name, other.info().name];
        let told = Told::of(&play::play(&case("local-provision", Edition::MidAugust, &names)));
        let is = |fault: &Fault, name: &str| fault.mechanisms().contains(&name);
        let right = match early.cmp(late) {
            std::cmp::Ordering::Less => is(one, told.mechanism()),
            std::cmp::Ordering::Greater => is(other, told.mechanism()),
            std::cmp::Ordering::Equal => is(one, told.mechanism()) || is(other, told.mechanism()),
        };
        let also: Vec<String> =
            told.diagnosis.iter().flat_map(|d| &d.also_seen).map(|a| a.mechanism.clone()).collect();
        first += usize::from(right);
        second += usize::from(also.iter().any(|name| is(one, name) || is(other, name)));
        println!("{} + {}: {}, also seen {also:?}", names[0], names[1], told.mechanism());
        if !right {
            let reason = told.finished.map(|one| one.reason).unwrap_or_default();
            wrong.push(format!("{names:?}: {reason}"));
        }
    }
    println!("{} pairs: the first is named in {first}, the second also seen in {second}", pairs.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A message that wakes a workspace is an edge: what its instance lacks was lost over that, and not never there.
#[test]
fn what_a_wake_loses_was_lost_over_an_edge() {
    for fault in [Fault::ProjectionLostOnRestart, Fault::TokenLostOnRestart] {
        let told =
            Told::of(&play::play(&case("local-hibernate-restart", Edition::MidAugust, &[fault.info().name])));
        let reason = told.finished.as_ref().map(|one| one.reason.clone());
        assert!(
            fault.mechanisms().contains(&told.mechanism()),
            "{fault:?}: {:?} {reason:?}",
            told.mechanism()
        );
    }
}

/// Servers of both editions, slow within their limits, with agents that are not ours: nothing red, nothing explained.
#[test]
fn nothing_is_explained_where_nothing_is_wrong() {
    let began = Instant::now();
    let first = number("LIFECYCLE_FIRST_SEED").unwrap_or(0);
    let runs = number("LIFECYCLE_HEALTHY").unwrap_or(HEALTHY);
    let mut wrong = Vec::new();
    for seed in first..first + runs {
        let agent = [AgentKind::Reference, AgentKind::Stub, AgentKind::Echo][(seed % 3) as usize];
        let slow = [BootTiming::default(), SLOW][(seed / 6 % 2) as usize];
        let server = Server {
            edition: Edition::ALL[(seed / 3 % 2) as usize],
            expected: None,
            agent,
            boot: slow,
            closed: agent != AgentKind::Reference,
        };
        let case = Case { server, time_scale: 1.0, keys: true, ..Case::healthy(2_000_000 + seed) };
        let (played, mut found) = examine(&case);
        found.extend(replay::otherwise(&played).0);
        // A server that shows nothing may leave nothing to do; what ran was green.
        if played.exit() == Some(ExitCode::NotLive) && all_skipped(&played) {
            found.retain(|text| !text.contains("NotLive"));
        }
        if runs == 1 {
            keep_log(&played);
        }
        if !found.is_empty() {
            wrong.push(format!(
                "seed {seed} {:?} {:?}\n- {}",
                case.instances,
                case.server,
                found.join("\n- ")
            ));
        }
    }
    println!("{runs} runs in {:.1} s", began.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{} of {runs}:\n{}", wrong.len(), wrong.join("\n"));
}

fn all_skipped(played: &Played) -> bool {
    played.events.iter().all(|event| match &event.event {
        EventKind::ScenarioFinished(one) => one.verdict == Verdict::Skipped,
        _ => true,
    })
}

/// Half of what the shortest of the shipped waits gives.
pub(crate) const SLOW: BootTiming =
    BootTiming { provision: Duration::from_secs(20), jitter: 0.3, stop: Duration::from_millis(800) };

/// Runs across editions: what one edition promises is expected of a server that is the other. All that comes of it is
/// that the contract differs: no red of life, and no mechanism.
#[test]
fn another_edition_than_the_expected_one_is_drift_and_nothing_else() {
    let began = Instant::now();
    let [june, august] = [Edition::MidJune, Edition::MidAugust];
    let (mut wrong, mut runs, mut drifting) = (Vec::new(), 0, 0);
    for (expected, edition) in [(june, august), (august, june)] {
        let mut behaviours = BTreeSet::new();
        for (number, scenario) in instances().into_iter().enumerate() {
            if !all() && number % ACROSS != 0 && !GUARDS.contains(&scenario.as_str()) {
                continue;
            }
            let server = Server { edition, expected: Some(expected), ..Server::default() };
            let played = play::play(&Case { server, keys: true, ..case(&scenario, edition, &[]) });
            runs += 1;
            let told = Told::of(&played);
            let drifts = played.events.iter().filter_map(|event| match &event.event {
                EventKind::Drifted(drifted) => Some(drifted.drift.behaviour.as_str()),
                _ => None,
            });
            let drifts: Vec<&str> = drifts.collect();
            behaviours.extend(drifts.iter().copied());
            drifting += usize::from(!drifts.is_empty());
            let differs = played.finished().is_some_and(|f| f.reason.contains("contract differs"));
            let name = format!("{scenario}, {expected} expected of {edition}");
            let expected = told.finished.as_ref().is_some_and(|one| one.verdict == Verdict::ExpectedFailure);
            if told.is_red() || !(expected || told.mechanism().is_empty()) {
                let reason = told.finished.as_ref().map(|one| one.reason.clone()).unwrap_or_default();
                wrong.push(format!("{name}: {} {reason}", told.mechanism()));
            } else if told.exit != Some(1) || !differs {
                wrong.push(format!(
                    "{name}: exit {:?}, {:?}",
                    told.exit,
                    played.finished().map(|f| &f.reason)
                ));
            }
        }
        println!("{expected} expected of {edition}: {behaviours:?}");
    }
    println!("{runs} runs, {drifting} with drift, in {:.1} s", began.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{} of {runs}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Of so many scenarios one is played across editions, and always those that guard what the editions differ in.
const ACROSS: usize = 12;
const GUARDS: [&str; 8] = [
    "local-provision",
    "local-pause-resume",
    "local-hibernate-wake",
    "local-env-projection-minimax",
    "local-secret-write",
    "external-poll-mode",
    "external-queued-while-away",
    "access-health",
];
