//! `--state FILE`: reds that earlier runs saw, by the fingerprint of their diagnosis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the file's shape; a file of another one is refused.
pub const VERSION: u32 = 1;

/// Reds that earlier runs saw and no run has seen mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    reds: BTreeMap<String, Red>,
}

/// One of them. Times are RFC 3339, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Red {
    /// `scenario/step/mechanism[/key]`.
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
        /// Stable identity of the red.
        fingerprint: String,
        /// Name in the catalogue of mechanisms.
        mechanism: String,
    },
    /// It was red, and a list that somebody keeps knows of it.
    Listed {
        /// Without the round of a repetition.
        scenario: String,
        /// Stable identity of the red.
        fingerprint: String,
    },
    /// It ended otherwise: that says nothing of what is remembered.
    Nothing {
        /// Without the round of a repetition.
        scenario: String,
    },
}

impl Red {
    /// `since 2026-11-20T08:00:00Z, in 12 runs`.
    pub fn told(&self) -> String {
        let runs = if self.count == 1 { "run" } else { "runs" };
        format!("since {}, in {} earlier {runs}", self.first_seen, self.count)
    }
}

/// Why a text is no state file of ours.
#[derive(Debug, thiserror::Error)]
pub enum RememberedError {
    /// Another kind of file.
    #[error("it is no state file: {0}")]
    Shape(#[from] serde_json::Error),
    /// Written by another version of this program.
    #[error("it has version {0}, this program reads version {version}", version = VERSION)]
    Version(u32),
}

impl Remembered {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Remembered, RememberedError> {
        let head: Head = serde_json::from_str(text)?;
        if head.version != VERSION {
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

    /// Forgets one; says whether it was there.
    pub fn forget(&mut self, fingerprint: &str) -> bool {
        self.reds.remove(fingerprint).is_some()
    }

    /// What is remembered of a red.
    pub fn find(&self, fingerprint: &str) -> Option<&Red> {
        self.reds.get(fingerprint)
    }

    /// Takes in what a run saw; gives the reds that are mended: every round of their scenario passed. A red that
    /// another one hides is not mended.
    pub fn learn(&mut self, run: &str, at: &str, seen: &[Sighting]) -> Vec<Red> {
        let mut passed: BTreeMap<&str, bool> = BTreeMap::new();
        let mut fresh: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        for sighting in seen {
            let (scenario, clean) = match sighting {
                Sighting::Passed { scenario } => (scenario, true),
                Sighting::Red { scenario, .. }
                | Sighting::Listed { scenario, .. }
                | Sighting::Nothing { scenario } => (scenario, false),
            };
            passed.entry(scenario).and_modify(|all| *all &= clean).or_insert(clean);
            match sighting {
                Sighting::Red { scenario, fingerprint, mechanism } => {
                    fresh.insert(fingerprint, (scenario, mechanism));
                }
                Sighting::Listed { fingerprint, .. } => {
                    self.reds.remove(fingerprint);
                }
                _ => {}
            }
        }
        for (fingerprint, (scenario, mechanism)) in fresh {
            let red = self.reds.entry(fingerprint.to_owned()).or_insert_with(|| Red {
                fingerprint: fingerprint.to_owned(),
                scenario: scenario.to_owned(),
                mechanism: mechanism.to_owned(),
                first_seen: at.to_owned(),
                first_run: run.to_owned(),
                ..Red::default()
            });
            red.count = red.count.saturating_add(1);
            (red.last_seen, red.last_run) = (at.to_owned(), run.to_owned());
        }
        let mended = |red: &Red| passed.get(red.scenario.as_str()).copied().unwrap_or_default();
        let gone: Vec<Red> = self.reds.values().filter(|red| mended(red)).cloned().collect();
        self.reds.retain(|_, red| !mended(red));
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn red(scenario: &str, mechanism: &str) -> Sighting {
        let fingerprint = format!("{scenario}/3/{mechanism}");
        Sighting::Red { scenario: scenario.into(), fingerprint, mechanism: mechanism.into() }
    }

    fn passed(scenario: &str) -> Sighting {
        Sighting::Passed { scenario: scenario.into() }
    }

    #[test]
    fn a_red_is_remembered_until_its_scenario_passes() {
        let mut state = Remembered::default();
        assert_eq!(state.learn("r1", "t1", &[red("a", "m"), passed("b")]), []);
        assert_eq!(state.learn("r2", "t2", &[red("a", "m"), red("a", "m")]), []);
        let kept = state.find("a/3/m").cloned().unwrap();
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
            assert_eq!(state.find("a/3/m"), Some(&kept), "{seen:?}");
        }
        let gone = state.learn("r4", "t4", &[passed("a"), passed("a")]);
        assert_eq!(gone.iter().map(|r| r.fingerprint.as_str()).collect::<Vec<_>>(), ["a/3/m", "a/3/other"]);
        assert_eq!(state, Remembered::default());
    }

    #[test]
    fn a_red_that_a_list_names_belongs_to_the_list() {
        let mut state = Remembered::default();
        state.learn("r1", "t1", &[red("a", "m")]);
        let listed = Sighting::Listed { scenario: "a".into(), fingerprint: "a/3/m".into() };
        assert_eq!(state.learn("r2", "t2", &[listed]), []);
        assert_eq!(state.find("a/3/m"), None);
    }

    #[test]
    fn what_is_no_state_file_is_named() {
        for (text, why) in [
            ("", "no state file"),
            ("{\"version\":1}", "missing field `reds`"),
            ("{\"version\":2,\"reds\":{}}", "version 2"),
            ("{\"version\":1,\"reds\":[],\"more\":1}", "unknown field"),
        ] {
            let error = Remembered::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
