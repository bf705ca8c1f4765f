//! The document: what stands around the steps.

use indexmap::IndexMap;

use crate::domain::time;
use crate::scenario::fragment::Fragments;
use crate::scenario::loaded::Loaded;
use crate::scenario::model::document::{ExpectFailure, Scenario};
use crate::scenario::model::input::{Input, InputKind};
use crate::scenario::need::Need;
use crate::scenario::raw::values::Text;
use crate::scenario::raw::{RawExpectFailure, RawInput, RawScenario};
use crate::scenario::reading::READING;
use crate::scenario::verbs::Step;
use crate::source::{SourceFile, Span, did_you_mean};
use crate::yaml;
use crate::yaml::{Key, Kind, Node};

use crate::scenario::check::Check;

/// More instances than anybody reads about.
const MOST_INSTANCES: usize = 10_000;

/// Reads and checks a scenario file.
pub(crate) fn scenario(source: &SourceFile, fragments: &Fragments) -> Loaded {
    let mut check = Check::new(source, fragments);
    let node = yaml::parse(source, &READING, &mut check.problems);
    let scenario = node.and_then(|node| check.document(&node));
    let scenario = scenario.filter(|_| !check.has_errors());
    let mut problems = check.problems;
    problems.sort_by_key(|p| {
        let start = p.labels.first().map_or(0, |(span, _)| span.start);
        (p.source.as_ref().is_some_and(|s| s.name != source.name), start)
    });
    Loaded { scenario, problems }
}

impl Check<'_> {
    fn document(&mut self, node: &Node) -> Option<Scenario> {
        if !matches!(node.kind, Kind::Map(_)) {
            let hint = "a scenario is `scenario: name`, `summary: …` and `steps: […]`".to_owned();
            let message = format!("a scenario file is a mapping, not {}", node.what());
            self.error("document", node.span, message, "here", hint);
            return None;
        }
        let raw: RawScenario = self.read(node);
        let top = Span { start: node.span.start, len: 0 };
        let name = self.scenario_name(raw.scenario.as_ref(), top);
        if let Some(budget) = &raw.budget {
            self.budget = self.duration(budget);
            if self.budget.is_zero() && !self.has_errors() {
                let hint = "leave it out for 10m".to_owned();
                self.error("duration", budget.span, "a scenario needs some time", "zero", hint);
            }
        }
        self.inputs = self.read_inputs(raw.inputs.as_ref());
        self.matrix = self.read_matrix(raw.matrix.as_ref());
        let needs = self.needs(raw.needs.as_ref());
        let expect_failure = raw.expect_failure.as_ref().map(|n| self.expect_failure(n));
        for steps in [&raw.steps, &raw.finally].into_iter().flatten() {
            self.survey(steps);
        }
        let mut steps = raw.r#use.as_ref().map(|n| self.prologue(n, node)).unwrap_or_default();
        match &raw.steps {
            Some(list) => steps.extend(self.steps(list, "")),
            None => {
                self.required(None, "a scenario", "steps", top, "for example `steps: [{create: {as: ws}}]`");
            }
        }
        let finally = raw.finally.as_ref().map(|n| self.steps(n, "finally.")).unwrap_or_default();
        let milestones = self.milestones(raw.milestones.as_ref());
        self.warn_about_unused(raw.matrix.as_ref());
        Some(Scenario {
            name,
            summary: raw.summary.map(|t| t.value).unwrap_or_default(),
            tags: self.tags(raw.tags.as_ref()),
            gate: raw.gate.unwrap_or_default(),
            needs,
            budget: self.budget,
            inputs: std::mem::take(&mut self.inputs),
            matrix: std::mem::take(&mut self.matrix),
            steps,
            finally,
            milestones,
            expect_failure,
            source: self.source.clone(),
        })
    }

    fn scenario_name(&mut self, name: Option<&Text>, top: Span) -> String {
        let name =
            self.required(name, "a scenario", "scenario", top, "for example `scenario: local-provision`");
        if !name.value.is_empty() && !is_slug(&name.value) {
            let hint = "lower-case words with dashes, for example `local-provision`".to_owned();
            let message = format!("`{}` is not a name of a scenario", name.value);
            self.error("scenario-name", name.span, message, "here", hint);
        }
        name.value
    }

    fn tags(&mut self, node: Option<&Node>) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.texts(node) {
            if tag.value.is_empty() {
                continue;
            }
            if !is_slug(&tag.value) {
                let hint = "lower-case words with dashes; `@` is only for the command line".to_owned();
                self.error("tag", tag.span, format!("`{}` is not a tag", tag.value), "here", hint);
            } else if !tags.contains(&tag.value) {
                tags.push(tag.value);
            }
        }
        tags
    }

    fn need(&mut self, text: &Text) -> Option<Need> {
        let found = Need::named(&text.value);
        if found.is_none() {
            let hint = Need::hint(&text.value);
            let message = format!("no target offers `{}`", text.value);
            self.error(
                "unknown-capability",
                text.span,
                message,
                "neither a capability nor a behaviour",
                hint,
            );
        }
        found
    }

    fn needs(&mut self, node: Option<&Node>) -> Vec<Need> {
        let texts = self.texts(node);
        texts.iter().filter_map(|text| self.need(text)).collect()
    }

    fn read_inputs(&mut self, node: Option<&Node>) -> IndexMap<String, Input> {
        let mut inputs = IndexMap::new();
        for (key, value) in self.entries(node) {
            let input = self.input(&key, &value);
            inputs.insert(key.text, input);
        }
        inputs
    }

    fn input(&mut self, key: &Key, node: &Node) -> Input {
        if key.text.is_empty()
            || !key.text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        {
            let message = format!("`{}` is not a name of an input", key.text);
            self.error("bad-name", key.span, message, "letters, digits, `_` and `-`", None);
        }
        // `name: value` is the short form of `name: {default: value}`.
        let raw: RawInput = match node.as_text() {
            Some(value) => RawInput { default: Some(Text { value, span: node.span }), ..RawInput::default() },
            None => self.read(node),
        };
        let one_of = self.texts(raw.one_of.as_ref());
        one_of.iter().for_each(|text| self.plain_name(text));
        let one_of: Vec<String> = one_of.into_iter().map(|t| t.value).collect();
        let kind = raw.r#type.unwrap_or_default();
        if let Some(default) = &raw.default {
            if default.value.contains("${") {
                let hint = "defaults are plain; use `${first(inputs.a, 'b')}` where it is needed".to_owned();
                self.error("input-default", default.span, "a default looks nothing up", "a template", hint);
            } else if let Some(why) = fits(kind, &default.value) {
                self.error("input-default", default.span, why, "not of the input's type", None);
            }
            if !one_of.is_empty() && !one_of.contains(&default.value) {
                let hint = did_you_mean(&default.value, one_of.iter().map(String::as_str));
                self.error("input-default", default.span, "the default is not in `one_of`", "here", hint);
            }
            if raw.secret == Some(true) && !default.value.is_empty() {
                let hint = "leave `default` out and set it by `env`".to_owned();
                self.error("input-default", default.span, "a secret has no default in a file", "here", hint);
            }
        }
        let mut env = Vec::new();
        for variable in self.texts(raw.env.as_ref()) {
            let good = !variable.value.is_empty()
                && variable.value.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if !good {
                let message = format!("`{}` is not an environment variable", variable.value);
                self.error(
                    "input-env",
                    variable.span,
                    message,
                    "here",
                    "for example `E2E_RUNTIME`".to_owned(),
                );
            }
            env.push(variable.value);
        }
        Input {
            default: raw.default.map(|t| t.value),
            one_of,
            env,
            secret: raw.secret.unwrap_or_default(),
            kind,
            summary: raw.summary.map(|t| t.value).unwrap_or_default(),
            span: key.span,
        }
    }

    fn read_matrix(&mut self, node: Option<&Node>) -> IndexMap<String, Vec<String>> {
        let mut matrix = IndexMap::new();
        for (key, value) in self.entries(node) {
            let texts = self.texts(Some(&value));
            texts.iter().for_each(|text| self.plain_name(text));
            let values: Vec<String> = texts.into_iter().map(|t| t.value).collect();
            if !is_slug(&key.text.replace('_', "-")) {
                let message = format!("`{}` is not a key of a matrix", key.text);
                self.error("bad-name", key.span, message, "lower-case words", None);
            }
            if values.is_empty() {
                let message = format!("`{}` has no values, so nothing would run", key.text);
                self.error("matrix", value.span, message, "empty", None);
            }
            if let Some(twice) = values.iter().enumerate().find(|(i, v)| values[..*i].contains(v)) {
                let message = format!("`{}` is written twice in `{}`", twice.1, key.text);
                self.error("matrix", value.span, message, "here", None);
            }
            matrix.insert(key.text, values);
        }
        let instances = matrix.values().map(Vec::len).fold(1usize, usize::saturating_mul);
        if let Some(node) = node.filter(|_| instances > MOST_INSTANCES) {
            let message = format!("this matrix has more than {MOST_INSTANCES} combinations");
            let hint = "each combination is an instance of its own: leave values out".to_owned();
            self.error("matrix", node.span, message, "here", hint);
        }
        matrix
    }

    fn expect_failure(&mut self, node: &Node) -> ExpectFailure {
        let raw: RawExpectFailure = self.read(node);
        let hint = "for example `expect_failure: {issue: \"#2863\", reason: …, until: 2026-12-31}`";
        let mut need = |field: Option<&Text>, name: &str| {
            self.required(field, "expect_failure", name, node.span, hint).value
        };
        let issue = need(raw.issue.as_ref(), "issue");
        let reason = need(raw.reason.as_ref(), "reason");
        let until = need(raw.until.as_ref(), "until");
        if let Some(text) = &raw.until
            && (text.value.len() != 10 || text.value.parse::<jiff::civil::Date>().is_err())
        {
            let message = format!("`{}` is not a date", text.value);
            self.error("date", text.span, message, "here", "write YYYY-MM-DD".to_owned());
        }
        let mut when = IndexMap::new();
        for (key, value) in self.entries(raw.when.as_ref()) {
            let need = self.need(&Text { value: key.text, span: key.span });
            match value.kind {
                Kind::Bool(flag) => {
                    when.extend(need.map(|need| (need, flag)));
                }
                _ => {
                    let message = format!("`true` or `false` is expected here, not {}", value.what());
                    self.error("wrong-type", value.span, message, "this", None);
                }
            }
        }
        ExpectFailure {
            issue,
            reason,
            mechanism: raw.mechanism.map(|t| t.value),
            until,
            when,
            span: node.span,
        }
    }

    /// Document-level `use:`: steps that come first.
    fn prologue(&mut self, uses: &Node, document: &Node) -> Vec<Step> {
        let span = document.entry("use").map_or(uses.span, |(key, _)| key.span);
        let key = Key { text: "use".to_owned(), span };
        let mut steps = Vec::new();
        for (index, one) in uses.one_or_many().into_iter().enumerate() {
            steps.extend(self.expand(&key, one, &format!("use.{}", index + 1)));
        }
        steps
    }

    fn milestones(&mut self, node: Option<&Node>) -> Vec<String> {
        let declared = self.texts(node);
        for milestone in &declared {
            if !self.milestones.contains(&milestone.value) && !self.has_errors() {
                let reached: Vec<String> = self.milestones.iter().cloned().collect();
                let hint = if reached.is_empty() {
                    format!("give a step `milestone: {}`", milestone.value)
                } else {
                    did_you_mean(&milestone.value, reached.iter().map(String::as_str))
                };
                let message = format!("no step reaches the milestone `{}`", milestone.value);
                self.error("milestone", milestone.span, message, "never reached", hint);
            }
        }
        declared.into_iter().map(|t| t.value).collect()
    }

    /// Only in a file without errors: a mistyped name makes its neighbour look unused.
    fn warn_about_unused(&mut self, matrix: Option<&Node>) {
        if self.has_errors() {
            return;
        }
        let unused: Vec<(String, Span)> = self
            .inputs
            .iter()
            .filter(|(name, _)| !self.used_inputs.contains(*name))
            .map(|(name, input)| (name.clone(), input.span))
            .collect();
        for (name, span) in unused {
            let message = format!("nothing uses the input `{name}`");
            let hint = format!("look it up as `${{inputs.{name}}}`, or leave it out");
            self.warning("unused-input", span, message, "declared here", hint);
        }
        let keys = matrix.map(Node::entries).unwrap_or_default();
        for (key, _) in keys.iter().filter(|(k, _)| !self.used_matrix.contains(&k.text)) {
            let message = format!("nothing uses the matrix key `{}`", key.text);
            let hint = format!("look it up as `${{matrix.{}}}`, or leave it out", key.text);
            self.problems.push(
                crate::source::Problem::warning("scenario::unused-matrix-key", message)
                    .at(&self.source, key.span, "declared here")
                    .hint(hint),
            );
        }
        let unused = self.names.unused(|_| true);
        self.warn_unused(unused);
    }
}

/// Why a value does not fit an input's type.
fn fits(kind: InputKind, value: &str) -> Option<String> {
    match kind {
        InputKind::Text => None,
        InputKind::Duration => time::parse(value).err().map(|why| why.to_string()),
        InputKind::Number => {
            value.parse::<i64>().is_err().then(|| format!("`{value}` is not a whole number"))
        }
        InputKind::Bool => (!matches!(value, "true" | "false" | "1" | "0"))
            .then(|| format!("`{value}` is neither `true` nor `false`")),
    }
}

fn is_slug(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.len() <= 80
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
