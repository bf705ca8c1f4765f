//! An earlier run that is run again: what an earlier run's log says about how it was run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{self, ArchiveError, Unpacked};
use super::failure::SessionError;
use super::files;
use super::library::{self, Library};
use super::profile;
use super::settings::{Again, LibrarySettings, RunSettings};
use super::shell::Shell;
use crate::domain::InputSource;
use crate::event::{ScenarioSource, SourceHash, Verdict};
use crate::redact;
use crate::report::{RunState, ScenarioState, fold, profile_name};
use crate::run::folder;
use crate::runner::plan::Only;
use crate::scenario::{self, Scenario, scenario_of, without_round};
use crate::source::{Level, Problem, SourceFile};
use crate::targets::Kind;

/// An earlier run, and what of it is run again.
pub(crate) struct Recorded {
    state: RunState,
    /// Instances without rounds; `None`: every one of its scenarios.
    instances: Option<BTreeSet<String>>,
    only_failed: bool,
}

impl Recorded {
    /// The run that the settings name, if they name one.
    ///
    /// # Errors
    /// There is no such run, or its log cannot be read.
    pub(crate) fn of(asked: &RunSettings, shell: &Shell) -> Result<Option<Recorded>, SessionError> {
        let (wanted, only_failed) = match &asked.again {
            Some(Again::Like(run)) => (run, false),
            Some(Again::RerunFailed(run)) => (run, true),
            None => return Ok(None),
        };
        let (_, state) = read(wanted, shell)?;
        let mut recorded = Recorded { state, instances: None, only_failed };
        // A run that did not get to its plan says of no instance how it ended: none passed.
        if !recorded.state.scenarios.is_empty() {
            let again = recorded.state.scenarios.values().filter(|s| !only_failed || did_not_pass(s));
            recorded.instances = Some(again.map(|s| without_round(s.name()).to_owned()).collect());
        }
        Ok(Some(recorded))
    }

    /// One instance of a run that was read.
    pub(crate) fn instance(state: RunState, name: &str) -> Recorded {
        let instances = Some(BTreeSet::from([without_round(name).to_owned()]));
        Recorded { state, instances, only_failed: true }
    }

    /// Nothing is to be run again.
    pub(crate) fn is_empty(&self) -> bool {
        self.instances.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// What is said then.
    pub(crate) fn nothing(&self) -> String {
        format!("nothing to run again: {}: {}", self.state.identity.run, self.state.totals().line())
    }

    /// The settings of the new run: what is asked for wins, then what was recorded.
    ///
    /// # Errors
    /// The terminal cannot be told.
    pub(crate) fn settings(&self, asked: &RunSettings, shell: &Shell) -> Result<RunSettings, SessionError> {
        let identity = &self.state.identity;
        let then = RunSettings::recorded(identity);
        let mut now = asked.clone();
        // Whoever asks for another seed, target or repetition wants it.
        now.seed = now.seed.or(then.seed);
        if !self.only_failed {
            now.repeat = now.repeat.or(then.repeat);
        }
        if now.library.providers.is_none() && !identity.catalogue.name.starts_with('<') {
            now.library.providers = Some(identity.catalogue.name.clone().into());
        }
        let there = identity.target.as_ref();
        let kind = then.target.kind.or_else(|| Kind::named(&there?.kind).ok());
        let target = &mut now.target;
        let elsewhere = asked.profile.is_some() || target.kind.is_some() || target.base_url.is_some();
        if !elsewhere {
            match &identity.profile {
                Some(profile) => now.profile = Some(profile_name(&profile.name)),
                None => {
                    target.kind = kind;
                    if kind.is_some_and(Kind::needs_address) {
                        target.base_url = then.target.base_url.or(there.map(|t| t.base_url.clone()));
                        target.org_id = target.org_id.take().or(then.target.org_id);
                    }
                    target.docker |= then.target.docker;
                }
            }
            target.agent_image = target.agent_image.take().or(then.target.agent_image);
            target.provider_url = target.provider_url.take().or(then.target.provider_url);
            target.answers = target.answers.or(then.target.answers);
        }
        target.edition = target.edition.or(then.target.edition);
        if !elsewhere {
            target.expect_build = target.expect_build.take().or(then.target.expect_build);
        }
        if target.behaviours.is_empty() {
            target.behaviours = then.target.behaviours;
        }
        target.contract = target.contract.take().or(then.target.contract);
        let ours = |kind: Option<Kind>| kind.is_some_and(Kind::is_ours);
        // A reference platform here is this run's alone.
        now.exclusive |= ours(target.kind) && then.exclusive;
        // What only a reference platform here can be told is not told to another server.
        if ours(kind) && ours(target.kind) && identity.profile.is_none() {
            let scale = then.target.time_scale.or(there.map(|t| t.time_scale));
            target.time_scale = target.time_scale.or(scale.filter(|_| kind == target.kind));
            if target.faults.is_empty() {
                target.faults = then.target.faults;
            }
        }
        shell.printer.note(&self.told())?;
        self.name_secrets(&now, shell)?;
        Ok(now)
    }

    fn told(&self) -> String {
        let run = &self.state.identity.run;
        match (&self.instances, self.only_failed) {
            (Some(instances), true) => {
                let names: Vec<&str> = instances.iter().take(5).map(String::as_str).collect();
                let more = match instances.len().saturating_sub(names.len()) {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                format!(
                    "rerunning {} that did not pass of {run}: {}{more}",
                    instances.len(),
                    names.join(", ")
                )
            }
            _ => format!("running as {run} did"),
        }
    }

    /// A secret that was typed is in no log: who wants the same run types it again.
    fn name_secrets(&self, asked: &RunSettings, shell: &Shell) -> Result<(), SessionError> {
        let typed = |name: &str| asked.inputs.contains_key(name);
        let inputs = &self.state.identity.inputs;
        let lost: BTreeSet<&str> = inputs
            .iter()
            .filter(|i| i.source == InputSource::Flag && redact::is_marked(&i.value) && !typed(&i.name))
            .map(|i| i.name.as_str())
            .collect();
        for name in lost {
            shell.printer.note(&format!(
                "input `{name}` was typed and is secret: give it again with --input {name}=…"
            ))?;
        }
        Ok(())
    }

    /// Its scenarios as they were, or, with `--scenarios`, as they are there.
    pub(crate) fn library(&self, asked: &RunSettings, shell: &Shell) -> Result<Library, SessionError> {
        let names = self.names();
        if asked.library.scenarios.is_some() {
            let selection = if asked.selection.is_empty() { &names } else { &asked.selection };
            return Library::load(&asked.library, selection);
        }
        let identity = &self.state.identity;
        let mut files = Vec::new();
        for source in identity.scenarios.iter().filter(|s| names.contains(&s.scenario)) {
            files.push(recalled(source, shell)?);
        }
        if files.is_empty() {
            return Err(SessionError::NoScenarios(identity.run.clone()));
        }
        let fragments: Vec<SourceFile> = identity.fragments.iter().map(file_of).collect();
        Library::recorded(&asked.library, &files, &fragments, &asked.selection)
    }

    /// The scenarios that have an instance to run.
    fn names(&self) -> Vec<String> {
        let all = self.state.identity.scenarios.iter().map(|s| s.scenario.clone());
        all.filter(|name| {
            self.instances.as_ref().is_none_or(|some| some.iter().any(|i| scenario_of(i) == name))
        })
        .collect()
    }

    /// Only instances of the recorded run, and of what was typed.
    pub(crate) fn narrow(&self, only: &mut Only) {
        let Some(instances) = &self.instances else { return };
        for name in self.names() {
            let own: BTreeSet<String> =
                instances.iter().filter(|i| scenario_of(i) == name).cloned().collect();
            match only.get_mut(&name) {
                Some(typed) => typed.retain(|i| own.contains(i)),
                None => {
                    only.insert(name, own);
                }
            }
        }
    }

    /// Every value that was not secret, by instance and input: also defaults, which a variable of today could
    /// replace. What a profile told is told again, and what a matrix says stands in the name.
    pub(crate) fn inputs(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut inputs: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for input in &self.state.identity.inputs {
            if !matches!(input.source, InputSource::Profile | InputSource::Matrix)
                && !redact::is_marked(&input.value)
            {
                let own = inputs.entry(without_round(&input.scenario).to_owned()).or_default();
                own.insert(input.name.clone(), input.value.clone());
            }
        }
        inputs
    }

    /// Says what is not as it was.
    pub(crate) fn check(
        &self,
        profile: Option<&profile::Chosen>,
        library: &Library,
        shell: &Shell,
    ) -> Result<(), SessionError> {
        let identity = &self.state.identity;
        let changed = |then: &SourceHash, now: &SourceHash| {
            (then.sha256 != now.sha256).then(|| format!("{} is not as it was in {}", now.name, identity.run))
        };
        let profile = profile.zip(identity.profile.as_ref());
        let lines = [
            changed(&identity.catalogue, &library.catalogue_hash),
            profile.and_then(|(now, then)| changed(then, &library::hash(&now.profile.source))),
        ];
        for line in lines.into_iter().flatten() {
            shell.printer.note(&line)?;
        }
        Ok(())
    }
}

/// A run that a person named, ready to be read.
#[derive(Debug)]
pub(crate) struct Opened {
    /// As it would be typed again.
    pub name: PathBuf,
    unpacked: Option<Unpacked>,
}

impl Opened {
    /// Where its log is.
    pub(crate) fn folder(&self) -> &Path {
        self.unpacked.as_ref().map_or(&self.name, Unpacked::folder)
    }
}

/// Finds a run: a folder, a name, `last`, a packed file, `-` for standard input.
///
/// # Errors
/// There is none, or it cannot be unpacked.
pub(crate) fn open(wanted: &str, shell: &Shell) -> Result<Opened, SessionError> {
    let packed = |why: ArchiveError| SessionError::Packed { name: wanted.to_owned(), why };
    let temp = shell.env.temp();
    let path = Path::new(wanted);
    let unpacked = if wanted == "-" {
        Some(archive::of_stream(&mut std::io::stdin().lock(), &temp).map_err(packed)?)
    } else if path.is_file() && archive::is_packed(path) {
        Some(archive::unpack(path, &temp).map_err(packed)?)
    } else {
        None
    };
    let name = match &unpacked {
        Some(unpacked) => {
            if let Some(chosen) = &unpacked.chosen {
                shell.printer.note(&format!("{wanted} holds several runs: reading {chosen}"))?;
            }
            path.to_owned()
        }
        None => folder::find(&shell.runs_dir, wanted).map_err(SessionError::NoRun)?,
    };
    Ok(Opened { name, unpacked })
}

/// The run that a person names: where it is, and what its log says.
///
/// # Errors
/// There is none, or it cannot be read.
pub(crate) fn read(wanted: &str, shell: &Shell) -> Result<(PathBuf, RunState), SessionError> {
    let opened = open(wanted, shell)?;
    let state = state(opened.folder())?;
    Ok((opened.name.clone(), state))
}

/// What the log of a run says.
pub(crate) fn state(run: &Path) -> Result<RunState, SessionError> {
    fold(run).map_err(SessionError::ReadLog)
}

/// The scenarios of a run by today's files; one whose file is gone, as it was recorded.
///
/// # Errors
/// A file of today has errors.
pub(crate) fn today(state: &RunState, shell: &Shell) -> Result<Vec<Arc<Scenario>>, SessionError> {
    let identity = &state.identity;
    let mut files = Vec::new();
    for source in &identity.scenarios {
        let name = &source.file.name;
        // Another file may have come under its name.
        let is_it = |f: &SourceFile| scenario::name_of(f).is_none_or(|name| name == source.scenario);
        let today = file_of_today(name).filter(is_it);
        let file = match today {
            Some(file) => {
                if library::hash(&file).sha256 != source.file.sha256 {
                    shell.printer.note(&format!("{name} has changed since: judged by what it says today"))?;
                }
                file
            }
            None => {
                shell.printer.note(&format!("{name} is not there any more: judged as it was recorded"))?;
                file_of(source)
            }
        };
        files.push(file);
    }
    let fragment = |source: &ScenarioSource| {
        file_of_today(&source.file.name)
            .filter(scenario::fragment::is_fragment)
            .unwrap_or_else(|| file_of(source))
    };
    let fragments: Vec<SourceFile> = identity.fragments.iter().map(fragment).collect();
    let library = Library::recorded(&LibrarySettings::default(), &files, &fragments, &[])?;
    let errors: Vec<Problem> = library.problems.into_iter().filter(|p| p.level == Level::Error).collect();
    if errors.is_empty() { Ok(library.scenarios) } else { Err(SessionError::Problems(errors)) }
}

/// The file that has a name today: a shipped one, or one on the disk.
fn file_of_today(name: &str) -> Option<SourceFile> {
    let shipped = [scenario::shipped(), scenario::shipped_fragment_files()].concat();
    shipped.into_iter().find(|file| file.name == name).or_else(|| files::read(Path::new(name)).ok())
}

/// Red, or without an end of its own.
fn did_not_pass(scenario: &ScenarioState) -> bool {
    scenario.verdict().is_none_or(|v| v.is_red() || v == Verdict::Cancelled)
}

fn file_of(source: &ScenarioSource) -> SourceFile {
    SourceFile::new(source.file.name.clone(), source.text.clone())
}

/// A scenario file as it was. Where the redactor took something out of it, the file of today has to do.
fn recalled(source: &ScenarioSource, shell: &Shell) -> Result<SourceFile, SessionError> {
    let then = file_of(source);
    let name = &source.file.name;
    let today = file_of_today(name);
    let same = today.as_ref().is_some_and(|file| library::hash(file).sha256 == source.file.sha256);
    if library::hash(&then).sha256 == source.file.sha256 {
        if !same {
            let what = if today.is_some() { "has changed since" } else { "is not there any more" };
            shell.printer.note(&format!("{name} {what}: it runs as it was recorded"))?;
        }
        return Ok(then);
    }
    let Some(today) = today else {
        return Err(SessionError::SecretFile(name.clone()));
    };
    if !same {
        shell.printer.note(&format!("{name} held a secret: it runs as it is now, which is not as it was"))?;
    }
    Ok(today)
}
