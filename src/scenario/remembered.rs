//! `--state FILE`: reds that earlier runs saw, by the fingerprint of their diagnosis.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::red::Identity;

/// Version of the file's shape that is written.
pub(crate) const VERSION: u32 = 2;
/// The oldest that is read: it had no history of what was fixed.
const OLDEST: u32 = 1;
/// A red that came back so often flaps.
const FLAPS: u32 = 2;
/// A red that flaps is fixed when its scenario passed in so many runs in a row.
const STEADY: u32 = 5;
/// What is fixed is forgotten when no run saw it for so many hours: 90 days.
const KEPT_HOURS: f64 = 90.0 * 24.0;

/// Reds that earlier runs saw, with those that are fixed since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    reds: BTreeMap<String, Red>,
}

/// One of them. Times are RFC 3339, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Red {
    /// `scenario/place/mechanism[/key]`; version 1 had the step's number for its place.
    pub fingerprint: String,
    /// The scenario instance, without the round of a repetition.
    pub scenario: String,
    /// Name in the catalogue of mechanisms.
    pub mechanism: String,
    /// When a run saw it first.
    pub first_seen: String,
    /// Which run.
    pub first_run: String,
    /// When a run saw it last.
    pub last_seen: String,
    /// Which run.
    pub last_run: String,
    /// How many runs saw it.
    pub count: u64,
    /// How often it came back after its scenario had passed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub returns: u32,
    /// In how many runs in a row its scenario passed since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub passes: u32,
    /// Since when it is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_at: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How a red stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// The last run that could see it saw it.
    Open,
    /// It comes and goes: neither new when it is there, nor fixed when it is not.
    Flapping,
    /// Its scenario passes.
    Fixed,
}

impl Life {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Life::Open => "open",
            Life::Flapping => "flapping",
            Life::Fixed => "fixed",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    reds: Vec<Red>,
}

/// Only the version, to tell another one from a broken file.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// What a run saw of one scenario instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// It passed.
    Passed {
        /// Without the round of a repetition.
        scenario: String,
    },
    /// It was red, for a reason that can be told from others.
    Red {
        /// Without the round of a repetition.
        scenario: String,
        /// What the red is called.
        red: Identity,
        /// Name in the catalogue of mechanisms.
        mechanism: String,
    },
    /// It was red, and a list that somebody keeps knows of it.
    Listed {
        /// Without the round of a repetition.
        scenario: String,
        /// What the red is called.
        red: Identity,
    },
    /// It ended otherwise: that says nothing of what is remembered.
    Nothing {
        /// Without the round of a repetition.
        scenario: String,
    },
}

impl Red {
    /// How it stands.
    pub fn life(&self) -> Life {
        match self {
            Red { fixed_at: Some(_), .. } => Life::Fixed,
            Red { returns: FLAPS.., .. } => Life::Flapping,
            _ => Life::Open,
        }
    }

    /// Whether it would flap, were it seen once more.
    pub fn flaps_again(&self) -> bool {
        self.returns + u32::from(self.passes > 0) >= FLAPS && self.passes < STEADY
    }

    /// `since 2026-11-20T08:00:00Z, in 12 earlier runs`.
    pub fn told(&self) -> String {
        let runs = if self.count == 1 { "run" } else { "runs" };
        let seen = format!("since {}, in {} earlier {runs}", self.first_seen, self.count);
        match &self.fixed_at {
            _ if self.flaps_again() => format!("flapping {seen}"),
            Some(fixed) => format!("came back: it was fixed since {fixed}; first seen {seen}"),
            None => seen,
        }
    }

    /// Another run saw it.
    fn seen_again(&mut self, run: &str, at: &str) {
        if self.passes > 0 {
            // What passed for long enough begins anew.
            self.returns = if self.passes < STEADY { self.returns.saturating_add(1) } else { 1 };
        }
        (self.passes, self.fixed_at) = (0, None);
        self.count = self.count.saturating_add(1);
        (self.last_seen, self.last_run) = (at.to_owned(), run.to_owned());
    }

    /// Its scenario passed; says whether that makes it fixed.
    fn passed(&mut self, at: &str) -> bool {
        self.passes = self.passes.saturating_add(1);
        let fixed = self.fixed_at.is_none() && (self.returns < FLAPS || self.passes >= STEADY);
        if fixed {
            self.fixed_at = Some(at.to_owned());
        }
        fixed
    }

    /// It is fixed, and no run saw it for long.
    fn is_over(&self, at: &str) -> bool {
        let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let (Some(now), Some(last)) = (time(at), time(&self.last_seen)) else { return false };
        self.fixed_at.is_some() && (now - last).total(jiff::Unit::Hour).is_ok_and(|hours| hours > KEPT_HOURS)
    }

    /// The same red under another name: what both saw.
    fn join(&mut self, other: Red) {
        if other.first_seen < self.first_seen {
            (self.first_seen, self.first_run) = (other.first_seen, other.first_run);
        }
        if other.last_seen > self.last_seen {
            (self.last_seen, self.last_run) = (other.last_seen, other.last_run);
        }
        self.count = self.count.saturating_add(other.count);
        self.returns = self.returns.max(other.returns);
    }
}

/// Why a text is no state file of ours.
#[derive(Debug, thiserror::Error)]
pub enum RememberedError {
    /// Another kind of file.
    #[error("it is not a state file: {0}")]
    Shape(#[from] serde_json::Error),
    /// Written by another version of this program.
    #[error("it has version {0}, this program reads versions {OLDEST} to {VERSION}")]
    Version(u32),
}

impl Remembered {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Remembered, RememberedError> {
        let head: Head = serde_json::from_str(text)?;
        if !(OLDEST..=VERSION).contains(&head.version) {
            return Err(RememberedError::Version(head.version));
        }
        let document: Document = serde_json::from_str(text)?;
        let reds = document.reds.into_iter().map(|red| (red.fingerprint.clone(), red)).collect();
        Ok(Remembered { reds })
    }

    /// The file's text.
    ///
    /// # Errors
    /// serde's word; none is known that reds can cause.
    pub fn text(&self) -> serde_json::Result<String> {
        let document = Document { version: VERSION, reds: self.reds.values().cloned().collect() };
        serde_json::to_string_pretty(&document).map(|text| text + "\n")
    }

    /// All of them, by fingerprint.
    pub fn reds(&self) -> impl Iterator<Item = &Red> {
        self.reds.values()
    }

    /// The runs that first and last saw what is still open: whoever mends a red wants to read them.
    pub fn runs_of_open_reds(&self) -> BTreeSet<String> {
        let open = self.reds().filter(|red| red.life() != Life::Fixed);
        open.flat_map(|red| [red.first_run.clone(), red.last_run.clone()]).collect()
    }

    /// Forgets one; says whether it was there.
    pub fn forget(&mut self, fingerprint: &str) -> bool {
        self.reds.remove(fingerprint).is_some()
    }

    /// What is remembered of a red, under either of its names.
    pub fn find(&self, red: &Identity) -> Option<&Red> {
        red.forms().find_map(|form| self.reds.get(form))
    }

    /// A red that was kept under its former name gets today's.
    fn rename(&mut self, red: &Identity) {
        for former in red.forms().skip(1) {
            let Some(old) = self.reds.remove(former) else { continue };
            match self.reds.get_mut(&red.fingerprint) {
                Some(kept) => kept.join(old),
                None => {
                    let renamed = Red { fingerprint: red.fingerprint.clone(), ..old };
                    self.reds.insert(red.fingerprint.clone(), renamed);
                }
            }
        }
    }

    /// Takes in what a run saw; gives the reds that are fixed by it: every round of their scenario passed. A red that
    /// another one hides is not fixed, and one that flaps not by its first pass.
    pub fn learn(&mut self, run: &str, at: &str, seen: &[Sighting]) -> Vec<Red> {
        let mut passed: BTreeMap<&str, bool> = BTreeMap::new();
        let mut fresh: BTreeMap<&Identity, (&str, &str)> = BTreeMap::new();
        for sighting in seen {
            let (scenario, clean) = match sighting {
                Sighting::Passed { scenario } => (scenario, true),
                Sighting::Red { scenario, .. }
                | Sighting::Listed { scenario, .. }
                | Sighting::Nothing { scenario } => (scenario, false),
            };
            passed.entry(scenario).and_modify(|all| *all &= clean).or_insert(clean);
            match sighting {
                Sighting::Red { scenario, red, mechanism } => {
                    fresh.insert(red, (scenario, mechanism));
                }
                Sighting::Listed { red, .. } => {
                    red.forms().for_each(|form| drop(self.reds.remove(form)));
                }
                _ => {}
            }
        }
        // Two steps of one name are one red, and it was seen once.
        let mut counted = BTreeSet::new();
        for (identity, (scenario, mechanism)) in fresh {
            self.rename(identity);
            if !counted.insert(&identity.fingerprint) {
                continue;
            }
            let red = self.reds.entry(identity.fingerprint.clone()).or_insert_with(|| Red {
                fingerprint: identity.fingerprint.clone(),
                scenario: scenario.to_owned(),
                mechanism: mechanism.to_owned(),
                first_seen: at.to_owned(),
                first_run: run.to_owned(),
                ..Red::default()
            });
            red.seen_again(run, at);
        }
        let mut fixed = Vec::new();
        for red in self.reds.values_mut() {
            if passed.get(red.scenario.as_str()).copied().unwrap_or_default() {
                let told = red.clone();
                if red.passed(at) {
                    fixed.push(told);
                }
            }
        }
        self.reds.retain(|_, red| !red.is_over(at));
        fixed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(scenario: &str, mechanism: &str) -> Identity {
        Identity {
            fingerprint: format!("{scenario}/await-ws/{mechanism}"),
            former: format!("{scenario}/3/{mechanism}"),
        }
    }

    fn red(scenario: &str, mechanism: &str) -> Sighting {
        let (red, scenario) = (identity(scenario, mechanism), scenario.to_owned());
        Sighting::Red { scenario, red, mechanism: mechanism.into() }
    }

    fn passed(scenario: &str) -> Sighting {
        Sighting::Passed { scenario: scenario.into() }
    }

    fn names(reds: &[Red]) -> Vec<&str> {
        reds.iter().map(|red| red.fingerprint.as_str()).collect()
    }

    #[test]
    fn a_red_is_open_until_its_scenario_passes_and_keeps_its_history() {
        let mut state = Remembered::default();
        assert_eq!(state.learn("r1", "t1", &[red("a", "m"), passed("b")]), []);
        assert_eq!(state.learn("r2", "t2", &[red("a", "m"), red("a", "m")]), []);
        let kept = state.find(&identity("a", "m")).cloned().unwrap();
        assert_eq!((kept.first_run.as_str(), kept.last_run.as_str(), kept.count), ("r1", "r2", 2));
        assert_eq!(Remembered::parse(&state.text().unwrap()).unwrap(), state);
        let nothing = Sighting::Nothing { scenario: "a".into() };
        for seen in [
            // Another red hides it, it did not run, it was skipped, one round of it only passed.
            vec![red("a", "other")],
            vec![passed("b")],
            vec![nothing.clone()],
            vec![passed("a"), nothing],
            vec![passed("a"), red("a", "other")],
        ] {
            assert_eq!(state.learn("r3", "t3", &seen), [], "{seen:?}");
            assert_eq!(state.find(&identity("a", "m")), Some(&kept), "{seen:?}");
        }
        let fixed = state.learn("r4", "t4", &[passed("a"), passed("a")]);
        assert_eq!(names(&fixed), ["a/await-ws/m", "a/await-ws/other"]);
        let over = state.find(&identity("a", "m")).unwrap();
        assert_eq!((over.life(), over.fixed_at.as_deref(), over.count), (Life::Fixed, Some("t4"), 2));
        assert_eq!(over.told(), "came back: it was fixed since t4; first seen since t1, in 2 earlier runs");
        assert_eq!(state.learn("r5", "t5", &[passed("a")]), [], "it is told once");
    }

    #[test]
    fn a_red_that_comes_and_goes_flaps() {
        let mut state = Remembered::default();
        let mut told = Vec::new();
        // `r`: red, `p`: passed. The last five passes are what it takes to be fixed.
        for (night, seen) in "rprprprpppppr".chars().enumerate() {
            let seen = if seen == 'r' { red("a", "m") } else { passed("a") };
            let fixed = !state.learn("r", &format!("t{night}"), &[seen]).is_empty();
            told.push((state.find(&identity("a", "m")).unwrap().life(), fixed));
        }
        use Life::{Fixed, Flapping, Open};
        let wanted = [
            (Open, false),
            (Fixed, true),
            (Open, false),
            (Fixed, true),
            (Flapping, false),
            (Flapping, false),
            (Flapping, false),
            (Flapping, false),
            (Flapping, false),
            (Flapping, false),
            (Flapping, false),
            (Fixed, true),
            (Open, false),
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn what_is_fixed_is_forgotten_after_90_days() {
        for (day, kept) in [("2026-03-30T00:00:00Z", true), ("2026-04-02T00:00:00Z", false)] {
            let mut state = Remembered::default();
            state.learn("r1", "2026-01-01T00:00:00Z", &[red("a", "m")]);
            state.learn("r2", "2026-01-02T00:00:00Z", &[passed("a")]);
            state.learn("r3", day, &[passed("a")]);
            assert_eq!(state.find(&identity("a", "m")).is_some(), kept, "{day}");
        }
    }

    #[test]
    fn a_red_of_the_former_form_is_the_same_and_gets_todays_name() {
        let old = r#"{ "version": 1, "reds": [ { "fingerprint": "a/3/m", "scenario": "a", "mechanism": "m",
          "first_seen": "t0", "first_run": "r0", "last_seen": "t1", "last_run": "r1", "count": 4 } ] }"#;
        let mut state = Remembered::parse(old).unwrap();
        assert_eq!(state.find(&identity("a", "m")).map(|red| red.count), Some(4));
        assert_eq!(state.find(&identity("a", "other")), None);
        state.learn("r2", "t2", &[red("a", "m")]);
        let kept: Vec<(&str, u64, &str)> =
            state.reds().map(|red| (red.fingerprint.as_str(), red.count, red.first_run.as_str())).collect();
        assert_eq!(kept, [("a/await-ws/m", 5, "r0")]);
    }

    #[test]
    fn a_red_that_a_list_names_belongs_to_the_list() {
        let mut state = Remembered::default();
        state.learn("r1", "t1", &[red("a", "m")]);
        let listed = Sighting::Listed { scenario: "a".into(), red: identity("a", "m") };
        assert_eq!(state.learn("r2", "t2", &[listed]), []);
        assert_eq!(state.find(&identity("a", "m")), None);
    }

    #[test]
    fn what_is_no_state_file_is_named() {
        for (text, why) in [
            ("", "not a state file"),
            ("{\"version\":1}", "missing field `reds`"),
            ("{\"version\":3,\"reds\":{}}", "version 3"),
            ("{\"version\":1,\"reds\":[],\"more\":1}", "unknown field"),
        ] {
            let error = Remembered::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
