//! Each fault of the reference platform against scenarios that must notice it: verdict and mechanism.
//!
//! `docs/faults.md` is this table.

use std::collections::BTreeMap;

use super::harness::{Harness, Output, few_at_once, of_kind, word};
use lifecycle_harness::facade::reference::fault_runs::{FaultRun as Row, TABLE};
use lifecycle_harness::facade::reference::faults::ALL;

/// Nothing but waits: a disturbed wire must not show.
const WAITS: &str = "\
scenario: waits
summary: Nothing but waits, so that a disturbed wire must not show.
tags: [fault]
needs: [managed]
budget: 3m
steps:
  - create: { as: ws, runtime: claude-code, model: auto }
  - await:  { workspace: ws, status: online, within: 60s, tolerate: { failed: 20s } }
  - hold:   { for: 60s, workspace: ws, status: online }
  - await:  { workspace: ws, status: online, within: 60s }
  - expect: { row_of: ws, json: { $.status: online }, within: 60s }
";

fn run(row: &Row) -> Output {
    let flags = ["run", "--destroy", "never", "--fault", row.fault];
    let mut harness = Harness::new().args(flags).args(row.flags.iter().copied());
    for scenario in row.scenarios {
        harness = match *scenario {
            "waits" => harness.scenario(WAITS),
            name => harness.args([name]),
        };
    }
    harness.run()
}

/// What is wrong with a run, compared with its row.
fn wrong(row: &Row, output: &Output) -> Option<String> {
    let events = output.events();
    let mechanisms: BTreeMap<String, &serde_json::Value> =
        of_kind(&events, "diagnosed").map(|d| (word(&d["scenario"]), d)).collect();
    let mut said = Vec::new();
    if output.code() != Some(row.exit) {
        said.push(format!("exit {:?} instead of {}", output.code(), row.exit));
    }
    let verdicts = output.verdicts();
    let expected = if row.verdict.is_some() { row.scenarios.len() } else { 0 };
    if verdicts.len() != expected {
        said.push(format!("{} verdicts instead of {expected}", verdicts.len()));
    }
    for (scenario, verdict) in &verdicts {
        if Some(verdict.as_str()) != row.verdict {
            said.push(format!("{scenario} {verdict}"));
        }
        let found = mechanisms.get(scenario);
        let name = found.map_or("", |d| d["mechanism"].as_str().unwrap_or_default());
        if name != row.mechanism {
            said.push(format!("{scenario} by `{name}`: {:?}", found.map(|d| &d["nearest"])));
        }
        // A named mechanism always quotes something and says what to do.
        if let Some(found) = found.filter(|_| !row.mechanism.is_empty())
            && (found["evidence"].as_array().is_none_or(Vec::is_empty)
                || word(&found["fix_shape"]).is_empty()
                || !word(&found["fingerprint"]).contains(row.mechanism))
        {
            said.push(format!("{scenario}: a diagnosis without evidence: {found}"));
        }
    }
    (!said.is_empty()).then(|| format!("{}: {}", row.fault, said.join("; ")))
}

#[test]
fn every_fault_is_noticed_by_its_mechanism() {
    let wrong: Vec<String> = few_at_once(TABLE, |row| wrong(row, &run(row))).into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_has_its_row() {
    let rows: Vec<&str> = TABLE.iter().map(Row::name).collect();
    let faults: Vec<&str> = ALL.iter().map(|info| info.name).collect();
    assert_eq!(rows, faults);
    for row in TABLE.iter().filter(|row| !row.mechanism.is_empty()) {
        assert!(
            lifecycle_harness::facade::mechanism::catalogue::find(row.mechanism).is_some(),
            "{}",
            row.mechanism
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a developer's switch, read by this test only")]
fn the_page_is_the_table() {
    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOCS, page()).unwrap();
    }
    let file = std::fs::read_to_string(DOCS).unwrap_or_default();
    assert!(
        file == page(),
        "docs/faults.md is out of date: UPDATE_DOCS=1 cargo test --test suite the_page_is_the_table"
    );
}

fn page() -> String {
    let mut page = String::from(HEAD);
    for (row, info) in TABLE.iter().zip(ALL) {
        let mut command: Vec<String> = row.scenarios.iter().map(|s| (*s).to_owned()).collect();
        command.extend(row.flags.iter().map(|f| (*f).to_owned()));
        let mechanism = match row.mechanism {
            "" => String::new(),
            name => format!("`{name}`"),
        };
        page.push_str(&format!(
            "| `{}` | {} | {} | `{}` | {} | {mechanism} | {} |\n",
            row.fault,
            info.does,
            info.historic.unwrap_or(""),
            command.join(" "),
            row.verdict.unwrap_or("the run does not begin"),
            row.exit,
        ));
    }
    page.push_str(TAIL);
    page
}

const HEAD: &str = "\
# Faults

Written by `UPDATE_DOCS=1 cargo test --test suite the_page_is_the_table` from the table that the test
`every_fault_is_noticed_by_its_mechanism` runs; do not edit.

The reference platform can be broken by name: `lifecycle run SCENARIO --fault NAME[=N]`, or
`lifecycle serve platform --fault NAME`. Each line is a run of the real program: what broke, what was run, how it ended,
and by which [mechanism](mechanisms.md) the harness explained it. `lifecycle reproduce` goes from the mechanism of a red
to its fault by the same table.

| fault | what it does | reproduces | run | verdict | mechanism | exit |
|---|---|---|---|---|---|---|
";

const TAIL: &str = "
Notes:

- `waits` is a scenario of nothing but waits. Steps that change something are not sent twice on a guess: when a fault of
  the wire hits one of those, the red is named after the wire (`server-unavailable`, `connection-cut`, `answer-is-no-json`,
  `server-hangs`, `rate-limited`) and has exit 3.
- `create-duplicates-on-retry` must not turn anything red: the workspace is found by its unique name, and a warning says so.
- `hang` stops the probes before any scenario, so that nothing is created on a server that cannot be read.
- `register-400-once` and `url-unroutable` leave `degraded` for five minutes of the platform's time. On a fast clock those
  are over before the usual deadlines, so the line slows the clock down.
- `config-volume-lost` empties the volume where a restart stops the instance; a resume does not stop one.
";

/// A scenario that goes on after a failure it survives shows what is wrong besides: the first cause is named.
#[test]
fn two_causes_are_seen_where_the_scenario_goes_on() {
    const TWO: &str = "\
scenario: two-causes
summary: Goes on after a wrong environment.
needs: [managed, env]
budget: 2m
steps:
  - create: { as: ws, runtime: claude-code, model: auto }
  - await:  { workspace: ws, status: online, within: 60s, tolerate: { failed: 20s } }
  - expect: { env_of: ws, satisfies: provider }
    gate: continue
  - note: it goes on
  - delete: ws
";
    let faults = ["run", "--destroy", "never", "--fault", "agent-401", "--fault", "delete-leaks"];
    let output = Harness::new().args(faults).scenario(TWO).run().exit(1);
    let events = output.events();
    let found: Vec<_> = of_kind(&events, "diagnosed").collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(word(&found[0]["mechanism"]), "wrong-credential-projected");
    let also = &found[0]["also_seen"][0];
    assert_eq!(
        (word(&also["mechanism"]), &also["explains"]),
        ("delete-not-removed".to_owned(), &true.into())
    );
    assert!(word(&also["summary"]).starts_with("step 5: "), "{also}");
    // Without the second fault it is red all the same, and everything after it ran.
    let output = Harness::new().args(["run", "--fault", "agent-401"]).scenario(TWO).run().exit(1);
    let events = output.events();
    let passed = of_kind(&events, "step_finished").filter(|s| s["outcome"] == "passed").count();
    assert_eq!(passed, 4);
}

/// What the log says of a red is enough to name it again.
#[test]
fn a_red_is_named_the_same_from_its_log() {
    let output = Harness::new().args(["run", "local-first-answer", "--fault", "no-projection"]).run().exit(1);
    let run = output.run_folder().display().to_string();
    let replayed = output.then(["replay", &run]).run().exit(0);
    assert!(replayed.stdout.contains("1 red, 0 named otherwise"), "{}", replayed.stdout);
    assert!(replayed.stdout.contains(" decisions: ") && replayed.stdout.contains(" 0 otherwise, 0 diverged"));
    let document = output.then(["replay", &run, "--format", "json"]).run().exit(0);
    let document: serde_json::Value = serde_json::from_str(&document.stdout).unwrap();
    assert_eq!((&document["changed"], &document["reds"][0]["changed"]), (&0.into(), &false.into()));
    assert_eq!(document["decisions"][0]["now"], "holds", "{document}");
    let tested = output.then(["mechanisms", "test", "--against", &run]).run().exit(0);
    assert!(tested.stdout.contains("runs 1, reds 1, unclassified 0 (0.0 %)"), "{}", tested.stdout);
    assert!(tested.stdout.contains("fires on steps that passed: 0 mechanisms"), "{}", tested.stdout);
    let other = output.then(["run", "local-first-answer"]).run().exit(0);
    let other = other.run_folder().display().to_string();
    let diff = output.then(["diff", &other, &run]).run().exit(1);
    assert!(diff.stdout.contains("passed / failed by projection-missing"), "{}", diff.stdout);
    assert!(diff.stdout.lines().count() <= 24, "{}", diff.stdout);
    let same = output.then(["diff", &other, &other]).run().exit(0);
    assert!(same.stdout.contains("no difference"), "{}", same.stdout);
}

/// A red that somebody knows about is told from a new one.
#[test]
fn known_reds_are_told_from_new_ones() {
    const KNOWN: &str = "- { red: local-provision/3/base-url-keeps-v1/ANTHROPIC_BASE_URL, issue: \"#2754\", until: 2099-12-31 }\n";
    const OTHER: &str = "- { red: local-provision/9/base-url-keeps-v1/ANTHROPIC_BASE_URL, issue: \"#2754\", until: 2099-12-31 }\n";
    const OVER: &str = "- { red: local-provision/3/base-url-keeps-v1/ANTHROPIC_BASE_URL, issue: \"#2754\", until: 2001-12-31 }\n";
    let run = |file: &str, more: &[&str]| {
        let harness = Harness::new().file("known.yaml", file);
        harness.args(["run", "--known", "known.yaml", "local-provision"]).args(more.iter().copied()).run()
    };
    let broken = ["--fault", "base-url-double-v1"];
    let known = run(KNOWN, &broken).exit(7).stderr_has("#2754 until 2099-12-31: local-provision");
    // It is one line; its block is for whoever asks.
    assert!(!known.stderr.contains("SUGGESTED FIX"), "{}", known.stderr);
    run(OTHER, &broken).exit(1);
    run(OVER, &broken).exit(1).stderr_has("was known until 2001-12-31");
    run(KNOWN, &["local-first-answer", "--fault", "base-url-double-v1"]).exit(1);
    run(KNOWN, &[]).exit(0).stderr_has("did not show: take it out");
    let bad = run("- { red: x }\n", &[]).exit(2);
    assert!(bad.stderr.contains("known::missing"), "{}", bad.stderr);
}
