//! The table of layers (DESIGN §9), enforced on every `use crate::…` and on the fences.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Every source file: its path below `src`, its text without comments.
fn sources() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    paths.sort();
    let code = |text: String| {
        text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    paths
        .into_iter()
        .map(|p| {
            let name = p.strip_prefix(root()).unwrap().display().to_string();
            (name, code(fs::read_to_string(p).unwrap()))
        })
        .collect()
}

/// The modules of `src/lib.rs`, from the top down.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(root().join("lib.rs")).unwrap();
    lib.lines()
        .filter_map(|l| l.strip_prefix("pub mod ").or_else(|| l.strip_prefix("mod ")))
        .map(|l| l.trim_end_matches(';').to_owned())
        .collect()
}

/// The module of a file: `runner/steps/mod.rs` is in `runner`.
fn module(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

/// Modules named by `crate::…`, also in groups: `crate::{http, run::wait}`.
fn named(text: &str) -> Vec<String> {
    static PATH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate::(\{[^;]*|[a-z_]+)").unwrap());
    static FIRST: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[{,]\s*([a-z_]+)").unwrap());
    let mut names = Vec::new();
    for found in PATH.captures_iter(text) {
        let what = &found[1];
        if what.starts_with('{') {
            names.extend(FIRST.captures_iter(what).map(|c| c[1].to_owned()));
        } else {
            names.push(what.to_owned());
        }
    }
    names
}

#[test]
fn a_module_imports_only_from_modules_below_it() {
    let order = order();
    let place = |name: &str| order.iter().position(|m| m == name);
    assert!(order.len() > 12, "{order:?}");
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some(own) = place(module(&file)) else { continue };
        for name in named(&text) {
            match place(&name) {
                Some(there) if there < own => {
                    wrong.push(format!("{file} uses crate::{name}, which is above it"))
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reference_platform_never_sees_the_runner() {
    for (file, text) in sources().iter().filter(|(file, _)| module(file) == "reference") {
        for name in named(text) {
            assert!(
                !["runner", "run", "platform", "http"].contains(&name.as_str()),
                "{file} uses crate::{name}"
            );
        }
    }
}

/// What only some files may name.
const FENCES: &[(&str, &[&str])] = &[
    ("reqwest::", &["http/", "reference/outbound.rs"]),
    ("serde_saphyr::", &["yaml/"]),
    ("bollard::", &["docker/"]),
    ("miette::", &["source.rs"]),
    // Of these, some read the names of this machine's architecture and of this executable, no variable.
    ("std::env::", &["cli/settings.rs", "main.rs", "cli/doctor.rs", "docker/lock.rs", "targets/docker.rs"]),
    ("process::exit", &["main.rs"]),
    ("println!", &["output.rs"]),
    ("eprintln!", &["output.rs"]),
    ("tokio::time::", &["clock.rs"]),
    ("thread::sleep", &[]),
    ("clap::", &["cli/", "targets/", "runner/context.rs"]),
];

#[test]
fn fences_hold() {
    static TESTS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^#\[cfg\(test\)\]").unwrap());
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        if file.contains("tests") {
            continue;
        }
        // Tests come last in a file; they may do what they like.
        let code = TESTS.find(&text).map_or(&text[..], |m| &text[..m.start()]);
        for (word, allowed) in FENCES {
            if code.contains(word) && !allowed.iter().any(|a| file.starts_with(a)) {
                wrong.push(format!("{file} names `{word}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Which of two ready branches is taken must not be chance: a simulated run is had again from its seed.
#[test]
fn a_select_has_an_order() {
    static SELECT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"select! \{\s*(\S+)").unwrap());
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let loose = SELECT.captures_iter(&text).filter(|found| &found[1] != "biased;").count();
        if loose > 0 {
            wrong.push(format!("{file}: {loose} select! without `biased;`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_in_groups_are_found() {
    assert_eq!(
        named("use crate::{http, run::{wait, clock},\n engine};"),
        ["http", "run", "wait", "clock", "engine"]
    );
    assert_eq!(named("use crate::domain::Secret; fn f() -> crate::run::X {}"), ["domain", "run"]);
}

#[test]
fn every_command_is_on_the_page() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md")).unwrap();
    let help = super::harness::Harness::new().args(["--help"]).run().exit(0).stdout;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|l| !l.starts_with("Commands:"))
        .skip(1)
        .take_while(|l| l.starts_with("  "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 12, "{commands:?}");
    for command in commands {
        assert!(page.contains(&format!("`{command}")), "docs/commands.md does not know `{command}`");
    }
}
