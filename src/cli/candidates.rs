//! What a shell offers for a value: scenarios, faults, profiles, runs.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};

use crate::domain::natural::natural;
use crate::reference::faults::ALL;
use crate::run::folder;
use crate::scenario::expand_matrix;
use crate::session::env::{Env, current_folder};
use crate::session::library::Library;
use crate::session::{LibrarySettings, project};

/// More instances than a person picks from.
const INSTANCES: usize = 64;

fn library() -> Option<Library> {
    let folder = current_folder().ok()?;
    let own = project::find(&folder).ok().flatten();
    let mut asked = crate::session::RunSettings::default();
    if let Some(project) = &own
        && let Ok(preset) = project.chosen(None, false)
    {
        preset.fill(&mut asked);
    }
    let settings = LibrarySettings { scenarios: asked.library.scenarios, ..LibrarySettings::default() };
    Library::load(&settings, &[]).ok()
}

/// Names, instances, `@tags`, and files.
pub(super) fn selection(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(text) = typed.to_str() else { return Vec::new() };
    let mut found = BTreeSet::new();
    for scenario in library().map(|library| library.scenarios).unwrap_or_default() {
        found.extend(scenario.tags.iter().map(|tag| format!("@{tag}")));
        // Instances only of the scenario that is being typed.
        if text.starts_with(scenario.name.as_str()) {
            found.extend(expand_matrix(&scenario).into_iter().take(INSTANCES).map(|one| one.name));
        }
        found.insert(scenario.name.clone());
    }
    let mut names: Vec<String> = found.into_iter().filter(|name| name.starts_with(text)).collect();
    names.sort_by(|a, b| natural(a, b));
    let mut all: Vec<CompletionCandidate> = names.into_iter().map(CompletionCandidate::new).collect();
    all.extend(PathCompleter::any().complete(typed));
    all
}

/// Faults of the reference platform.
pub(super) fn faults() -> Vec<CompletionCandidate> {
    ALL.iter().map(|fault| CompletionCandidate::new(fault.name)).collect()
}

/// Mechanisms of the shipped catalogue.
pub(super) fn mechanisms() -> Vec<CompletionCandidate> {
    crate::mechanism::catalogue::names().map(CompletionCandidate::new).collect()
}

/// Shipped profiles, and files.
pub(super) fn profiles(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(text) = typed.to_str() else { return Vec::new() };
    let shipped = crate::targets::profile::shipped();
    let names = shipped.iter().filter_map(|file| crate::targets::profile::load(file).profile);
    let mut all: Vec<CompletionCandidate> = names
        .filter(|profile| profile.name.starts_with(text))
        .map(|profile| CompletionCandidate::new(profile.name).help(Some(profile.summary.into())))
        .collect();
    all.extend(PathCompleter::file().complete(typed));
    all
}

/// Runs, newest first, and files.
pub(super) fn runs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(text) = typed.to_str() else { return Vec::new() };
    let own = current_folder().ok().and_then(|folder| project::find(&folder).ok().flatten());
    let own = own.and_then(|project| project.chosen(None, false).ok().and_then(|preset| preset.runs()));
    let set = Env::read().get("LIFECYCLE_RUNS_DIR").map(PathBuf::from);
    let folder = set.or(own).unwrap_or_else(|| PathBuf::from("runs"));
    let names = folder::list(&folder).into_iter().rev().take(50);
    let names = names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let mut all: Vec<CompletionCandidate> = std::iter::once("last".to_owned())
        .chain(names)
        .filter(|name| name.starts_with(text))
        .map(CompletionCandidate::new)
        .collect();
    all.extend(PathCompleter::any().complete(typed));
    all
}
