//! `docs/old-scripts.md` names scenarios and steps that exist.

use std::collections::BTreeSet;
use std::path::Path;

use lifecycle_harness::facade::scenario::model::{Step, walk};
use lifecycle_harness::facade::scenario::{load, shipped, shipped_fragments};
use regex::Regex;

use super::contract_rows::{meant, tests_below};

fn ids(steps: &[Step], found: &mut BTreeSet<String>) {
    for step in walk(steps) {
        // A fragment's steps stand below the place that uses it: `2.1` is there, and `2` with it.
        for (at, _) in step.id.match_indices('.') {
            found.insert(step.id[..at].to_owned());
        }
        found.insert(step.id.clone());
    }
}

#[test]
fn every_step_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/old-scripts.md")).unwrap();
    let tests = std::fs::read_to_string(root.join("tests/suite/false_greens.rs")).unwrap();
    let (fragments, scenarios) = (shipped_fragments(), shipped());
    let reference = Regex::new(r"`([a-z0-9]+/[a-z0-9-]+)(?: ([0-9.]+))?`").unwrap();
    let mut named = 0;
    let now =
        |line: &str| line.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default().to_owned();
    let cells: Vec<String> = page.lines().filter(|l| l.starts_with('|')).map(now).collect();
    for (line, found) in cells.iter().flat_map(|cell| reference.captures_iter(cell).map(move |c| (cell, c))) {
        let path = format!("{}.yaml", &found[1]);
        let file = scenarios.iter().find(|file| file.name.ends_with(&format!("/{path}")));
        let file = file.unwrap_or_else(|| panic!("there is no {path}: {line}"));
        let mut steps = BTreeSet::new();
        ids(&load(file, &fragments).scenario.unwrap().steps, &mut steps);
        if let Some(step) = found.get(2) {
            assert!(steps.contains(step.as_str()), "{path} has no step {}: {steps:?}", step.as_str());
        }
        named += 1;
    }
    assert!(named > 100, "only {named}");
    let mut all = BTreeSet::new();
    for folder in ["src", "tests"] {
        tests_below(&root.join(folder), "", &mut all);
    }
    let test = Regex::new(r"`([a-z0-9_]+(?:::[a-z0-9_]+)+)`").unwrap();
    for found in test.captures_iter(&page) {
        assert_eq!(meant(&all, &found[1]).len(), 1, "{} is not one test", &found[1]);
    }
    let shown = Regex::new(r"`false_greens: ([a-z_]+)`").unwrap();
    for found in shown.captures_iter(&page) {
        assert!(
            tests.contains(&format!("fn {}()", &found[1])),
            "tests/suite/false_greens.rs does not have {}",
            &found[1]
        );
    }
    for line in page.lines().filter(|l| l.starts_with('|') && !l.starts_with("|---")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert!(cells.len() >= 3 && cells.iter().all(|c| !c.trim().is_empty()), "a cell is missing: {line}");
    }
}
