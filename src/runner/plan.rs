//! What will run: selection, matrix, inputs, skips.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::context::TargetFacts;
use crate::domain::natural::natural;
use crate::domain::{InputSource, time};
use crate::event::{ExpectedFailure, PlannedScenario, PlannedStep, ResolvedInput};
use crate::scenario::model::{Gate, Input, InputKind, Scenario, Step, Verb, walk};
use crate::scenario::need::Need;
use crate::scenario::template::Scope;
use crate::scenario::verbs::Budget;
use crate::source::{Problem, did_you_mean};

/// More instances than any machine runs in a day.
const MOST_INSTANCES: usize = 100_000;

/// One scenario instance that is planned.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// `runtimes[runtime=codex]`.
    pub name: String,
    /// The checked file.
    pub scenario: Arc<Scenario>,
    /// Values of the matrix.
    pub matrix: IndexMap<String, String>,
    /// Resolved inputs.
    pub inputs: IndexMap<String, Value>,
    /// Where each came from.
    pub resolved: Vec<ResolvedInput>,
    /// Why it does not run here.
    pub skip: Option<String>,
    /// The failure that is expected here.
    pub expects_failure: Option<ExpectedFailure>,
    /// Another attempt after a red one.
    pub retry: bool,
}

/// Of which scenarios only some instances run: the scenario's name, the instances' without rounds.
pub(crate) type Only = BTreeMap<String, BTreeSet<String>>;

/// Where inputs come from, strongest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct InputSources {
    /// `--input k=v`.
    pub flags: BTreeMap<String, String>,
    /// What an earlier run had, by instance without round, then by input.
    pub recorded: BTreeMap<String, BTreeMap<String, String>>,
    /// Environment variables; empty ones are unset.
    pub env: BTreeMap<String, String>,
    /// The profile's.
    pub profile: BTreeMap<String, String>,
    /// What a project always wants.
    pub project: BTreeMap<String, String>,
    /// Of the profile's, the ones whose value is still a word for it: what it must be is looked at when it is known.
    pub not_yet: BTreeSet<String>,
}

/// Whether one scenario alone has more instances than a machine can hold.
pub(crate) fn most_instances(scenario: &Scenario) -> bool {
    combinations(scenario) > MOST_INSTANCES
}

fn combinations(scenario: &Scenario) -> usize {
    scenario.matrix.values().map(Vec::len).fold(1, usize::saturating_mul)
}

/// More instances than a machine can hold.
pub(crate) fn too_many(scenarios: &[Arc<Scenario>], repeat: usize) -> Option<Problem> {
    let all = scenarios
        .iter()
        .map(|s| combinations(s))
        .fold(0, usize::saturating_add)
        .saturating_mul(repeat.max(1));
    let text = format!("this would be {all} scenario instances, more than {MOST_INSTANCES}");
    let hint = "lower `--repeat`, or choose fewer scenarios";
    (all > MOST_INSTANCES).then(|| Problem::error("run::too-many", text).hint(hint))
}

/// Plans instances for a target.
///
/// # Errors
/// Inputs that nobody declares, values that are not what they must be.
pub(crate) fn plan(
    scenarios: &[Arc<Scenario>],
    only: &Only,
    sources: &InputSources,
    target: &TargetFacts,
    repeat: usize,
) -> Result<Vec<Instance>, Vec<Problem>> {
    let mut problems = Vec::new();
    let declared = |name: &str| scenarios.iter().any(|s| s.inputs.contains_key(name));
    for name in sources.flags.keys().filter(|name| !declared(name)) {
        let mut names: Vec<&str> =
            scenarios.iter().flat_map(|s| s.inputs.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        let problem =
            Problem::error("run::unknown-input", format!("no chosen scenario has an input `{name}`"));
        problems.push(problem.hint(did_you_mean(name, names)));
    }
    if let Some(problem) = too_many(scenarios, repeat) {
        return Err(vec![problem]);
    }
    let mut instances = Vec::new();
    for scenario in scenarios {
        for one in crate::scenario::expand_matrix(scenario) {
            if only.get(&scenario.name).is_some_and(|names| !names.contains(&one.name)) {
                continue;
            }
            let (inputs, resolved, missing) =
                resolve(scenario, &one.name, &one.bindings, sources, &mut problems);
            for round in 1..=repeat.max(1) {
                let name = if round == 1 { one.name.clone() } else { format!("{}#{round}", one.name) };
                instances.push(Instance {
                    name,
                    scenario: Arc::clone(scenario),
                    matrix: one.bindings.clone(),
                    inputs: inputs.clone(),
                    resolved: resolved.clone(),
                    skip: missing.clone().or_else(|| lacking(scenario, target)),
                    expects_failure: expected(scenario, target),
                    retry: false,
                });
            }
        }
    }
    instances.sort_by(|a, b| natural(&a.name, &b.name));
    for instance in instances.iter().filter(|i| i.skip.is_none()) {
        without_time(&instance.scenario.steps, &Known { instance }, &mut problems);
    }
    if problems.is_empty() { Ok(instances) } else { Err(problems) }
}

type Resolution = (IndexMap<String, Value>, Vec<ResolvedInput>, Option<String>);

fn resolve(
    scenario: &Scenario,
    instance: &str,
    matrix: &IndexMap<String, String>,
    sources: &InputSources,
    problems: &mut Vec<Problem>,
) -> Resolution {
    let mut values = IndexMap::new();
    let mut resolved = Vec::new();
    let mut missing = None;
    for (name, input) in &scenario.inputs {
        let set = |map: &BTreeMap<String, String>, key: &str| map.get(key).filter(|v| !v.is_empty()).cloned();
        let from_env = || {
            input.env.iter().find_map(|var| Some((set(&sources.env, var)?, InputSource::Env(var.clone()))))
        };
        let found = set(&sources.flags, name)
            .map(|v| (v, InputSource::Flag))
            .or_else(|| Some((set(sources.recorded.get(instance)?, name)?, InputSource::Recorded)))
            .or_else(|| matrix.get(name).map(|v| (v.clone(), InputSource::Matrix)))
            .or_else(from_env)
            .or_else(|| set(&sources.profile, name).map(|v| (v, InputSource::Profile)))
            .or_else(|| set(&sources.project, name).map(|v| (v, InputSource::Project)))
            .or_else(|| input.default.clone().map(|v| (v, InputSource::Default)));
        let Some((value, source)) = found else {
            let env = if input.env.is_empty() {
                String::new()
            } else {
                format!(" or the variable {}", input.env.join(", "))
            };
            missing.get_or_insert_with(|| {
                format!("not configured: input `{name}` has no value; set `--input {name}=…`{env}")
            });
            continue;
        };
        let known = source != InputSource::Profile || !sources.not_yet.contains(name);
        if let Some(problem) = wrong(name, input, &value, &source, scenario).filter(|_| known) {
            problems.push(problem);
            continue;
        }
        values.insert(name.clone(), typed(input.kind, &value));
        resolved.push(ResolvedInput {
            scenario: instance.to_owned(),
            name: name.clone(),
            value: if input.secret { crate::redact::marker(name) } else { value },
            source,
        });
    }
    (values, resolved, missing)
}

/// The value as JSON: a number is a number, a bool is one however it was written.
pub(super) fn typed(kind: InputKind, value: &str) -> Value {
    match kind {
        InputKind::Text | InputKind::Duration => json!(value),
        InputKind::Number => value.parse::<i64>().map_or_else(|_| json!(value), |n| json!(n)),
        InputKind::Bool => match value {
            "true" | "1" => json!(true),
            "false" | "0" => json!(false),
            // A profile's word for a value that is not known yet.
            other => json!(other),
        },
    }
}

fn wrong(
    name: &str,
    input: &Input,
    value: &str,
    source: &InputSource,
    scenario: &Scenario,
) -> Option<Problem> {
    let shown = if input.secret { "its value".to_owned() } else { format!("`{value}`") };
    let problem = |text: String, hint: String| {
        Some(
            Problem::error(
                "run::bad-input",
                format!("input `{name}` of `{}` (from {source}): {text}", scenario.name),
            )
            .at(&scenario.source, input.span, "declared here")
            .hint(hint),
        )
    };
    if !input.one_of.is_empty() && !input.one_of.iter().any(|v| v == value) {
        return problem(
            format!("{shown} is not allowed"),
            did_you_mean(value, input.one_of.iter().map(String::as_str)),
        );
    }
    match input.kind {
        InputKind::Text => None,
        InputKind::Duration => match time::parse(value) {
            Ok(_) => None,
            Err(why) => problem(why.to_string(), "write 90s, 4m or 1m 30s".into()),
        },
        InputKind::Number if value.parse::<i64>().is_ok() => None,
        InputKind::Number => problem(format!("{shown} is not a whole number"), "write digits".into()),
        InputKind::Bool if ["true", "false", "1", "0"].contains(&value) => None,
        InputKind::Bool => {
            problem(format!("{shown} is neither true nor false"), "write true or false".into())
        }
    }
}

/// Steps whose deadline the inputs make zero, each once.
fn without_time(steps: &[Step], known: &Known<'_>, problems: &mut Vec<Problem>) {
    for step in walk(steps) {
        let within = step.within.as_ref().and_then(|within| within.resolve(known).ok());
        if within.is_some_and(|d| d.is_zero()) {
            let text = format!(
                "step {} of `{}` has no time: its `within` is zero",
                step.id, known.instance.scenario.name
            );
            let problem = Problem::error("run::bad-input", text)
                .at(&step.source, step.span, "this step")
                .hint("give the input that it looks up a longer time");
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
}

/// Steps that would run a command on this machine, each once.
pub(crate) fn commands(instances: &[Instance]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for instance in instances.iter().filter(|instance| instance.skip.is_none()) {
        let scenario = &instance.scenario;
        for step in walk(&scenario.steps).chain(walk(&scenario.finally)) {
            if matches!(step.verb, Verb::Exec(_)) {
                let text = format!("step {} of `{}` runs a command on this machine", step.id, scenario.name);
                let problem = Problem::error("run::exec-not-allowed", text)
                    .at(&step.source, step.span, "this step")
                    .hint("read what it runs; `--allow-exec` lets it");
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    problems
}

fn lacking(scenario: &Scenario, target: &TargetFacts) -> Option<String> {
    let lacks: Vec<String> = scenario
        .needs
        .iter()
        .filter(|need| !target.offers(**need))
        .map(|need| match (target.lacks.get(need.as_str()), need) {
            (Some(why), _) => format!("{need}: {why}"),
            (None, Need::Capability(_)) => format!("{need}: the target does not offer it"),
            (None, Need::Behaviour(_)) => {
                format!("{need}: the server ({}) does not do it", target.contract.edition)
            }
        })
        .collect();
    (!lacks.is_empty()).then(|| format!("needs {}", lacks.join("; ")))
}

/// The expected failure, where its `when` holds.
fn expected(scenario: &Scenario, target: &TargetFacts) -> Option<ExpectedFailure> {
    let expected = scenario.expect_failure.as_ref()?;
    expected.when.iter().all(|(need, value)| target.offers(*need) == *value).then(|| ExpectedFailure {
        issue: expected.issue.clone(),
        reason: expected.reason.clone(),
        mechanism: expected.mechanism.clone(),
        until: expected.until.clone(),
    })
}

/// The plan as reports show it.
pub(crate) fn planned(instance: &Instance) -> PlannedScenario {
    let mut steps = Vec::new();
    let own = &instance.scenario.source.name;
    list_steps(&instance.scenario.steps, own, &mut steps);
    list_steps(&instance.scenario.finally, own, &mut steps);
    PlannedScenario {
        scenario: instance.name.clone(),
        file: instance.scenario.source.name.clone(),
        summary: instance.scenario.summary.clone(),
        tags: instance.scenario.tags.clone(),
        advisory: instance.scenario.gate == Gate::Advisory,
        skip: instance.skip.clone(),
        expects_failure: instance.expects_failure.clone(),
        steps,
        budget_ms: time::ms(instance.scenario.budget),
    }
}

fn list_steps(steps: &[Step], own: &str, into: &mut Vec<PlannedStep>) {
    for step in walk(steps) {
        into.push(PlannedStep {
            step: step.id.clone(),
            name: step.name.clone(),
            verb: step.verb.keyword().to_owned(),
            line: step.position.line,
            file: (step.source.name != own).then(|| step.source.name.clone()),
        });
    }
}

/// Inputs and matrix: what is known before anything runs.
pub(crate) struct Known<'a> {
    /// Of this instance.
    pub instance: &'a Instance,
}

impl Scope for Known<'_> {
    fn lookup(&self, path: &[String]) -> Option<Value> {
        match path {
            [first, name] if first == "inputs" => self.instance.inputs.get(name).cloned(),
            [first, name] if first == "matrix" => self.instance.matrix.get(name).map(|v| json!(v)),
            _ => None,
        }
    }

    fn random(&self) -> u64 {
        0
    }
}

/// The longest that an instance may take: its body, bounded by its budget, and its clean-up.
pub(crate) fn worst_case(instance: &Instance) -> Duration {
    let known = Known { instance };
    longest(&instance.scenario.steps, &known).min(instance.scenario.budget) + super::cleanup::BUDGET
}

fn longest(steps: &[Step], known: &Known<'_>) -> Duration {
    let one = |step: &Step| -> Duration {
        let within = step.within.as_ref().and_then(|within| within.resolve(known).ok());
        let inner = step.verb.steps();
        let once = within.unwrap_or_else(|| match step.verb.budget() {
            Budget::Own(own) => own,
            Budget::AsLongAs(duration) => duration.resolve(known).unwrap_or_default(),
            Budget::Sum => longest(inner, known),
            Budget::Longest => inner.chunks(1).map(|one| longest(one, known)).max().unwrap_or_default(),
            Budget::Times(rounds) => {
                longest(inner, known).saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
            }
        });
        match &step.retry {
            Some(retry) => (once + retry.pause).saturating_mul(retry.attempts.max(1)),
            None => once,
        }
    };
    steps.iter().map(one).fold(Duration::ZERO, Duration::saturating_add)
}
