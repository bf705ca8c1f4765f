//! What a YAML file is, by the keys at its top: also of one that is broken further down.

use std::collections::BTreeMap;
use std::path::Path;

use super::project;
use crate::behaviour::overlay;
use crate::source::SourceFile;

/// Kinds of files that lie beside scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    /// A scenario.
    Scenario,
    /// Steps that scenarios share.
    Fragment,
    /// A lane of CI.
    Profile,
    /// A workflow of a forge.
    Workflow,
    /// Services of docker compose.
    Compose,
    /// Providers and models.
    Catalogue,
    /// Reds that somebody knows about.
    KnownReds,
    /// Differences from an edition that somebody accepted.
    Overlay,
    /// `lifecycle.yaml`.
    Project,
    /// A file of another program.
    Foreign,
    /// None of these.
    Unclear,
}

impl FileKind {
    /// A run reads it in a folder of scenarios. What nobody understands is read too: its errors say so.
    pub(crate) fn is_read_by_run(self) -> bool {
        matches!(self, FileKind::Scenario | FileKind::Fragment | FileKind::Unclear)
    }

    /// For machines.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            FileKind::Scenario => "scenario",
            FileKind::Fragment => "fragment",
            FileKind::Profile => "profile",
            FileKind::Workflow => "workflow",
            FileKind::Compose => "compose",
            FileKind::Catalogue => "catalogue",
            FileKind::KnownReds => "known_reds",
            FileKind::Overlay => "overlay",
            FileKind::Project => "project",
            FileKind::Foreign => "foreign",
            FileKind::Unclear => "unclear",
        }
    }

    /// `1 scenario`, `2 fragments`.
    pub(crate) fn counted(self, n: usize) -> String {
        let (one, many) = match self {
            FileKind::Scenario => ("scenario", "scenarios"),
            FileKind::Fragment => ("fragment", "fragments"),
            FileKind::Profile => ("profile", "profiles"),
            FileKind::Workflow => ("workflow file", "workflow files"),
            FileKind::Compose => ("compose file", "compose files"),
            FileKind::Catalogue => ("catalogue", "catalogues"),
            FileKind::KnownReds => ("list of known reds", "lists of known reds"),
            FileKind::Overlay => ("contract overlay", "contract overlays"),
            FileKind::Project => ("project file", "project files"),
            FileKind::Foreign => ("foreign file", "foreign files"),
            FileKind::Unclear => ("file that is none of these", "files that are none of these"),
        };
        format!("{n} {}", if n == 1 { one } else { many })
    }
}

/// Files by kind, in the order of the kinds.
pub(crate) type Sorted = BTreeMap<FileKind, Vec<SourceFile>>;

/// Keys that make a file of another program, all of one row.
const FOREIGN: &[&[&str]] = &[
    &["apiVersion", "kind"],
    &["runs"],
    &["stages"],
    &["repos"],
    &["openapi"],
    &["swagger"],
    &["updates", "version"],
    &["include"],
    &["rules"],
    &["groups"],
    &["scrape_configs"],
    &["global"],
    &["dependencies"],
    &["packages"],
    &["name", "version"],
];

/// What a file is.
pub(crate) fn classify(file: &SourceFile) -> FileKind {
    let top = Top::of(&file.text);
    let has = |key: &str| top.keys.iter().any(|own| own == key);
    let own =
        [("scenario", FileKind::Scenario), ("fragment", FileKind::Fragment), ("profile", FileKind::Profile)];
    if let Some((_, kind)) = own.into_iter().find(|(key, _)| has(key)) {
        return kind;
    }
    let name = Path::new(&file.name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match () {
        () if name == project::FILE => FileKind::Project,
        () if name == overlay::FILE || (has("edition") && has("accepted")) => FileKind::Overlay,
        () if has("jobs") => FileKind::Workflow,
        () if has("services") => FileKind::Compose,
        () if has("providers") && has("schema_version") => FileKind::Catalogue,
        () if matches!(top.first_item.as_deref(), Some("red" | "issue" | "until")) => FileKind::KnownReds,
        // A scenario whose first key is misspelt is still one: its errors say so.
        () if has("steps") || top.keys.iter().any(|key| nearly(key)) => FileKind::Scenario,
        () if FOREIGN.iter().any(|row| row.iter().all(|key| has(key))) => FileKind::Foreign,
        () => FileKind::Unclear,
    }
}

fn nearly(key: &str) -> bool {
    ["scenario", "fragment", "profile"].iter().any(|own| strsim::damerau_levenshtein(own, key) <= 2)
}

/// What stands at the left edge of a text.
#[derive(Default)]
struct Top {
    keys: Vec<String>,
    /// The first key of the first item, when the file is a list.
    first_item: Option<String>,
}

impl Top {
    /// Line by line: a file that is no YAML any more further down is still of its kind.
    fn of(text: &str) -> Top {
        let mut top = Top::default();
        for line in text.trim_start_matches('\u{feff}').lines() {
            if let Some(item) = line.strip_prefix('-').filter(|_| top.keys.is_empty()) {
                let item = item.trim_start().trim_start_matches('{').trim_start();
                if top.first_item.is_none() && !line.starts_with("---") {
                    top.first_item = key(item);
                }
            } else if let Some(own) = key(line) {
                top.keys.push(own);
            }
        }
        top
    }
}

/// The key that a line begins with.
fn key(line: &str) -> Option<String> {
    let (name, rest) = line.split_once(':')?;
    let quoted = name.trim_end().ends_with(['"', '\'']);
    let name = name.trim_end().trim_matches(['"', '\'']);
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.$".contains(c));
    (plain && (quoted || rest.is_empty() || rest.starts_with([' ', '\t', '\r']))).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_what_stands_at_its_left_edge() {
        for (name, text, kind) in [
            ("a.yaml", "# one\nscenario: a\nsteps: []\n", FileKind::Scenario),
            ("a.yaml", "scenario: a\nsteps: [\n  - broken: {\n", FileKind::Scenario),
            ("a.yaml", "scenaro: a\nsummary: b\n", FileKind::Scenario),
            ("a.yaml", "name: a\nsteps: []\n", FileKind::Scenario),
            ("a.yaml", "fragment: a\nstps: []\n", FileKind::Fragment),
            ("a.yaml", "profile: a\nsummry: b\n", FileKind::Profile),
            ("a.yaml", "name: ci\non: [push]\njobs:\n  a: {}\n", FileKind::Workflow),
            ("a.yaml", "\"on\": push\n'jobs':\n", FileKind::Workflow),
            ("a.yaml", "schema_version: 1\nproviders:\n- name: a\n", FileKind::Catalogue),
            ("a.yaml", "- {red: a/b, issue: \"#1\"}\n", FileKind::KnownReds),
            ("a.yaml", "# known\n---\n- red: a/b\n  issue: x\n", FileKind::KnownReds),
            ("a.yaml", "- {\"issue\":\"#1\",\"red\":\"a/b\"}\n", FileKind::KnownReds),
            (".gitea/workflows/lifecycle.yml", "name: x\non: [push]\njobs: {}\n", FileKind::Workflow),
            ("x/lifecycle.contract.yaml", "edition: mid-june\n", FileKind::Overlay),
            ("x/lifecycle.yaml", "jobs: 4\n", FileKind::Project),
            ("a.yaml", "apiVersion: v1\nkind: Pod\n", FileKind::Foreign),
            ("a.yaml", "services:\n  db: {}\n", FileKind::Compose),
            ("a.yaml", "hello: world\n", FileKind::Unclear),
            ("a.yaml", "- a\n- b\n", FileKind::Unclear),
            ("a.yaml", "", FileKind::Unclear),
        ] {
            assert_eq!(classify(&SourceFile::new(name, text)), kind, "{text}");
        }
    }
}
