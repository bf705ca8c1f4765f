//! Settings of planned creates that fight each other, found before anything is sent (DESIGN §5).

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Instance, Known};
use crate::models::allowlist::{Allowlist, external_like};
use crate::models::catalogue::Catalogue;
use crate::models::contradictions::{Finding, Situation, Target, detect};
use crate::models::derive::derive;
use crate::models::inputs::{LLM_PATH, LlmPath, MODEL_SLUG};
use crate::models::situation::SET;
use crate::scenario::model::{Create, Credentials, ModelField, Step, Verb};
use crate::scenario::template::Template;
use crate::scenario::verbs::walk_where;
use crate::source::{Level, Problem};

/// What the creates are checked against.
pub(crate) struct Against<'a> {
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// Runtimes that the server allows.
    pub allowlist: &'a Allowlist,
    /// Whether that list is the server's own: a live one without `--manifest` may take more.
    pub allowlist_known: bool,
    /// The environment at hand.
    pub env: &'a BTreeMap<String, String>,
    /// Where it goes.
    pub target: Target,
}

/// Contradictions of all creates of all instances, each once.
pub(crate) fn of_instances(instances: &[Instance], against: &Against<'_>) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for instance in instances.iter().filter(|i| i.skip.is_none()) {
        let scope = Known { instance };
        let mut creates = Vec::new();
        collect(&instance.scenario.steps, &mut creates);
        for (step, create) in creates {
            for problem in of_create(step, create, &scope, against) {
                if seen.insert(problem.line()) {
                    problems.push(problem);
                }
            }
        }
    }
    problems
}

/// Creates that certainly run: those under a `when` may not.
fn collect<'s>(steps: &'s [Step], into: &mut Vec<(&'s Step, &'s Create)>) {
    for step in walk_where(steps, |step| step.when.is_none()) {
        if let Verb::Create(create) = &step.verb {
            into.push((step, create));
        }
    }
}

/// A create with automatic model, as far as inputs and matrix tell.
pub(crate) struct Foreseen {
    /// Its name in the scenario.
    pub alias: String,
    /// Its runtime.
    pub runtime: String,
    /// `byok`, `platform` or empty.
    pub llm_path: String,
    /// An explicit model.
    pub model: Option<String>,
}

/// The creates of an instance whose model the rules choose, or that name one with automatic credentials.
pub(crate) fn creates(instance: &Instance) -> Vec<Foreseen> {
    let scope = Known { instance };
    let mut creates = Vec::new();
    collect(&instance.scenario.steps, &mut creates);
    let text = |template: &Option<Template>| template.as_ref().and_then(|t| t.render(&scope).ok());
    creates
        .into_iter()
        .filter(|(_, create)| create.answer.status.is_empty() || create.answer.status_fits(201))
        .filter_map(|(_, create)| {
            let model = match &create.model {
                ModelField::None => return None,
                ModelField::Auto => None,
                ModelField::Slug(slug) => slug.render(&scope).ok().filter(|s| !s.is_empty() && s != "auto"),
            };
            let runtime = text(&create.runtime).unwrap_or_else(|| "claude-code".into());
            let external = create.external || external_like(&runtime);
            (!external).then(|| Foreseen {
                alias: create.alias.clone(),
                runtime,
                llm_path: text(&create.llm_path).unwrap_or_default(),
                model,
            })
        })
        .collect()
}

fn of_create(step: &Step, create: &Create, scope: &Known<'_>, against: &Against<'_>) -> Vec<Problem> {
    let text = |template: &Option<Template>| template.as_ref().map(|t| t.render(scope)).transpose();
    // What is only known while the scenario runs is decided then.
    let (Ok(runtime), Ok(template), Ok(path)) =
        (text(&create.runtime), text(&create.template), text(&create.llm_path))
    else {
        return Vec::new();
    };
    let name = runtime.clone().unwrap_or_else(|| "claude-code".into());
    // Without a model, or before it is known, the runtime alone can be wrong.
    let mut only_runtime = matches!(create.model, ModelField::None);
    let model = match &create.model {
        ModelField::None | ModelField::Auto => None,
        ModelField::Slug(slug) => match slug.render(scope) {
            Ok(slug) => Some(slug).filter(|s| !s.is_empty() && s != "auto"),
            Err(_) => {
                only_runtime = true;
                None
            }
        },
    };
    if (create.external || external_like(&name)) && model.is_none() {
        return Vec::new();
    }
    let mut situation = Situation {
        runtime,
        template,
        external: create.external,
        target: against.target,
        ..Situation::default()
    };
    let auto = model.is_none();
    let rules_choose = auto && !only_runtime;
    if auto {
        // The settings of the environment meet here; what they lack, the model rules fill in or skip.
        situation = Situation {
            runtime: situation.runtime,
            template: situation.template,
            target: against.target,
            ..Situation::from_env(against.catalogue, against.env)
        };
        if let Some(path) = path.filter(|p| !p.is_empty()) {
            situation.env.insert(LLM_PATH.to_owned(), path);
        }
        only_runtime |= !situation.env.contains_key(MODEL_SLUG);
        if only_runtime && situation.runtime.as_deref().is_none_or(str::is_empty) {
            return Vec::new();
        }
    } else {
        let mut secrets: BTreeMap<String, String> = create
            .secrets
            .iter()
            .map(|(name, value)| {
                let empty = value.render(scope).is_ok_and(|v| v.is_empty());
                (name.clone(), if empty { String::new() } else { SET.to_owned() })
            })
            .collect();
        // Who lets the platform pay sends no key.
        let platform =
            path.as_deref().is_some_and(|path| LlmPath::of_scripts(Some(path)) == LlmPath::Platform);
        if create.credentials == Credentials::Auto && !create.external && !platform {
            let names = secrets.keys().cloned().collect();
            let provider = derive(against.catalogue, &name, model.as_deref().unwrap_or_default(), &names);
            if let Ok(provider) = provider
                && !provider.is_platform()
                && let Some(key) = provider.auth_env.iter().find(|key| crate::models::keys::is_guarded(key))
            {
                secrets.insert(key.clone(), SET.to_owned());
            }
        }
        situation.secrets = Some(secrets);
        situation.model = model;
        if let Some(path) = path.filter(|p| !p.is_empty()) {
            situation.env.insert(LLM_PATH.to_owned(), path);
        }
    }
    for setting in ["runtime", "template", "model", "secrets", "external", LLM_PATH] {
        situation.place(setting, &step.source, step.span);
    }
    let refusal_is_wanted = !create.answer.status.is_empty() && !create.answer.status_fits(201);
    let findings = detect(against.catalogue, against.allowlist, &situation);
    let declared = create.contradiction.as_deref();
    findings
        .into_iter()
        .filter(|finding| {
            !only_runtime || is_of_the_runtime(finding) || rules_choose && has_no_model(finding)
        })
        .map(|mut finding| {
            if is_of_the_runtime(&finding) && !against.allowlist_known {
                finding.level = Level::Warning;
                finding.fix.push_str("; this server may know more, `--manifest` says what it takes");
            }
            finding
        })
        .filter(|finding| declared != Some(finding.class.code))
        .filter_map(|finding| keep(finding, auto && !only_runtime, refusal_is_wanted || declared.is_some()))
        .map(|finding| finding.problem(&situation))
        .collect()
}

/// A runtime that the platform does not take, whatever the model is.
fn is_of_the_runtime(finding: &Finding) -> bool {
    matches!(finding.class.code, "C12" | "C13")
        || (finding.class.code == "C27" && finding.settings.first().is_some_and(|s| s == "runtime"))
}

/// A runtime for which the rules have no model to choose.
fn has_no_model(finding: &Finding) -> bool {
    matches!(finding.class.code, "C14" | "C15")
}

/// A step that sends a refusal on purpose is no mistake; `auto` heals what only lacks a key.
fn keep(mut finding: Finding, auto: bool, on_purpose: bool) -> Option<Finding> {
    if on_purpose {
        return None;
    }
    if auto
        && finding.level == Level::Error
        && !["C1", "C2", "C12", "C16", "C27"].contains(&finding.class.code)
    {
        finding.level = Level::Warning;
    }
    Some(finding)
}
