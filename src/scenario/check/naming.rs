//! Which names a step introduces and refers to.

use crate::behaviour::Behaviour;
use crate::scenario::model::capability::Capability;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::Text;
use crate::scenario::template::Function;
use crate::source::{Span, did_you_mean};

use super::Check;

use super::names::{Means, Named, ROOTS, RUN_FIELDS, WORKSPACE_FIELDS};

impl Check<'_> {
    /// Introduces a name.
    pub(in crate::scenario) fn define(&mut self, name: &Text, means: Means) {
        let word = name.value.as_str();
        let good = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !good {
            self.error(
                "bad-name",
                name.span,
                format!("`{word}` is not a name"),
                "letters, digits, `_` and `-`, a letter first",
                None,
            );
            return;
        }
        let taken = ROOTS.contains(&word)
            || matches!(word, "admin" | "none" | "auto")
            || Function::ALL.iter().any(|f| f.as_str() == word);
        if taken {
            let hint = "choose another name, for example `ws`".to_owned();
            self.error(
                "reserved-name",
                name.span,
                format!("`{word}` is taken by the language"),
                "this name",
                hint,
            );
            return;
        }
        if let Some(known) = self.names.known.get(word) {
            let line = self.source.position(known.span.start).line;
            self.error(
                "duplicate-name",
                name.span,
                format!("the name `{word}` is used twice"),
                "again here",
                Some(format!("line {line} introduces it first; choose another name")),
            );
            return;
        }
        let named = Named { means, span: name.span, file: self.source.name.clone(), edge: false };
        self.names.known.insert(word.to_owned(), named);
    }

    /// A reference to a workspace that an earlier step made.
    pub(in crate::scenario) fn workspace(&mut self, name: &Text) -> WorkspaceRef {
        let reference = WorkspaceRef { name: name.value.clone(), span: name.span };
        if name.value.is_empty() {
            return reference;
        }
        match self.names.known.get(&name.value) {
            Some(named) if named.means == Means::Workspace => self.mark(&name.value),
            Some(_) => {
                let known = self.names.workspaces();
                let hint = did_you_mean(&name.value, known);
                let message = format!("`{}` is not a workspace", name.value);
                self.error("not-a-workspace", name.span, message, "a captured value", hint);
            }
            None => {
                let hint = self.hint_for(&name.value, self.names.workspaces());
                let message = if name.value.contains("${") {
                    "a workspace is named directly, without `${…}`".to_owned()
                } else {
                    format!("no earlier step makes a workspace `{}`", name.value)
                };
                self.error("unknown-workspace", name.span, message, "unknown here", hint);
            }
        }
        reference
    }

    /// Notes where a name is introduced, for hints.
    pub(in crate::scenario) fn introduced_at(&mut self, name: &str, span: Span) {
        let line = self.source.position(span.start).line;
        self.names.anywhere.entry(name.to_owned()).or_insert(line);
    }

    fn hint_for(&self, name: &str, known: Vec<&str>) -> String {
        if let Some(line) = self.names.anywhere.get(name) {
            return format!(
                "line {line} introduces `{name}`, but a step sees only what earlier steps made: not later ones, \
                 not other branches, not the inside of a `foreach`"
            );
        }
        if known.is_empty() {
            return "nothing is introduced before this step; `create: {as: ws, …}` makes a workspace `ws`"
                .to_owned();
        }
        did_you_mean(name, known)
    }

    fn mark(&mut self, name: &str) {
        if let Some(named) = self.names.known.get(name) {
            self.names.used.insert((named.file.clone(), named.span.start));
        }
    }

    /// Whether something since the start may have brought a new instance of a workspace.
    pub(in crate::scenario) fn had_edge(&self, name: &str) -> bool {
        self.names.known.get(name).is_none_or(|n| n.edge)
    }

    /// A step may bring a new instance of one workspace, or (a raw request, a command) of any.
    pub(in crate::scenario) fn edge(&mut self, name: Option<&str>) {
        for (known, named) in &mut self.names.known {
            if name.is_none_or(|name| name == known) {
                named.edge = true;
            }
        }
    }

    /// Checks a path of a template.
    pub(in crate::scenario) fn path(&mut self, path: &[String], span: Span) {
        let Some((root, rest)) = path.split_first() else { return };
        let shown = path.join(".");
        match root.as_str() {
            "inputs" => self.declared(&shown, rest, span, true),
            "matrix" => self.declared(&shown, rest, span, false),
            "run" => self.fixed(&shown, rest, &RUN_FIELDS, span),
            "target" => {
                let mut fields = vec!["base_url", "control_plane", "control_plane_token", "org", "slug"];
                fields.extend(Capability::ALL.map(Capability::as_str));
                fields.extend(rest.first().and_then(|word| Behaviour::named(word)).map(Behaviour::as_str));
                self.fixed(&shown, rest, &fields, span);
            }
            "with" => {
                let hint = self.expanding.last().map_or_else(
                    || "only fragments have parameters; a scenario has `inputs`".to_owned(),
                    |name| format!("declare it under `with:` of the fragment `{name}`"),
                );
                self.error("unknown-name", span, format!("there is no parameter `{shown}`"), "unknown", hint);
            }
            name => self.introduced(name, &shown, rest, span),
        }
    }

    fn introduced(&mut self, name: &str, shown: &str, rest: &[String], span: Span) {
        let Some(means) = self.names.known.get(name).map(|n| n.means) else {
            let mut known: Vec<&str> = self.names.known.keys().map(String::as_str).collect();
            known.extend(ROOTS);
            let hint = if Function::ALL.iter().any(|f| f.as_str() == name) {
                format!("a function needs its brackets: `${{{name}()}}`")
            } else {
                self.hint_for(name, known)
            };
            self.error(
                "unknown-name",
                span,
                format!("nothing here is called `{name}`"),
                "unknown here",
                hint,
            );
            return;
        };
        self.mark(name);
        match (means, rest) {
            (Means::Value, _) | (Means::Text, []) => {}
            (Means::Workspace, [field]) if WORKSPACE_FIELDS.contains(&field.as_str()) => {}
            (Means::Workspace, [field]) => {
                let hint = did_you_mean(field, WORKSPACE_FIELDS);
                let message = format!("a workspace has no field `{field}`");
                self.error("unknown-workspace-field", span, message, "in this lookup", hint);
            }
            (Means::Workspace, [field, _, ..]) => {
                let message = format!("`{name}.{field}` is a text and has no fields");
                self.error(
                    "no-fields",
                    span,
                    message,
                    "in this lookup",
                    format!("write `${{{name}.{field}}}`"),
                );
            }
            (Means::Workspace, []) => {
                let hint =
                    format!("name one field, for example `${{{name}.id}}`; {}", fields(&WORKSPACE_FIELDS));
                let message = format!("`{shown}` is a whole workspace, not a text");
                self.error("unknown-workspace-field", span, message, "in this lookup", hint);
            }
            (Means::Text, _) => {
                let hint = format!("write `${{{name}}}`");
                self.error(
                    "no-fields",
                    span,
                    format!("`{name}` is a text and has no fields"),
                    "in this lookup",
                    hint,
                );
            }
        }
    }

    fn declared(&mut self, shown: &str, rest: &[String], span: Span, input: bool) {
        let (what, section) = if input { ("input", "inputs") } else { ("matrix key", "matrix") };
        let known: Vec<&str> = if input {
            self.inputs.keys().map(String::as_str).collect()
        } else {
            self.matrix.keys().map(String::as_str).collect()
        };
        match rest {
            [name] if known.contains(&name.as_str()) => {
                if input {
                    self.used_inputs.insert(name.clone());
                } else {
                    self.used_matrix.insert(name.clone());
                }
            }
            [name] => {
                let hint = if known.is_empty() {
                    format!("declare it: `{section}: {{{name}: …}}`")
                } else {
                    did_you_mean(name, known)
                };
                let code = if input { "unknown-input" } else { "unknown-matrix-key" };
                self.error(code, span, format!("there is no {what} `{name}`"), "unknown", hint);
            }
            _ => {
                let message = format!("`{shown}` does not name one {what}");
                self.error(
                    "unknown-name",
                    span,
                    message,
                    "in this lookup",
                    format!("write `${{{section}.name}}`"),
                );
            }
        }
    }

    fn fixed(&mut self, shown: &str, rest: &[String], known: &[&str], span: Span) {
        match rest {
            [field] if known.contains(&field.as_str()) => {}
            [field] => {
                let hint = did_you_mean(field, known.iter().copied());
                self.error("unknown-name", span, format!("there is no `{shown}`"), "unknown", hint);
            }
            _ => {
                let hint = fields(known);
                self.error(
                    "unknown-name",
                    span,
                    format!("`{shown}` does not name one value"),
                    "in this lookup",
                    hint,
                );
            }
        }
    }

    pub(in crate::scenario) fn warn_unused(&mut self, unused: Vec<(String, Span, String)>) {
        for (name, span, file) in unused {
            // The place lies in the text that introduced it, which may be a fragment.
            if file != self.source.name || self.has_errors() {
                continue;
            }
            let message = format!("nothing uses `{name}`");
            self.warning("unused-capture", span, message, "introduced here", "leave it out".to_owned());
        }
    }
}

fn fields(known: &[&str]) -> String {
    format!("valid: {}", known.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", "))
}
