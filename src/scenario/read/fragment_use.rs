//! `use:` of a fragment: its steps take the place of the `use`.

use indexmap::IndexMap;

use crate::scenario::check::Check;
use crate::scenario::fragment::substitute;
use crate::scenario::raw::values::Text;
use crate::scenario::verbs::Step;
use crate::scenario::verbs::r#use::RawUse;
use crate::source::{Problem, did_you_mean};
use crate::yaml::{Key, Node};

impl Check<'_> {
    /// The steps of a fragment, in place of a `use:`.
    pub(in crate::scenario) fn expand(&mut self, key: &Key, node: &Node, id: &str) -> Vec<Step> {
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
