//! Do a value, an answer, hold what a scenario says of them?

use std::borrow::Cow;

use serde_json::Value;
use serde_json_path::NodeList;

use crate::source::Span;

use super::model::{Answer, Bounds, JsonPath, Matcher, MatcherTest};
use super::template::{Part, Scope, Template, TemplateError, TemplateValue, show};

#[cfg(test)]
mod tests;

/// Something that was expected and is not so, with the place in the scenario that says it.
///
/// Both texts hold what the server sent, whole: redact, then cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// For example `status 201`, `$.status to be "online"`.
    pub expected: String,
    /// For example `422`, `"failed"`, `nothing there`.
    pub got: String,
    /// Of the matcher, or of the field that holds it.
    pub span: Span,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)
    }
}

impl Matcher {
    /// Whether a value satisfies it; `None` is an absent value, which is not `null`.
    ///
    /// # Errors
    /// What was expected and what is there. A template that cannot be rendered is a mismatch too.
    pub fn check(&self, value: Option<&Value>, scope: &dyn Scope) -> Result<(), Mismatch> {
        match self.test.holds(value, scope) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.mismatch(self.test.describe(scope), got(value))),
            Err(error) => Err(self.mismatch(self.test.describe(scope), error.to_string())),
        }
    }

    fn mismatch(&self, expected: String, got: String) -> Mismatch {
        Mismatch { expected, got, span: self.span }
    }
}

impl MatcherTest {
    fn holds(&self, value: Option<&Value>, scope: &dyn Scope) -> Result<bool, TemplateError> {
        if let MatcherTest::Exists(wanted) = self {
            return Ok(value.is_some() == *wanted);
        }
        if let MatcherTest::Differs(other) = self {
            let other = other.render(scope)?;
            return Ok(!value.is_some_and(|v| same(v, &other)));
        }
        let Some(value) = value else {
            // Nothing contains nothing.
            return Ok(matches!(self, MatcherTest::Lacks { .. }));
        };
        Ok(match self {
            MatcherTest::Equals(wanted) => same(value, &wanted.render(scope)?),
            MatcherTest::Contains { text, ignore_case } => {
                contains(value, &text.render(scope)?, *ignore_case)
            }
            MatcherTest::Lacks { text, ignore_case } => !contains(value, &text.render(scope)?, *ignore_case),
            MatcherTest::Matches(regex) => regex.is_match(&show(value)),
            MatcherTest::OneOf(items) => any_same(value, items, scope)?,
            MatcherTest::Type(wanted) => kind(value) == wanted,
            MatcherTest::Length(bounds) => length(value).is_some_and(|n| bounds.holds(n)),
            MatcherTest::Number(bounds) => value.as_f64().is_some_and(|n| bounds.holds(n)),
            MatcherTest::NonEmpty => match value {
                Value::Null => false,
                other => length(other).is_none_or(|n| n > 0.0),
            },
            MatcherTest::Includes(items) => {
                let Value::Array(list) = value else { return Ok(false) };
                for item in items {
                    let item = item.render(scope)?;
                    if !list.iter().any(|element| same(element, &item)) {
                        return Ok(false);
                    }
                }
                true
            }
            MatcherTest::Exists(_) | MatcherTest::Differs(_) => true,
        })
    }

    /// What is wanted, in words.
    pub fn describe(&self, scope: &dyn Scope) -> String {
        let shown = |value: &TemplateValue| match value.render(scope) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        let list = |items: &[TemplateValue]| items.iter().map(shown).collect::<Vec<_>>().join(", ");
        let text = |template: &Template| match template.render(scope) {
            Ok(text) => format!("{text:?}"),
            Err(error) => error.to_string(),
        };
        match self {
            MatcherTest::Equals(value) => shown(value),
            MatcherTest::Differs(value) => format!("anything but {}", shown(value)),
            MatcherTest::Contains { text: t, .. } => format!("a text with {}", text(t)),
            MatcherTest::Lacks { text: t, .. } => format!("a text without {}", text(t)),
            MatcherTest::Matches(regex) => format!("a text that matches /{regex}/"),
            MatcherTest::OneOf(items) => format!("one of {}", list(items)),
            MatcherTest::Exists(true) => "something".to_owned(),
            MatcherTest::Exists(false) => "nothing".to_owned(),
            MatcherTest::Type(kind) => format!("a value of type {kind}"),
            MatcherTest::Length(bounds) => format!("a length of {bounds}"),
            MatcherTest::Number(bounds) => format!("a number of {bounds}"),
            MatcherTest::NonEmpty => "something that is not empty".to_owned(),
            MatcherTest::Includes(items) => format!("a list with {}", list(items)),
        }
    }

    /// Whether the test is about a list as a whole when a path finds many nodes.
    fn is_about_the_list(&self) -> bool {
        match self {
            MatcherTest::Exists(_)
            | MatcherTest::Length(_)
            | MatcherTest::NonEmpty
            | MatcherTest::Includes(_) => true,
            MatcherTest::Equals(value) | MatcherTest::Differs(value) => {
                matches!(value, TemplateValue::List(_) | TemplateValue::Plain(Value::Array(_)))
            }
            _ => false,
        }
    }
}

impl JsonPath {
    /// A path without lookups.
    ///
    /// # Errors
    /// A text that is no JSON path.
    pub fn parse(text: &str, span: Span) -> Result<JsonPath, serde_json_path::ParseError> {
        let path = serde_json_path::JsonPath::parse(text)?;
        Ok(JsonPath { text: text.to_owned(), path, template: None, span })
    }

    /// A path whose lookups are filled in later: it parses when they are plain words or numbers.
    ///
    /// # Errors
    /// A text that is no JSON path, whatever is looked up.
    pub fn of_template(template: Template) -> Result<JsonPath, serde_json_path::ParseError> {
        let parse = |word: &str| {
            let text: String = template
                .parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => text.as_str(),
                    Part::Expr(_) => word,
                })
                .collect();
            serde_json_path::JsonPath::parse(&text)
        };
        let path = parse("0").or_else(|_| parse("a"))?;
        Ok(JsonPath { text: template.raw.clone(), path, span: template.span, template: Some(template) })
    }

    /// The path with its lookups filled in; what is looked up inside quotes cannot end them.
    ///
    /// # Errors
    /// What has no value, and what makes it no path.
    pub fn resolve(&self, scope: &dyn Scope) -> Result<Cow<'_, JsonPath>, TemplateError> {
        let Some(template) = &self.template else { return Ok(Cow::Borrowed(self)) };
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Expr(expr) => {
                    let value = show(&expr.value(scope)?);
                    match open_quote(&text) {
                        Some(quote) => text.push_str(&quoted(&value, quote)),
                        None => text.push_str(&value),
                    }
                }
            }
        }
        let path = JsonPath::parse(&text, self.span).map_err(|error| TemplateError::Unusable {
            template: template.raw.clone(),
            text,
            why: format!("no JSON path: {}", error.message()),
        })?;
        Ok(Cow::Owned(path))
    }

    /// Whether the path can find more than one node: wildcards, filters, slices, descendants, unions.
    pub fn is_plural(&self) -> bool {
        let mut quote = None;
        let mut before = ' ';
        for c in self.text.chars() {
            match quote {
                Some(q) if c == q && before != '\\' => quote = None,
                Some(_) => {}
                None if c == '\'' || c == '"' => quote = Some(c),
                None if matches!(c, '*' | '?' | ':' | ',') || (c == '.' && before == '.') => return true,
                None => {}
            }
            before = c;
        }
        false
    }

    /// What the path finds, as one value: the node of a singular path, the list of nodes of a plural one.
    pub fn find(&self, body: &Value) -> Option<Value> {
        let nodes: NodeList<'_> = self.path.query(body);
        if self.is_plural() {
            return Some(Value::Array(nodes.iter().map(|&node| node.clone()).collect()));
        }
        nodes.first().cloned()
    }

    /// Applies matchers to what the path finds in a body.
    ///
    /// A singular path (`$.status`) hands over its node or nothing. A plural one (`$[*].id`): `length`,
    /// `exists`, `non_empty`, `includes` and a list to equal see the list of nodes; every other test
    /// must hold of each node, and there must be one.
    pub fn check(&self, body: Option<&Value>, matchers: &[Matcher], scope: &dyn Scope) -> Vec<Mismatch> {
        match self.resolve(scope) {
            Ok(path) => path.check_nodes(body, matchers, scope),
            Err(error) => {
                let expected = format!("a value at {}", self.text);
                vec![Mismatch { expected, got: error.to_string(), span: self.span }]
            }
        }
    }

    fn check_nodes(&self, body: Option<&Value>, matchers: &[Matcher], scope: &dyn Scope) -> Vec<Mismatch> {
        let nodes: Vec<&Value> = body.map(|b| self.path.query(b).all()).unwrap_or_default();
        let mut wrong = Vec::new();
        for matcher in matchers {
            let result = if !self.is_plural() {
                matcher.check(nodes.first().copied(), scope)
            } else if matcher.test.is_about_the_list() {
                let list = Value::Array(nodes.iter().map(|&n| n.clone()).collect());
                let absent = matches!(matcher.test, MatcherTest::Exists(_)) && nodes.is_empty();
                matcher.check((!absent).then_some(&list), scope)
            } else if nodes.is_empty() {
                matcher.check(None, scope)
            } else {
                nodes.iter().try_for_each(|node| matcher.check(Some(node), scope))
            };
            if let Err(mismatch) = result {
                wrong.push(Mismatch {
                    expected: format!("{} to be {}", self.text, mismatch.expected),
                    ..mismatch
                });
            }
        }
        wrong
    }
}

impl Answer {
    /// Everything that an HTTP answer does not hold; empty when it is as the scenario says.
    ///
    /// An empty `status` is the verb's own success and is judged by the verb. `body_json` is `None`
    /// when the body is no JSON.
    pub fn check(
        &self,
        status: u16,
        headers: &[(String, String)],
        body_text: &str,
        body_json: Option<&Value>,
        scope: &dyn Scope,
    ) -> Vec<Mismatch> {
        let mut wrong = Vec::new();
        if !self.status_fits(status) {
            let wanted: Vec<String> = self.status.iter().map(ToString::to_string).collect();
            wrong.push(Mismatch {
                expected: format!("status {}", wanted.join(" or ")),
                got: status.to_string(),
                span: self.status_span,
            });
        }
        for (path, matchers) in &self.json {
            if body_json.is_none() && matchers.iter().any(|m| !matches!(m.test, MatcherTest::Exists(false))) {
                let got =
                    if body_text.trim().is_empty() { "an empty body" } else { "a body that is no JSON" };
                let expected = format!("a JSON body with {}", path.text);
                wrong.push(Mismatch { expected, got: got.to_owned(), span: path.span });
                continue;
            }
            wrong.extend(path.check(body_json, matchers, scope));
        }
        let text = Value::String(body_text.to_owned());
        for matcher in &self.text {
            if let Err(mismatch) = matcher.check(Some(&text), scope) {
                wrong
                    .push(Mismatch { expected: format!("the body to be {}", mismatch.expected), ..mismatch });
            }
        }
        for (name, matchers) in &self.headers {
            let found = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            let value = found.map(|(_, v)| header_value(v));
            for matcher in matchers {
                if let Err(mismatch) = matcher.check(value.as_ref(), scope) {
                    let expected = format!("the header {name} to be {}", mismatch.expected);
                    wrong.push(Mismatch { expected, ..mismatch });
                }
            }
        }
        wrong
    }

    /// Whether the status alone is as the scenario says; true when it says nothing.
    pub fn status_fits(&self, status: u16) -> bool {
        self.status.is_empty() || self.status.iter().any(|pattern| pattern.fits(status))
    }
}

impl Bounds {
    /// Whether a number lies within, ends included.
    pub fn holds(self, n: f64) -> bool {
        self.min.is_none_or(|min| n >= min) && self.max.is_none_or(|max| n <= max)
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min.total_cmp(&max).is_eq() => write!(f, "{min}"),
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("any"),
        }
    }
}

/// The same JSON value; numbers by value, so `1` is `1.0`.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => match (x.as_i64(), y.as_i64(), x.as_f64(), y.as_f64()) {
            (Some(x), Some(y), ..) => x == y,
            (_, _, Some(x), Some(y)) => x.total_cmp(&y).is_eq() || x == y,
            _ => x == y,
        },
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(k, v)| y.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

/// The quote that is open at the end of a piece of a JSON path.
fn open_quote(text: &str) -> Option<char> {
    let mut open = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match open {
            Some(_) if c == '\\' => drop(chars.next()),
            Some(quote) if c == quote => open = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => open = Some(c),
            None => {}
        }
    }
    open
}

/// A text as it stands between quotes of a JSON path.
fn quoted(value: &str, quote: char) -> String {
    let mut text = String::new();
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            c if c == quote => text.extend(['\\', c]),
            c if u32::from(c) < 0x20 => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

fn any_same(value: &Value, items: &[TemplateValue], scope: &dyn Scope) -> Result<bool, TemplateError> {
    for item in items {
        if same(value, &item.render(scope)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A header is a text, but `Retry-After: 15` should satisfy `at_least: 1`.
fn header_value(text: &str) -> Value {
    match text.trim().parse::<u64>() {
        Ok(n) if n.to_string() == text.trim() => Value::from(n),
        _ => Value::String(text.to_owned()),
    }
}

fn contains(value: &Value, needle: &str, ignore_case: bool) -> bool {
    let text = show(value);
    if ignore_case { text.to_lowercase().contains(&needle.to_lowercase()) } else { text.contains(needle) }
}

fn length(value: &Value) -> Option<f64> {
    let n = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => return None,
    };
    Some(n as f64)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn got(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing there".to_owned(), Value::to_string)
}
