//! Every fault of the wire in each phase of every scenario: no wrong red, no hang, budgets kept.
//!
//! CI runs some scenarios, each row a test; `LIFECYCLE_SOAK=1` runs all of them in one more, and `UPDATE_DOCS=1` with it writes
//! `docs/transport.md`'s table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use lifecycle_harness::facade::scenario::{load, shipped, shipped_fragments};

use super::harness::{Harness, Output, of_kind, rows, soak, switch, word};
use super::platform::Platform;
use super::proxy::{ALL, Mischief, Proxy, Rule, lost_answers};

/// Where the wire is bad, by the beginning of request lines, and how often.
type Phase = (&'static str, &'static str, usize);
const READS: Phase = ("reads", "GET ", 5);
const MUTATIONS: Phase = ("mutations", "POST ", 4);
const CLEAN_UP: Phase = ("clean-up", "DELETE ", 2);
/// What CI runs: each way of waiting, asserting and sending once.
const FEW: [&str; 4] = ["local-provision", "local-secret-write", "external-poll-mode", "registry-refusals"];

/// Budgets by scenario, without the matrix's values.
fn budgets() -> BTreeMap<String, Duration> {
    let fragments = shipped_fragments();
    let scenario = |file| load(file, &fragments).scenario.unwrap();
    shipped().iter().map(scenario).map(|s| (s.name.clone(), s.budget)).collect()
}

/// What one run came to, and every scenario of it that is wrong.
struct Row {
    mischief: Mischief,
    phase: &'static str,
    spoilt: usize,
    counts: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

fn judge(mischief: Mischief, phase: &'static str, spoilt: usize, output: &Output) -> Row {
    static BUDGETS: LazyLock<BTreeMap<String, Duration>> = LazyLock::new(budgets);
    let events = output.events();
    let mut row = Row { mischief, phase, spoilt, counts: BTreeMap::new(), wrong: Vec::new() };
    for finished in of_kind(&events, "scenario_finished") {
        let (name, verdict) = (word(&finished["scenario"]), word(&finished["verdict"]));
        let kind = match (verdict.as_str(), finished["class"].as_str().unwrap_or_default()) {
            ("passed" | "expected_failure", _) => "passed",
            ("skipped", _) => "skipped",
            ("flaky", _) => "flaky",
            ("error", _) => "infra",
            (_, "infra") => "infra",
            _ => "wrong",
        };
        *row.counts.entry(kind).or_default() += 1;
        let took = Duration::from_millis(finished["took_ms"].as_u64().unwrap_or_default());
        let budget = BUDGETS.get(name.split('[').next().unwrap_or_default()).copied();
        let late = budget.is_some_and(|budget| took > budget.mul_f64(1.1));
        if kind == "wrong" || late {
            row.wrong.push(format!("{name} {verdict} after {took:?}: {}", word(&finished["reason"])));
        }
    }
    if !matches!(output.code(), Some(0 | 3 | 4 | 6)) {
        row.wrong.push(format!("exit {:?}", output.code()));
    }
    row
}

fn measured((phase, begins, every): Phase, mischief: Mischief, scenarios: &[&str]) -> Row {
    let all = scenarios.is_empty();
    // A platform for each: what one run leaves is not another one's.
    // A read that hangs for 5 s is a hundred on a fast clock: more than an agent may be silent. So is what two cores
    // need for the huge answers to all scenarios at once.
    let scale = if matches!(mischief, Mischief::Hang | Mischief::Huge) { "5" } else { "20" };
    let platform = Platform::start(["--time-scale", if all { scale } else { "10" }]);
    // A mutation is done and its answer lost: the harder half. Whoever limits rates has done nothing.
    let reaches = phase != "reads" && mischief != Mischief::Status429;
    let proxy = Proxy::before(&platform, Some(Rule { mischief, begins, every, reaches }));
    let mut run = Harness::new().args(["run", "-q", "--patience", "20s"]).args(scenarios.iter().copied());
    for name in ["ONLINE_TIMEOUT", "RESTART_TIMEOUT", "A2A_TIMEOUT"] {
        // What hangs is waited for as long as the step may take.
        run = run.env(name, if all { "60" } else { "12" });
    }
    let output = run.at(&proxy.base).run();
    let row = judge(mischief, phase, proxy.spoilt(), &output);
    println!("{mischief:?} {phase}: {:?} {:?}", row.counts, row.wrong);
    row
}

fn few(phase: Phase, mischief: Mischief) {
    let row = measured(phase, mischief, &FEW);
    assert!(row.wrong.is_empty(), "{}", row.wrong.join("\n"));
    assert!(row.spoilt > 0, "it was never met");
}

mod no_fault_of_reads_is_a_red_of_the_platform {
    use super::*;
    lost_answers!(rows! |mischief| few(READS, mischief));
    rows! { |mischief| few(READS, mischief); status_429: Mischief::Status429 }
}

mod no_fault_of_mutations_is_a_red_of_the_platform {
    use super::*;
    lost_answers!(rows! |mischief| few(MUTATIONS, mischief));
    rows! { |mischief| few(MUTATIONS, mischief); status_429: Mischief::Status429 }
}

mod no_fault_of_clean_up_is_a_red_of_the_platform {
    use super::*;
    lost_answers!(rows! |mischief| few(CLEAN_UP, mischief));
    rows! { |mischief| few(CLEAN_UP, mischief); status_429: Mischief::Status429 }
}

/// One after another: all scenarios at once are enough for two cores.
#[test]
fn no_fault_of_the_wire_is_a_red_in_any_scenario() {
    if !soak() {
        return;
    }
    let phases = [READS, MUTATIONS, CLEAN_UP];
    let rows: Vec<Row> =
        phases.iter().flat_map(|phase| ALL.map(|mischief| measured(*phase, mischief, &[]))).collect();
    let mut text = String::from(
        "| fault | phase | spoilt | passed | environment | flaky | wrong |\n|---|---|---|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for row in &rows {
        let count = |kind: &str| row.counts.get(kind).copied().unwrap_or_default();
        let cells = [count("passed"), count("infra"), count("flaky"), count("wrong")].map(|n| n.to_string());
        let _ =
            writeln!(text, "| {:?} | {} | {} | {} |", row.mischief, row.phase, row.spoilt, cells.join(" | "));
        wrong.extend(row.wrong.iter().map(|w| format!("{:?} {}: {w}", row.mischief, row.phase)));
    }
    println!("{text}");
    assert!(wrong.is_empty(), "{}\n{text}", wrong.join("\n"));
    assert!(rows.iter().all(|row| row.spoilt > 0), "a fault was never met\n{text}");
    if switch("UPDATE_DOCS").as_deref() == Some("1") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/transport.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, _) = page.split_once("<!-- table -->").unwrap();
        std::fs::write(path, format!("{before}<!-- table -->\n\n{text}")).unwrap();
    }
}
