//! Every fault of the wire in each phase of every scenario: no wrong red, no hang, budgets kept.
//!
//! CI runs some scenarios; `LIFECYCLE_SOAK=1` runs all of them, and `UPDATE_DOCS=1` with it writes
//! `docs/transport.md`'s table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use lifecycle_harness::facade::scenario::{load, shipped, shipped_fragments};

use super::harness::{Harness, Output, few_at_once, of_kind, word};
use super::platform::Platform;
use super::proxy::{ALL, Mischief, Proxy, Rule};

/// Where the wire is bad, by the beginning of request lines, and how often.
const PHASES: [(&str, &str, usize); 3] =
    [("reads", "GET ", 5), ("mutations", "POST ", 4), ("clean-up", "DELETE ", 2)];
/// What CI runs: each way of waiting, asserting and sending once.
const FEW: [&str; 4] = ["local-provision", "local-secret-write", "external-poll-mode", "registry-refusals"];

#[expect(clippy::disallowed_methods, reason = "a switch of the test itself")]
fn set(name: &str) -> bool {
    std::env::vars().any(|(n, value)| n == name && value == "1")
}

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

fn table(scenarios: &[&str]) -> Vec<Row> {
    let phases = PHASES.iter().flat_map(|phase| ALL.map(|mischief| (*phase, mischief)));
    if scenarios.is_empty() {
        // All scenarios at once are enough for two cores.
        return phases.map(|row| measured(row, scenarios)).collect();
    }
    few_at_once(phases, |row| measured(row, scenarios))
}

fn measured(
    ((phase, begins, every), mischief): ((&'static str, &'static str, usize), Mischief),
    scenarios: &[&str],
) -> Row {
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

#[test]
fn no_fault_of_the_wire_is_a_red_of_the_platform() {
    let rows = if set("LIFECYCLE_SOAK") { table(&[]) } else { table(&FEW) };
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
    if set("LIFECYCLE_SOAK") && set("UPDATE_DOCS") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/transport.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, _) = page.split_once("<!-- table -->").unwrap();
        std::fs::write(path, format!("{before}<!-- table -->\n\n{text}")).unwrap();
    }
}
