//! `--known FILE` and `--state FILE`: reds that somebody or an earlier run knows about, by the fingerprint of their
//! diagnosis.

use std::collections::BTreeMap;

use super::remembered::{Life, Remembered};
use crate::domain::red::Identity;
use crate::source::{Problem, SourceFile, Span};
use crate::yaml::{self, Aliases, Kind, Node, Reading};

/// Known reds by fingerprint: `scenario/place/mechanism[/key]`, or the former form with a step's number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownReds {
    by_fingerprint: BTreeMap<String, KnownRed>,
    remembered: Option<Remembered>,
}

/// What is known of a red.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody works on it, or an earlier run saw it: in words.
    Known(String),
    /// No earlier run saw it.
    New,
    /// It was fixed: as good as new, with its history in words.
    Back(String),
    /// Nobody remembers earlier runs.
    Untold,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRed {
    /// Where it is worked on.
    pub issue: String,
    /// The last day on which it is known, `YYYY-MM-DD`.
    pub until: String,
}

impl KnownRed {
    /// That its time ran out before this day, in words.
    pub(crate) fn over(&self, fingerprint: &str, today: &str) -> Option<String> {
        let KnownRed { issue, until } = self;
        (until.as_str() < today)
            .then(|| format!("{fingerprint} ({issue}) was known until {until}: it is a new red again"))
    }
}

const READING: Reading =
    Reading { code: "known", max_nodes: 20_000, max_aliases: 0, max_bytes: 1 << 20, aliases: Aliases::Used };
const KEYS: [&str; 3] = ["red", "issue", "until"];
const HINT: &str = "for example `- {red: local-provision/await-ws-online/base-url-keeps-v1/ANTHROPIC_BASE_URL, issue: \"#2754\", until: 2026-12-31}`";

impl KnownReds {
    /// Reads a list of `{red, issue, until}`.
    ///
    /// # Errors
    /// All problems of the file at once.
    pub fn parse(source: &SourceFile) -> Result<KnownReds, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut known = KnownReds::default();
        if let Some(root) = yaml::parse(source, &READING, &mut problems) {
            let mut reader = Reader { source, problems: &mut problems };
            match &root.kind {
                Kind::List(items) => items.iter().for_each(|item| reader.one(item, &mut known)),
                Kind::Null => {}
                _ => reader.say("shape", "known reds are a list".into(), root.span, root.what()),
            }
        }
        if problems.is_empty() { Ok(known) } else { Err(problems) }
    }

    /// What is known of a red on a day, `YYYY-MM-DD`; one whose time ran out is new again.
    pub fn find(&self, red: &Identity, today: &str) -> Option<&KnownRed> {
        let mut listed = red.forms().filter_map(|form| self.by_fingerprint.get(form));
        listed.find(|known| known.until.as_str() >= today)
    }

    /// No red is known.
    pub fn is_empty(&self) -> bool {
        self.by_fingerprint.is_empty()
            && self.remembered.as_ref().is_none_or(|earlier| earlier.reds().next().is_none())
    }

    /// With what earlier runs saw.
    #[must_use]
    pub fn remembering(mut self, earlier: Remembered) -> KnownReds {
        self.remembered = Some(earlier);
        self
    }

    /// What is known of a red on a day: a list that somebody keeps decides before what runs remember.
    pub fn standing(&self, red: &Identity, today: &str) -> Standing {
        if let Some(known) = self.find(red, today) {
            return Standing::Known(format!("{} until {}", known.issue, known.until));
        }
        match &self.remembered {
            Some(earlier) => match earlier.find(red) {
                Some(red) if red.life() == Life::Fixed && !red.flaps_again() => Standing::Back(red.told()),
                Some(red) => Standing::Known(red.told()),
                None => Standing::New,
            },
            None => Standing::Untold,
        }
    }

    /// All of the list.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KnownRed)> {
        self.by_fingerprint.iter().map(|(fingerprint, known)| (fingerprint.as_str(), known))
    }
}

struct Reader<'a> {
    source: &'a SourceFile,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn say(&mut self, code: &str, text: String, span: Span, label: &str) {
        self.problems
            .push(Problem::error(format!("known::{code}"), text).at(self.source, span, label).hint(HINT));
    }

    fn one(&mut self, item: &Node, known: &mut KnownReds) {
        for (key, _) in item.entries() {
            if !KEYS.contains(&key.text.as_str()) {
                self.say("unknown-key", format!("no key is called `{}`", key.text), key.span, "here");
            }
        }
        let [red, issue, until] = KEYS.map(|key| self.text(item, key));
        let (Some((red, at)), Some((issue, _)), Some((until, day))) = (red, issue, until) else { return };
        if until.len() != 10 || until.parse::<jiff::civil::Date>().is_err() {
            self.say("date", format!("`{until}` is not a date: write YYYY-MM-DD"), day, "here");
        }
        let mechanism = red.split('/').nth(2).unwrap_or_default();
        if mechanism.is_empty() {
            self.say(
                "fingerprint",
                format!("`{red}` is not a fingerprint: scenario/place/mechanism"),
                at,
                "here",
            );
        } else if red.ends_with("/unclassified") {
            self.say("fingerprint", "what nobody has explained is always new".into(), at, "not a mechanism");
        }
        if known.by_fingerprint.insert(red.clone(), KnownRed { issue, until }).is_some() {
            self.say("twice", format!("`{red}` is written twice"), at, "the second time");
        }
    }

    fn text(&mut self, item: &Node, key: &str) -> Option<(String, Span)> {
        let node = item.get(key);
        let text = node.and_then(Node::as_text).filter(|text| !text.trim().is_empty());
        if text.is_none() {
            let span = node.map_or(item.span, |node| node.span);
            self.say("missing", format!("`{key}` is missing"), span, "of this red");
        }
        Some((text?.trim().to_owned(), node?.span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KnownReds, Vec<String>> {
        KnownReds::parse(&SourceFile::new("known.yaml", text))
            .map_err(|problems| problems.iter().map(|p| p.code.clone()).collect())
    }

    #[test]
    fn a_red_is_known_until_its_day_is_over() {
        let known = parse(
            "- {red: a/await-ws/m, issue: '#1', until: 2026-12-31}\n- {red: a/3/m/KEY, issue: '#2', until: 2026-12-31}\n",
        );
        let known = known.unwrap();
        for (place, number, red, today, issue) in [
            ("await-ws", 3, "m", "2026-12-31", Some("#1")),
            // A step was put in before it.
            ("await-ws", 4, "m", "2026-12-31", Some("#1")),
            ("await-ws", 3, "m", "2027-01-01", None),
            // As earlier versions wrote it.
            ("await-ws", 3, "m/KEY", "2026-01-01", Some("#2")),
            ("await-ws", 4, "m/KEY", "2026-01-01", None),
            ("await-ws", 3, "other", "2026-01-01", None),
            ("create-ws", 3, "m", "2026-01-01", None),
        ] {
            let identity =
                Identity { fingerprint: format!("a/{place}/{red}"), former: format!("a/{number}/{red}") };
            let found = known.find(&identity, today).map(|k| k.issue.as_str());
            assert_eq!(found, issue, "{identity:?} on {today}");
        }
    }

    #[test]
    fn every_mistake_is_named() {
        for (text, codes) in [
            ("", vec![]),
            ("reds: []", vec!["known::shape"]),
            ("- a/3/m", vec!["known::missing"; 3]),
            ("- {red: a/3/m, issue: '#1', until: soon}", vec!["known::date"]),
            ("- {red: a, issue: '#1', until: 2026-12-31}", vec!["known::fingerprint"]),
            ("- {red: a/3/unclassified, issue: '#1', until: 2026-12-31}", vec!["known::fingerprint"]),
            ("- {red: a/3/m, issue: '#1', until: 2026-12-31, why: x}", vec!["known::unknown-key"]),
            (
                "- {red: a/3/m, issue: '#1', until: 2026-12-31}\n- {red: a/3/m, issue: '#1', until: 2026-12-31}",
                vec!["known::twice"],
            ),
        ] {
            assert_eq!(parse(text).err().unwrap_or_default(), codes, "{text}");
        }
        assert!(!parse("- [").err().unwrap_or_default().is_empty());
    }
}
