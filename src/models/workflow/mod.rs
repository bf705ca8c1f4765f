//! CI workflow files: the settings that meet in a step, and what fights among them.
//!
//! Environments are merged over workflow, job, step and matrix, as the forge does. Where a value is
//! an expression, every value that can matter is tried. What stays unknown is undecidable, never clean.

mod branch;
mod collect;
mod context;
mod expression;
mod shell;

use std::collections::{BTreeMap, BTreeSet};

use crate::models::catalogue::Catalogue;
use crate::models::contradictions::{Finding, Situation, detect_certain};
use crate::models::dispatch::Script;
use crate::models::inputs::{DEFAULT_PLATFORM_MODEL, LLM_PATH, MODEL_SLUG, RUNTIME};
use crate::models::situation::{SET, TargetKind};
use crate::models::yaml;
use crate::source::{Problem, SourceFile, Span};

use branch::{Branch, branches, is_key};
use collect::{Call, collect};
pub use context::Context;
use expression::Worth;

/// Something that could not be decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Undecidable {
    /// `file:line:column`.
    pub place: String,
    /// The setting, or the class that hangs on a secret.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a workflow file has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkflowReport {
    /// Contradictions that hold whatever is not known, and syntax errors.
    pub problems: Vec<Problem>,
    /// What hangs on secrets, variables and calls.
    pub undecidable: Vec<Undecidable>,
    /// How many calls were looked at.
    pub calls: usize,
}

impl WorkflowReport {
    /// Whether nothing fights and nothing is left open.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.undecidable.is_empty()
    }
}

/// Checks a workflow file, or a composite action.
pub fn check(file: &SourceFile, context: &Context<'_>) -> WorkflowReport {
    let mut report = WorkflowReport::default();
    if !speaks_of_models(&file.text) {
        // A forge passes over a file with a key twice without a word, whatever it is about.
        let problem = yaml::parse(file).err().filter(|problem| problem.code == yaml::DUPLICATE_KEY);
        report.problems.extend(problem.map(|problem| *problem));
        return report;
    }
    let tree = match yaml::parse(file) {
        Ok(tree) => tree,
        Err(problem) => {
            report.problems.push(*problem);
            return report;
        }
    };
    let calls = collect(file, &tree, context);
    for call in &calls {
        check_call(call, context, &mut report);
    }
    report.calls = calls.len();
    report.undecidable.sort();
    report.undecidable.dedup();
    report
}

/// Most workflow files have nothing to do with models.
fn speaks_of_models(text: &str) -> bool {
    ["E2E_", "LIFECYCLE_", "lifecycle", "uses: ./", "uses: \"./", "uses: './"]
        .iter()
        .any(|part| text.contains(part))
}

fn check_call(call: &Call, context: &Context<'_>, report: &mut WorkflowReport) {
    let place = |span: Span| {
        let at = call.source.position(span.start);
        format!("{}:{}:{}", call.source.name, at.line, at.column)
    };
    let (branches, complete) = branches(call, context.catalogue);
    if !complete {
        report.undecidable.push(Undecidable {
            place: place(call.span),
            what: "this step".into(),
            why: "too many combinations of expressions".into(),
        });
    }
    let mut known: Vec<(Situation, &Branch)> = Vec::new();
    for branch in &branches {
        match situation(call, branch, context.catalogue) {
            Ok(situation) => known.push((situation, branch)),
            Err(unknown) => report.undecidable.extend(unknown),
        }
    }
    share_runtimes(&mut known, context.catalogue);
    for (situation, branch) in &known {
        let mut found = detect_certain(context.catalogue, context.allowlist, situation);
        if chooses_itself(situation) {
            found.certain.retain(|finding| !speaks_of_the_pick(finding));
            found.possible.retain(|finding| !speaks_of_the_pick(finding));
        }
        for finding in &found.certain {
            let problem = problem(finding, situation, branch);
            if !report.problems.iter().any(|other| same_place(other, &problem)) {
                report.problems.push(problem);
            }
        }
        for finding in found.possible {
            report.undecidable.push(Undecidable {
                place: place(call.span),
                what: finding.class.code.into(),
                why: format!("depends on {}: {}", names(&situation.maybe), finding.message),
            });
        }
    }
}

/// Where no model is named, this tool takes one that the runtime has and the target has a key for, or skips the scenario:
/// what scripts would pick from their table is never sent.
fn chooses_itself(situation: &Situation) -> bool {
    let named = |name: &str| situation.env.contains_key(name);
    situation.script == Some(Script::Harness) && !named(MODEL_SLUG) && !named(DEFAULT_PLATFORM_MODEL)
}

/// Findings about a model that somebody named, or its key.
fn speaks_of_the_pick(finding: &Finding) -> bool {
    ["C2", "C3", "C4", "C5", "C8", "C10", "C16", "C20", "C23"].contains(&finding.class.code)
}

fn problem(finding: &Finding, situation: &Situation, branch: &Branch) -> Problem {
    let mut problem = finding.problem(situation);
    let words = branch.words();
    if !words.is_empty() {
        problem.message = format!("{} ({words})", problem.message);
    }
    problem
}

/// The same class at the same place is said once, for the first combination that shows it.
fn same_place(a: &Problem, b: &Problem) -> bool {
    let spans = |problem: &Problem| problem.labels.iter().map(|(span, _)| *span).collect::<Vec<_>>();
    a.code == b.code && spans(a) == spans(b) && a.source == b.source
}

fn names(maybe: &BTreeSet<String>) -> String {
    maybe.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The settings of a branch; what is not known, when the model hangs on it.
fn situation(call: &Call, branch: &Branch, catalogue: &Catalogue) -> Result<Situation, Vec<Undecidable>> {
    let mut values = BTreeMap::new();
    let mut maybe = BTreeSet::new();
    let mut unknown = Vec::new();
    let mut situation = Situation::default();
    for name in [RUNTIME, LLM_PATH, MODEL_SLUG] {
        situation.place(name, &call.source, call.span);
    }
    for (name, worth) in &branch.values {
        let Some(setting) = call.env.get(name) else { continue };
        situation.place(name, &setting.source, setting.span);
        match worth {
            Worth::Text(text) => {
                values.insert(name.clone(), text.clone());
            }
            Worth::Unknown(_) if is_key(catalogue, name) => {
                maybe.insert(name.clone());
            }
            Worth::Unknown(why) => {
                let at = setting.source.position(setting.span.start);
                unknown.push(Undecidable {
                    place: format!("{}:{}:{}", setting.source.name, at.line, at.column),
                    what: name.clone(),
                    why: format!("`{why}` is not known here"),
                });
            }
        }
    }
    if !unknown.is_empty() {
        return Err(unknown);
    }
    situation.env = Situation::from_env(catalogue, &values).env;
    // The value of the local lifecycle's key is a secret like any other.
    if let Some(value) = situation.env.get_mut("LIFECYCLE_LLM_VALUE") {
        *value = SET.to_owned();
    }
    situation.maybe = maybe;
    situation.script = call.script;
    situation.target.kind = match call.script {
        Some(Script::FullSaas | Script::Reconciler) => TargetKind::Saas,
        Some(Script::LocalProvision) => TargetKind::Docker,
        Some(Script::Harness) | None => TargetKind::Unknown,
    };
    Ok(situation)
}

/// One model for several runtimes of a matrix: each branch knows of the others (C11).
fn share_runtimes(known: &mut [(Situation, &Branch)], catalogue: &Catalogue) {
    let sent: Vec<(String, String)> = known
        .iter()
        .map(|(situation, _)| situation.sent(catalogue))
        .map(|sent| (sent.model, sent.resolved_runtime))
        .collect();
    for (index, (situation, _)) in known.iter_mut().enumerate() {
        let (model, runtime) = &sent[index];
        let others: BTreeSet<String> = sent
            .iter()
            .filter(|(other, with)| other == model && with != runtime)
            .map(|(_, with)| with.clone())
            .collect();
        situation.also_runtimes = others.into_iter().collect();
    }
}
