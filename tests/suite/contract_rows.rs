//! `docs/contract-rows.md` names tests and recorded lines that exist, and its head line counts them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// One row of the page.
struct Row {
    line: String,
    tests: usize,
    recorded: usize,
    reason: bool,
}

/// All test functions below a folder, as `module::function`.
pub(crate) fn tests_below(folder: &Path, module: &str, found: &mut BTreeSet<String>) {
    let function = Regex::new(r"^\s*(?:async )?fn ([a-z0-9_]+)\(").unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let inner = if name == "mod" { module.to_owned() } else { format!("{module}::{name}") };
        if path.is_dir() {
            tests_below(&path, &inner, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let mut marked = false;
            for line in fs::read_to_string(&path).unwrap().lines() {
                if let Some(test) = function.captures(line) {
                    if marked {
                        found.insert(format!("{inner}::{}", &test[1]));
                    }
                    marked = false;
                }
                marked |= line.trim_start().starts_with("#[test]")
                    || line.trim_start().starts_with("#[tokio::test");
            }
        }
    }
}

/// The one test that a name means; a name may leave out what comes before.
pub(crate) fn meant<'a>(all: &'a BTreeSet<String>, name: &str) -> Vec<&'a String> {
    let end = format!("::{name}");
    all.iter().filter(|test| test.ends_with(&end)).collect()
}

/// Labels of the recorded conversation.
fn labels() -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(ROOT).join("fixtures/recordings/recordings.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter_map(|line| line["label"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_row_names_a_test_that_exists_or_says_why_there_is_none() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/contract-rows.md")).unwrap();
    let mut all = BTreeSet::new();
    tests_below(&Path::new(ROOT).join("src"), "", &mut all);
    tests_below(&Path::new(ROOT).join("tests"), "", &mut all);
    assert!(all.len() > 400, "only {} tests were found", all.len());
    let labels = labels();
    let heading = Regex::new(r"^## §\S+ .+ \((\d+)\)$").unwrap();
    let quoted = Regex::new(r"`([a-z0-9_]+(?:::[a-z0-9_]+)+)`").unwrap();
    let recorded = Regex::new(r"“([^”]+)”").unwrap();
    let mut wrong = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut sections: Vec<(String, usize, usize)> = Vec::new();
    for line in page.lines() {
        if let Some(found) = heading.captures(line) {
            sections.push((line.to_owned(), found[1].parse().unwrap(), 0));
        } else if line.starts_with("## ") {
            wrong.push(format!("`{line}` does not say how many rows it has"));
        }
        if !line.starts_with("| ") || line.starts_with("| row ") {
            continue;
        }
        let Some((_, covered)) = line.trim_end_matches('|').split_once(" | ") else {
            wrong.push(format!("a cell is missing: {line}"));
            continue;
        };
        let mut row = Row { line: line.to_owned(), tests: 0, recorded: 0, reason: false };
        row.reason = covered.trim().starts_with("none: ");
        for name in quoted.captures_iter(covered) {
            match meant(&all, &name[1]).as_slice() {
                [_] => row.tests += 1,
                [] => wrong.push(format!("there is no test {}: {line}", &name[1])),
                many => wrong.push(format!("{} may be {many:?}: {line}", &name[1])),
            }
        }
        for name in recorded.captures_iter(covered) {
            if labels.contains(&name[1]) {
                row.recorded += 1;
            } else {
                wrong.push(format!("nothing recorded is called {}: {line}", &name[1]));
            }
        }
        if !row.reason && row.tests + row.recorded == 0 {
            wrong.push(format!("neither a test nor a reason: {line}"));
        }
        if let Some(section) = sections.last_mut() {
            section.2 += 1;
        }
        rows.push(row);
    }
    for (heading, said, counted) in &sections {
        if said != counted {
            wrong.push(format!("{counted} rows below `{heading}`"));
        }
    }
    let lines: BTreeSet<&str> = rows.iter().map(|row| row.line.as_str()).collect();
    assert!(lines.len() * 100 >= rows.len() * 95, "rows are repeated");
    let none = rows.iter().filter(|row| row.reason).count();
    let only = rows.iter().filter(|row| !row.reason && row.tests == 0).count();
    let head = format!(
        "{} rows: {} with a test of their own, {only} shown by the recorded conversation alone, {none} that do not apply.",
        rows.len(),
        rows.len() - none - only,
    );
    if !page.contains(&head) {
        wrong.push(format!("the head line should be: {head}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
