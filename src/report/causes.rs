//! Reds by cause: what broke once is told once, with everything that it broke.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::count;
use crate::event::{Class, UNCLASSIFIED, cause_of};
use crate::reference::fault_runs;
use crate::scenario::without_round;

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

    /// `projection-missing (ANTHROPIC_AUTH_TOKEN)`; of reds that nobody explains what they said, as long as it is the same.
    pub fn title(&self) -> String {
        let said = self.representative().reason();
        let unexplained = |red: &&ScenarioState| {
            red.reason() == said && red.diagnosis.as_ref().is_none_or(|d| d.mechanism == UNCLASSIFIED)
        };
        match self.key {
            "" if self.reds.iter().all(unexplained) => said.to_owned(),
            "" => self.name.to_string(),
            key => format!("{} ({key})", self.name),
        }
    }
}

impl RunState {
    /// The reds by cause: those that turn the run red first, then the cause with most reds, then in the order of the
    /// plan.
    pub fn causes(&self) -> Vec<Cause<'_>> {
        let mut causes: IndexMap<(Cow<'_, str>, &str, bool), Cause<'_>> = IndexMap::new();
        for red in self.reds() {
            let (name, key) = red.cause();
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

/// A red that is to come out again, and how many it stands for.
pub(crate) struct ToReproduce<'a> {
    /// What its diagnosis names; empty without one.
    pub mechanism: &'a str,
    /// The one that runs.
    pub scenario: &'a ScenarioState,
    /// Reds with this mechanism.
    pub reds: usize,
}

impl RunState {
    /// Of these one for each mechanism: that in whose scenario the mechanism's fault is known to show, else the first.
    /// `all`: each instance by itself.
    pub(crate) fn to_reproduce<'a>(&self, among: &[&'a ScenarioState], all: bool) -> Vec<ToReproduce<'a>> {
        let mut found: IndexMap<(&str, &str), ToReproduce<'a>> = IndexMap::new();
        for scenario in among.iter().copied() {
            let mechanism = scenario.diagnosis.as_ref().map_or("", |d| d.mechanism.as_str());
            let name = without_round(scenario.name());
            let key = if all || mechanism.is_empty() { name } else { "" };
            let one = found.entry((mechanism, key)).or_insert(ToReproduce { mechanism, scenario, reds: 0 });
            one.reds += 1;
            let shows = |s: &ScenarioState| fault_runs::shows(mechanism, without_round(s.name()));
            if shows(scenario) && !shows(one.scenario) {
                one.scenario = scenario;
            }
        }
        found.into_values().collect()
    }
}

impl ScenarioState {
    /// Its cause, and what of it; see [`cause_of`].
    pub(crate) fn cause(&self) -> (Cow<'_, str>, &str) {
        cause_of(self.diagnosis.as_ref(), self.reason())
    }
}
