//! `lifecycle check`: everything that can be known without a network.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::args::CheckArgs;
use super::failure::CliError;
use super::{Shell, check_times};
use crate::domain::ExitCode;
use crate::models::contradictions::Target;
use crate::models::workflow;
use crate::runner::contradictions::{self, Against};
use crate::runner::plan::{self, InputSources};
use crate::scenario::Scenario;
use crate::session::files;
use crate::session::library::{self, Library};
use crate::source::{Level, Problem, SourceFile};
use crate::targets::{TargetFacts, misroute, profile};

/// Checks files.
pub(crate) fn run(args: &CheckArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut scenario_paths = Vec::new();
    let mut given = Vec::new();
    let mut workflows: Vec<SourceFile> = Vec::new();
    let mut composes: Vec<SourceFile> = Vec::new();
    for path in &args.paths {
        if !path.exists() {
            return Err(CliError::new(
                ExitCode::BadInput,
                format!("there is no file or folder `{}`", path.display()),
            ));
        }
        let found = files::walk(path)?;
        if found.is_empty()
            && library::profiles(std::slice::from_ref(path), &args.library.settings())?.is_empty()
        {
            let text = format!("nothing to check in `{}`", path.display());
            let what = "a folder holds .yaml files: scenarios, fragments, profiles or CI workflows";
            return Err(CliError::new(ExitCode::BadInput, text).next(what));
        }
        for file in found {
            if profile::is_profile(&file) {
                continue;
            }
            if is_compose(&file) {
                composes.push(file);
            } else if is_workflow(&file) {
                workflows.push(file);
            } else if !scenario_paths.contains(&file.name) {
                scenario_paths.push(file.name.clone());
                given.push(file);
            }
        }
    }
    let profiles = library::profiles(&args.paths, &args.library.settings())?;
    let only_others =
        !(workflows.is_empty() && composes.is_empty() && profiles.is_empty()) && scenario_paths.is_empty();
    let mut problems: Vec<Problem> = Vec::new();
    let mut counted = Vec::new();
    if !only_others || args.paths.is_empty() {
        let library = Library::load_given(&args.library.settings(), &scenario_paths, given)?;
        problems.extend(match args.paths.is_empty() {
            true => library.problems.clone(),
            false => library.problems_of(&scenario_paths),
        });
        for path in scenario_paths.iter().filter(|path| !library.knows(path)) {
            let text = format!("{path} is neither a scenario nor a fragment");
            problems.push(Problem::error("check::nothing", text));
        }
        let scenarios = match args.paths.is_empty() {
            true => library.scenarios.clone(),
            false => library
                .scenarios
                .iter()
                .filter(|s| scenario_paths.contains(&s.source.name))
                .cloned()
                .collect(),
        };
        let today = crate::clock::wall().to_string();
        problems.extend(
            scenarios.iter().filter_map(|s| crate::scenario::expired(s, today.get(..10).unwrap_or_default())),
        );
        counted.push(format!("{} scenarios", scenarios.len()));
        problems.extend(of_models(&library, &scenarios, args.paths.is_empty(), shell));
    }
    problems.extend(profiles.iter().flat_map(|file| profile::load(file).problems));
    if !profiles.is_empty() {
        counted.push(match profiles.len() {
            1 => "1 profile".to_owned(),
            n => format!("{n} profiles"),
        });
    }
    problems.extend(composes.iter().chain(&workflows).flat_map(misroute::check));
    problems.extend(workflows.iter().flat_map(|file| check_times::check(file, &args.library, shell)));
    if !composes.is_empty() {
        counted.push(format!("{} compose files", composes.len()));
    }
    let mut undecidable = 0;
    if !workflows.is_empty() {
        let library = Library::load(&args.library.settings(), &[])?;
        let read = |path: &str| files::read(std::path::Path::new(path)).ok();
        let context =
            workflow::Context { catalogue: &library.catalogue, allowlist: &library.allowlist, read: &read };
        for file in &workflows {
            let report = workflow::check(file, &context);
            problems.extend(report.problems);
            undecidable += report.undecidable.len();
            for one in report.undecidable {
                shell.printer.note(&format!("{}: undecidable: {}: {}", one.place, one.what, one.why))?;
            }
        }
    }
    let errors = problems.iter().filter(|p| p.level == Level::Error).count();
    let warnings = problems.len() - errors;
    for problem in &problems {
        shell.printer.talk(&problem.draw(shell.printer.stderr_colour(), shell.printer.width()))?;
    }
    if !workflows.is_empty() {
        counted.push(format!("{} workflow files", workflows.len()));
    }
    let open = if undecidable > 0 { format!(", {undecidable} undecidable") } else { String::new() };
    let bad = errors > 0 || (args.deny_warnings && warnings > 0);
    shell
        .printer
        .note(&format!("checked {}: {errors} errors, {warnings} warnings{open}", counted.join(", ")))?;
    Ok(if bad { ExitCode::BadInput } else { ExitCode::Passed })
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

/// A compose file has `services:` at its top level, and is neither a profile nor a workflow.
fn is_compose(file: &SourceFile) -> bool {
    let top = |key: &str| file.text.lines().any(|line| line.trim_end() == key);
    top("services:") && !top("jobs:")
}

/// A CI workflow has `jobs:` at its top level.
fn is_workflow(file: &SourceFile) -> bool {
    file.text.lines().any(|line| line.trim_end() == "jobs:")
}
