//! JSON paths: what they look up is filled in, then they find nodes, then these are tested.

use std::borrow::Cow;

use serde_json::Value;
use serde_json_path::NodeList;

use super::Mismatch;
use crate::scenario::model::{JsonPath, Matcher, MatcherTest};
use crate::scenario::template::{Piece, Scope, Template, TemplateError, show};
use crate::source::Span;

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
                    Piece::Text(text) => text.as_str(),
                    Piece::Expr(_) => word,
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
                Piece::Text(literal) => text.push_str(literal),
                Piece::Expr(expr) => {
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
