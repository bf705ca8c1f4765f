//! Verbs that hold steps, and those that act outside the platform.

use indexmap::IndexMap;

use crate::scenario::fragment::substitute;
use crate::scenario::model::{ContainerVerb, Exec, Foreach, Step, Stub, StubAct};
use crate::scenario::raw::flow::{RawContainer, RawExec, RawForeach, RawStub, RawUse};
use crate::scenario::raw::values::Text;
use crate::scenario::template::TemplateValue;
use crate::source::{Problem, Span, did_you_mean};
use crate::yaml::{Key, Kind, Node};

use super::Check;
use super::names::Means;

const ACTIONS: [&str; 11] = [
    "kill",
    "stop",
    "start",
    "restart",
    "pause",
    "unpause",
    "disconnect",
    "connect",
    "remove",
    "remove_volume",
    "fill_volume",
];

const ACTS: [(&str, StubAct); 9] = [
    ("answer", StubAct::Answer),
    ("other", StubAct::Other),
    ("echo", StubAct::Echo),
    ("error-text", StubAct::ErrorText),
    ("empty", StubAct::Empty),
    ("nothing", StubAct::Nothing),
    ("garbage", StubAct::Garbage),
    ("reset", StubAct::Reset),
    ("hang", StubAct::Hang),
];

fn act(word: &str) -> Option<StubAct> {
    let status = || word.parse().ok().filter(|s| (200..600).contains(s)).map(StubAct::Status);
    ACTS.iter().find(|(name, _)| *name == word).map(|(_, act)| *act).or_else(status)
}

impl Check<'_> {
    pub(super) fn parallel(&mut self, node: &Node, id: &str) -> Vec<Step> {
        let Kind::List(items) = &node.kind else {
            return self.steps(node, &format!("{id}."));
        };
        let before = self.names.branch();
        let mut after = before.branch();
        let mut branches = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.names = before.branch();
            let one = Node { span: item.span, kind: Kind::List(vec![item.clone()]) };
            let mut steps = self.steps(&one, "");
            let branch_id = format!("{id}.{}", index + 1);
            if steps.len() == 1
                && let Some(mut step) = steps.pop()
            {
                renumber(&mut step, "1", &branch_id);
                branches.push(step);
            } else if !steps.is_empty() {
                // A `use:` of several steps is one branch.
                branches.push(self.block(item, steps, branch_id));
            }
            let branch = std::mem::take(&mut self.names);
            for (name, span) in after.join(&before, branch) {
                let message = format!("two branches both introduce `{name}`");
                self.error("duplicate-name", span, message, "again here", "choose another name".to_owned());
            }
        }
        self.names = after;
        if items.is_empty() {
            self.error("no-steps", node.span, "there are no branches here", "empty", None);
        }
        branches
    }

    fn block(&mut self, item: &Node, mut steps: Vec<Step>, id: String) -> Step {
        for step in &mut steps {
            renumber(step, "1", &id);
        }
        Step {
            name: format!("steps ({})", steps.len()),
            verb: crate::scenario::model::Verb::Steps(steps),
            when: None,
            within: None,
            gate: None,
            retry: None,
            milestone: None,
            span: item.span,
            position: self.source.position(item.span.start),
            source: self.source.clone(),
            id,
        }
    }

    pub(super) fn foreach(&mut self, node: &Node, span: Span, id: &str) -> Foreach {
        let raw: RawForeach = self.read(node);
        let hint = "for example `foreach: {in: [a, b], as: item, steps: […]}`";
        let alias = self.required(raw.r#as.as_ref(), "foreach", "as", span, hint);
        let mut items = Vec::new();
        for text in self.texts(raw.r#in.as_ref()) {
            items.push(self.template(&text));
        }
        if items.is_empty() {
            self.error(
                "missing-field",
                span,
                "`foreach` needs items under `in`",
                "none here",
                hint.to_owned(),
            );
        }
        let outside = self.names.branch();
        if !alias.value.is_empty() {
            self.define(&alias, Means::Text);
        }
        let steps = match &raw.steps {
            Some(steps) => self.steps(steps, &format!("{id}.")),
            None => {
                self.error(
                    "missing-field",
                    span,
                    "`foreach` needs `steps`",
                    "it is missing here",
                    hint.to_owned(),
                );
                Vec::new()
            }
        };
        let inside = std::mem::replace(&mut self.names, outside);
        let unused = self.names.leave(inside);
        self.warn_unused(unused);
        Foreach { items, alias: alias.value, steps, parallel: raw.parallel.unwrap_or_default() }
    }

    pub(super) fn warn_unused(&mut self, unused: Vec<(String, Span, String)>) {
        for (name, span, file) in unused {
            // The place lies in the text that introduced it, which may be a fragment.
            if file != self.source.name || self.has_errors() {
                continue;
            }
            let message = format!("nothing uses `{name}`");
            self.warning("unused-capture", span, message, "introduced here", "leave it out".to_owned());
        }
    }

    pub(super) fn capture(&mut self, node: &Node) -> IndexMap<String, TemplateValue> {
        let mut captured = IndexMap::new();
        for (key, value) in self.entries(Some(node)) {
            let value = self.value(&value);
            self.define(&Text { value: key.text.clone(), span: key.span }, Means::Value);
            captured.insert(key.text, value);
        }
        captured
    }

    pub(super) fn container(&mut self, node: &Node, span: Span) -> ContainerVerb {
        let raw: RawContainer = self.read(node);
        let hint = "for example `container: {workspace: ws, action: kill}`";
        let name = self.required(raw.workspace.as_ref(), "container", "workspace", span, hint);
        let action = self.required(raw.action.as_ref(), "container", "action", span, hint);
        if !action.value.is_empty() {
            self.word(&action, &ACTIONS, "an action on containers");
        }
        let workspace = self.workspace(&name);
        self.edge(Some(&workspace.name));
        ContainerVerb { workspace, action: action.value }
    }

    pub(super) fn exec(&mut self, node: &Node, span: Span) -> Exec {
        let raw: RawExec = match node.kind {
            Kind::List(_) => RawExec { argv: Some(node.clone()), ..RawExec::default() },
            _ => self.read(node),
        };
        let mut argv = Vec::new();
        match &raw.argv {
            Some(Node { kind: Kind::List(items), .. }) if !items.is_empty() => {
                for item in items {
                    let text = self.text_of(item);
                    argv.push(self.template(&text));
                }
            }
            _ => {
                let hint = "write the program and each argument apart: `argv: [psql, -c, \"select 1\"]`; no shell reads it";
                let span = raw.argv.as_ref().map_or(span, |n| n.span);
                self.error(
                    "missing-field",
                    span,
                    "`exec` needs a list of arguments",
                    "here",
                    hint.to_owned(),
                );
            }
        }
        let env = self.templates(raw.env.as_ref());
        let stdin = self.template_of(raw.stdin.as_ref());
        let stdout = raw.stdout.as_ref().map(|n| self.matchers(n)).unwrap_or_default();
        if let Some(name) = &raw.capture {
            self.define(name, Means::Text);
        }
        self.edge(None);
        Exec {
            argv,
            env,
            stdin,
            code: raw.code.map_or(0, |c| c.value),
            stdout,
            capture: raw.capture.map(|t| t.value),
        }
    }

    pub(super) fn stub(&mut self, node: &Node, span: Span) -> Stub {
        let raw: RawStub = self.read(node);
        let hint = "for example `stub: {as: peer, script: [reset, answer]}`";
        let alias = self.required(raw.r#as.as_ref(), "stub", "as", span, hint);
        let mut script = Vec::new();
        for text in self.texts(raw.script.as_ref()) {
            match act(&text.value) {
                Some(act) => script.push(act),
                None => {
                    let message = format!("a stub cannot `{}`", text.value);
                    let hint =
                        format!("one of {}, or a status such as 503", ACTS.map(|(word, _)| word).join(", "));
                    self.error("stub-act", text.span, message, "not an act", hint);
                }
            }
        }
        if script.is_empty() {
            script.push(StubAct::Answer);
        }
        if !alias.value.is_empty() {
            self.define(&alias, Means::Text);
        }
        Stub { alias: alias.value, script }
    }

    /// The steps of a fragment, in place of a `use:`.
    pub(super) fn expand(&mut self, key: &Key, node: &Node, id: &str) -> Vec<Step> {
        let raw: RawUse = match node.as_text() {
            Some(value) => RawUse { fragment: Some(Text { value, span: node.span }), with: None },
            None => self.read(node),
        };
        let hint = "for example `use: {fragment: name, with: {…}}`";
        let name = self.required(raw.fragment.as_ref(), "use", "fragment", key.span, hint);
        if name.value.is_empty() {
            return Vec::new();
        }
        let fragments = self.fragments;
        let Some(fragment) = fragments.get(&name.value) else {
            let known: Vec<&str> = fragments.names().collect();
            let hint = if known.is_empty() {
                "no fragment is loaded".to_owned()
            } else {
                did_you_mean(&name.value, known)
            };
            let message = format!("there is no fragment `{}`", name.value);
            self.error("unknown-fragment", name.span, message, "unknown", hint);
            return Vec::new();
        };
        if self.expanding.contains(&fragment.name) {
            let chain = self.expanding.join(" → ");
            let message = format!("the fragment `{}` uses itself", fragment.name);
            self.error(
                "fragment-recursion",
                name.span,
                message,
                "again here",
                format!("{chain} → {}", fragment.name),
            );
            return Vec::new();
        }
        let mut arguments: IndexMap<String, Node> = IndexMap::new();
        for (parameter, value) in self.entries(raw.with.as_ref()) {
            if !fragment.parameters.contains_key(&parameter.text) {
                let hint = did_you_mean(&parameter.text, fragment.parameters.keys().map(String::as_str));
                let message =
                    format!("the fragment `{}` has no parameter `{}`", fragment.name, parameter.text);
                self.error("unknown-parameter", parameter.span, message, "unknown", hint);
            }
            arguments.insert(parameter.text, value);
        }
        for (parameter, default) in &fragment.parameters {
            if arguments.contains_key(parameter) {
                continue;
            }
            match default {
                Some(default) => {
                    arguments.insert(parameter.clone(), default.clone());
                }
                None => {
                    let message = format!("the fragment `{}` needs `{parameter}`", fragment.name);
                    let hint = format!("add `with: {{{parameter}: …}}`");
                    self.error("missing-parameter", name.span, message, "not given", hint);
                    return Vec::new();
                }
            }
        }
        let place = format!("{}:{}", self.source.name, self.source.position(key.span.start).line);
        let steps = substitute(&fragment.steps, &arguments);
        let outer = std::mem::replace(&mut self.source, fragment.source.clone());
        self.expanding.push(fragment.name.clone());
        let known = self.problems.len();
        self.survey(&steps);
        let steps = self.steps(&steps, &format!("{id}."));
        self.expanding.pop();
        self.source = outer;
        for mut problem in self.problems.split_off(known) {
            let told = |p: &Problem| {
                p.code == problem.code && p.labels == problem.labels && p.source == problem.source
            };
            if self.problems.iter().any(told) {
                continue;
            }
            let hint = problem.hint.take().map(|h| format!("{h}; ")).unwrap_or_default();
            problem.hint = Some(format!("{hint}used at {place}"));
            self.problems.push(problem);
        }
        steps
    }
}

/// Moves a step and all below it to another number.
fn renumber(step: &mut Step, from: &str, to: &str) {
    if let Some(rest) = step.id.strip_prefix(from) {
        step.id = format!("{to}{rest}");
    }
    use crate::scenario::model::Verb;
    match &mut step.verb {
        Verb::Parallel(steps) | Verb::Steps(steps) => steps.iter_mut().for_each(|s| renumber(s, from, to)),
        Verb::Foreach(foreach) => foreach.steps.iter_mut().for_each(|s| renumber(s, from, to)),
        _ => {}
    }
}
