//! `lifecycle check`: everything that can be known without a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::args::CheckArgs;
use super::failure::CliError;
use super::{Shell, check_times, format};
use crate::behaviour::overlay;
use crate::domain::ExitCode;
use crate::domain::words::count;
use crate::models::catalogue::{Catalogue, lint};
use crate::models::contradictions::Target;
use crate::models::workflow;
use crate::runner::contradictions::{self, Against};
use crate::runner::plan::{self, InputSources};
use crate::scenario::Scenario;
use crate::scenario::known::KnownReds;
use crate::session::classify::{FileKind, Sorted, classify};
use crate::session::library::{self, Library};
use crate::session::{LibrarySettings, SessionError, files, project};
use crate::source::{Level, Problem, SourceFile};
use crate::targets::{TargetFacts, misroute, profile};

/// Checks files.
pub(crate) fn run(args: &CheckArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let settings = LibrarySettings { edition: args.edition, ..args.library.in_env(&shell.env) };
    let mut problems: Vec<Problem> = Vec::new();
    let mut sorted = sorted(&args.paths, &mut problems)?;
    let everything = args.paths.is_empty();
    if everything {
        sorted.insert(FileKind::Profile, library::profiles(&settings)?);
        let workflows = workflows(&mut problems)?;
        if !workflows.is_empty() {
            sorted.insert(FileKind::Workflow, workflows);
        }
    }
    let given = [FileKind::Scenario, FileKind::Fragment]
        .into_iter()
        .flat_map(|kind| sorted.get(&kind).cloned().unwrap_or_default())
        .collect::<Vec<_>>();
    let names: Vec<String> = given.iter().map(|file| file.name.clone()).collect();
    let mut counts: BTreeMap<FileKind, usize> = sorted.iter().map(|(kind, all)| (*kind, all.len())).collect();
    if !given.is_empty() || everything {
        let library = Library::load_given(&settings, &names, given)?;
        problems.extend(if everything { library.problems.clone() } else { library.problems_of(&names) });
        for path in names.iter().filter(|path| !library.knows(path)) {
            let text = format!("{path} is neither a scenario nor a fragment");
            problems.push(Problem::error("check::nothing", text));
        }
        let is_meant = |s: &&Arc<Scenario>| everything || names.contains(&s.source.name);
        let scenarios: Vec<Arc<Scenario>> = library.scenarios.iter().filter(is_meant).cloned().collect();
        let today = today();
        problems.extend(scenarios.iter().filter_map(|s| crate::scenario::expired(s, &today)));
        if everything {
            counts.insert(FileKind::Scenario, scenarios.len());
            counts.insert(FileKind::Fragment, library.fragments.len());
        }
        problems.extend(of_models(&library, &scenarios, everything, shell));
    }
    let of = |kind: FileKind| sorted.get(&kind).into_iter().flatten();
    problems.extend(of(FileKind::Profile).flat_map(|file| profile::load(file).problems));
    problems.extend(of(FileKind::Catalogue).flat_map(catalogue));
    problems.extend(of(FileKind::KnownReds).flat_map(known_reds));
    problems.extend(of(FileKind::Overlay).flat_map(|file| overlay::read(file).err().unwrap_or_default()));
    problems.extend(of(FileKind::Project).flat_map(|file| project::parse(file).err().unwrap_or_default()));
    for file in of(FileKind::Unclear) {
        let text = format!("{} is none of the files that this program reads", file.name);
        let hint = "the first key of a file of ours is `scenario`, `fragment` or `profile`";
        problems.push(Problem::warning("check::unclear", text).hint(hint));
    }
    problems.extend(of(FileKind::Compose).chain(of(FileKind::Workflow)).flat_map(misroute::check));
    problems.extend(of(FileKind::Workflow).flat_map(|file| check_times::check(file, &args.library, shell)));
    let mut undecidable = 0;
    if sorted.contains_key(&FileKind::Workflow) {
        let library = Library::load(&settings, &[])?;
        let read = |path: &str| files::read(std::path::Path::new(path)).ok();
        let context =
            workflow::Context { catalogue: &library.catalogue, allowlist: &library.allowlist, read: &read };
        for file in of(FileKind::Workflow) {
            let report = workflow::check(file, &context);
            problems.extend(report.problems);
            undecidable += report.undecidable.len();
            for one in report.undecidable {
                shell.printer.note(&format!("{}: not decided here: {}: {}", one.place, one.what, one.why))?;
            }
        }
    }
    let errors = problems.iter().filter(|p| p.level == Level::Error).count();
    let warnings = problems.len() - errors;
    let bad = errors > 0 || (args.deny_warnings && warnings > 0);
    let code = if bad { ExitCode::BadInput } else { ExitCode::Passed };
    if args.format.is_json() {
        let rows: Vec<_> = problems.iter().map(row).collect();
        let counts: BTreeMap<&str, usize> = counts.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
        let whole = json!({ "files": counts, "errors": errors, "warnings": warnings,
            "undecidable": undecidable, "problems": rows, "exit": code.code() });
        format::print(shell, &whole)?;
        return Ok(code);
    }
    for problem in &problems {
        shell.printer.talk(&problem.draw(shell.printer.stderr_colour(), shell.printer.width()))?;
    }
    let counted: Vec<String> =
        counts.iter().filter(|(_, n)| **n > 0).map(|(kind, n)| kind.counted(*n)).collect();
    let open = if undecidable > 0 { format!(", {undecidable} not decided here") } else { String::new() };
    shell.printer.note(&format!(
        "checked {}: {}, {}{open}",
        if counted.is_empty() { "nothing".to_owned() } else { counted.join(", ") },
        count(errors, "error"),
        count(warnings, "warning")
    ))?;
    Ok(code)
}

/// A problem for machines.
fn row(problem: &Problem) -> serde_json::Value {
    json!({
        "level": if problem.level == Level::Error { "error" } else { "warning" },
        "code": problem.code, "message": problem.message, "place": problem.place(), "hint": problem.hint,
    })
}

/// Where forges look for workflows.
const WORKFLOWS: [&str; 3] = [".gitea/workflows", ".forgejo/workflows", ".github/workflows"];

/// The workflow files of the repository that this is called in.
fn workflows(problems: &mut Vec<Problem>) -> Result<Vec<SourceFile>, CliError> {
    let mut all = Vec::new();
    for folder in WORKFLOWS.map(PathBuf::from).into_iter().filter(|folder| folder.is_dir()) {
        if !files::find(&folder)?.is_empty() {
            all.extend(sorted(&[folder], problems)?.remove(&FileKind::Workflow).unwrap_or_default());
        }
    }
    Ok(all)
}

/// Every YAML file below the paths, by what it is. A file that was named itself is what it was named for.
fn sorted(paths: &[PathBuf], problems: &mut Vec<Problem>) -> Result<Sorted, CliError> {
    let mut sorted = Sorted::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        if !path.exists() {
            return Err(SessionError::NoSuchFile(path.display().to_string()).into());
        }
        let found = files::find(path)?;
        if found.is_empty() {
            let text = format!("nothing to check in `{}`", path.display());
            let what = "a folder holds .yaml files: scenarios, fragments, profiles or CI workflows";
            return Err(CliError::new(ExitCode::BadInput, text).next(what));
        }
        for file in found {
            if !seen.insert(file.clone()) {
                continue;
            }
            let file = match files::read(&file) {
                Ok(file) => file,
                Err(error) => {
                    problems.push(Problem::error("check::unreadable", error.to_string()));
                    continue;
                }
            };
            let kind = match classify(&file) {
                FileKind::Unclear | FileKind::Foreign if !path.is_dir() => FileKind::Scenario,
                kind => kind,
            };
            sorted.entry(kind).or_default().push(file);
        }
    }
    Ok(sorted)
}

fn catalogue(file: &SourceFile) -> Vec<Problem> {
    match Catalogue::parse(file) {
        Ok(catalogue) => lint(&catalogue),
        Err(problems) => problems,
    }
}

/// A list of known reds; what is in it for longer than it should be is told.
fn known_reds(file: &SourceFile) -> Vec<Problem> {
    let today = today();
    let known = match KnownReds::parse(file) {
        Ok(known) => known,
        Err(problems) => return problems,
    };
    let over = known.iter().filter_map(|(fingerprint, red)| red.over(fingerprint, &today));
    let told = |text: String| {
        Problem::warning("check::expired", format!("{}: {text}", file.name))
            .hint("take it out, or give it a later `until`")
    };
    over.map(told).collect()
}

/// `YYYY-MM-DD`.
fn today() -> String {
    crate::clock::wall().to_string().get(..10).unwrap_or_default().to_owned()
}

/// Contradictions of scenarios, and of the environment at hand when everything is checked.
fn of_models(
    library: &Library,
    scenarios: &[Arc<Scenario>],
    environment: bool,
    shell: &Shell,
) -> Vec<Problem> {
    let able = TargetFacts::everything();
    let env = if environment { shell.env.vars().clone() } else { BTreeMap::new() };
    let sources = InputSources { env: env.clone(), ..InputSources::default() };
    let against = Against {
        catalogue: &library.catalogue,
        allowlist: &library.allowlist,
        allowlist_known: true,
        env: &env,
        target: Target::default(),
    };
    match plan::plan(scenarios, &plan::Only::new(), &sources, &able, 1) {
        Ok(instances) => contradictions::of_instances(&instances, &against),
        Err(problems) => problems,
    }
}
