//! The structure of `src/`: a module imports only from modules below it.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Modules in the order of `lib.rs`, top down.
fn modules() -> Vec<String> {
    let text = fs::read_to_string(root().join("lib.rs")).unwrap();
    let names = text.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// (module, file, text) of every source file but `lib.rs` and `main.rs`.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    let of = |path: PathBuf| {
        let short = path.strip_prefix(root()).unwrap().to_owned();
        let first = short.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).unwrap();
        (!matches!(module.as_str(), "lib" | "main")).then_some((module, short, text))
    };
    paths.into_iter().filter_map(of).collect()
}

/// Names that a text imports from the crate: `use crate::http::…`, `crate::event::Body`.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("crate::").map(|(at, found)| {
        let rest = &text[at + found.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn a_module_imports_only_from_modules_below_it() {
    let order = modules();
    let place = |name: &str| order.iter().position(|m| m == name);
    let mut wrong = Vec::new();
    for (module, file, text) in sources() {
        let own = place(&module).unwrap_or_else(|| panic!("{module} is not in lib.rs"));
        for import in imports(&text) {
            if place(import).is_some_and(|other| other < own) {
                wrong.push(format!("{}: {module} is below {import}", file.display()));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reference_platform_meets_the_engine_over_http_only() {
    for (module, file, text) in sources() {
        if module == "reference" {
            for import in imports(&text) {
                assert!(
                    !["engine", "run", "platform", "http", "target"].contains(&import),
                    "{}: {import}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn some_crates_have_one_user() {
    // Crate → the only places that may name it.
    let table: [(&str, &[&str]); 4] = [
        ("reqwest::", &["http/", "reference/outbound.rs"]),
        ("serde_saphyr::", &["yaml/"]),
        ("bollard::", &["docker/"]),
        ("miette::", &["source.rs"]),
    ];
    for (_, file, text) in sources() {
        for (name, allowed) in table {
            let shown = file.to_string_lossy();
            let uses = text.lines().any(|l| l.contains(name) && !l.trim_start().starts_with("//"));
            assert!(!uses || allowed.iter().any(|a| shown.starts_with(a)), "{shown} uses {name}");
        }
    }
}
