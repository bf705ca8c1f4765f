//! The scenarios, fragments and catalogue that a command works with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::args::LibraryArgs;
use super::failure::CliError;
use crate::domain::ExitCode;
use crate::engine::plan::{Only, only, select};
use crate::event::SourceHash;
use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::scenario::{self, Fragments, Scenario};
use crate::source::{Level, Problem, SourceFile};
use crate::target::profile::{self, Profile};

/// Files larger than this are none of ours.
const MAX_FILE: u64 = 4 << 20;

/// `--known FILE`.
pub(crate) fn known(path: &Path) -> Result<scenario::known::KnownReds, CliError> {
    scenario::known::KnownReds::parse(&read(path)?).map_err(CliError::problems)
}

/// What was loaded.
pub(crate) struct Library {
    /// Checked scenarios, by name.
    pub scenarios: Vec<Arc<Scenario>>,
    /// Errors and warnings of all files.
    pub problems: Vec<Problem>,
    /// The catalogue.
    pub catalogue: Arc<Catalogue>,
    /// Its file.
    pub catalogue_hash: SourceHash,
    /// The server's runtimes.
    pub allowlist: Allowlist,
    /// Fragments that scenarios may use.
    pub fragments: Vec<SourceFile>,
    /// What was asked for by path is chosen by file.
    selection: Vec<String>,
}

impl Library {
    /// Loads what a command names: shipped scenarios, `--scenarios`, and paths of the selection.
    pub fn load(args: &LibraryArgs, selection: &[String]) -> Result<Library, CliError> {
        let mut files = match &args.scenarios {
            Some(folder) => walk(folder)?,
            None => [scenario::shipped(), scenario::shipped_fragment_files()].concat(),
        };
        let mut wanted = Vec::new();
        let mut only_paths = !selection.is_empty() && args.scenarios.is_none();
        for item in selection {
            let path = Path::new(item);
            let looks_like_path =
                item.contains('/') || item.ends_with(".yaml") || item.ends_with(".yml") || path.is_dir();
            let known = files
                .iter()
                .any(|f| f.name == *item || f.name.starts_with(&format!("{}/", item.trim_end_matches('/'))));
            if !item.starts_with('@') && looks_like_path && !known {
                if !path.exists() {
                    return Err(CliError::new(
                        ExitCode::BadInput,
                        format!("there is no file or folder `{item}`"),
                    )
                    .next("`lifecycle list` shows the scenarios there are"));
                }
                files.extend(walk(path)?);
            } else {
                only_paths = false;
            }
            wanted.push(item.clone());
        }
        let (fragment_files, mut scenario_files): (Vec<_>, Vec<_>) =
            files.into_iter().partition(scenario::fragment::is_fragment);
        if only_paths {
            // Whoever names files only needs none of the shipped ones read.
            let shipped = scenario::shipped();
            scenario_files.retain(|file| !shipped.iter().any(|s| s.name == file.name));
        }
        Library::of(args, &scenario_files, &fragment_files, wanted)
    }

    /// With exactly these scenarios, as an earlier run recorded them.
    pub fn recorded(
        args: &LibraryArgs,
        scenarios: &[SourceFile],
        fragments: &[SourceFile],
        selection: &[String],
    ) -> Result<Library, CliError> {
        Library::of(args, scenarios, fragments, selection.to_vec())
    }

    fn of(
        args: &LibraryArgs,
        scenario_files: &[SourceFile],
        fragment_files: &[SourceFile],
        wanted: Vec<String>,
    ) -> Result<Library, CliError> {
        let (catalogue_file, builtin) = match &args.providers {
            Some(path) => (read(path)?, false),
            None => {
                (SourceFile::new("<built-in>/providers.yaml", include_str!("../../providers.yaml")), true)
            }
        };
        let catalogue = if builtin {
            Catalogue::built_in().clone()
        } else {
            Catalogue::parse(&catalogue_file).map_err(CliError::problems)?
        };
        let allowlist = match &args.manifest {
            Some(path) => Allowlist::from_manifest(&read(path)?).map_err(CliError::problems)?,
            None => Allowlist::shipped(),
        };
        let shipped = scenario::shipped_fragment_files();
        let missing =
            shipped.iter().filter(|s| !fragment_files.iter().any(|f| f.text == s.text || f.name == s.name));
        let all_fragments: Vec<SourceFile> = fragment_files.iter().chain(missing).cloned().collect();
        if let Some(profile) = scenario_files.iter().find(|file| profile::is_profile(file)) {
            let text = format!("{} is a profile, no scenario", profile.name);
            return Err(CliError::new(ExitCode::BadInput, text).next(format!("--profile {}", profile.name)));
        }
        let (fragments, mut problems) = Fragments::load(&all_fragments);
        let mut scenarios: Vec<Arc<Scenario>> = Vec::new();
        for file in scenario_files {
            let loaded = scenario::load(file, &fragments);
            problems.extend(loaded.problems);
            let Some(one) = loaded.scenario else { continue };
            if let Some(twin) = scenarios.iter().find(|s| s.name == one.name) {
                if twin.source.text != one.source.text {
                    let text = format!(
                        "two files define the scenario `{}`: {} and {}",
                        one.name, twin.source.name, one.source.name
                    );
                    problems.push(Problem::error("run::duplicate-scenario", text).hint("rename one of them"));
                }
                continue;
            }
            scenarios.push(Arc::new(one));
        }
        scenarios.sort_by(|a, b| a.name.cmp(&b.name));
        let catalogue_hash = hash(&catalogue_file);
        Ok(Library {
            scenarios,
            problems,
            catalogue: Arc::new(catalogue),
            catalogue_hash,
            allowlist,
            fragments: all_fragments,
            selection: wanted,
        })
    }

    /// Of which of the chosen scenarios only some instances were asked for.
    pub fn only(&self, chosen: &[Arc<Scenario>]) -> Only {
        only(chosen, &self.selection)
    }

    /// The chosen scenarios; all errors of files stop everything.
    pub fn chosen(&self) -> Result<Vec<Arc<Scenario>>, CliError> {
        let mut problems: Vec<Problem> =
            self.problems.iter().filter(|p| p.level == Level::Error).cloned().collect();
        // A file that cannot be read as a scenario is no unknown one: its own errors say enough.
        let faulty = |item: &String| {
            let path = Path::new(item);
            problems.iter().filter_map(|p| p.source.as_ref()).any(|s| Path::new(&*s.name).starts_with(path))
        };
        let selection: Vec<String> = self.selection.iter().filter(|i| !faulty(i)).cloned().collect();
        match select(&self.scenarios, &selection) {
            Ok(chosen) if problems.is_empty() => Ok(chosen),
            Ok(_) => Err(CliError::problems(problems)),
            Err(more) => {
                problems.extend(more);
                Err(CliError::problems(problems))
            }
        }
    }
}

/// All profiles of a folder of scenarios, or the shipped ones.
fn profile_files(args: &LibraryArgs) -> Result<Vec<SourceFile>, CliError> {
    match &args.scenarios {
        Some(folder) if folder.join("profiles").is_dir() => walk(&folder.join("profiles")),
        _ => Ok(profile::shipped()),
    }
}

/// The profile that `--profile` means: a file, or the name of one that is known.
pub(crate) fn profile(wanted: &str, args: &LibraryArgs) -> Result<Profile, CliError> {
    let path = Path::new(wanted);
    if wanted.contains('/') || wanted.ends_with(".yaml") || wanted.ends_with(".yml") || path.is_file() {
        let loaded = profile::load(&read(path)?);
        return loaded.profile.ok_or_else(|| CliError::problems(loaded.problems));
    }
    let mut names = Vec::new();
    for file in profile_files(args)? {
        let loaded = profile::load(&file);
        match loaded.profile {
            Some(profile) if profile.name == wanted => return Ok(profile),
            Some(profile) => names.push(profile.name),
            None if stem(&file) == wanted => return Err(CliError::problems(loaded.problems)),
            None => names.push(stem(&file).to_owned()),
        }
    }
    let hint = match names.len() {
        0 => "there is none in this folder of scenarios".to_owned(),
        _ => crate::source::did_you_mean(wanted, names.iter().map(String::as_str)),
    };
    Err(CliError::new(ExitCode::BadInput, format!("there is no profile `{wanted}`"))
        .next(hint)
        .next("a file is named with its path: `--profile ./mine.yaml`"))
}

fn stem(file: &SourceFile) -> &str {
    let name = file.name.rsplit('/').next().unwrap_or(&file.name);
    name.split('.').next().unwrap_or(name)
}

/// Profiles below these paths; without any, the ones that a name finds.
pub(crate) fn profiles(paths: &[PathBuf], args: &LibraryArgs) -> Result<Vec<SourceFile>, CliError> {
    if paths.is_empty() {
        return profile_files(args);
    }
    let mut files = Vec::new();
    for path in paths {
        if path.is_file() {
            files.push(read(path)?);
            continue;
        }
        let folder = if path.ends_with("profiles") { path.clone() } else { path.join("profiles") };
        if folder.is_dir() {
            files.extend(walk(&folder)?);
        }
    }
    files.retain(profile::is_profile);
    Ok(files)
}

/// A file and its hash.
pub(crate) fn hash(file: &SourceFile) -> SourceHash {
    let digest = Sha256::digest(file.text.as_bytes());
    SourceHash { name: file.name.clone(), sha256: digest.iter().map(|b| format!("{b:02x}")).collect() }
}

/// Reads one text file, bounded.
pub(crate) fn read(path: &Path) -> Result<SourceFile, CliError> {
    let bad =
        |why: String| CliError::new(ExitCode::BadInput, format!("cannot read {}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|e| bad(e.to_string()))?.len();
    if size > MAX_FILE {
        return Err(bad(format!("it has {size} bytes, more than {MAX_FILE}")));
    }
    let bytes = fs::read(path).map_err(|e| bad(e.to_string()))?;
    let text = String::from_utf8(bytes)
        .map_err(|e| bad(format!("it is no UTF-8 text (byte {})", e.utf8_error().valid_up_to())))?;
    Ok(SourceFile::new(path.display().to_string(), text))
}

/// A file, or every `.yaml` of a folder, sorted.
pub(crate) fn walk(path: &Path) -> Result<Vec<SourceFile>, CliError> {
    if path.is_file() {
        return Ok(vec![read(path)?]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| {
            CliError::new(ExitCode::BadInput, format!("cannot read {}: {e}", folder.display()))
        })?;
        for entry in entries {
            let path = entry?.path();
            let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
            if path.is_dir() && !path.ends_with("profiles") {
                folders.push(path);
            } else if yaml {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().map(PathBuf::as_path).map(read).collect()
}
