//! `lifecycle.yaml`: what a project always wants, found upwards from where a command is typed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::failure::SessionError;
use super::files;
use super::settings::RunSettings;
use crate::source::{Problem, SourceFile, did_you_mean};
use crate::yaml::{self, Aliases, Kind, Node, Reading};

/// Its name.
pub(crate) const FILE: &str = "lifecycle.yaml";
/// The preset that CI takes when nobody names one.
pub(crate) const CI: &str = "ci";

const READING: Reading =
    Reading { code: "project", max_nodes: 5_000, max_aliases: 0, max_bytes: 1 << 18, aliases: Aliases::Used };
const KEYS: [&str; 9] =
    ["scenarios", "runs", "keep-runs", "known", "state", "jobs", "retries", "inputs", "profiles"];

/// What a project or one of its presets says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Values {
    /// Folder of scenarios.
    pub scenarios: Option<PathBuf>,
    /// Where runs are kept.
    pub runs: Option<PathBuf>,
    /// How many of them.
    pub keep_runs: Option<usize>,
    /// List of known reds.
    pub known: Option<PathBuf>,
    /// State file of a cron.
    pub state: Option<PathBuf>,
    /// Scenarios at once.
    pub jobs: Option<u32>,
    /// How often a red runs again.
    pub retries: Option<u32>,
    /// Inputs of scenarios.
    pub inputs: BTreeMap<String, Value>,
}

/// A project file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// The file; its paths are relative to its folder.
    pub file: PathBuf,
    /// What it says.
    pub values: Values,
    /// What it says besides, by preset.
    pub presets: BTreeMap<String, Values>,
}

/// Reads one.
///
/// # Errors
/// All its problems.
pub fn parse(source: &SourceFile) -> Result<Project, Vec<Problem>> {
    let mut problems = Vec::new();
    let root = yaml::parse(source, &READING, &mut problems);
    let mut project = Project { file: PathBuf::from(&*source.name), ..Project::default() };
    match root.as_ref().map(|root| &root.kind) {
        Some(Kind::Map(_)) => {}
        Some(Kind::Null) | None => return if problems.is_empty() { Ok(project) } else { Err(problems) },
        Some(_) => {
            problems.push(Problem::error("project::shape", "a project file is a mapping"));
            return Err(problems);
        }
    }
    let Some(root) = root else { return Err(problems) };
    project.values = values(source, &root, &mut problems);
    if let Some((_, presets)) = root.entry("profiles") {
        for (name, node) in presets.entries() {
            project.presets.insert(name.text.clone(), values(source, node, &mut problems));
        }
    }
    if problems.is_empty() { Ok(project) } else { Err(problems) }
}

/// Every key by itself, so that each mistake has its place.
fn values(source: &SourceFile, node: &Node, problems: &mut Vec<Problem>) -> Values {
    let mut good = Map::new();
    for (key, value) in node.entries().iter().filter(|(key, _)| key.text != "profiles") {
        let one = Value::Object(Map::from_iter([(key.text.clone(), value.to_json())]));
        match serde_json::from_value::<Values>(one) {
            Ok(_) => drop(good.insert(key.text.clone(), value.to_json())),
            Err(_) if !KEYS.contains(&key.text.as_str()) => problems.push(
                Problem::error("project::unknown-key", format!("there is no key `{}`", key.text))
                    .at(source, key.span, "unknown")
                    .hint(did_you_mean(&key.text, KEYS)),
            ),
            Err(error) => {
                problems.push(Problem::error("project::value", format!("`{}`: {error}", key.text)).at(
                    source,
                    value.span,
                    value.what(),
                ))
            }
        }
    }
    serde_json::from_value(Value::Object(good)).unwrap_or_default()
}

/// The project that a folder is in: its own file, or the nearest one above; not beyond a repository.
///
/// # Errors
/// The file is wrong.
pub(crate) fn find(folder: &Path) -> Result<Option<Project>, SessionError> {
    // Relative to where the command is typed, so that everything it names stays short.
    let mut here = PathBuf::new();
    for above in folder.ancestors() {
        let file = here.join(FILE);
        if above.join(FILE).is_file() {
            return read(&file).map(Some);
        }
        if above.join(".git").exists() {
            break;
        }
        here.push("..");
    }
    Ok(None)
}

/// The project of a file.
///
/// # Errors
/// It cannot be read, or is wrong.
pub(crate) fn read(file: &Path) -> Result<Project, SessionError> {
    parse(&files::read(file)?).map_err(SessionError::Problems)
}

/// A value, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The key.
    pub name: &'static str,
    /// As it would be typed.
    pub value: String,
    /// `typed`, `lifecycle.yaml`, `lifecycle.yaml (ci)`.
    pub source: String,
}

impl Project {
    /// With a preset's values before its own.
    ///
    /// # Errors
    /// There is no such preset.
    pub fn chosen(&self, preset: Option<&str>, ci: bool) -> Result<Preset<'_>, SessionError> {
        let name = preset.or(Some(CI).filter(|name| ci && self.presets.contains_key(*name)));
        let Some(name) = name else { return Ok(Preset { project: self, preset: None }) };
        match self.presets.get_key_value(name) {
            Some((name, values)) => Ok(Preset { project: self, preset: Some((name, values)) }),
            None => Err(SessionError::NoPreset {
                name: name.to_owned(),
                hint: did_you_mean(name, self.presets.keys().map(String::as_str)),
            }),
        }
    }

    fn path(&self, path: &Path) -> PathBuf {
        match self.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.join(path),
            _ => path.to_owned(),
        }
    }
}

/// A project as one preset of it sees it.
#[derive(Clone, Copy, Debug)]
pub struct Preset<'a> {
    project: &'a Project,
    preset: Option<(&'a String, &'a Values)>,
}

impl Preset<'_> {
    /// The preset's value, else the project's, with where it stands.
    fn value<T>(&self, get: impl Fn(&Values) -> Option<T>) -> Option<(T, String)> {
        let file = self.project.file.display();
        let preset = self.preset.and_then(|(name, values)| Some((get(values)?, format!("{file} ({name})"))));
        preset.or_else(|| Some((get(&self.project.values)?, file.to_string())))
    }

    fn path(&self, get: impl Fn(&Values) -> Option<&PathBuf>) -> Option<(PathBuf, String)> {
        self.value(|values| get(values).map(|path| self.project.path(path)))
    }

    /// Where runs are kept.
    pub fn runs(&self) -> Option<PathBuf> {
        self.path(|values| values.runs.as_ref()).map(|(path, _)| path)
    }

    /// Fills in what nobody typed; says where every value comes from.
    pub fn fill(&self, asked: &mut RunSettings) -> Vec<Told> {
        let mut told = Vec::new();
        // A run again has the scenarios that it had.
        if asked.again.is_none() {
            let scenarios = self.path(|values| values.scenarios.as_ref());
            fill("scenarios", &mut asked.library.scenarios, scenarios, &mut told);
        }
        fill("keep-runs", &mut asked.keep_runs, self.value(|values| values.keep_runs), &mut told);
        fill("known", &mut asked.known, self.path(|values| values.known.as_ref()), &mut told);
        fill("state", &mut asked.state, self.path(|values| values.state.as_ref()), &mut told);
        fill("jobs", &mut asked.jobs, self.value(|values| values.jobs), &mut told);
        fill("retries", &mut asked.retries, self.value(|values| values.retries), &mut told);
        let presets = self.preset.iter().map(|(_, values)| &values.inputs);
        for inputs in presets.chain([&self.project.values.inputs]) {
            for (name, value) in inputs {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                asked.defaults.entry(name.clone()).or_insert(text);
            }
        }
        told
    }
}

fn fill<T: Shown>(name: &'static str, typed: &mut Option<T>, own: Option<(T, String)>, told: &mut Vec<Told>) {
    let source = match (&typed, own) {
        (Some(_), _) => "typed".to_owned(),
        (None, Some((value, source))) => {
            *typed = Some(value);
            source
        }
        (None, None) => return,
    };
    if let Some(value) = typed {
        told.push(Told { name, value: value.shown(), source });
    }
}

/// As it would be typed.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for PathBuf {
    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for usize {
    fn shown(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "scenarios: e2e\nruns: out/runs\njobs: 8\ninputs: { runtime: codex, within: 5 }\nprofiles:\n  ci: { jobs: 2 }\n  cron: { state: cron.json, keep-runs: 20, inputs: { runtime: hermes } }\n";

    fn project(file: &str) -> Project {
        parse(&SourceFile::new(file, TEXT)).unwrap()
    }

    #[test]
    fn what_is_typed_wins_then_the_preset_then_the_project() {
        let project = project("../lifecycle.yaml");
        for (preset, ci, jobs, source) in [
            (None, false, 8, "../lifecycle.yaml"),
            (None, true, 2, "../lifecycle.yaml (ci)"),
            (Some("cron"), true, 8, "../lifecycle.yaml"),
        ] {
            let mut asked = RunSettings::default();
            let told = project.chosen(preset, ci).unwrap().fill(&mut asked);
            assert_eq!(asked.jobs, Some(jobs), "{preset:?} {ci}");
            assert!(told.iter().any(|t| t.name == "jobs" && t.source == source), "{told:?}");
            assert_eq!(asked.library.scenarios, Some("../e2e".into()));
        }
        let mut asked = RunSettings { jobs: Some(1), ..RunSettings::default() };
        let told = project.chosen(Some("cron"), false).unwrap().fill(&mut asked);
        assert_eq!((asked.jobs, asked.keep_runs), (Some(1), Some(20)));
        assert!(told.contains(&Told { name: "jobs", value: "1".into(), source: "typed".into() }), "{told:?}");
        assert_eq!(asked.state, Some("../cron.json".into()));
        assert_eq!(asked.defaults["runtime"], "hermes");
        assert_eq!(asked.defaults["within"], "5");
        assert!(project.chosen(Some("crom"), false).is_err());
    }

    #[test]
    fn every_mistake_has_its_place() {
        let text = "scenaros: e2e\njobs: many\nprofiles:\n  ci: { keep: 3 }\n";
        let problems = parse(&SourceFile::new(FILE, text)).unwrap_err();
        let told: Vec<String> = problems.iter().map(Problem::line).collect();
        for (line, says) in [(1, "did you mean `scenarios`"), (2, "jobs"), (4, "`keep`")] {
            assert!(
                told.iter().any(|t| t.starts_with(&format!("lifecycle.yaml:{line}:")) && t.contains(says)),
                "{says}: {told:?}"
            );
        }
        assert!(parse(&SourceFile::new(FILE, "- a\n")).is_err());
        assert_eq!(parse(&SourceFile::new(FILE, "")).unwrap().values, Values::default());
    }

    #[test]
    fn it_is_found_upwards_and_not_beyond_a_repository() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(dir.path().join("a/.git")).unwrap();
        std::fs::write(dir.path().join(FILE), TEXT).unwrap();
        assert_eq!(find(&deep).unwrap(), None);
    }
}
