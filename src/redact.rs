//! Keeps secrets out of everything that is written.
//!
//! Values that are known are found in every form in which they may appear: as they are, in base64 in
//! all three alignments, percent-encoded, JSON-escaped. Values that are shorter than [`MIN_LEN`] are
//! only replaced where a credential stands. Shapes of tokens that nobody registered are found too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::Regex;
use serde_json::Value;

/// Shorter values would match ordinary words; they are only replaced in credential positions.
pub const MIN_LEN: usize = 8;

/// A set of known secrets, shared by everything that writes.
#[derive(Clone, Default)]
pub struct Redactor {
    state: Arc<RwLock<State>>,
}

#[derive(Default)]
struct State {
    /// Value → placeholder.
    known: HashMap<String, String>,
    /// How many values share a name.
    names: HashMap<String, usize>,
    /// Automata of doubling size, so that a thousand registrations cost a thousand × log, not squares.
    levels: Vec<Level>,
}

struct Level {
    needles: Vec<(String, String)>,
    automaton: AhoCorasick,
}

impl Redactor {
    /// Knows nothing yet but the shapes of tokens.
    pub fn new() -> Self {
        Self::default()
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
        let placeholder =
            if *n == 1 { format!("<redacted:{name}>") } else { format!("<redacted:{name}#{n}>") };
        state.known.insert(value.to_owned(), placeholder.clone());
        if value.len() >= MIN_LEN {
            state.add(forms(value).into_iter().map(|form| (form, placeholder.clone())).collect());
        }
    }

    /// The placeholder of a value that was registered, of any length.
    pub fn placeholder(&self, value: &str) -> Option<String> {
        self.read().known.get(value.trim()).cloned()
    }

    /// Replaces what is secret in a text.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut out = Cow::Borrowed(text);
        if text.len() >= MIN_LEN {
            for level in &self.read().levels {
                if level.automaton.is_match(out.as_ref()) {
                    let mut replaced = String::with_capacity(out.len());
                    level.automaton.replace_all_with(&out, &mut replaced, |found, _, to| {
                        to.push_str(&level.needles[found.pattern().as_usize()].1);
                        true
                    });
                    out = Cow::Owned(replaced);
                }
            }
            if let Cow::Owned(replaced) = shapes(&out) {
                out = Cow::Owned(replaced);
            }
        }
        out
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
                let pair = map.contains_key("key") && map.get("key").is_some_and(Value::is_string);
                let mut any = false;
                for (key, item) in map.iter_mut() {
                    let secret = is_credential_field(key) || (pair && key == "value");
                    any |= match item {
                        Value::String(text)
                            if secret && !text.is_empty() && !text.starts_with("<redacted:") =>
                        {
                            *text = self.placeholder(text).unwrap_or_else(|| format!("<redacted:{key}>"));
                            true
                        }
                        Value::Object(secrets) if key == "secrets" => {
                            let mut any = false;
                            for (name, item) in secrets.iter_mut() {
                                if let Value::String(text) = item
                                    && !text.is_empty()
                                    && !text.starts_with("<redacted:")
                                {
                                    *text = self
                                        .placeholder(text)
                                        .unwrap_or_else(|| format!("<redacted:{name}>"));
                                    any = true;
                                }
                            }
                            any
                        }
                        other => self.value(other),
                    };
                }
                any
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
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
                for (key, item) in map {
                    match item {
                        Value::String(text) if is_credential_field(key) => self.register(key, text),
                        Value::Object(secrets) if key == "secrets" => {
                            for (name, item) in secrets {
                                if let Value::String(text) = item {
                                    self.register(name, text);
                                }
                            }
                        }
                        other => self.learn(other),
                    }
                }
            }
            _ => {}
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, mut needles: Vec<(String, String)>) {
        while self.levels.last().is_some_and(|level| level.needles.len() <= needles.len()) {
            if let Some(level) = self.levels.pop() {
                needles.extend(level.needles);
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(needles.iter().map(|(form, _)| form));
        // A set that is too large for an automaton cannot come from inputs of bounded size.
        if let Ok(automaton) = automaton {
            self.levels.push(Level { needles, automaton });
        }
    }
}

/// Every form in which a value may appear.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    for engine in [&STANDARD, &URL_SAFE] {
        for shift in 0..3usize {
            let mut bytes = vec![0; shift];
            bytes.extend_from_slice(value.as_bytes());
            let encoded = engine.encode(&bytes);
            // The characters at both ends depend on the neighbours: leave them out.
            let from = [0, 2, 3][shift];
            let to = bytes.len() * 8 / 6;
            forms.push(encoded[from..to].to_owned());
        }
    }
    forms.push(percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string());
    let lower = percent_encoding::utf8_percent_encode(value, URL).to_string();
    forms.push(lower);
    if let Ok(json) = serde_json::to_string(value) {
        forms.push(json.trim_matches('"').to_owned());
    }
    forms.sort();
    forms.dedup();
    forms
}

/// What `encodeURIComponent` leaves alone.
const URL: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Whether a field of this name holds a credential.
pub fn is_credential_field(name: &str) -> bool {
    const EXACT: [&str; 12] = [
        "auth_token",
        "admin_token",
        "access_token",
        "refresh_token",
        "platform_inbound_secret",
        "authorization",
        "password",
        "client_secret",
        "api_key",
        "apikey",
        "x-api-key",
        "x-molecule-admin-token",
    ];
    static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^[A-Z0-9_]*(API_KEY|_TOKEN|_SECRET|PASSWORD|AUTH_JSON|_PAT|ENCRYPTION_KEY)$").ok()
    });
    EXACT.iter().any(|exact| name.eq_ignore_ascii_case(exact))
        || NAMES.as_ref().is_some_and(|names| names.is_match(name))
}

/// Shapes of tokens that nobody registered.
///
/// Boundaries are ASCII and nothing is captured, so that the fast engines of the crate apply: every
/// string of every event passes through here.
fn shapes(text: &str) -> Cow<'_, str> {
    static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?x-u)
            \b[Bb]earer[\x20\t]+[A-Za-z0-9._~+/=-]{8,}
            | \b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}
            | \bgh[pousr]_[A-Za-z0-9]{20,}
            | \bgithub_pat_[A-Za-z0-9_]{20,}
            | \bglpat-[A-Za-z0-9_-]{16,}
            | \bxox[abprs]-[A-Za-z0-9-]{10,}
            | \bAKIA[A-Z0-9]{16}\b
            | \bAIza[A-Za-z0-9_-]{35}
            | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
            | \b[A-Za-z0-9_-]{43}\b
            | ://[!$-&(-.0-9;=A-~]*:[!$-&(-.0-;=A-~]+@
            | ://[A-Za-z0-9_-]{16,}@
            ",
        )
        .ok()
    });
    let Some(shapes) = SHAPES.as_ref() else { return Cow::Borrowed(text) };
    let mut out = String::new();
    let mut copied = 0;
    for found in shapes.find_iter(text) {
        let word = found.as_str();
        let token = word.get(..6).filter(|w| w.eq_ignore_ascii_case("bearer")).and_then(|_| {
            let rest = word[6..].trim_start_matches([' ', '\t']);
            (rest.len() < word.len() - 6).then_some(rest)
        });
        let (keep, shown) = match token {
            Some(token) => (found.end() - token.len(), "<redacted:bearer>"),
            // Who asks, and with which password.
            None if word.starts_with("://") => (found.start() + 3, "<redacted:userinfo>@"),
            None if word.len() == 43 && !word.contains('.') && !looks_random(word) && !has_prefix(word) => {
                continue;
            }
            None => (found.start(), "<redacted:token>"),
        };
        out.push_str(&text[copied..keep]);
        out.push_str(shown);
        copied = found.end();
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// A word of exactly 43 characters that is a vendor's token by its beginning.
fn has_prefix(word: &str) -> bool {
    ["sk-", "pk-", "rk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AIza"]
        .iter()
        .any(|prefix| word.starts_with(prefix))
}

/// 32 random bytes in base64url (contract §1.2) mix cases and digits; names of things do not.
fn looks_random(word: &str) -> bool {
    let upper = word.bytes().filter(u8::is_ascii_uppercase).count();
    let lower = word.bytes().filter(u8::is_ascii_lowercase).count();
    let digit = word.bytes().filter(u8::is_ascii_digit).count();
    upper >= 4 && lower >= 4 && digit >= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_form_of_a_registered_value_survives(
            secret in "[!-~]{8,40}", before in "[ -~]{0,7}", after in "[ -~]{0,7}",
        ) {
            let redactor = Redactor::new();
            redactor.register("K", &secret);
            let framed = format!("{before}{secret}{after}");
            let shown = redactor.text(&framed).into_owned();
            prop_assert!(!shown.contains(secret.trim()), "{shown}");
            for engine in [&STANDARD, &URL_SAFE] {
                let encoded = engine.encode(&framed);
                let shown = redactor.text(&encoded).into_owned();
                prop_assert!(shown.contains("<redacted:"), "{encoded} stayed {shown}");
            }
            let url = percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert!(redactor.text(&url).contains("<redacted:"));
            let mut json = serde_json::json!({ "deep": [{ "text": framed }] });
            redactor.value(&mut json);
            let line = json.to_string();
            prop_assert!(!line.contains(serde_json::to_string(secret.trim()).unwrap().trim_matches('"')), "{line}");
        }
    }

    #[test]
    fn short_values_only_where_a_credential_stands() {
        let redactor = Redactor::new();
        redactor.register("MINIMAX_API_KEY", "k");
        let mut value = serde_json::json!({
            "name": "k", "secrets": { "MINIMAX_API_KEY": "k" }, "auth_token": "x", "MINIMAX_API_KEY": "k",
            "key": "OTHER", "value": "short",
        });
        assert!(redactor.value(&mut value));
        assert_eq!(
            value,
            serde_json::json!({
                "name": "k", "secrets": { "MINIMAX_API_KEY": "<redacted:MINIMAX_API_KEY>" },
                "auth_token": "<redacted:auth_token>", "MINIMAX_API_KEY": "<redacted:MINIMAX_API_KEY>",
                "key": "OTHER", "value": "<redacted:value>",
            })
        );
    }

    #[test]
    fn placeholders_are_stable_and_tell_values_apart() {
        let redactor = Redactor::new();
        redactor.register("auth_token", "first-token-value");
        redactor.register("auth_token", "second-token-value");
        redactor.register("again", "first-token-value");
        assert_eq!(
            redactor.text("first-token-value second-token-value"),
            "<redacted:auth_token> <redacted:auth_token#2>"
        );
    }

    #[test]
    fn shapes_nobody_registered() {
        let redactor = Redactor::new();
        for (text, shown) in [
            ("Authorization: Bearer abcdefgh1234", "Authorization: Bearer <redacted:bearer>"),
            ("t 8K5yQx3ZpWm2Jt9vRbN4cLd7HsGfEa1UiOoTkYjXw0A.", "t <redacted:token>."),
            ("postgres://app:hunter2@db/x", "postgres://<redacted:userinfo>@db/x"),
            ("https://abcdef0123456789abcd@git.example/x", "https://<redacted:userinfo>@git.example/x"),
            (
                "see http://localhost:8080/a@b and ssh://git@host",
                "see http://localhost:8080/a@b and ssh://git@host",
            ),
            ("ws-0a1b2c3d-aaaa-bbbb-cccc-0123456789ab-conf", "ws-0a1b2c3d-aaaa-bbbb-cccc-0123456789ab-conf"),
            (
                "ordinary words, a sha e3b0c44298fc1c149afbf4c8996fb92427ae41e4",
                "ordinary words, a sha e3b0c44298fc1c149afbf4c8996fb92427ae41e4",
            ),
        ] {
            assert_eq!(redactor.text(text), shown);
        }
        let vendor = format!("key sk-{} done", "a1".repeat(10));
        assert_eq!(redactor.text(&vendor), "key <redacted:token> done");
    }

    #[test]
    fn a_thousand_values_are_all_found() {
        let redactor = Redactor::new();
        for n in 0..1_000 {
            redactor.register(&format!("s{n}"), &format!("value-number-{n:05}"));
        }
        for n in [0, 1, 511, 999] {
            assert_eq!(redactor.text(&format!("value-number-{n:05}")), format!("<redacted:s{n}>"));
        }
    }
}
