//! Reds by cause: what broke once is told once, with everything that it broke.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::count;
use crate::event::{Class, Diagnosis};

/// What a failure is called that no mechanism explains; such a failure has no cause in common with another one but its
/// own words.
const UNCLASSIFIED: &str = "unclassified";

/// One cause and the scenarios that it made red, the one that is shown whole first.
pub struct Cause<'a> {
    /// A mechanism, or what was said where nobody knows one.
    pub name: Cow<'a, str>,
    /// One sentence.
    pub summary: &'a str,
    /// Its class, when it was diagnosed.
    pub class: Option<Class>,
    /// What of the mechanism: a variable, a code.
    pub key: &'a str,
    /// Never empty.
    pub reds: Vec<&'a ScenarioState>,
}

impl<'a> Cause<'a> {
    /// The one that stands for all.
    pub fn representative(&self) -> &'a ScenarioState {
        self.reds[0]
    }

    /// All others.
    pub fn others(&self) -> &[&'a ScenarioState] {
        &self.reds[1..]
    }

    /// None of its reds turns a run red.
    pub fn is_advisory(&self) -> bool {
        self.reds.iter().all(|red| red.is_advisory())
    }

    /// All of its reds are known.
    pub fn is_known(&self) -> bool {
        self.reds.iter().all(|red| red.known().is_some())
    }

    /// `projection-missing (ANTHROPIC_AUTH_TOKEN)`.
    pub fn title(&self) -> String {
        if self.key.is_empty() { self.name.to_string() } else { format!("{} ({})", self.name, self.key) }
    }
}

impl RunState {
    /// The reds by cause: those that turn the run red first, then the cause with most reds, then in the order of the
    /// plan.
    pub fn causes(&self) -> Vec<Cause<'_>> {
        let mut causes: IndexMap<(Cow<'_, str>, &str, bool), Cause<'_>> = IndexMap::new();
        for red in self.reds() {
            let (name, key) = cause_of(red);
            let diagnosis = red.diagnosis.as_ref();
            let cause = causes.entry((name.clone(), key, red.known().is_some())).or_insert_with(|| Cause {
                name,
                summary: diagnosis.map_or("", |d| d.summary.as_str()),
                class: diagnosis.map(|d| d.class).or(red.finish.as_ref().and_then(|f| f.class)),
                key,
                reds: Vec::new(),
            });
            // What counts stands for what does not.
            if !red.is_advisory() && cause.is_advisory() {
                cause.reds.insert(0, red);
            } else {
                cause.reds.push(red);
            }
        }
        let mut causes: Vec<Cause<'_>> = causes.into_values().collect();
        causes.sort_by_key(|cause| {
            (cause.is_advisory(), cause.is_known(), std::cmp::Reverse(cause.reds.len()))
        });
        causes
    }

    /// `15 reds, 1 cause`; empty when nothing is red.
    pub fn causes_line(&self) -> String {
        let causes = self.causes();
        match self.reds().count() {
            0 => String::new(),
            reds => format!("{}, {}", count(reds as u64, "red"), count(causes.len() as u64, "cause")),
        }
    }
}

/// By what a red is the same as another one: its mechanism and key, or else the words of its reason.
pub(crate) fn cause_of(red: &ScenarioState) -> (Cow<'_, str>, &str) {
    match &red.diagnosis {
        Some(diagnosis) if diagnosis.mechanism != UNCLASSIFIED => {
            (Cow::Borrowed(&diagnosis.mechanism), key_of(diagnosis))
        }
        _ => (Cow::Owned(without_numbers(red.reason())), ""),
    }
}

/// What follows the mechanism in a fingerprint.
fn key_of(diagnosis: &Diagnosis) -> &str {
    let name = format!("/{}/", diagnosis.mechanism);
    diagnosis.fingerprint.rfind(&name).map_or("", |at| &diagnosis.fingerprint[at + name.len()..])
}

/// Ids, times and ports differ between reds of one cause.
fn without_numbers(reason: &str) -> String {
    let mut out = String::new();
    for word in reason.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        let digits = word.chars().filter(char::is_ascii_digit).count();
        // A status is a number that says something.
        let plain = digits == 0 || (digits == 3 && word.len() <= 4);
        out.push_str(if plain { word } else { "…" });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_red_to_red_is_no_cause() {
        for (reason, cause) in [
            ("GET http://127.0.0.1:8080/x answered 503, wanted 200", "GET … answered 503, wanted 200"),
            ("not online within 5.1 s", "not online within … s"),
            ("", ""),
        ] {
            assert_eq!(without_numbers(reason), cause);
        }
    }
}
