//! The scenarios, fragments and catalogue that a command works with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::classify::classify;
use super::failure::SessionError;
use super::files::{read, walk};
use super::selection::{Choice, choose, may_be_path, normal};
use super::settings::LibrarySettings;
use crate::behaviour::Edition;
use crate::domain::natural::natural;
use crate::event::SourceHash;
use crate::mechanism;
use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::scenario::{self, Fragments, Scenario};
use crate::source::{Level, Problem, SourceFile, did_you_mean};
use crate::targets::profile::{self, Profile};

/// `--known FILE`.
pub(crate) fn known(path: &Path) -> Result<scenario::known::KnownReds, SessionError> {
    scenario::known::KnownReds::parse(&read(path)?).map_err(SessionError::Problems)
}

/// What was loaded.
pub(crate) struct Library {
    /// Checked scenarios, by name.
    pub scenarios: Vec<Arc<Scenario>>,
    /// Errors and warnings of all files.
    pub problems: Vec<Problem>,
    /// The same, each with the file that was read when it was found.
    told: Vec<Told>,
    /// Files that say the same as a scenario that was read before.
    twins: Vec<String>,
    /// The catalogue.
    pub catalogue: Arc<Catalogue>,
    /// Its file.
    pub catalogue_hash: SourceHash,
    /// The server's runtimes.
    pub allowlist: Allowlist,
    /// Catalogue and runtimes are files that somebody named.
    own: (bool, bool),
    /// Fragments that scenarios may use.
    pub fragments: Vec<SourceFile>,
    /// What was asked for by path is chosen by file.
    selection: Vec<String>,
}

impl Library {
    /// Catalogue and runtimes for a server of this edition; what somebody named stays.
    pub(crate) fn of_edition(&self, edition: Edition) -> (Arc<Catalogue>, Allowlist) {
        let (catalogue, allowlist) = self.own;
        let catalogue = match catalogue || self.catalogue.edition() == edition {
            true => Arc::clone(&self.catalogue),
            false => Arc::new(Catalogue::of_edition(edition).clone()),
        };
        let allowlist = if allowlist { self.allowlist.clone() } else { Allowlist::of_edition(edition) };
        (catalogue, allowlist)
    }

    /// Loads what a command names: shipped scenarios, `--scenarios`, and paths of the selection.
    pub(crate) fn load(args: &LibrarySettings, selection: &[String]) -> Result<Library, SessionError> {
        Library::load_given(args, selection, Vec::new())
    }

    /// The same for a run of what was typed: of the shipped scenarios only those are read that it can mean.
    /// With a profile, which may speak of any, all of them.
    pub(crate) fn load_meant(
        args: &LibrarySettings,
        selection: &[String],
        profile: Option<&str>,
    ) -> Result<Library, SessionError> {
        let meant = args.scenarios.is_none() && profile.is_none();
        match meant.then(|| named_shipped(selection)).flatten() {
            Some(named) => {
                let files = [named, scenario::shipped_fragment_files()].concat();
                Library::choose_from(args, selection, Vec::new(), files)
            }
            None => Library::load(args, selection),
        }
    }

    /// The same, with files of the selection that were read already: a pipe gives its text once.
    pub(crate) fn load_given(
        args: &LibrarySettings,
        selection: &[String],
        given: Vec<SourceFile>,
    ) -> Result<Library, SessionError> {
        let files = match &args.scenarios {
            Some(folder) => scenarios_in(folder)?,
            None => [scenario::shipped(), scenario::shipped_fragment_files()].concat(),
        };
        Library::choose_from(args, selection, given, files)
    }

    fn choose_from(
        args: &LibrarySettings,
        selection: &[String],
        mut given: Vec<SourceFile>,
        mut files: Vec<SourceFile>,
    ) -> Result<Library, SessionError> {
        let mut wanted = Vec::new();
        let mut only_paths = !selection.is_empty() && args.scenarios.is_none();
        for item in selection {
            let path = Path::new(item);
            if let Some(read) = given.iter().position(|file| file.name == *item) {
                let file = given.swap_remove(read);
                files.retain(|known| known.name != file.name);
                files.push(file);
                wanted.push(item.clone());
                continue;
            }
            // The brackets of an instance may hold a `/`: `models[model=moonshot/kimi-k2.6]`.
            let before = item.split('[').next().unwrap_or(item);
            let looks_like_path = before.contains('/')
                || item.ends_with(".yaml")
                || item.ends_with(".yml")
                || path.is_dir()
                || path.is_file();
            let has = |wanted: &str| {
                let (file, folder) = (normal(wanted), format!("{}/", normal(wanted)));
                files.iter().any(|f| normal(&f.name) == file || normal(&f.name).starts_with(&folder))
            };
            if may_be_path(item) && looks_like_path && !has(item) {
                if !path.exists() {
                    // As it is called in the folder that was named.
                    let there = args.scenarios.as_ref().map(|folder| folder.join(item).display().to_string());
                    let Some(there) = there.filter(|there| has(there)) else {
                        return Err(SessionError::NoSuchFile(item.clone()));
                    };
                    only_paths = false;
                    wanted.push(there);
                    continue;
                }
                let found = scenarios_in(path)?;
                if found.is_empty() {
                    return Err(SessionError::EmptyFolder(item.clone()));
                }
                let there: Vec<PathBuf> =
                    files.iter().filter_map(|f| Path::new(&f.name).canonicalize().ok()).collect();
                let new = |f: &SourceFile| {
                    Path::new(&f.name).canonicalize().map_or(true, |path| !there.contains(&path))
                };
                let (new, known): (Vec<_>, Vec<_>) = found.into_iter().partition(new);
                // Read before, under another name: chosen by that.
                if new.is_empty()
                    && let Some(known) = known.first()
                    && let Ok(path) = Path::new(&known.name).canonicalize()
                    && let Some(name) = files
                        .iter()
                        .find(|f| Path::new(&f.name).canonicalize().is_ok_and(|own| own == path))
                        .map(|f| f.name.clone())
                {
                    wanted.push(name);
                    continue;
                }
                files.extend(new);
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
        // A folder of ours on disk is the same fragments once more.
        let own = |file: &SourceFile| !file.is_built_in();
        let copies: Vec<SourceFile> = fragment_files.iter().filter(|f| own(f)).cloned().collect();
        let fragment_files: Vec<SourceFile> = fragment_files
            .into_iter()
            .filter(|file| own(file) || !copies.iter().any(|copy| copy.text == file.text))
            .collect();
        Library::of(args, &scenario_files, &fragment_files, wanted)
    }

    /// With exactly these scenarios, as an earlier run recorded them.
    pub(crate) fn recorded(
        args: &LibrarySettings,
        scenarios: &[SourceFile],
        fragments: &[SourceFile],
        selection: &[String],
    ) -> Result<Library, SessionError> {
        Library::of(args, scenarios, fragments, selection.to_vec())
    }

    fn of(
        args: &LibrarySettings,
        scenario_files: &[SourceFile],
        fragment_files: &[SourceFile],
        wanted: Vec<String>,
    ) -> Result<Library, SessionError> {
        let edition = args.edition.unwrap_or_default();
        let (catalogue_file, builtin) = match &args.providers {
            Some(path) => (read(path)?, false),
            None => (Catalogue::of_edition(edition).source.clone(), true),
        };
        let catalogue = if builtin {
            Catalogue::of_edition(edition).clone()
        } else {
            Catalogue::parse(&catalogue_file).map_err(SessionError::Problems)?
        };
        let allowlist = match &args.manifest {
            Some(path) => Allowlist::from_manifest(&read(path)?).map_err(SessionError::Problems)?,
            None => Allowlist::of_edition(edition),
        };
        let shipped = scenario::shipped_fragment_files();
        let missing =
            shipped.iter().filter(|s| !fragment_files.iter().any(|f| f.text == s.text || f.name == s.name));
        let all_fragments: Vec<SourceFile> = fragment_files.iter().chain(missing).cloned().collect();
        if let Some(profile) = scenario_files.iter().find(|file| profile::is_profile(file)) {
            return Err(SessionError::IsProfile(profile.name.clone()));
        }
        let (fragments, of_fragments) = Fragments::load(&all_fragments);
        let mut problems: Vec<Told> = of_fragments
            .into_iter()
            .map(|p| Told { while_reading: p.source.as_ref().map(|s| s.name.clone()), problem: p })
            .collect();
        let mut twins = Vec::new();
        let mut scenarios: Vec<Arc<Scenario>> = Vec::new();
        for file in scenario_files {
            let loaded = scenario::load(file, &fragments);
            let told = |problem| Told { while_reading: Some(file.name.clone()), problem };
            problems.extend(loaded.problems.into_iter().map(|p| told(near_fragment(p, file))));
            let Some(one) = loaded.scenario else { continue };
            if let Some(twin) = scenarios.iter_mut().find(|s| s.name == one.name) {
                let (ours, theirs) = (twin.source.is_built_in(), one.source.is_built_in());
                if (ours || theirs) && twin.source.text == one.source.text {
                    // The copy on the disk is the one that was named.
                    if ours {
                        *twin = Arc::new(one);
                        continue;
                    }
                } else {
                    let text = format!(
                        "two files define the scenario `{}`: {} and {}",
                        one.name, twin.source.name, one.source.name
                    );
                    let problem = Problem::error("run::duplicate-scenario", text)
                        .hint("rename one of them, or name only one of the files");
                    problems.push(told(problem));
                }
                twins.push(file.name.clone());
                continue;
            }
            problems.extend(unknown_mechanism(&one).map(told));
            scenarios.push(Arc::new(one));
        }
        scenarios.sort_by(|a, b| natural(&a.name, &b.name));
        let catalogue_hash = hash(&catalogue_file);
        Ok(Library {
            scenarios,
            problems: problems.iter().map(|told| told.problem.clone()).collect(),
            told: problems,
            twins,
            catalogue: Arc::new(catalogue),
            catalogue_hash,
            allowlist,
            own: (args.providers.is_some(), args.manifest.is_some()),
            fragments: all_fragments,
            selection: wanted,
        })
    }

    /// Problems of these files, those in a fragment that one of them uses included.
    pub(crate) fn problems_of(&self, files: &[String]) -> Vec<Problem> {
        let of_files = |told: &&Told| told.while_reading.as_ref().is_none_or(|name| files.contains(name));
        let mut problems: Vec<Problem> = Vec::new();
        for told in self.told.iter().filter(of_files) {
            if !problems.contains(&told.problem) {
                problems.push(told.problem.clone());
            }
        }
        problems
    }

    /// Whether a file came to something: a scenario, a fragment, or a problem.
    pub(crate) fn knows(&self, file: &str) -> bool {
        let text = |s: &Arc<Scenario>| s.source.name == file;
        self.scenarios.iter().any(text)
            || self.fragments.iter().map(|f| &f.name).chain(&self.twins).any(|name| *name == file)
            || self.told.iter().any(|told| told.while_reading.as_deref() == Some(file))
    }

    /// The chosen scenarios; all errors of files stop everything.
    pub(crate) fn chosen(&self) -> Result<Choice, SessionError> {
        let mut problems: Vec<Problem> =
            self.problems.iter().filter(|p| p.level == Level::Error).cloned().collect();
        // A file that cannot be read as a scenario is no unknown one: its own errors say enough.
        let faulty = |item: &String| {
            let path = Path::new(item);
            problems.iter().filter_map(|p| p.source.as_ref()).any(|s| Path::new(&*s.name).starts_with(path))
        };
        // A second file of one name is a problem of its own already.
        let twin = |item: &String| {
            !problems.is_empty() && self.twins.iter().any(|twin| normal(twin) == normal(item))
        };
        let known = |item: &&String| !faulty(item) && !twin(item);
        let selection: Vec<String> = self.selection.iter().filter(known).cloned().collect();
        match choose(&self.scenarios, &selection) {
            Ok(chosen) if problems.is_empty() => Ok(chosen),
            Ok(_) => Err(SessionError::Problems(problems)),
            Err(more) => {
                problems.extend(more);
                Err(SessionError::Problems(problems))
            }
        }
    }
}

/// The shipped scenarios that a selection names, when each of its words is the name of one, or of an instance of one;
/// `None` when it may mean others too.
fn named_shipped(selection: &[String]) -> Option<Vec<SourceFile>> {
    let names: BTreeSet<&str> = selection.iter().map(|item| item.split('[').next().unwrap_or(item)).collect();
    let mut shipped = scenario::shipped();
    let on_disk = |name: &&str| Path::new(name).exists();
    shipped.retain(|file| scenario::name_of(file).is_some_and(|name| names.contains(name)));
    let all = !names.is_empty() && shipped.len() == names.len() && !names.iter().any(on_disk);
    all.then_some(shipped)
}

/// A problem, and the file that was read when it was found.
struct Told {
    while_reading: Option<String>,
    problem: Problem,
}

/// A failure is expected of a cause that there is; the language does not know which there are.
fn unknown_mechanism(scenario: &Scenario) -> Option<Problem> {
    let expected = scenario.expect_failure.as_ref()?;
    let name = expected.mechanism.as_deref()?;
    let known = mechanism::catalogue::names;
    known().all(|known| known != name).then(|| {
        Problem::error("scenario::unknown-mechanism", format!("there is no mechanism `{name}`"))
            .at(&scenario.source, expected.span, "expected here")
            .hint(did_you_mean(name, known()))
    })
}

/// A file, or the scenarios and fragments of a folder. What stands beside them there and is known to be something else,
/// a list of known reds for example, is left out.
fn scenarios_in(path: &Path) -> Result<Vec<SourceFile>, SessionError> {
    let mut files = walk(path)?;
    if path.is_dir() {
        files.retain(|file| classify(file).is_read_by_run());
    }
    Ok(files)
}

/// Says how the fragment beside a scenario is found.
fn near_fragment(mut problem: Problem, file: &SourceFile) -> Problem {
    let unknown = problem.code == "scenario::unknown-fragment";
    let span = problem.labels.first().map(|(span, _)| span.start..span.start + span.len).filter(|_| unknown);
    let named = span.zip(problem.source.as_ref()).and_then(|(span, source)| source.text.get(span));
    let Some(name) = named.map(|name| name.trim_matches(['"', '\'']).to_owned()) else { return problem };
    let folder =
        Path::new(&file.name).parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_it =
        |file: &SourceFile| file.text.lines().any(|line| line.trim_end() == format!("fragment: {name}"));
    if Path::new(&file.name).is_file()
        && let Ok(files) = walk(folder)
        && let Some(found) = files.iter().find(|file| is_it(file))
    {
        let hint = format!("{} has it: add `--scenarios {}`", found.name, folder.display());
        problem.hint = Some(hint);
    }
    problem
}

/// All profiles of a folder of scenarios, or the shipped ones.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn profiles(args: &LibrarySettings) -> Result<Vec<SourceFile>, SessionError> {
    match &args.scenarios {
        Some(folder) if folder.join("profiles").is_dir() => walk(&folder.join("profiles")),
        _ => Ok(profile::shipped()),
    }
}

/// The profile that `--profile` means: a file, or the name of one that is known.
pub(crate) fn profile(wanted: &str, args: &LibrarySettings) -> Result<Profile, SessionError> {
    let path = Path::new(wanted);
    if wanted.contains('/') || wanted.ends_with(".yaml") || wanted.ends_with(".yml") || path.is_file() {
        let loaded = profile::load(&read(path)?);
        return loaded.profile.ok_or(SessionError::Problems(loaded.problems));
    }
    let mut names = Vec::new();
    for file in profiles(args)? {
        let loaded = profile::load(&file);
        match loaded.profile {
            Some(profile) if profile.name == wanted => return Ok(profile),
            Some(profile) => names.push(profile.name),
            None if stem(&file) == wanted => return Err(SessionError::Problems(loaded.problems)),
            None => names.push(stem(&file).to_owned()),
        }
    }
    let hint = match names.len() {
        0 => "there is none in this folder of scenarios".to_owned(),
        _ => crate::source::did_you_mean(wanted, names.iter().map(String::as_str)),
    };
    Err(SessionError::NoProfile { name: wanted.to_owned(), hint })
}

fn stem(file: &SourceFile) -> &str {
    let name = file.name.rsplit('/').next().unwrap_or(&file.name);
    name.split('.').next().unwrap_or(name)
}

/// A file and its hash.
pub(crate) fn hash(file: &SourceFile) -> SourceHash {
    let digest = Sha256::digest(file.text.as_bytes());
    SourceHash { name: file.name.clone(), sha256: digest.iter().map(|b| format!("{b:02x}")).collect() }
}
