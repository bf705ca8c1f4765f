//! YAML text → located tree: every key and value knows its place. The only file that knows the YAML crate.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

mod node;

pub(crate) use node::{Key, Kind, Node};

use crate::source::{Problem, SourceFile, Span};

/// How a text is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// The first part of the codes of its problems: `scenario`, `yaml`.
    pub code: &'static str,
    /// More nodes than this are a mistake or an attack.
    pub max_nodes: usize,
    /// More aliases than this are.
    pub max_aliases: usize,
    /// A larger text is not read.
    pub max_bytes: usize,
    /// What stands behind an alias is placed where it is used, or where it is defined.
    pub aliases: Aliases,
}

/// No file of ours is nested so deeply, and each level takes its piece of the stack.
const MAX_DEPTH: usize = 32;

/// Where a value behind an alias has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aliases {
    /// Where the alias stands.
    Used,
    /// Where the text stands.
    Defined,
}

/// Reads one document. A repeated key is reported and the last one is read on, so that it hides no other error.
pub(crate) fn parse(source: &SourceFile, reading: &Reading, problems: &mut Vec<Problem>) -> Option<Node> {
    if source.text.len() > reading.max_bytes {
        problems.push(
            Problem::error(
                format!("{}::too-large", reading.code),
                format!("the file has {} bytes", source.text.len()),
            )
            .at(source, Span::default(), format!("more than {} bytes", reading.max_bytes))
            .hint("split it, or move data out of it"),
        );
        return None;
    }
    let error = match read(source, reading, DuplicateKeyPolicy::Error) {
        Ok(node) => return Some(node),
        Err(error) => error,
    };
    let duplicate = matches!(error.without_snippet(), serde_saphyr::Error::DuplicateMappingKey { .. });
    let again = if duplicate { read(source, reading, DuplicateKeyPolicy::LastWins).ok() } else { None };
    let Some(mut node) = again else {
        problems.push(problem(source, reading, &error, duplicate));
        return None;
    };
    let known = problems.len();
    keep_last(source, reading, &mut node, problems);
    if problems.len() == known {
        problems.push(problem(source, reading, &error, duplicate));
    }
    Some(node)
}

/// Reports repeated keys of every mapping and keeps the last value of each.
fn keep_last(source: &SourceFile, reading: &Reading, node: &mut Node, problems: &mut Vec<Problem>) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| keep_last(source, reading, item, problems)),
        Kind::Map(entries) => {
            let mut kept: Vec<(Key, Node)> = Vec::new();
            for (key, mut value) in entries.drain(..) {
                keep_last(source, reading, &mut value, problems);
                match kept.iter_mut().find(|(k, _)| k.text == key.text) {
                    Some(first) => {
                        problems.push(repeated(source, reading, &key));
                        *first = (key, value);
                    }
                    None => kept.push((key, value)),
                }
            }
            *entries = kept;
        }
        _ => {}
    }
}

fn repeated(source: &SourceFile, reading: &Reading, key: &Key) -> Problem {
    Problem::error(
        format!("{}::duplicate-key", reading.code),
        format!("the key `{}` is written twice in this mapping", key.text),
    )
    .at(source, key.span, "again here")
    .hint("remove one of them, or give each its own step")
}

fn read(
    source: &SourceFile,
    reading: &Reading,
    duplicate_keys: DuplicateKeyPolicy,
) -> Result<Node, serde_saphyr::Error> {
    let budget = serde_saphyr::budget! { max_nodes: reading.max_nodes, max_aliases: reading.max_aliases, max_documents: 2, max_depth: MAX_DEPTH };
    let options = serde_saphyr::options! {
        budget: budget,
        duplicate_keys: duplicate_keys,
        with_snippet: false,
        // `no` and `y` are words, as they are where a text is wanted.
        strict_booleans: true,
    };
    let mut node = match reading.aliases {
        Aliases::Used => serde_saphyr::from_str_with_options::<Located<false>>(&source.text, options)?.0,
        Aliases::Defined => serde_saphyr::from_str_with_options::<Located<true>>(&source.text, options)?.0,
    };
    finish(source, &mut node);
    Ok(node)
}

/// Gives numbers their digits as written, and mappings and lists a span up to their last value.
fn finish(source: &SourceFile, node: &mut Node) {
    let end = |n: &Node| n.span.start + n.span.len;
    let last = match &mut node.kind {
        Kind::Number(_, raw) => {
            let written = source.text.get(node.span.start..node.span.start + node.span.len);
            if let Some(written) = written.filter(|w| !w.is_empty()) {
                written.clone_into(raw);
            }
            None
        }
        Kind::List(items) => {
            items.iter_mut().for_each(|item| finish(source, item));
            items.last().map(end)
        }
        Kind::Map(entries) => {
            entries.iter_mut().for_each(|(_, value)| finish(source, value));
            entries.last().map(|(_, value)| end(value))
        }
        _ => None,
    };
    if let Some(last) = last.filter(|last| *last > node.span.start + node.span.len) {
        node.span.len = last - node.span.start;
    }
}

fn problem(source: &SourceFile, reading: &Reading, error: &serde_saphyr::Error, duplicate: bool) -> Problem {
    let plain = error.without_snippet();
    let text = plain.to_string();
    let message = text.lines().next().unwrap_or_default();
    let message = message.split(" at line ").next().unwrap_or(message).to_owned();
    let span = plain.location().map(|l| span_of(source, l)).unwrap_or_default();
    match plain {
        _ if duplicate => {
            let text = source.text.get(span.start..span.start + span.len).unwrap_or_default().to_owned();
            repeated(source, reading, &Key { text, span })
        }
        serde_saphyr::Error::Eof { .. } => {
            Problem::error(format!("{}::yaml", reading.code), message).at(source, span, "here")
        }
        _ if let Some((message, hint)) = in_our_words(&message, reading) => {
            Problem::error(format!("{}::yaml", reading.code), message).at(source, span, "here").hint(hint)
        }
        _ => {
            let before = source.text[..span.start.min(source.text.len())].lines().last().unwrap_or_default();
            let hint = if message.contains("flow") && before.contains('$') {
                "a JSON path with brackets needs quotes inside `{ }`: \"$[0].id\""
            } else {
                "look for a missing quote, a tab, or indentation that differs from the line above"
            };
            Problem::error(format!("{}::yaml", reading.code), format!("this is not valid YAML: {message}"))
                .at(source, span, "the reader stopped here")
                .hint(hint)
        }
    }
}

/// What the YAML crate says in words of its own programming, in those of whoever writes a file.
fn in_our_words(message: &str, reading: &Reading) -> Option<(String, &'static str)> {
    let said = |words: &str| message.contains(words);
    Some(if said("breached: Nodes") {
        let text = format!("this has more than {} values, with every alias written out", reading.max_nodes);
        (text, "split the file, or write fewer aliases")
    } else if said("breached: Depth") || said("recursion limit") {
        ("this is nested too deeply".to_owned(), "no file of ours needs more than a few levels")
    } else if said("breached: Aliases")
        || said("breached: Anchors")
        || said("alias expansion")
        || said("alias replay")
    {
        ("this has too many anchors and aliases".to_owned(), "write some of them out")
    } else if said("breached") {
        ("this is larger than anything of ours".to_owned(), "split the file, or move data out of it")
    } else if said("multiple YAML documents") {
        (
            "a second document begins here".to_owned(),
            "`---` begins another one: put each into a file of its own",
        )
    } else if said("recursive references") {
        ("this alias stands inside of what it names".to_owned(), "write the value out")
    } else if said("unknown anchor") {
        ("no anchor of this name stands above".to_owned(), "a text that begins with `*` needs quotes")
    } else {
        return None;
    })
}

fn span_of(source: &SourceFile, location: Location) -> Span {
    let span = location.span();
    let start = span.byte_offset().and_then(|n| usize::try_from(n).ok());
    let len = span.byte_len().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let max = source.text.len();
    match start {
        Some(start) => Span { start: start.min(max), len: len.min(max - start.min(max)) },
        None => source.span_at(
            crate::source::Position {
                line: usize::try_from(location.line()).unwrap_or(1),
                column: usize::try_from(location.column()).unwrap_or(1),
            },
            len.max(1),
        ),
    }
}

fn raw_span(location: Location) -> Span {
    let span = location.span();
    let number = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    Span { start: number(span.byte_offset()), len: number(span.byte_len()) }
}

/// `DEFINED`: what stands behind an alias is placed where it is defined.
struct Located<const DEFINED: bool>(Node);

impl<'de, const DEFINED: bool> Deserialize<'de> for Located<DEFINED> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Plain<DEFINED>>::deserialize(d)?;
        let at = if DEFINED { spanned.defined } else { spanned.referenced };
        Ok(Located(Node { span: raw_span(at), kind: spanned.value.0 }))
    }
}

struct Plain<const DEFINED: bool>(Kind);

impl<'de, const DEFINED: bool> Deserialize<'de> for Plain<DEFINED> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(PlainVisitor::<DEFINED>).map(Plain)
    }
}

struct PlainVisitor<const DEFINED: bool>;

impl<'de, const DEFINED: bool> Visitor<'de> for PlainVisitor<DEFINED> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Kind, E> {
        Ok(Kind::Number(v.into(), String::new()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Kind, E> {
        Ok(Kind::Number(v.into(), String::new()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Kind, E> {
        // JSON has no infinities: `.inf` stays the text that it is.
        Ok(Number::from_f64(v).map_or_else(|| Kind::Text(v.to_string()), |n| Kind::Number(n, String::new())))
    }

    fn visit_str<E>(self, v: &str) -> Result<Kind, E> {
        Ok(Kind::Text(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(Located::<DEFINED>(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let Located::<DEFINED>(value) = map.next_value()?;
            let at = if DEFINED { key.defined } else { key.referenced };
            entries.push((Key { text: key.value, span: raw_span(at) }, value));
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> (Option<Node>, Vec<Problem>) {
        let mut problems = Vec::new();
        let reading = Reading {
            code: "test",
            max_nodes: 1_000,
            max_aliases: 10,
            max_bytes: 10_000,
            aliases: Aliases::Used,
        };
        (parse(&SourceFile::new("a.yaml", text), &reading, &mut problems), problems)
    }

    /// An upgrade of the YAML crate that loses places must fail here.
    #[test]
    fn every_key_and_value_has_its_place() {
        let text = "é: 1\nlist:\n  - \"zwei\"\n  - {k: 'v', n: 0x10}\nblock: |\n  one\n  two\nlast: ~\n";
        let (node, problems) = read_all(text);
        assert_eq!(problems, []);
        let node = node.unwrap();
        let written = |span: Span| &text[span.start..span.start + span.len];
        let mut found = Vec::new();
        fn walk<'a>(node: &Node, written: &dyn Fn(Span) -> &'a str, found: &mut Vec<&'a str>) {
            match &node.kind {
                Kind::List(items) => items.iter().for_each(|item| walk(item, written, found)),
                Kind::Map(entries) => {
                    for (key, value) in entries {
                        assert_eq!(written(key.span), key.text);
                        found.push(written(key.span));
                        walk(value, written, found);
                    }
                }
                _ => found.push(written(node.span)),
            }
        }
        walk(&node, &written, &mut found);
        let wanted =
            ["é", "1", "list", "\"zwei\"", "k", "'v'", "n", "0x10", "block", "one\n  two\n", "last", "~"];
        assert_eq!(found, wanted);
        assert_eq!(written(node.get("list").unwrap().span).lines().last(), Some("  - {k: 'v', n: 0x10"));
    }

    #[test]
    fn scalars_are_what_they_look_like() {
        let (node, _) = read_all("[no, yes, true, 1.10, 007, ~, '5', 2026-01-01, 1e3]");
        let node = node.unwrap();
        let kinds: Vec<String> = node
            .one_or_many()
            .iter()
            .map(|n| format!("{} {}", n.what(), n.as_text().unwrap_or_default()))
            .collect();
        assert_eq!(
            kinds,
            [
                "a text no",
                "a text yes",
                "true or false true",
                "a number 1.10",
                "a number 007",
                "nothing ",
                "a text 5",
                "a text 2026-01-01",
                "a number 1e3",
            ]
        );
    }

    #[test]
    fn the_crate_does_not_speak_to_people() {
        let deep = format!("a: {}1{}", "[".repeat(200), "]".repeat(200));
        let bushy = format!("a: [{}]", "1, ".repeat(2_000));
        let aliased = format!("a: &a 1\nb: [{}]", "*a, ".repeat(100));
        for (text, words) in [
            (deep.as_str(), "nested too deeply"),
            (&bushy, "more than 1000 values"),
            (&aliased, "too many anchors"),
            ("a: 1\n---\nb: 2\n", "a second document"),
            ("a: &a [*a]\n", "inside of what it names"),
            ("a: *b\n", "no anchor of this name"),
        ] {
            let problems = read_all(text).1;
            let [problem] = problems.as_slice() else { panic!("{text:.40}: {problems:?}") };
            assert!(problem.message.contains(words), "{text:.40}: {}", problem.message);
            assert!(problem.hint.is_some(), "{text:.40}");
            for leaked in ["budget", "breach", "from_str", "weak", "recursi"] {
                assert!(!problem.line().contains(leaked), "{}", problem.line());
            }
        }
    }

    #[test]
    fn an_alias_is_read_where_it_is_used() {
        let (node, problems) = read_all("a: &x {b: 1}\nc: *x\n");
        assert_eq!(problems, []);
        let node = node.unwrap();
        assert_eq!(node.get("a").unwrap().to_json(), node.get("c").unwrap().to_json());
    }
}
