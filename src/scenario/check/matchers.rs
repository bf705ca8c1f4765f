//! Tests of values, and what must hold of answers.

use crate::scenario::model::answer::{Answer, StatusPattern};
use crate::scenario::model::matcher::{Bounds, JsonPath, Matcher, MatcherTest};
use crate::scenario::raw::values::{RawAnswer, Text};
use crate::scenario::template::TemplateValue;
use crate::source::{Span, did_you_mean};
use crate::yaml::{Key, Kind, Node};

use super::Check;

/// The tests of a value, in the order of documentation.
pub(in crate::scenario) const TESTS: [&str; 13] = [
    "equals",
    "not",
    "contains",
    "lacks",
    "ignore_case",
    "matches",
    "one_of",
    "exists",
    "type",
    "length",
    "at_least",
    "at_most",
    "non_empty",
];
const INCLUDES: &str = "includes";
const TYPES: [&str; 6] = ["string", "number", "bool", "array", "object", "null"];

impl Check<'_> {
    /// What must hold of a value: the value itself, or a mapping of tests.
    pub(in crate::scenario) fn matchers(&mut self, node: &Node) -> Vec<Matcher> {
        let Kind::Map(entries) = &node.kind else {
            return vec![Matcher { test: MatcherTest::Equals(self.value(node)), span: node.span }];
        };
        let known = |key: &Key| TESTS.contains(&key.text.as_str()) || key.text == INCLUDES;
        if entries.is_empty() {
            let hint = "write a value, or for example `{contains: x}`; an empty mapping is `{equals: {}}`"
                .to_owned();
            self.error("unknown-test", node.span, "this tests nothing", "no test in here", hint);
        }
        if !entries.is_empty() && !entries.iter().any(|(key, _)| known(key)) {
            let mut hint = did_you_mean(&entries[0].0.text, TESTS.into_iter().chain([INCLUDES]));
            hint.push_str("; to compare with a mapping write `{equals: {…}}`");
            let message = format!("there is no test `{}`", entries[0].0.text);
            self.error("unknown-test", entries[0].0.span, message, "not a test", hint);
            return Vec::new();
        }
        let ignore_case = entries.iter().any(|(k, v)| k.text == "ignore_case" && v.kind == Kind::Bool(true));
        let mut matchers = Vec::new();
        for (key, value) in entries {
            if !known(key) {
                let hint = did_you_mean(&key.text, TESTS.into_iter().chain([INCLUDES]));
                self.error(
                    "unknown-test",
                    key.span,
                    format!("there is no test `{}`", key.text),
                    "not a test",
                    hint,
                );
                continue;
            }
            let span = Span {
                start: key.span.start,
                len: (value.span.start + value.span.len).saturating_sub(key.span.start),
            };
            for test in self.test(&key.text, value, ignore_case) {
                matchers.push(Matcher { test, span });
            }
        }
        matchers
    }

    fn test(&mut self, name: &str, node: &Node, ignore_case: bool) -> Vec<MatcherTest> {
        match name {
            "equals" => vec![MatcherTest::Equals(self.value(node))],
            "not" => vec![MatcherTest::Differs(self.value(node))],
            "contains" | "lacks" => {
                let texts = self.texts(Some(node));
                let make = |text| match name {
                    "contains" => MatcherTest::Contains { text, ignore_case },
                    _ => MatcherTest::Lacks { text, ignore_case },
                };
                texts.iter().map(|text| make(self.template(text))).collect()
            }
            "matches" => {
                let text = self.text_of(node);
                match regex::Regex::new(&text.value) {
                    Ok(regex) => vec![MatcherTest::Matches(regex)],
                    Err(error) => {
                        let why = error.to_string();
                        let why =
                            why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                        self.error(
                            "regex",
                            node.span,
                            format!("this regular expression is wrong: {why}"),
                            "here",
                            None,
                        );
                        Vec::new()
                    }
                }
            }
            "one_of" => vec![MatcherTest::OneOf(self.list(node))],
            INCLUDES => {
                vec![MatcherTest::Includes(node.one_or_many().into_iter().map(|n| self.value(n)).collect())]
            }
            "type" => {
                let text = self.text_of(node);
                self.word(&text, &TYPES, "a type of JSON values");
                vec![MatcherTest::Type(text.value)]
            }
            "exists" => self.flag(node).map(MatcherTest::Exists).into_iter().collect(),
            "non_empty" => match self.flag(node) {
                Some(true) => vec![MatcherTest::NonEmpty],
                Some(false) => {
                    let hint = "for an empty text write `{equals: \"\"}`, for an empty list `{length: 0}`"
                        .to_owned();
                    self.error("unknown-test", node.span, "`non_empty: false` says nothing", "here", hint);
                    Vec::new()
                }
                None => Vec::new(),
            },
            "length" => self.bounds(node).map(MatcherTest::Length).into_iter().collect(),
            "at_least" => {
                let min = self.number(node);
                vec![MatcherTest::Number(Bounds { min, max: None })]
            }
            "at_most" => {
                let max = self.number(node);
                vec![MatcherTest::Number(Bounds { min: None, max })]
            }
            _ => Vec::new(),
        }
    }

    fn list(&mut self, node: &Node) -> Vec<TemplateValue> {
        match &node.kind {
            Kind::List(items) => items.iter().map(|item| self.value(item)).collect(),
            _ => {
                let message = format!("a list is expected here, not {}", node.what());
                self.error("wrong-type", node.span, message, "this", "write `[a, b]`".to_owned());
                Vec::new()
            }
        }
    }

    fn flag(&mut self, node: &Node) -> Option<bool> {
        if let Kind::Bool(flag) = node.kind {
            return Some(flag);
        }
        let message = format!("`true` or `false` is expected here, not {}", node.what());
        self.error("wrong-type", node.span, message, "this", None);
        None
    }

    fn number(&mut self, node: &Node) -> Option<f64> {
        if let Kind::Number(n, _) = &node.kind {
            return n.as_f64();
        }
        let message = format!("a number is expected here, not {}", node.what());
        self.error("wrong-type", node.span, message, "this", None);
        None
    }

    fn bounds(&mut self, node: &Node) -> Option<Bounds> {
        if let Kind::Map(entries) = &node.kind {
            let mut bounds = Bounds { min: None, max: None };
            for (key, value) in entries {
                match key.text.as_str() {
                    "min" => bounds.min = self.number(value),
                    "max" => bounds.max = self.number(value),
                    other => {
                        let hint = did_you_mean(other, ["min", "max"]);
                        let message = format!("there is no bound `{other}`");
                        self.error("unknown-field", key.span, message, "not a bound", hint);
                    }
                }
            }
            return Some(bounds);
        }
        self.number(node).map(|n| Bounds { min: Some(n), max: Some(n) })
    }

    /// What must hold of an HTTP answer.
    pub(in crate::scenario) fn answer(&mut self, node: Option<&Node>) -> Answer {
        let Some(node) = node else { return Answer::default() };
        if !matches!(node.kind, Kind::Map(_)) {
            return Answer { status: self.patterns(node), status_span: node.span, ..Answer::default() };
        }
        let raw: RawAnswer = self.read(node);
        let status = raw.status.as_ref().map(|n| self.patterns(n)).unwrap_or_default();
        let json = self.json_tests(raw.json.as_ref());
        let text = raw.text.as_ref().map(|n| self.matchers(n)).unwrap_or_default();
        let mut headers = Vec::new();
        for (key, value) in self.entries(raw.headers.as_ref()) {
            self.plain_name(&Text { value: key.text.clone(), span: key.span });
            headers.push((key.text, self.matchers(&value)));
        }
        let answer = Answer {
            status,
            status_span: raw.status.map(|n| n.span).unwrap_or_default(),
            json,
            text,
            headers,
        };
        if answer.is_default() && !self.has_errors() {
            let hint = "write at least one of `status`, `json`, `text`, `headers`".to_owned();
            self.error("unknown-test", node.span, "this asserts nothing", "empty", hint);
        }
        answer
    }

    /// JSON path → tests.
    pub(in crate::scenario) fn json_tests(&mut self, node: Option<&Node>) -> Vec<(JsonPath, Vec<Matcher>)> {
        let mut tests = Vec::new();
        for (key, value) in self.entries(node) {
            let path = self.json_path(&Text { value: key.text, span: key.span });
            let matchers = self.matchers(&value);
            if let Some(path) = path {
                tests.push((path, matchers));
            }
        }
        tests
    }

    /// A JSON path (RFC 9535).
    pub(in crate::scenario) fn json_path(&mut self, text: &Text) -> Option<JsonPath> {
        let parsed = match text.value.contains("${") {
            true => JsonPath::of_template(self.template(text)),
            false => JsonPath::parse(&text.value, text.span),
        };
        match parsed {
            Ok(path) => Some(path),
            Err(_) if text.value.contains("${") => {
                let hint = "a lookup stands for a name in quotes or for an index: `$[?@.id == '${ws.id}']`";
                let message = format!("`{}` is not a JSON path, whatever is looked up", text.value);
                self.error("json-path", text.span, message, "here", hint.to_owned());
                None
            }
            Err(error) => {
                let hint = if text.value.starts_with('$') {
                    "for example `$.status`, `$[0].id`, `$['a-b']`, `$[?@.key == 'A'].value`".to_owned()
                } else {
                    format!("a path starts at the root: `$.{}`", text.value)
                };
                let at = error.position().min(text.value.len());
                let span = self.inside(text, at, text.value.len() - at);
                self.error(
                    "json-path",
                    span,
                    format!("`{}` is not a JSON path", text.value),
                    "wrong from here",
                    hint,
                );
                None
            }
        }
    }

    fn patterns(&mut self, node: &Node) -> Vec<StatusPattern> {
        let texts = self.texts(Some(node));
        texts.iter().filter_map(|text| self.pattern(text)).collect()
    }

    fn pattern(&mut self, text: &Text) -> Option<StatusPattern> {
        let number = |t: &str| t.parse::<u16>().ok().filter(|n| (100..600).contains(n));
        let word = text.value.as_str();
        let class =
            |t: &str| t.strip_suffix("xx").and_then(|c| c.parse().ok()).filter(|c| (1..6).contains(c));
        let pattern = match word.strip_prefix('!') {
            Some(rest) => number(rest).map(StatusPattern::Not),
            None => number(word).map(StatusPattern::Exact).or_else(|| class(word).map(StatusPattern::Class)),
        };
        if pattern.is_none() {
            let hint = "write 201, [200, 204], 2xx or \"!200\"".to_owned();
            self.error(
                "http-status",
                text.span,
                format!("`{word}` is not an HTTP status"),
                "not a status",
                hint,
            );
        }
        pattern
    }
}
