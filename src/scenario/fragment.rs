//! Fragments: steps that scenarios share, put in place when the file is read.

use indexmap::IndexMap;

use crate::source::{Problem, SourceFile, Span};

use super::decode;
use super::raw::RawFragment;
use super::reading::READING;
use crate::yaml;
use crate::yaml::{Kind, Node};

/// All fragments that `use:` can name.
#[derive(Clone, Debug, Default)]
pub struct Fragments {
    by_name: IndexMap<String, Fragment>,
}

/// One fragment file, read but not yet put anywhere.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// Parameters, and the defaults of those that have one.
    pub parameters: IndexMap<String, Option<Node>>,
    /// The list of steps, with `${with.…}` still in it.
    pub steps: Node,
    /// The file.
    pub source: SourceFile,
}

impl Fragments {
    /// Reads fragment files; a file that is wrong is reported and left out.
    pub fn load<'a>(files: impl IntoIterator<Item = &'a SourceFile>) -> (Fragments, Vec<Problem>) {
        let mut fragments = Fragments::default();
        let mut problems = Vec::new();
        for source in files {
            let Some(fragment) = read(source, &mut problems) else { continue };
            if let Some(other) = fragments.by_name.get(&fragment.name) {
                let message = format!("two fragments are called `{}`", fragment.name);
                let hint = format!("the other one is in {}", other.source.name);
                let span = Span { start: 0, len: 0 };
                problems.push(
                    Problem::error("scenario::duplicate-fragment", message)
                        .at(source, span, "again here")
                        .hint(hint),
                );
                continue;
            }
            fragments.by_name.insert(fragment.name.clone(), fragment);
        }
        (fragments, problems)
    }

    /// A fragment by its name.
    pub fn get(&self, name: &str) -> Option<&Fragment> {
        self.by_name.get(name)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// Whether a text is a fragment file rather than a scenario: its first key is `fragment`.
pub(crate) fn is_fragment(source: &SourceFile) -> bool {
    source.text.lines().any(|line| line.starts_with("fragment:"))
}

fn read(source: &SourceFile, problems: &mut Vec<Problem>) -> Option<Fragment> {
    let node = yaml::parse(source, &READING, problems)?;
    let mut errors = Vec::new();
    let raw: RawFragment = decode::decode(&node, &mut errors).unwrap_or_default();
    let mut wrong: Vec<Problem> = errors
        .into_iter()
        .map(|e| {
            let problem = Problem::error(format!("scenario::{}", e.code), e.message);
            let mut problem = problem.at(source, e.span.unwrap_or(node.span), "here");
            problem.hint = e.hint;
            problem
        })
        .collect();
    let missing = |what: &str| {
        Problem::error("scenario::missing-field", format!("a fragment needs `{what}`"))
            .at(source, Span { start: node.span.start, len: 0 }, "it is missing here")
            .hint("a fragment is `fragment: name`, `with: {…}` and `steps: […]`")
    };
    if raw.fragment.is_none() {
        wrong.push(missing("fragment"));
    }
    if raw.steps.is_none() {
        wrong.push(missing("steps"));
    }
    let bad = !wrong.is_empty();
    problems.extend(wrong);
    if bad {
        return None;
    }
    let parameters = raw.with.as_ref().map(Node::entries).unwrap_or_default();
    Some(Fragment {
        name: raw.fragment?.value,
        summary: raw.summary.map(|t| t.value).unwrap_or_default(),
        parameters: parameters
            .iter()
            .map(|(key, value)| (key.text.clone(), (value.kind != Kind::Null).then(|| value.clone())))
            .collect(),
        steps: raw.steps?,
        source: source.clone(),
    })
}

/// Puts parameters in place: a value that is exactly `${with.x}` becomes the argument with its type, a
/// text with more around it gets the argument's text. Places stay those of the fragment.
pub(super) fn substitute(node: &Node, arguments: &IndexMap<String, Node>) -> Node {
    let kind = match &node.kind {
        Kind::Text(text) if text.contains("${") => {
            let whole = text.strip_prefix("${with.").and_then(|t| t.strip_suffix('}'));
            if let Some(argument) = whole.and_then(|name| arguments.get(name)) {
                return moved(argument, node.span);
            }
            Kind::Text(filled(text, arguments))
        }
        Kind::List(items) => Kind::List(items.iter().map(|item| substitute(item, arguments)).collect()),
        Kind::Map(entries) => Kind::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    let key = yaml::Key { text: filled(&key.text, arguments), span: key.span };
                    (key, substitute(value, arguments))
                })
                .collect(),
        ),
        other => other.clone(),
    };
    Node { span: node.span, kind }
}

/// A text with the arguments' texts in it.
fn filled(text: &str, arguments: &IndexMap<String, Node>) -> String {
    let mut text = text.to_owned();
    if !text.contains("${") {
        return text;
    }
    for (name, argument) in arguments {
        if let Some(value) = argument.as_text() {
            text = text.replace(&format!("${{with.{name}}}"), &value);
            // Inside an expression, an argument that is itself one lookup takes its place.
            let inner = value.strip_prefix("${").and_then(|v| v.strip_suffix('}')).unwrap_or(&value);
            text = text.replace(&format!("with.{name}."), &format!("{inner}."));
        }
    }
    text
}

fn moved(node: &Node, span: Span) -> Node {
    let kind = match &node.kind {
        Kind::List(items) => Kind::List(items.iter().map(|item| moved(item, span)).collect()),
        Kind::Map(entries) => Kind::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    let key = crate::yaml::Key { text: key.text.clone(), span };
                    (key, moved(value, span))
                })
                .collect(),
        ),
        other => other.clone(),
    };
    Node { span, kind }
}
