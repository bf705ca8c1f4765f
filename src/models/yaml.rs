//! A YAML text as a tree that is easy to check by hand.
//!
//! Catalogues, workflow files and situations are checked by hand over this tree, so that all of a
//! file's errors come at once and each points at its bytes.

use crate::source::{Problem, SourceFile, Span};
use crate::yaml::{Aliases, Kind, Node as Located, Reading};

/// A value with its place. Behind an alias or a merge it points at the text itself, not at the alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What is there.
    pub value: Value,
    /// Where it is.
    pub span: Span,
}

/// The shapes that YAML has.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean, with its text.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string.
    Text(String),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping, in order.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key is.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Key and value, when this is a mapping that has the key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of a mapping; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none of anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Seq(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of any scalar; nothing for null, sequences and mappings.
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::Seq(_) | Value::Map(_) => None,
        }
    }

    /// Whether nothing is there.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The shape in words, for "expected a list, found a string".
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads a text. The error is a problem with a place: bad YAML, a duplicate key, an alias bomb.
pub fn parse(file: &SourceFile) -> Result<Node, Box<Problem>> {
    let mut problems = Vec::new();
    let tree = crate::yaml::parse(file, &READING, &mut problems);
    match (tree, problems.into_iter().next()) {
        (_, Some(problem)) => Err(Box::new(problem)),
        (Some(tree), None) => Ok(node(tree, file)),
        (None, None) => Ok(Node { value: Value::Null, span: Span::default() }),
    }
}

/// Catalogues and workflow files are larger than scenarios, and workflow files live on anchors.
const READING: Reading = Reading {
    code: "yaml",
    max_nodes: 100_000,
    max_aliases: 2_000,
    max_bytes: 4 << 20,
    aliases: Aliases::Defined,
};

fn node(from: Located, file: &SourceFile) -> Node {
    let span = one_line(from.span, file);
    let value = match from.kind {
        Kind::Null => Value::Null,
        Kind::Bool(is) => Value::Bool(is),
        // `1.20` stays `1.20`: environments see the text, not the number.
        Kind::Number(number, written) => {
            let written = written.trim();
            let plain = written.parse::<f64>().is_ok();
            Value::Number(if plain { written.to_owned() } else { number.to_string() })
        }
        Kind::Text(text) => Value::Text(text),
        Kind::List(items) => Value::Seq(items.into_iter().map(|item| node(item, file)).collect()),
        Kind::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| Entry {
                    key_span: one_line(key.span, file),
                    key: key.text,
                    node: node(value, file),
                })
                .collect(),
        ),
    };
    Node { value, span }
}

/// A block's span may run to the end of the block; the caret stays on one line.
fn one_line(span: Span, file: &SourceFile) -> Span {
    let start = span.start.min(file.text.len());
    let rest = file.text.get(start..).unwrap_or_default();
    let line = rest.find('\n').unwrap_or(rest.len());
    let shown = rest[..line].trim_end().len();
    Span { start, len: span.len.clamp(shown.min(1), shown.max(1)).min(rest.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &SourceFile, span: Span) -> &str {
        &file.text[span.start..span.start + span.len]
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        let text = "# é\non: push\nenv: &e\n  A: 1.20\n  B: 'x y'\njobs:\n  j:\n    env:\n      <<: *e\n      C: true\n    steps:\n    - run: |\n        echo\n";
        let file = SourceFile::new("w.yml", text);
        let tree = parse(&file).unwrap();
        let env = tree.get("env").unwrap();
        assert_eq!(env.get("A").unwrap().scalar(), Some("1.20"));
        assert_eq!(at(&file, env.get("A").unwrap().span), "1.20");
        assert_eq!(at(&file, env.entry("B").unwrap().key_span), "B");
        assert_eq!(tree.entries()[0].key, "on");
        let job = tree.get("jobs").unwrap().get("j").unwrap();
        assert_eq!(job.get("env").unwrap().get("A").unwrap().scalar(), Some("1.20"));
        assert_eq!(job.get("env").unwrap().get("C").unwrap().scalar(), Some("true"));
        let run = job.get("steps").unwrap().items()[0].entry("run").unwrap();
        assert_eq!(at(&file, run.key_span), "run");
        assert_eq!(run.node.text(), Some("echo\n"));
    }

    #[test]
    fn bad_yaml_is_a_problem_with_a_place() {
        let file = SourceFile::new("w.yml", "a: 1\nb: [1\n");
        assert!(parse(&file).unwrap_err().place().is_some());
        let file = SourceFile::new("w.yml", "a: 1\na: 2\n");
        assert_eq!(parse(&file).unwrap_err().place().as_deref(), Some("w.yml:2:1"));
        assert!(parse(&SourceFile::new("empty", "")).unwrap().is_null());
    }
}
