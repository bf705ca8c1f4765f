//! Registers that were refused: by status and by the server's own sentence, in whose words ever.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use super::parts::{part, short_time};
use crate::domain::Status;
use crate::domain::time::written_at;
use crate::event::Symptoms;
use crate::mechanism::facts::Facts;
use crate::platform::record::text;

/// The server's own sentences (contract §5.1), and the status that they come with.
const SENTENCES: [(&str, &str); 12] = [
    ("cannot be resolved", "400"),
    ("url targets a blocked address", "400"),
    ("url is required for push-mode", "400"),
    ("delivery_mode must be", "400"),
    ("reason=invalid_json", "400"),
    ("reason=invalid_delivery_mode", "400"),
    ("reason=url_required_for_push", "400"),
    ("reason=url_validate_failed", "400"),
    ("invalid workspace auth token", "401"),
    ("missing workspace auth token", "401"),
    ("workspace re-registering", "410"),
    ("registration failed", "500"),
];
/// Said of the register, whatever else the log speaks of.
const SILENCE: &str = "no-answer";

/// Statuses that a register was refused with, and the lines that say so.
pub(super) fn add(symptoms: &Symptoms, facts: &mut Facts) {
    let id = symptoms.workspace.as_ref().map(|w| w.id.as_str()).unwrap_or_default();
    let mut statuses = BTreeSet::new();
    let mut lines = Vec::new();
    let own = ["instance.log", "container.log"].iter().flat_map(|log| facts.get(log).unwrap_or_default());
    // The server speaks of everybody: only what names the workspace is about its register.
    let server =
        facts.get("server.log").unwrap_or_default().iter().filter(|l| !id.is_empty() && l.contains(id));
    let nameless = nameless(symptoms);
    for line in own.chain(server).chain(&nameless) {
        let Some(status) = refusal(line) else { continue };
        statuses.insert(status);
        if !lines.contains(line) {
            lines.push(line.clone());
        }
    }
    facts.list("register.refused", statuses);
    facts.list("register.said", lines);
}

/// Lines of the server about a register that name no workspace (`boot_register_failed status=401`). They are about this
/// one where nobody else is there who could have registered since it was online last. A new instance has often said nothing yet
/// when the evidence is gathered, and what the one before it said went with it.
fn nameless(symptoms: &Symptoms) -> Vec<String> {
    let others = part(symptoms, "neighbours").and_then(Value::as_array);
    let online = part(symptoms, "events").and_then(Value::as_array).and_then(|rows| {
        let row = rows.iter().find(|row| text(row, "event_type") == "WORKSPACE_ONLINE")?;
        text(row, "created_at").parse::<Timestamp>().ok()
    });
    let log = part(symptoms, "server log").and_then(|log| log.get("lines")?.as_array());
    let (Some(others), Some(online), Some(log)) = (others, online, log) else { return Vec::new() };
    // A workspace of ours that waits for an agent has none that registers; what any other did meanwhile its row does not say.
    let silent = |row: &Value| {
        row.get("ours").and_then(Value::as_bool) == Some(true)
            && text(row, "status") == Status::AwaitingAgent.as_str()
    };
    if !others.iter().all(silent) {
        return Vec::new();
    }
    let since = |line: &&str| written_at(line).is_some_and(|at| at > online);
    let said = log.iter().filter_map(Value::as_str).filter(|line| line.contains("boot_register_failed"));
    said.filter(since).map(short_time).collect()
}

/// The status by which a line says that a register was refused; `no-answer` when it got none.
fn refusal(line: &str) -> Option<String> {
    static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        // `register refused with 401`, `POST /registry/register: 503`, `boot_register_failed status=400`.
        Regex::new(r"(?i)regist(?:er|ration|ering|ry)\b.{0,80}?\b([345]\d\d)\b|registry_register_(\d{3})|boot_register_failed status=(\d{3})").ok()
    });
    static BEFORE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)\b([45]\d\d)\b.{0,40}\bregist(?:er|ration|ering)\b").ok());
    static SILENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)regist(?:er|ration|ering)\b.{0,120}(timed?[ -]?out|connection refused|no route|unreachable|name or service not known|failed to lookup|could not resolve|connection reset)").ok()
    });
    let lower = line.to_lowercase();
    if !lower.contains("regist") {
        let (_, status) = SENTENCES.iter().find(|(sentence, _)| lower.contains(sentence))?;
        return Some((*status).to_owned());
    }
    let captured = |pattern: &Option<Regex>| {
        let found = pattern.as_ref()?.captures(line)?;
        found.iter().skip(1).flatten().next().map(|m| m.as_str().to_owned())
    };
    if SILENT.as_ref().is_some_and(|silent| silent.is_match(line)) {
        return Some(SILENCE.to_owned());
    }
    captured(&STATUS)
        .or_else(|| captured(&BEFORE))
        .or_else(|| SENTENCES.iter().find(|(s, _)| lower.contains(s)).map(|(_, status)| (*status).to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::{Evidence, EvidencePart};

    #[test]
    fn a_line_without_a_name_is_about_who_alone_could_have_registered() {
        let seen = |others: Value, at: &str| {
            let part = |name: &str, data| EvidencePart { name: name.into(), data, ..EvidencePart::default() };
            let event = |kind: &str, at: &str| json!({ "event_type": kind, "created_at": at });
            let parts = vec![
                part("neighbours", others),
                part(
                    "events",
                    json!([
                        event("WORKSPACE_OFFLINE", "2026-06-15T10:00:07Z"),
                        event("WORKSPACE_ONLINE", "2026-06-15T10:00:02Z"),
                    ]),
                ),
                part("server log", json!({ "lines": [format!("{at} boot_register_failed status=401")] })),
            ];
            let evidence = Evidence { parts, ..Evidence::default() };
            let mut facts = Facts::default();
            add(&Symptoms { evidence, ..Symptoms::default() }, &mut facts);
            facts.get("register.refused").unwrap_or_default().join(" ")
        };
        let root = json!({ "status": "awaiting_agent", "ours": true });
        let other = |status: &str| json!({ "status": status, "ours": false });
        for (others, at, wanted) in [
            (json!([root]), "2026-06-15T10:00:06.5Z", "401"),
            (json!([]), "2026/06/15 10:00:06", "401"),
            (json!([root, other("online")]), "2026-06-15T10:00:06.5Z", ""),
            (json!([root, other("provisioning")]), "2026-06-15T10:00:06.5Z", ""),
            (json!([root, other("awaiting_agent")]), "2026-06-15T10:00:06.5Z", ""),
            (json!([root]), "2026-06-15T10:00:01Z", ""),
            (json!([root]), "10:00:06", ""),
        ] {
            assert_eq!(seen(others.clone(), at), wanted, "{others} {at}");
        }
    }

    #[test]
    fn refusals_in_whose_words_ever() {
        for (line, wanted) in [
            ("12:00:00 register answered 401", Some("401")),
            ("register refused with 400: workspace URL hostname \"a1b2\" cannot be resolved", Some("400")),
            ("POST /registry/register -> 503 Service Unavailable", Some("503")),
            ("HTTP 401 from register endpoint, giving up", Some("401")),
            ("boot_register_failed status=400 workspace=w", Some("400")),
            ("registry_register_400 workspace=w reason=url_validate_failed", Some("400")),
            ("{\"error\":\"invalid workspace auth token\"}", Some("401")),
            ("registration error: connect ETIMEDOUT: timeout", Some("no-answer")),
            ("register: connection refused", Some("no-answer")),
            ("registered after 3 tries", None),
            ("registered with the platform in 200 ms", None),
            ("listening on 8000", None),
            ("GET /v1/models 401", None),
        ] {
            assert_eq!(refusal(line).as_deref(), wanted, "{line}");
        }
    }
}
