//! How catalogues, workflow files, manifests and situations are read: over the one YAML tree.

use crate::source::{Problem, SourceFile, Span};
use crate::yaml::{Aliases, Kind, Node, Reading};

/// Reads a text. The error is a problem with a place: bad YAML, a duplicate key, an alias bomb.
///
/// # Errors
/// The first problem of the text.
pub(crate) fn parse(file: &SourceFile) -> Result<Node, Box<Problem>> {
    let mut problems = Vec::new();
    let tree = crate::yaml::parse(file, &READING, &mut problems);
    match (tree, problems.into_iter().next()) {
        (_, Some(problem)) => Err(Box::new(problem)),
        (Some(mut tree), None) => {
            settle(&mut tree, file);
            Ok(tree)
        }
        (None, None) => Ok(Node { kind: Kind::Null, span: Span::default() }),
    }
}

/// The code of a problem: a key that is twice in one mapping.
pub(crate) const DUPLICATE_KEY: &str = "yaml::duplicate-key";

/// Catalogues and workflow files are larger than scenarios, and workflow files live on anchors.
const READING: Reading = Reading {
    code: "yaml",
    max_nodes: 100_000,
    max_aliases: 2_000,
    max_bytes: 4 << 20,
    aliases: Aliases::Defined,
};

/// Environments see the text of a number: `1.20` stays `1.20`, and `0x1F` is 31. Carets stay on one line.
fn settle(node: &mut Node, file: &SourceFile) {
    node.span = one_line(node.span, file);
    match &mut node.kind {
        Kind::Number(number, written) => {
            let plain = written.trim().parse::<f64>().is_ok();
            *written = if plain { written.trim().to_owned() } else { number.to_string() };
        }
        Kind::List(items) => items.iter_mut().for_each(|item| settle(item, file)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                key.span = one_line(key.span, file);
                settle(value, file);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Text(_) => {}
    }
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
        assert_eq!(at(&file, env.entry("B").unwrap().0.span), "B");
        assert_eq!(tree.entries()[0].0.text, "on");
        let job = tree.get("jobs").unwrap().get("j").unwrap();
        assert_eq!(job.get("env").unwrap().get("A").unwrap().scalar(), Some("1.20"));
        assert_eq!(job.get("env").unwrap().get("C").unwrap().scalar(), Some("true"));
        let run = job.get("steps").unwrap().items()[0].entry("run").unwrap();
        assert_eq!(at(&file, run.0.span), "run");
        assert_eq!(run.1.text(), Some("echo\n"));
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
