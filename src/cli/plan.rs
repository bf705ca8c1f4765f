//! `lifecycle plan`: what would run.

use serde_json::json;

use super::args::PlanArgs;
use super::failure::CliError;
use super::{Shell, check_times};
use crate::domain::words::count;
use crate::domain::{ExitCode, time};
use crate::models::inputs::LlmPath;
use crate::runner::plan::{self, InputSources, Instance};
use crate::runner::{contradictions, credentials};
use crate::session::library::Library;
use crate::session::old_names;
use crate::session::profile;
use crate::session::project::Told;
use crate::session::selection::Choice;
use crate::targets::TargetFacts;

/// Shows the plan; sends nothing, so what a target lacks is not known here.
pub(crate) fn run(args: &PlanArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let (project, told) = args.library.in_project(shell)?;
    let files = project.library.clone();
    let library = Library::load_meant(&files, &args.selection, args.profile.as_deref())?;
    let profile = args.profile.as_deref().map(|wanted| profile::choose(wanted, &files, shell)).transpose()?;
    let Choice { scenarios: chosen, only, .. } = match &profile {
        Some(profile) => profile.scenarios(&library, &args.selection)?,
        None => library.chosen()?,
    };
    let sources = profile::sources(&args.inputs.iter().cloned().collect(), profile.as_ref(), shell);
    let sources = InputSources { project: project.defaults.clone(), ..sources };
    let able = TargetFacts::everything();
    let mut instances = plan::plan(&chosen, &only, &sources, &able, 1).map_err(CliError::problems)?;
    if let Some(skip) = profile.as_ref().and_then(|p| p.skip.as_ref()) {
        instances.iter_mut().for_each(|i| i.skip = Some(skip.clone()));
    }
    let worst = check_times::of_plan(&instances);
    let mut asked = project;
    asked.target.kind = args.target.or(asked.target.kind);
    let around = check_times::around(&asked, profile.as_ref(), &shell.env)?;
    if args.format.is_json() {
        let rows: Vec<_> = instances
            .iter()
            .map(|i| json!({ "plan": plan::planned(i), "inputs": i.resolved, "worst_case_ms": time::ms(plan::worst_case(i)) }))
            .collect();
        let whole = match &profile {
            Some(p) => json!({ "profile": p.profile.name, "starts": p.outlook.parts, "scenarios": rows,
                "worst_case_ms": time::ms(worst + around) }),
            None => json!(rows),
        };
        shell.printer.json(&serde_json::to_string_pretty(&whole).unwrap_or_default())?;
        return Ok(ExitCode::Passed);
    }
    for line in old_names::told(&shell.env) {
        shell.printer.note(&line)?;
    }
    let mut text = String::new();
    if let Some(profile) = &profile {
        text.push_str(&profile.lines().join("\n"));
        text.push_str("\n\n");
    }
    if !told.is_empty() {
        text.push_str("settings\n");
        for Told { name, value, source } in &told {
            text.push_str(&format!("  {name} = {value} ({source})\n"));
        }
        text.push('\n');
    }
    for instance in &instances {
        let planned = plan::planned(instance);
        text.push_str(&format!(
            "{}  ({}, at most {})\n",
            instance.name,
            planned.file,
            time::show(plan::worst_case(instance))
        ));
        if let Some(skip) = &instance.skip {
            text.push_str(&format!("  skipped: {skip}\n"));
        }
        if let Some(expected) = &planned.expects_failure {
            text.push_str(&format!(
                "  expected to fail: {} {} until {}\n",
                expected.issue, expected.reason, expected.until
            ));
        }
        for input in &instance.resolved {
            text.push_str(&format!("  {} = {} ({})\n", input.name, input.value, input.source));
        }
        for line in models(instance, &library, shell) {
            text.push_str(&format!("  {line}\n"));
        }
        for step in planned.steps {
            text.push_str(&format!("  {:>12}  {:<10} {}\n", step.step, step.verb, step.name));
        }
        text.push('\n');
    }
    text.push_str(&format!(
        "{}; together they take at most {}",
        count(instances.len(), "scenario"),
        time::show(worst)
    ));
    if !around.is_zero() {
        text.push_str(&format!(
            "\nwhat is made before them and removed after them takes at most {}: {} in all, with clean-up",
            time::show(around),
            time::show(worst + around)
        ));
    }
    shell.printer.data(&text)?;
    Ok(ExitCode::Passed)
}

/// For every create that is known before anything runs: model, provider, who pays, names of secrets.
fn models(instance: &Instance, library: &Library, shell: &Shell) -> Vec<String> {
    let creates = contradictions::creates(instance);
    let lines = creates.into_iter().map(|create| {
        let path = create.llm_path.parse().unwrap_or(LlmPath::Byok);
        let slug = create.model.as_deref();
        let (catalogue, allowlist) = (&library.catalogue, &library.allowlist);
        let choice =
            credentials::foresee(catalogue, allowlist, shell.env.vars(), &create.runtime, path, slug);
        match choice {
            Ok(choice) => {
                let secrets: Vec<&str> = choice.create_secrets.keys().map(String::as_str).collect();
                let secrets = if secrets.is_empty() { "no secrets".to_owned() } else { secrets.join(", ") };
                format!(
                    "{} = {} on {} by {} ({}; {secrets})",
                    create.alias,
                    choice.model,
                    create.runtime,
                    choice.provider,
                    choice.billing.as_str()
                )
            }
            Err(why) => format!("{}: {}", create.alias, why.summary()),
        }
    });
    lines.collect()
}
