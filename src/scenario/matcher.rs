//! Do a value, an answer, hold what a scenario says of them?

use serde_json::Value;

use crate::source::Span;

use super::model::{Answer, Bounds, Matcher, MatcherTest};
use super::template::{Scope, Template, TemplateError, TemplateValue, show};

mod path;
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
pub(crate) fn same(a: &Value, b: &Value) -> bool {
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
