//! Texts with facts in them: `{record.status}` is the fact, `{*env_rows}` is a line for each value, and
//! `{*server.log|uuid}` a line for each value that contains `uuid`.

use super::facts::{self, Facts, UnknownFact};
use crate::redact::excerpt_of_redacted as excerpt;

/// A quoted value is not longer than this.
const MAX_VALUE: usize = 220;
/// A screen shows so much of it.
const SEEN: usize = 150;
/// What a long value was chosen for is shown with so much before it.
const BEFORE: usize = 60;
/// A list does not become more lines than this.
const MAX_LINES: usize = 6;

/// A text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace is not closed.
    #[error("a `{{` without its `}}`")]
    Open,
    /// It quotes what is not a fact.
    #[error(transparent)]
    Fact(#[from] UnknownFact),
}

/// A text with facts in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Fact(String),
    /// The fact, and what its values must contain.
    Each(String, String),
}

impl Template {
    /// Reads one.
    ///
    /// # Errors
    /// An unclosed brace, or a fact that is none.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            let close = rest[open..].find('}').ok_or(TemplateError::Open)? + open;
            let name = &rest[open + 1..close];
            let (each, name) = match name.strip_prefix('*') {
                Some(name) => (Some(name.split_once('|').map_or("", |(_, part)| part)), name),
                None => (None, name),
            };
            let name = name.split('|').next().unwrap_or_default();
            facts::find(name)?;
            pieces.push(match each {
                Some(part) => Piece::Each(name.to_owned(), part.to_lowercase()),
                None => Piece::Fact(name.to_owned()),
            });
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Template { pieces })
    }

    /// As it is written.
    pub fn raw(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Fact(name) => format!("{{{name}}}"),
            Piece::Each(name, part) if part.is_empty() => format!("{{*{name}}}"),
            Piece::Each(name, part) => format!("{{*{name}|{part}}}"),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The facts that it quotes.
    pub fn facts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Fact(name) | Piece::Each(name, _) => Some(name.as_str()),
        })
    }

    /// Its lines; none when a fact that it quotes is not known or is empty.
    pub fn lines(&self, facts: &Facts) -> Vec<String> {
        let mut lines = vec![String::new()];
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => lines.iter_mut().for_each(|line| line.push_str(text)),
                Piece::Fact(name) => match facts.text(name) {
                    Some(text) => lines.iter_mut().for_each(|line| line.push_str(&excerpt(&text, MAX_VALUE))),
                    None => return Vec::new(),
                },
                Piece::Each(name, part) => {
                    let values = facts.get(name).unwrap_or_default();
                    let values = values
                        .iter()
                        .filter(|v| !v.trim().is_empty() && v.to_lowercase().contains(part.as_str()));
                    let values = folded(values);
                    let values = values.iter().take(MAX_LINES);
                    let each = |line: &String| -> Vec<String> {
                        values.clone().map(|v| format!("{line}{}", around(v, part))).collect()
                    };
                    lines = lines.iter().flat_map(each).collect();
                }
            }
        }
        lines
    }

    /// One line; an unknown fact reads "(unknown)".
    pub fn sentence(&self, facts: &Facts) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Fact(name) | Piece::Each(name, _) => {
                facts.text(name).map_or_else(|| "(unknown)".to_owned(), |t| excerpt(&t, MAX_VALUE))
            }
        };
        self.pieces.iter().map(piece).collect()
    }
}

/// A value, cut where it is too long; never before what it was chosen for.
fn around(value: &str, part: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let chars: Vec<char> = line.chars().collect();
    let found = line.to_lowercase().find(part).filter(|_| !part.is_empty());
    let at = found.and_then(|at| line.get(..at)).map_or(0, |before| before.chars().count());
    if at + part.chars().count() <= SEEN {
        return excerpt(&line, MAX_VALUE);
    }
    let rest: String = chars.iter().skip(at.saturating_sub(BEFORE)).collect();
    format!("…{}", excerpt(&rest, MAX_VALUE))
}

/// Lines that differ only in their time of day become the newest, with how many there were.
fn folded<'a>(values: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut kept: Vec<(&str, &str, usize)> = Vec::new();
    for value in values {
        let timed = |stamp: &str| stamp.len() == 8 && stamp.bytes().all(|b| b.is_ascii_digit() || b == b':');
        let said = value.split_once(' ').filter(|(stamp, _)| timed(stamp)).map_or(value.as_str(), |(_, s)| s);
        match kept.iter_mut().find(|(_, known, _)| *known == said) {
            Some(known) => (known.0, known.2) = (value, known.2 + 1),
            None => kept.push((value, said, 1)),
        }
    }
    let count = |n: usize| if n > 1 { format!(" ({n} times)") } else { String::new() };
    kept.into_iter().map(|(value, _, n)| format!("{value}{}", count(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_would_quote_nothing_is_left_out() {
        let mut facts = Facts::default();
        facts.list("env_rows", ["A is unset".to_owned(), "B is unset".to_owned()]);
        facts.set("edge", "restart");
        let lines = |text: &str| Template::parse(text).unwrap().lines(&facts);
        assert_eq!(lines("after the {edge}: {*env_rows}").len(), 2);
        assert_eq!(lines("after the {edge}: {*env_rows}")[1], "after the restart: B is unset");
        assert_eq!(lines("{*env_rows|b is}"), ["B is unset"]);
        assert!(lines("{*env_rows|zzz}").is_empty());
        assert!(lines("status {record.status}").is_empty());
        assert_eq!(lines("plain"), ["plain"]);
        facts.list("server.log", [format!("start of it: {} No such image: x", "y".repeat(400))]);
        let lines = Template::parse("{*server.log|no such image}").unwrap().lines(&facts);
        assert!(lines[0].starts_with('…') && lines[0].ends_with("No such image: x"), "{lines:?}");
        assert!(lines[0].chars().count() <= MAX_VALUE + 2, "{lines:?}");
        facts.list("server.log", ["10:00:01 no", "10:00:02 yes", "10:00:03 no"].map(str::to_owned));
        let lines = Template::parse("{*server.log}").unwrap().lines(&facts);
        assert_eq!(lines, ["10:00:03 no (2 times)", "10:00:02 yes"]);
        assert_eq!(Template::parse("at {record.status}").unwrap().sentence(&facts), "at (unknown)");
        assert!(Template::parse("{nope}").unwrap_err().to_string().contains("not a fact"));
        assert!(Template::parse("{edge").is_err());
    }
}
