//! A text with positions, and problems that point into it.
//!
//! The only place that draws with miette: scenarios, catalogues, profiles and workflow files all
//! report through [`Problem`], so every error about a file looks the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What the names of files begin with that this program carries.
const BUILT_IN: &str = "<built-in>/";

/// The path of a file that this program carries, from its name.
pub(crate) fn built_in(name: &str) -> Option<&str> {
    name.strip_prefix(BUILT_IN)
}

/// A file that was read, or a text that the binary carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as the user wrote it, or `<built-in>/name.yaml`.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
}

impl SourceFile {
    /// A file that this program carries, by its path in there.
    pub fn built_in(path: &str, text: impl Into<Arc<str>>) -> Self {
        SourceFile::new(format!("{BUILT_IN}{path}"), text)
    }

    /// Whether this program carries it.
    pub fn is_built_in(&self) -> bool {
        built_in(&self.name).is_some()
    }

    /// Names a text.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        SourceFile { name: name.into(), text: text.into() }
    }

    /// Line and column of a byte offset, both from 1, columns in characters.
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// The span of a position (from 1) over `len` bytes of its line at most.
    pub fn span_at(&self, position: Position, len: usize) -> Span {
        let mut start = 0;
        for (number, line) in self.text.split_inclusive('\n').enumerate() {
            if number + 1 == position.line {
                let column: usize =
                    line.chars().take(position.column.saturating_sub(1)).map(char::len_utf8).sum();
                let rest = line[column..].trim_end_matches(['\n', '\r']).len();
                return Span { start: start + column, len: len.clamp(1.min(rest), rest) };
            }
            start += line.len();
        }
        Span { start: self.text.len(), len: 0 }
    }
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// Bytes of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// How many.
    pub len: usize,
}

/// Whether a problem stops the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Shown; changes nothing without `--deny-warnings`.
    Warning,
    /// Exit 2, nothing is sent.
    Error,
}

/// Something wrong in a text, with its place, a stable code and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable, for example `scenario::unknown-verb`, `model::C8`.
    pub code: String,
    /// Error or warning.
    pub level: Level,
    /// What is wrong, in one line.
    pub message: String,
    /// Where: the text and the bytes, with the words under the caret. The first is the main one.
    pub labels: Vec<(Span, String)>,
    /// The text that the labels point into.
    pub source: Option<SourceFile>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Problem {
    /// An error without a place.
    pub fn error(code: impl Into<String>, message: impl Into<String>) -> Self {
        Problem {
            code: code.into(),
            level: Level::Error,
            message: message.into(),
            labels: Vec::new(),
            source: None,
            hint: None,
        }
    }

    /// A warning without a place.
    pub fn warning(code: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { level: Level::Warning, ..Problem::error(code, message) }
    }

    /// Points at a place.
    pub fn at(mut self, source: &SourceFile, span: Span, label: impl Into<String>) -> Self {
        self.source = Some(source.clone());
        self.labels.push((span, label.into()));
        self
    }

    /// Says what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `file:line:column`, when there is a place.
    pub fn place(&self) -> Option<String> {
        let source = self.source.as_ref()?;
        let (span, _) = self.labels.first()?;
        let at = source.position(span.start);
        Some(format!("{}:{}:{}", source.name, at.line, at.column))
    }

    /// The problem drawn for a terminal: message, place, the line, the caret, the hint.
    pub fn draw(&self, colour: bool, width: usize) -> String {
        let theme = if colour {
            miette::GraphicalTheme::unicode()
        } else {
            miette::GraphicalTheme::unicode_nocolor()
        };
        let mut drawn = String::new();
        // Names, fingerprints and flags are copied whole: they end at a blank and nowhere else.
        let handler = miette::GraphicalReportHandler::new_themed(theme)
            .with_width(width.max(40))
            .with_word_separator(textwrap::WordSeparator::AsciiSpace)
            .with_word_splitter(textwrap::WordSplitter::NoHyphenation)
            .with_break_words(false);
        match handler.render_report(&mut drawn, &Drawn(self)) {
            Ok(()) => crate::output::harmless(&drawn),
            Err(_) => format!("{}: {}\n", self.code, self.message),
        }
    }

    /// One line: `file:line:column: error[code]: message (hint)`.
    pub fn line(&self) -> String {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let place = self.place().map(|p| format!("{p}: ")).unwrap_or_default();
        let hint = self.hint.as_deref().map(|h| format!(" ({h})")).unwrap_or_default();
        format!("{place}{level}[{}]: {}{hint}", self.code, self.message)
    }
}

/// The nearest of some names to a word that none of them is, for "did you mean".
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(usize, &str)> =
        names.into_iter().map(|name| (strsim::damerau_levenshtein(word, name), name)).collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().map(|(_, name)| name).collect()
}

/// More names than this are not listed.
const LISTED: usize = 8;

/// "did you mean `x`?" when one name is near, then the valid names, nearest first: of many only the nearest few.
pub(crate) fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names = nearest(word, names);
    if names.is_empty() {
        return "there is none to choose from".to_owned();
    }
    let near = names.first().filter(|name| is_near(word, name));
    if let (Some(name), [_]) = (near, names.as_slice()) {
        return format!("did you mean `{name}`?");
    }
    let shown = if names.len() > LISTED { LISTED / 2 } else { names.len() };
    let mut list = names[..shown].iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if shown < names.len() {
        list.push_str(&format!(" and {} more", names.len() - shown));
    }
    match near {
        Some(name) => format!("did you mean `{name}`? Valid: {list}"),
        None => format!("valid: {list}"),
    }
}

/// As [`did_you_mean`] where a name is near; else what lists them, when they are many.
pub(crate) fn near_or<'a>(word: &str, names: impl IntoIterator<Item = &'a str>, lists: &str) -> String {
    let names = nearest(word, names);
    match names.first() {
        Some(first) if names.len() > LISTED && !is_near(word, first) => lists.to_owned(),
        _ => did_you_mean(word, names),
    }
}

fn is_near(word: &str, name: &str) -> bool {
    strsim::damerau_levenshtein(word, name) <= 1 + word.len() / 3
}

struct Drawn<'a>(&'a Problem);

impl std::fmt::Debug for Drawn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::SourceCode for SourceFile {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let inner = self.text.as_ref().read_span(span, before, after)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

impl miette::Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(&self.0.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.0.level {
            Level::Error => miette::Severity::Error,
            Level::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.0.hint.as_ref().map(|h| Box::new(h) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.0.source.as_ref().map(|s| s as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        Some(Box::new(
            self.0
                .labels
                .iter()
                .map(|(span, label)| miette::LabeledSpan::new(Some(label.clone()), span.start, span.len)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_spans_agree() {
        let file = SourceFile::new("a.yaml", "één: 1\nsteps:\n  - wait: {}\n");
        let at = file.text.find("wait").map(|o| file.position(o));
        assert_eq!(at, Some(Position { line: 3, column: 5 }));
        let span = file.span_at(Position { line: 3, column: 5 }, 4);
        assert_eq!(&file.text[span.start..span.start + span.len], "wait");
        assert_eq!(file.position(10_000).line, 4);
    }

    #[test]
    fn a_name_is_never_broken() {
        let name = "local-restart-after-hibernate[runtime=claude-code,model=a-very-long-name]";
        let words = format!("there is no scenario, file or folder {name} and {name} in here");
        let drawn = Problem::error("run::unknown-scenario", words).draw(false, 60);
        assert_eq!(drawn.matches(name).count(), 2, "{drawn}");
    }

    #[test]
    fn a_problem_shows_place_line_and_hint() {
        let file = SourceFile::new("a.yaml", "steps:\n  - wiat: {}\n");
        let span = file.span_at(Position { line: 2, column: 5 }, 4);
        let problem = Problem::error("scenario::unknown-verb", "no verb is called `wiat`")
            .at(&file, span, "not a verb")
            .hint(did_you_mean("wiat", ["await", "wait", "a2a"]));
        assert_eq!(problem.place().as_deref(), Some("a.yaml:2:5"));
        let drawn = problem.draw(false, 100);
        for part in ["a.yaml:2:5", "wiat", "not a verb", "did you mean `wait`?", "scenario::unknown-verb"] {
            assert!(drawn.contains(part), "{part} is missing in\n{drawn}");
        }
    }
}
