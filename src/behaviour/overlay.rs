//! `lifecycle.contract.yaml`: what a platform does otherwise than its edition, accepted by review.

use super::{Behaviour, Edition, word};
use crate::source::{Problem, SourceFile, Span, did_you_mean};
use crate::yaml::{self, Aliases, Kind, Node, Reading};

/// The usual name of the file.
pub(crate) const FILE: &str = "lifecycle.contract.yaml";

/// What was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// The edition that it starts from.
    pub edition: Option<Edition>,
    /// The differences.
    pub rows: Vec<Accepted>,
}

/// One accepted difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What.
    pub behaviour: Behaviour,
    /// What is asserted from then on.
    pub value: bool,
    /// Why.
    pub reason: String,
    /// The day.
    pub date: String,
}

const READING: Reading = Reading {
    code: "contract",
    max_nodes: 10_000,
    max_aliases: 0,
    max_bytes: 1 << 20,
    aliases: Aliases::Used,
};

/// Reads an overlay.
///
/// # Errors
/// All that is wrong with it, each with its place.
pub fn read(file: &SourceFile) -> Result<Overlay, Vec<Problem>> {
    let mut problems = Vec::new();
    let overlay = yaml::parse(file, &READING, &mut problems)
        .map(|root| Reader { file, problems: &mut problems }.overlay(&root));
    if problems.is_empty() { Ok(overlay.unwrap_or_default()) } else { Err(problems) }
}

struct Reader<'a> {
    file: &'a SourceFile,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn error(&mut self, code: &str, span: Span, text: String, label: &str, hint: Option<String>) {
        let problem = Problem::error(format!("contract::{code}"), text).at(self.file, span, label);
        self.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }

    fn known(&mut self, node: &Node, keys: &[&str]) {
        if !matches!(node.kind, Kind::Map(_)) {
            self.error(
                "wrong-type",
                node.span,
                format!("a mapping is expected here, not {}", node.what()),
                "here",
                None,
            );
        }
        for (key, _) in node.entries() {
            if !keys.contains(&key.text.as_str()) {
                let hint = did_you_mean(&key.text, keys.iter().copied());
                self.error(
                    "unknown-field",
                    key.span,
                    format!("there is no field `{}`", key.text),
                    "unknown",
                    Some(hint),
                );
            }
        }
    }

    fn text(&mut self, node: &Node, key: &str) -> Option<(String, Span)> {
        let found = node.get(key).and_then(|value| Some((value.as_text()?, value.span)));
        match found {
            Some((text, span)) if !text.trim().is_empty() => Some((text, span)),
            _ => {
                let span = node.get(key).map_or(node.span, |value| value.span);
                self.error("missing-field", span, format!("`{key}` is missing"), "here", None);
                None
            }
        }
    }

    fn overlay(&mut self, root: &Node) -> Overlay {
        self.known(root, &["edition", "accepted"]);
        let edition = self.text(root, "edition").and_then(|(name, span)| {
            let found = Edition::named(&name);
            if found.is_none() {
                let hint = did_you_mean(&name, Edition::ALL.map(Edition::as_str));
                self.error(
                    "unknown-edition",
                    span,
                    format!("no edition is called `{name}`"),
                    "unknown",
                    Some(hint),
                );
            }
            found
        });
        let mut rows: Vec<Accepted> = Vec::new();
        for item in root.get("accepted").map(Node::one_or_many).unwrap_or_default() {
            if let Some(row) = self.row(item, edition, &rows) {
                rows.push(row);
            }
        }
        Overlay { edition, rows }
    }

    fn row(&mut self, item: &Node, edition: Option<Edition>, before: &[Accepted]) -> Option<Accepted> {
        self.known(item, &["behaviour", "value", "reason", "date"]);
        let (name, name_span) = self.text(item, "behaviour")?;
        let behaviour = Behaviour::named(&name);
        if behaviour.is_none() {
            let hint = Behaviour::hint(&name);
            self.error(
                "unknown-behaviour",
                name_span,
                format!("no behaviour is called `{name}`"),
                "unknown",
                Some(hint),
            );
        }
        let value = self.text(item, "value").and_then(|(text, span)| {
            let value = match text.as_str() {
                "on" | "true" => Some(true),
                "off" | "false" => Some(false),
                _ => None,
            };
            if value.is_none() {
                self.error("wrong-type", span, format!("`{text}` is neither `on` nor `off`"), "here", None);
            }
            value
        });
        let reason = self.text(item, "reason");
        let date = self.text(item, "date").and_then(|(text, span)| {
            let day = text.parse::<jiff::civil::Date>().is_ok();
            if !day {
                self.error("date", span, format!("`{text}` is not a day (YYYY-MM-DD)"), "here", None);
            }
            day.then_some(text)
        });
        let (behaviour, value) = (behaviour?, value?);
        if let Some(other) = before.iter().find(|row| row.behaviour == behaviour) {
            let text = if other.value == value {
                format!("`{behaviour}` is accepted twice")
            } else {
                format!("`{behaviour}` is accepted as on and as off")
            };
            self.error("contradiction", name_span, text, "again", Some("keep one of them".to_owned()));
            return None;
        }
        if let Some(edition) = edition.filter(|e| e.behaviours().has(behaviour) == value) {
            let text = format!("`{behaviour}` is {} in {edition} anyway: that is no drift", word(value));
            self.error("no-drift", name_span, text, "not needed", Some("take the row out".to_owned()));
            return None;
        }
        Some(Accepted { behaviour, value, reason: reason?.0, date: date? })
    }
}

impl Overlay {
    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# What this platform does otherwise than its edition. `lifecycle drift RUN --accept` adds rows; review them as code.\n",
        );
        if let Some(edition) = self.edition {
            text.push_str(&format!("edition: {edition}\n"));
        }
        text.push_str(if self.rows.is_empty() { "accepted: []\n" } else { "accepted:\n" });
        for row in &self.rows {
            let quoted = serde_json::Value::from(row.reason.as_str());
            text.push_str(&format!(
                "  - behaviour: {}\n    value: {}\n    reason: {quoted}\n    date: {}\n",
                row.behaviour,
                word(row.value),
                row.date
            ));
        }
        text
    }

    /// Takes a difference in; a row that was accepted before and is the edition's own again goes.
    pub fn accept(&mut self, edition: Edition, row: Accepted) {
        self.edition.get_or_insert(edition);
        self.rows.retain(|other| other.behaviour != row.behaviour);
        if self.edition.is_some_and(|e| e.behaviours().has(row.behaviour) != row.value) {
            self.rows.push(row);
            self.rows.sort_by_key(|row| row.behaviour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<String> {
        read(&SourceFile::new(FILE, text))
            .err()
            .unwrap_or_default()
            .iter()
            .map(|p| p.code.to_string())
            .collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut overlay = Overlay::default();
        let row = |behaviour, value| Accepted {
            behaviour,
            value,
            reason: "removed: \"yes\"".into(),
            date: "2026-07-01".into(),
        };
        overlay.accept(Edition::MidJune, row(Behaviour::BillingRoute, false));
        overlay.accept(Edition::MidJune, row(Behaviour::HibernateWakes, true));
        assert_eq!(read(&SourceFile::new(FILE, overlay.text())), Ok(overlay.clone()));
        overlay.accept(Edition::MidJune, row(Behaviour::BillingRoute, true));
        assert_eq!(overlay.rows.len(), 1, "it is the edition's own again");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_code() {
        let row = |behaviour: &str, value: &str| {
            format!("  - {{behaviour: {behaviour}, value: {value}, reason: r, date: 2026-07-01}}\n")
        };
        let file = |rows: &str| format!("edition: mid-june\naccepted:\n{rows}");
        for (text, code) in [
            (file(&row("billing-rout", "off")), "contract::unknown-behaviour"),
            (file(&row("billing-route", "on")), "contract::no-drift"),
            (file(&(row("billing-route", "off") + &row("billing-route", "off"))), "contract::contradiction"),
            (file(&row("billing-route", "perhaps")), "contract::wrong-type"),
            (
                file("  - {behaviour: billing-route, value: off, reason: r, date: yesterday}\n"),
                "contract::date",
            ),
            (
                file("  - {behaviour: billing-route, value: off, reason: '', date: 2026-07-01}\n"),
                "contract::missing-field",
            ),
            ("edition: mid-may\naccepted: []\n".to_owned(), "contract::unknown-edition"),
            ("edition: mid-june\naccepted: []\nmore: 1\n".to_owned(), "contract::unknown-field"),
        ] {
            assert_eq!(codes(&text), [code], "{text}");
        }
        assert_eq!(codes("edition: mid-june\naccepted: []\n"), Vec::<String>::new());
    }
}
