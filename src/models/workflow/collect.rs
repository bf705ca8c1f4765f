//! From a workflow file to the calls in it, each with the environment that it sees.

use std::collections::BTreeMap;

use crate::models::dispatch::Script;
use crate::models::inputs::{LLM_PATH, MODEL_SLUG, RUNTIME};
use crate::models::workflow::context::Context;
use crate::models::workflow::expression::{Guess, Interpolated};
use crate::models::workflow::shell;
use crate::models::yaml::parse;
use crate::source::{SourceFile, Span};
use crate::yaml::Node;

/// Actions that use actions: deeper is not followed.
const MAX_DEPTH: usize = 3;
/// Combinations of a matrix; the forge's own limit.
const MAX_MATRIX: usize = 256;

/// A variable of the environment and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) value: Interpolated,
    pub(crate) source: SourceFile,
    pub(crate) span: Span,
}

pub(crate) type Env = BTreeMap<String, Setting>;

/// A step that calls a script, or a job whose environment speaks of models.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) script: Option<Script>,
    pub(crate) source: SourceFile,
    pub(crate) span: Span,
    pub(crate) env: Env,
    /// Combinations of the matrix; one empty when there is none.
    pub(crate) matrix: Vec<BTreeMap<String, Guess>>,
    /// `if:` of the job, the step and the actions around it.
    pub(crate) conditions: Vec<Interpolated>,
    /// What `inputs.NAME` may be.
    pub(crate) inputs: BTreeMap<String, Input>,
    /// What `actionN.NAME` is: the `with:` of the step that uses the action, else its default.
    pub(crate) with: BTreeMap<String, Interpolated>,
}

/// A declared input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    /// Known values.
    pub(crate) values: Vec<String>,
    /// Whether it can be any other text.
    pub(crate) open: bool,
}

struct Collector<'a> {
    context: &'a Context<'a>,
    calls: Vec<Call>,
}

/// What holds around a list of steps.
#[derive(Clone)]
struct Scope {
    source: SourceFile,
    env: Env,
    matrix: Vec<BTreeMap<String, Guess>>,
    conditions: Vec<Interpolated>,
    inputs: BTreeMap<String, Input>,
    with: BTreeMap<String, Interpolated>,
    depth: usize,
}

impl Scope {
    /// Inside an action, `inputs.x` means its own.
    fn template(&self, text: &str) -> Interpolated {
        let template = Interpolated::parse(text);
        if self.depth == 0 {
            template
        } else {
            template.renamed("inputs.", &format!("action{}.", self.depth))
        }
    }

    fn merge(&mut self, node: Option<&Node>) {
        let Some(node) = node else { return };
        for entry in node.entries() {
            let value = self.template(entry.1.scalar().unwrap_or_default());
            let setting = Setting { value, source: self.source.clone(), span: entry.0.span };
            self.env.insert(entry.0.text.clone(), setting);
        }
    }

    fn condition(&mut self, node: Option<&Node>) {
        if let Some(text) = node.and_then(Node::scalar) {
            let template = Interpolated::condition(text);
            let renamed = if self.depth == 0 {
                template
            } else {
                template.renamed("inputs.", &format!("action{}.", self.depth))
            };
            self.conditions.push(renamed);
        }
    }
}

/// Every call of a file.
pub(crate) fn collect(file: &SourceFile, tree: &Node, context: &Context<'_>) -> Vec<Call> {
    let mut collector = Collector { context, calls: Vec::new() };
    let mut scope = Scope {
        source: file.clone(),
        env: Env::new(),
        matrix: vec![BTreeMap::new()],
        conditions: Vec::new(),
        inputs: inputs(tree),
        with: BTreeMap::new(),
        depth: 0,
    };
    scope.merge(tree.get("env"));
    if let Some(steps) = tree.get("runs").and_then(|runs| runs.get("steps")) {
        collector.steps(steps, &scope);
    }
    for job in tree.get("jobs").map(Node::entries).unwrap_or_default() {
        let mut scope = scope.clone();
        scope.matrix = job.1.get("strategy").and_then(|s| s.get("matrix")).map_or(scope.matrix, matrix);
        scope.condition(job.1.get("if"));
        scope.merge(job.1.get("env"));
        let before = collector.calls.len();
        if let Some(steps) = job.1.get("steps") {
            collector.steps(steps, &scope);
        }
        if collector.calls.len() == before {
            collector.bare_job(&scope);
        }
    }
    collector.calls
}

impl Collector<'_> {
    fn steps(&mut self, steps: &Node, outer: &Scope) {
        let mut outer = outer.clone();
        for step in steps.items() {
            let mut scope = outer.clone();
            scope.condition(step.get("if"));
            scope.merge(step.get("env"));
            if let Some(run) = step.entry("run")
                && let Some(text) = run.1.text()
            {
                for call in shell::calls(text) {
                    let mut scope = scope.clone();
                    for assigned in &call.assigned {
                        let span = find(&scope.source, run.1.span, &assigned.written).unwrap_or(run.0.span);
                        let setting =
                            Setting { value: assigned.value.clone(), source: scope.source.clone(), span };
                        scope.env.insert(assigned.name.clone(), setting);
                    }
                    self.call(Some(call.script), run.0.span, scope);
                }
                for later in shell::for_later(text) {
                    let span = find(&outer.source, run.1.span, &later.written).unwrap_or(run.0.span);
                    let setting = Setting { value: later.value, source: outer.source.clone(), span };
                    outer.env.insert(later.name, setting);
                }
            }
            if let Some(uses) = step.get("uses").and_then(Node::text) {
                self.action(uses, step, &scope);
            }
        }
    }

    /// A composite action of this repository: its steps run with the caller's environment.
    fn action(&mut self, uses: &str, step: &Node, scope: &Scope) {
        let Some(path) = uses.strip_prefix("./").filter(|_| scope.depth < MAX_DEPTH) else { return };
        let names =
            ["action.yml", "action.yaml"].map(|name| format!("{}/{name}", path.trim_end_matches('/')));
        let Some(file) = names.iter().find_map(|name| (self.context.read)(name)) else { return };
        let Ok(tree) = parse(&file) else { return };
        let Some(steps) = tree.get("runs").and_then(|runs| runs.get("steps")) else { return };
        let mut inner = scope.clone();
        inner.depth += 1;
        for input in tree.get("inputs").map(Node::entries).unwrap_or_default() {
            let given = step.get("with").and_then(|with| with.get(&input.0.text)).and_then(Node::scalar);
            let default = input.1.get("default").and_then(Node::scalar).unwrap_or_default();
            let value = given.map_or_else(|| Interpolated::parse(default), |text| scope.template(text));
            inner.with.insert(format!("action{}.{}", inner.depth, input.0.text), value);
        }
        inner.source = file;
        self.steps(steps, &inner);
    }

    /// A job that calls no script that is known, and still sets a model: its environment is looked at as it is.
    fn bare_job(&mut self, scope: &Scope) {
        let speaks = [MODEL_SLUG, LLM_PATH, RUNTIME].iter().filter_map(|name| scope.env.get(*name)).next();
        if scope.env.contains_key(MODEL_SLUG) || scope.env.contains_key(LLM_PATH) {
            let span = speaks.map(|setting| setting.span).unwrap_or_default();
            self.call(None, span, scope.clone());
        }
    }

    fn call(&mut self, script: Option<Script>, span: Span, scope: Scope) {
        let Scope { source, env, matrix, conditions, inputs, with, .. } = scope;
        self.calls.push(Call { script, source, span, env, matrix, conditions, inputs, with });
    }
}

/// Where a text stands after a place.
fn find(source: &SourceFile, after: Span, text: &str) -> Option<Span> {
    let rest = source.text.get(after.start..)?;
    let first = text.lines().next()?;
    rest.find(first).map(|at| Span { start: after.start + at, len: first.len() })
}

/// Inputs of a dispatch, of a called workflow, or of an action.
fn inputs(tree: &Node) -> BTreeMap<String, Input> {
    let mut inputs: BTreeMap<String, Input> = BTreeMap::new();
    let on = tree.get("on").or_else(|| tree.get("true"));
    let triggers = on.map(Node::entries).unwrap_or_default();
    let only_one = triggers.len() == 1;
    let declared =
        ["workflow_dispatch", "workflow_call"].into_iter().filter_map(|name| on?.get(name)?.get("inputs"));
    for entry in declared.chain(tree.get("inputs")).flat_map(Node::entries) {
        let node = &entry.1;
        let mut values: Vec<String> = node
            .get("options")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::scalar)
            .map(str::to_owned)
            .collect();
        let boolean = node.get("type").and_then(Node::text) == Some("boolean");
        if boolean {
            values.extend(["true".to_owned(), "false".to_owned()]);
        }
        let open = values.is_empty();
        values.extend(node.get("default").and_then(Node::scalar).map(str::to_owned));
        if !only_one || node.get("default").is_none() {
            // A push or a schedule gives no inputs at all.
            values.push(String::new());
        }
        values.sort();
        values.dedup();
        inputs.insert(format!("inputs.{}", entry.0.text), Input { values, open });
    }
    inputs
}

/// The combinations of a matrix: the product of its lists, then `exclude`, then `include`.
fn matrix(node: &Node) -> Vec<BTreeMap<String, Guess>> {
    let guess = |node: &Node| match node.scalar() {
        Some(text) if !text.contains("${{") => Guess::Text(text.to_owned()),
        None if node.is_null() => Guess::Text(String::new()),
        _ => Guess::Other,
    };
    let fields = |node: &Node| -> BTreeMap<String, Guess> {
        node.entries().iter().map(|entry| (format!("matrix.{}", entry.0.text), guess(&entry.1))).collect()
    };
    let mut combinations: Vec<BTreeMap<String, Guess>> = vec![BTreeMap::new()];
    let axes = node.entries().iter().filter(|entry| entry.0.text != "include" && entry.0.text != "exclude");
    let mut names = Vec::new();
    for axis in axes {
        names.push(format!("matrix.{}", axis.0.text));
        let values: Vec<BTreeMap<String, Guess>> = match axis.1.items() {
            [] => vec![BTreeMap::from([(format!("matrix.{}", axis.0.text), Guess::Other)])],
            items => items
                .iter()
                .map(|item| {
                    let mut value: BTreeMap<String, Guess> = item
                        .entries()
                        .iter()
                        .map(|field| (format!("matrix.{}.{}", axis.0.text, field.0.text), guess(&field.1)))
                        .collect();
                    value.insert(format!("matrix.{}", axis.0.text), guess(item));
                    value
                })
                .collect(),
        };
        combinations = combinations
            .iter()
            .flat_map(|base| {
                values.iter().map(move |value| base.clone().into_iter().chain(value.clone()).collect())
            })
            .take(MAX_MATRIX)
            .collect();
    }
    let excluded: Vec<_> =
        node.get("exclude").map(Node::items).unwrap_or_default().iter().map(fields).collect();
    combinations.retain(|combination| {
        !excluded.iter().any(|out| out.iter().all(|(name, value)| combination.get(name) == Some(value)))
    });
    if names.is_empty() {
        combinations.clear();
    }
    for include in node.get("include").map(Node::items).unwrap_or_default().iter().map(fields) {
        let mut extended = false;
        for combination in &mut combinations {
            let conflicts =
                names.iter().any(|name| include.get(name).is_some_and(|v| combination.get(name) != Some(v)));
            if !conflicts && names.iter().any(|name| combination.contains_key(name)) {
                combination.extend(include.clone());
                extended = true;
            }
        }
        if !extended {
            combinations.push(include);
        }
    }
    if combinations.is_empty() {
        combinations.push(BTreeMap::new());
    }
    combinations
}
