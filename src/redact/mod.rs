//! Keeps secrets out of everything that is written.
//!
//! A secret is known by where it stands first (a credential's field, header or route), and then found as a value in
//! every form in which it may appear; by its shape second, when nobody registered it. Values that are shorter than
//! [`MIN_LEN`] are only replaced where a credential stands.
//!
//! It fails closed: when a pattern cannot be built, nothing is shown at all and [`Redactor::is_broken`] ends the run.
//! Text is redacted before it is cut, folded or decoded; what cuts ([`Redactor::excerpt`], [`Redactor::head`]) is here.

mod forms;
mod places;
mod shapes;
mod views;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

pub(crate) use forms::MIN_LEN;
pub(crate) use places::is_credential_field;
use views::View;

/// A longer text is searched in windows.
const WINDOW: usize = 256 << 10;
/// So much of one window is in the next: no form of a value is longer (see [`forms::PIECE`]).
const OVERLAP: usize = 64 << 10;
/// What a placeholder begins with.
const MARK: &str = "<redacted:";

/// What stands for a secret of this name.
pub(crate) fn marker(name: &str) -> String {
    format!("{MARK}{name}>")
}

/// Whether a text holds a placeholder: somewhere in it was a secret.
pub(crate) fn is_marked(text: &str) -> bool {
    text.contains(MARK)
}

/// What is shown of anything while redaction is broken.
const WITHHELD: &str = "<redacted:withheld, redaction does not work>";

/// A set of known secrets, shared by everything that writes.
#[derive(Clone, Default)]
pub struct Redactor {
    state: Arc<RwLock<State>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

#[derive(Default)]
struct State {
    /// Value → placeholder.
    known: HashMap<String, Arc<str>>,
    /// How many values share a name.
    names: HashMap<String, usize>,
    /// Automata of doubling size, so that a thousand registrations cost a thousand × log, not squares.
    levels: Vec<Level>,
    /// An automaton could not be built.
    broken: bool,
}

struct Level {
    needles: Vec<(Vec<u8>, Arc<str>)>,
    automaton: AhoCorasick,
}

/// A stretch of a text that is not shown, and what is shown instead.
struct Span {
    at: Range<usize>,
    shown: Arc<str>,
}

impl Redactor {
    /// Knows nothing yet but places and shapes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether secrets cannot be found: nothing is shown then, and the run ends.
    pub fn is_broken(&self) -> bool {
        self.read().broken || places::PLACES.is_err() || shapes::SHAPES.is_err()
    }

    /// Registers a value under a name; the same value keeps its first placeholder.
    pub fn register(&self, name: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() || self.read().known.contains_key(value) {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.known.contains_key(value) {
            return;
        }
        let n = state.names.entry(name.to_owned()).or_default();
        *n += 1;
        let placeholder: Arc<str> = match *n {
            1 => marker(name).into(),
            n => marker(&format!("{name}#{n}")).into(),
        };
        state.known.insert(value.to_owned(), Arc::clone(&placeholder));
        if value.len() >= MIN_LEN {
            state.add(forms::of(value).into_iter().map(|form| (form, Arc::clone(&placeholder))).collect());
        }
    }

    /// The placeholder of a value that was registered, of any length.
    pub fn placeholder(&self, value: &str) -> Option<String> {
        self.read().known.get(value.trim()).map(|shown| shown.to_string())
    }

    /// Replaces what is secret in a text.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.len() < MIN_LEN {
            return Cow::Borrowed(text);
        }
        let state = self.read();
        if state.broken {
            return Cow::Owned(WITHHELD.to_owned());
        }
        let mut spans = Vec::new();
        let mut from = 0;
        loop {
            let to = text.floor_char_boundary((from + WINDOW).min(text.len()));
            if !state.search(&text[from..to], from, &mut spans) {
                return Cow::Owned(WITHHELD.to_owned());
            }
            if to == text.len() {
                break;
            }
            from = text.floor_char_boundary(to - OVERLAP);
        }
        drop(state);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for span in merged(spans) {
            // What a view found may begin or end within a character of the text.
            let start = text.floor_char_boundary(span.at.start).max(copied);
            let end = text.ceil_char_boundary(span.at.end).max(start);
            out.push_str(&text[copied..start]);
            out.push_str(&span.shown);
            copied = end;
        }
        out.push_str(&text[copied..]);
        Cow::Owned(out)
    }

    /// The first characters of a text, redacted, on one line.
    pub fn excerpt(&self, text: &str, max: usize) -> String {
        // What is far behind the cut need not be looked at, in whatever form it is written.
        let line = self.text(window(text, max.saturating_mul(16)));
        excerpt_of_redacted(&line, max)
    }

    /// The first bytes of a text, redacted, and whether that is not all of it.
    pub fn head(&self, text: &str, bytes: usize) -> (String, bool) {
        let shown = self.text(window(text, bytes));
        let end = shown.floor_char_boundary(bytes.min(shown.len()));
        (shown[..end].to_owned(), text.len() > bytes)
    }

    /// Replaces what is secret in every string of a JSON value; says whether anything was.
    pub fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.text(text) {
                Cow::Owned(redacted) => {
                    *text = redacted;
                    true
                }
                Cow::Borrowed(_) => false,
            },
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.value(item) | any),
            Value::Object(map) => {
                let pair = map.get("key").is_some_and(Value::is_string);
                let mut any = false;
                let mut renamed = Vec::new();
                for (key, item) in map.iter_mut() {
                    any |= if is_credential_field(key) || (pair && key == "value") {
                        self.hide(key, item)
                    } else if key == "secrets" {
                        match item {
                            Value::Object(secrets) => secrets
                                .iter_mut()
                                .fold(false, |any, (name, item)| self.hide(name, item) | any),
                            other => self.value(other),
                        }
                    } else {
                        self.value(item)
                    };
                    if let Cow::Owned(shown) = self.text(key) {
                        renamed.push((key.clone(), shown));
                    }
                }
                for (key, shown) in renamed {
                    any = true;
                    if let Some(item) = map.remove(&key) {
                        map.insert(shown, item);
                    }
                }
                any
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Replaces the string, or the strings of a list, where a credential stands.
    fn hide(&self, name: &str, value: &mut Value) -> bool {
        match value {
            Value::String(text) if text.is_empty() || text.starts_with("<redacted:") => false,
            Value::String(text) => {
                *text = self.placeholder(text).unwrap_or_else(|| format!("<redacted:{name}>"));
                true
            }
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.hide(name, item) | any),
            // What is told of a variable stands under its name too: its fields are looked at one by one.
            other => self.value(other),
        }
    }

    /// Redacts anything that goes through JSON and back.
    pub fn clean<T: serde::Serialize + serde::de::DeserializeOwned>(&self, what: &mut T) {
        if let Ok(mut value) = serde_json::to_value(&*what)
            && self.value(&mut value)
            && let Ok(redacted) = serde_json::from_value(value)
        {
            *what = redacted;
        }
    }

    /// Registers every credential that stands in a JSON body, before anything of it is kept.
    pub fn learn(&self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(map) => {
                let pair = map.get("key").and_then(Value::as_str);
                for (key, item) in map {
                    match item {
                        item if is_credential_field(key) => self.learn_all(key, item),
                        Value::Object(secrets) if key == "secrets" => {
                            secrets.iter().for_each(|(name, item)| self.learn_all(name, item));
                        }
                        Value::String(text) if key == "value" && pair.is_some_and(is_credential_field) => {
                            self.register(pair.unwrap_or(key), text);
                        }
                        other => self.learn(other),
                    }
                }
            }
            _ => {}
        }
    }

    /// As [`Redactor::learn`], for the answer of a route whose every value is one.
    pub fn learn_answer(&self, path: &str, value: &Value) {
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        match value {
            Value::Object(map) if path.ends_with("/secrets/values") => {
                map.iter().for_each(|(name, item)| self.learn_all(name, item));
            }
            other => self.learn(other),
        }
    }

    fn learn_all(&self, name: &str, value: &Value) {
        match value {
            Value::String(text) if text.starts_with("<redacted:") => {}
            Value::String(text) => self.register(name, text),
            Value::Array(items) => items.iter().for_each(|item| self.learn_all(name, item)),
            other => self.learn(other),
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first characters on one line, of a text that comes out of an event or a redactor.
pub(crate) fn excerpt_of_redacted(text: &str, max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        None => line,
        Some((at, _)) => format!("{}…", &line[..at]),
    }
}

/// So much of a text that what is cut off at `bytes` afterwards is whole before.
fn window(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes.saturating_add(OVERLAP).min(text.len()))]
}

impl State {
    fn add(&mut self, mut needles: Vec<(Vec<u8>, Arc<str>)>) {
        while self.levels.last().is_some_and(|level| level.needles.len() <= needles.len()) {
            if let Some(level) = self.levels.pop() {
                needles.extend(level.needles);
            }
        }
        // All matches are wanted, also those within others: of two secrets one may be the other's beginning.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(needles.iter().map(|(form, _)| form));
        match automaton {
            Ok(automaton) => self.levels.push(Level { needles, automaton }),
            Err(_) => self.broken = true,
        }
    }

    /// Finds what is secret in a text and in what it decodes to; false when it cannot be searched.
    fn search(&self, text: &str, offset: usize, into: &mut Vec<Span>) -> bool {
        let (Ok(shapes), Ok(places)) = (shapes::SHAPES.as_ref(), places::PLACES.as_ref()) else {
            return false;
        };
        views::each(text.as_bytes(), &mut |view: &View<'_>| {
            let mut add = |at: Range<usize>, shown: Arc<str>| {
                let at = view.raw(at);
                into.push(Span { at: at.start + offset..at.end + offset, shown });
            };
            for level in &self.levels {
                if level.automaton.is_match(view.bytes()) {
                    for found in level.automaton.find_overlapping_iter(view.bytes()) {
                        add(found.range(), Arc::clone(&level.needles[found.pattern().as_usize()].1));
                    }
                }
            }
            places.find(view.bytes(), &mut add);
            shapes.find(view.bytes(), &mut add);
        });
        true
    }
}

/// Spans in order, those that overlap as one; it is shown as the longest of its known ones.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    let rank = |span: &Span| (!shapes::is_general(&span.shown), span.at.len());
    spans.sort_by_key(|span| (span.at.start, std::cmp::Reverse(span.at.end)));
    let mut out: Vec<(Span, (bool, usize))> = Vec::new();
    for span in spans {
        let own = rank(&span);
        match out.last_mut() {
            Some((last, best)) if span.at.start < last.at.end => {
                last.at.end = last.at.end.max(span.at.end);
                if own > *best {
                    (last.shown, *best) = (span.shown, own);
                }
            }
            _ => out.push((span, own)),
        }
    }
    out.into_iter().map(|(span, _)| span).collect()
}

#[cfg(test)]
pub(crate) mod tests;
