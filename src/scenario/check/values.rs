//! Fields that many verbs share: templates, durations, statuses, identities.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use crate::domain::Status;
use crate::domain::time::{self, DurationError};
use crate::scenario::model::answer::Identity;
use crate::scenario::model::field::DurationField;
use crate::scenario::raw::values::Text;
use crate::scenario::template::{Piece, Template, TemplateValue};
use crate::source::{Span, did_you_mean};
use crate::yaml::{Key, Kind, Node};

use super::Check;

impl Check<'_> {
    /// A text with lookups; every name in it must be known here.
    pub(in crate::scenario) fn template(&mut self, text: &Text) -> Template {
        match Template::parse(&text.value, text.span) {
            Ok(template) => {
                let mut from = 0;
                for path in template.paths() {
                    let word = path.join(".");
                    let at = find_path(&text.value, &word, from);
                    from = at + word.len();
                    let span = self.inside(text, at, word.len());
                    self.path(path, span);
                }
                template
            }
            Err(wrong) => {
                let span = self.inside(text, wrong.at, wrong.len);
                self.error("template", span, wrong.message, "in this template", wrong.hint);
                Template::literal("")
            }
        }
    }

    /// An optional text with lookups.
    pub(in crate::scenario) fn template_of(&mut self, text: Option<&Text>) -> Option<Template> {
        text.map(|text| self.template(text))
    }

    /// A scalar as a text.
    pub(in crate::scenario) fn text_of(&mut self, node: &Node) -> Text {
        match node.as_text() {
            Some(value) => Text { value, span: node.span },
            None => {
                let message = format!("a text is expected here, not {}", node.what());
                self.error("wrong-type", node.span, message, "this", None);
                Text { value: String::new(), span: node.span }
            }
        }
    }

    /// One text or a list of them.
    pub(in crate::scenario) fn texts(&mut self, node: Option<&Node>) -> Vec<Text> {
        let nodes = node.map(Node::one_or_many).unwrap_or_default();
        nodes.into_iter().map(|node| self.text_of(node)).collect()
    }

    /// A JSON value with templates at its string leaves.
    pub(in crate::scenario) fn value(&mut self, node: &Node) -> TemplateValue {
        match &node.kind {
            Kind::Null => TemplateValue::Plain(Value::Null),
            Kind::Bool(b) => TemplateValue::Plain(Value::Bool(*b)),
            Kind::Number(n, _) => TemplateValue::Plain(Value::Number(n.clone())),
            Kind::Text(text) => {
                TemplateValue::Text(self.template(&Text { value: text.clone(), span: node.span }))
            }
            Kind::List(items) => TemplateValue::List(items.iter().map(|item| self.value(item)).collect()),
            Kind::Map(entries) => TemplateValue::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        self.plain_name(&Text { value: key.text.clone(), span: key.span });
                        (key.text.clone(), self.value(value))
                    })
                    .collect(),
            ),
        }
    }

    /// A mapping of values, for further fields of a body.
    pub(in crate::scenario) fn values(&mut self, node: Option<&Node>) -> IndexMap<String, TemplateValue> {
        let mut map = IndexMap::new();
        for (key, value) in self.entries(node) {
            self.plain_name(&Text { value: key.text.clone(), span: key.span });
            map.insert(key.text, self.value(&value));
        }
        map
    }

    /// A name that is taken as it is written: nothing is looked up in it.
    pub(in crate::scenario) fn plain_name(&mut self, name: &Text) {
        if name.value.contains("${") {
            let hint = "write it out: only values and JSON paths look something up".to_owned();
            let message = format!("nothing is looked up in `{}`", name.value);
            self.error("plain-name", name.span, message, "taken as it is written", hint);
        }
    }

    /// A mapping of texts.
    /// Values that a platform keeps as secrets: an input that goes into one is one.
    pub(in crate::scenario) fn secrets(&mut self, node: Option<&Node>) -> IndexMap<String, Template> {
        let secrets = self.templates(node);
        for template in secrets.values() {
            for path in template.paths() {
                let [root, name] = path else { continue };
                let Some(input) = self.inputs.get_mut(name).filter(|i| root == "inputs" && !i.secret) else {
                    continue;
                };
                input.secret = true;
                let span = input.span;
                let message = format!("input `{name}` goes into a secret, so its value is never shown");
                self.warning("input-secret", span, message, "here", "say `secret: true`".to_owned());
            }
        }
        secrets
    }

    pub(in crate::scenario) fn templates(&mut self, node: Option<&Node>) -> IndexMap<String, Template> {
        let mut map = IndexMap::new();
        for (key, value) in self.entries(node) {
            self.plain_name(&Text { value: key.text.clone(), span: key.span });
            let text = self.text_of(&value);
            map.insert(key.text, self.template(&text));
        }
        map
    }

    /// The entries of a mapping; anything else is wrong.
    pub(in crate::scenario) fn entries(&mut self, node: Option<&Node>) -> Vec<(Key, Node)> {
        match node {
            None => Vec::new(),
            Some(Node { kind: Kind::Map(entries), .. }) => entries.clone(),
            Some(node) => {
                let message = format!("a mapping is expected here, not {}", node.what());
                self.error("wrong-type", node.span, message, "this", None);
                Vec::new()
            }
        }
    }

    /// A duration that is known now.
    pub(in crate::scenario) fn duration(&mut self, text: &Text) -> Duration {
        if text.value.contains("${") {
            let hint = "write it out: 90s, 4m, 1m 30s".to_owned();
            self.error(
                "duration",
                text.span,
                "this duration must be known when the file is read",
                "a template",
                hint,
            );
            return Duration::ZERO;
        }
        time::parse(&text.value).unwrap_or_else(|why| {
            self.error("duration", text.span, why.to_string(), "not a duration", None);
            Duration::ZERO
        })
    }

    /// A duration that may come from an input or the matrix.
    pub(in crate::scenario) fn duration_field(&mut self, text: &Text) -> DurationField {
        if !text.value.contains("${") {
            return DurationField::Literal(self.duration(text));
        }
        let template = self.template(text);
        if template.paths().iter().any(|path| path.first().is_some_and(|r| r != "inputs" && r != "matrix"))
            || template.is_random()
        {
            self.error(
                "duration",
                text.span,
                "a duration may only look up inputs and the matrix, so that a plan can show it",
                "this looks up something else",
                None,
            );
        } else if let Err(why) = self.longest(&template).transpose() {
            self.error("duration", text.span, why.to_string(), "not a duration", None);
        }
        DurationField::Template(template)
    }

    /// What a duration's template becomes with the inputs' defaults; nothing where there is none.
    pub(in crate::scenario) fn longest(
        &self,
        template: &Template,
    ) -> Option<Result<Duration, DurationError>> {
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Expr(crate::scenario::template::Expr::Path(path)) => match path.as_slice() {
                    [root, name] if root == "inputs" => {
                        text.push_str(self.inputs.get(name)?.default.as_ref()?);
                    }
                    [root, name] if root == "matrix" => text.push_str(self.matrix.get(name)?.first()?),
                    _ => return None,
                },
                Piece::Expr(_) => return None,
            }
        }
        Some(time::parse(&text))
    }

    /// A status or several.
    pub(in crate::scenario) fn statuses(&mut self, node: Option<&Node>) -> Vec<Status> {
        self.texts(node).iter().filter_map(|text| self.status(text)).collect()
    }

    /// One status of the contract.
    pub(in crate::scenario) fn status(&mut self, text: &Text) -> Option<Status> {
        let status = Status::parse_known(&text.value);
        if status.is_none() {
            let known: Vec<String> = Status::KNOWN.iter().map(Status::to_string).collect();
            let hint = did_you_mean(&text.value, known.iter().map(String::as_str));
            let message = format!("`{}` is not a status of a workspace", text.value);
            self.error("unknown-status", text.span, message, "not a status", hint);
        }
        status
    }

    /// A word out of a few.
    pub(in crate::scenario) fn word(&mut self, text: &Text, words: &[&str], what: &str) -> bool {
        let known = words.contains(&text.value.as_str());
        if !known {
            let hint = did_you_mean(&text.value, words.iter().copied());
            self.error(
                "unknown-word",
                text.span,
                format!("`{}` is not {what}", text.value),
                "not one of them",
                hint,
            );
        }
        known
    }

    /// A word out of a few, unless it is looked up.
    pub(in crate::scenario) fn word_template(
        &mut self,
        text: Option<&Text>,
        words: &[&str],
        what: &str,
    ) -> Option<Template> {
        let text = text?;
        if !text.value.contains("${") {
            self.word(text, words, what);
        }
        Some(self.template(text))
    }

    /// How messages reach an agent.
    pub(in crate::scenario) fn delivery_mode(&mut self, text: Option<&Text>) -> Option<Template> {
        self.word_template(text, &["push", "poll"], "a delivery mode; a bad one on purpose goes into `body`")
    }

    /// Whose credentials a request carries.
    pub(in crate::scenario) fn identity(&mut self, node: Option<&Node>) -> Option<Identity> {
        let node = node?;
        let hint = "write `admin`, `none`, `{workspace: ws}` or `{bearer: \"…\"}`".to_owned();
        if let Kind::Map(entries) = &node.kind {
            if let [(key, value)] = entries.as_slice() {
                let text = self.text_of(value);
                match key.text.as_str() {
                    "workspace" => return Some(Identity::Workspace(self.workspace(&text))),
                    "bearer" => return Some(Identity::Bearer(self.template(&text))),
                    _ => {}
                }
            }
            self.error(
                "auth",
                node.span,
                "this says nobody's credentials",
                "one of four forms is expected",
                hint,
            );
            return None;
        }
        let text = self.text_of(node);
        match text.value.as_str() {
            "admin" => Some(Identity::Admin),
            "none" => Some(Identity::Anonymous),
            other => {
                let message = format!("`{other}` are nobody's credentials");
                self.error("auth", node.span, message, "one of four forms is expected", hint);
                None
            }
        }
    }

    /// The place of a piece of a scalar; the whole scalar when it is folded or escaped.
    pub(in crate::scenario) fn inside(&self, text: &Text, at: usize, len: usize) -> Span {
        let Span { start, len: whole } = text.span;
        let written = self.source.text.get(start..start + whole).unwrap_or_default();
        let quoted = written.get(1..).is_some_and(|w| w.starts_with(text.value.as_str()));
        if written.starts_with(text.value.as_str()) {
            Span { start: start + at, len }
        } else if quoted && written.starts_with(['"', '\'']) {
            Span { start: start + 1 + at, len }
        } else {
            text.span
        }
    }
}

/// Where a path stands in a template, at or after `from`; not where it is only the start of a longer one.
fn find_path(text: &str, path: &str, from: usize) -> usize {
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let rest = text.get(from..).unwrap_or_default();
    rest.match_indices(path)
        .find(|(at, _)| {
            let before = rest[..*at].chars().next_back();
            let after = rest[at + path.len()..].chars().next();
            !before.is_some_and(belongs) && !after.is_some_and(belongs)
        })
        .map_or(0, |(at, _)| from + at)
}
