//! A YAML text as a tree in which every key and value knows its place.
//!
//! Catalogues, workflow files and situations are checked by hand over this tree, so that all of a
//! file's errors come at once and each points at its bytes.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::source::{Position, Problem, SourceFile, Span};

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
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: 100_000, max_aliases: 2_000, max_depth: 64 },
        // `on:` is a key and `no` a string, as in YAML 1.2.
        strict_booleans: true,
    };
    match serde_saphyr::from_str_with_options::<Option<Spanned<Raw>>>(&file.text, options) {
        Ok(Some(raw)) => Ok(node(raw, file)),
        Ok(None) => Ok(Node { value: Value::Null, span: Span::default() }),
        Err(error) => {
            let span = error.location().map(|at| span_of(at, file)).unwrap_or_default();
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or("not YAML").to_owned();
            Err(Box::new(Problem::error("yaml::syntax", message).at(file, span, "here")))
        }
    }
}

enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Key>, Spanned<Raw>)>),
}

struct Key(String);

fn node(raw: Spanned<Raw>, file: &SourceFile) -> Node {
    let span = span_of(raw.defined, file);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(is) => Value::Bool(is),
        // `1.20` stays `1.20`: environments see the text, not the number.
        Raw::Number(shown) => Value::Number(written(raw.defined, file).unwrap_or(shown)),
        Raw::Text(text) => Value::Text(text),
        Raw::Seq(items) => Value::Seq(items.into_iter().map(|item| node(item, file)).collect()),
        Raw::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| Entry {
                    key_span: span_of(key.defined, file),
                    key: key.value.0,
                    node: node(value, file),
                })
                .collect(),
        ),
    };
    Node { value, span }
}

fn written(at: Location, file: &SourceFile) -> Option<String> {
    let span = span_of(at, file);
    let text = file.text.get(span.start..span.start + span.len)?.trim();
    text.parse::<f64>().ok().map(|_| text.to_owned())
}

fn span_of(at: Location, file: &SourceFile) -> Span {
    let (start, len) = match (at.span().byte_offset(), at.span().byte_len()) {
        (Some(start), Some(len)) => (start as usize, len as usize),
        _ => {
            let position = Position { line: at.line() as usize, column: at.column() as usize };
            return file.span_at(position, at.span().len() as usize);
        }
    };
    let start = start.min(file.text.len());
    let rest = file.text.get(start..).unwrap_or_default();
    // A block's span may run to the end of the block; the caret stays on one line.
    let line = rest.find('\n').unwrap_or(rest.len());
    let shown = rest[..line].trim_end().len();
    Span { start, len: len.clamp(shown.min(1), shown.max(1)).min(rest.len()) }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any YAML value")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_some<D: serde::Deserializer<'de>>(self, from: D) -> Result<Raw, D::Error> {
                Raw::deserialize(from)
            }

            fn visit_bool<E>(self, is: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(is))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
                Ok(Raw::Number(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
                Ok(Raw::Number(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
                Ok(Raw::Number(number.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
                Ok(Raw::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Raw, E> {
                Ok(Raw::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Raw::Seq(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Raw::Map(pairs))
            }
        }
        from.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // `on:` and `1:` are keys too.
        Ok(Key(match Raw::deserialize(from)? {
            Raw::Text(text) | Raw::Number(text) => text,
            Raw::Bool(is) => is.to_string(),
            Raw::Null => String::new(),
            Raw::Seq(_) | Raw::Map(_) => {
                return Err(serde::de::Error::custom("a key must be a scalar"));
            }
        }))
    }
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
