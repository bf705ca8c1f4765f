//! Whether what answers now is a new instance: evidence, best first (DESIGN §3).

use std::collections::BTreeSet;

use serde_json::Value;

use super::heard::StreamEvent;
use crate::clock::Instant;
use crate::domain::instance::same;
use crate::event::ProofKind;

/// What is known of the instance before an edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Baseline {
    /// Container id and start time, or another id that changes with the instance.
    pub instance: Option<String>,
    /// Why nobody could see whether there was one: what is there now may be it.
    pub unseen: Option<String>,
    /// The URL that the record showed, of a workspace at rest the last one that it had.
    pub url: String,
    /// The record showed no URL: what is up later has left that state.
    pub at_rest: bool,
    /// The uptime that the record showed.
    pub uptime: Option<i64>,
    /// So many seconds old the instance was at the edge at least: its uptime, and how long that had been known.
    pub age: Option<i64>,
    /// Runtime and parent that the record showed: an edge changes neither.
    pub identity: Value,
    /// When the edge was asked for.
    pub edge_at: Option<Instant>,
    /// The event stream was open before the edge, since this instant.
    pub stream_since: Option<Instant>,
    /// Events that the platform had stored by then, where no stream was open and they could be read.
    pub stored: Option<BTreeSet<String>>,
}

impl Baseline {
    /// How old the instance was at the edge at least, in seconds.
    fn oldness(&self) -> Option<i64> {
        self.age.or(self.uptime)
    }

    /// Whether this is the instance from before the edge.
    pub(crate) fn holds(&self, instance: &str) -> bool {
        self.instance.as_deref().is_some_and(|old| same(old, instance))
    }
}

/// What is known of the instance now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Current<'a> {
    /// Container id and start time, if they can be had.
    pub instance: Option<&'a str>,
    /// The record.
    pub record: Option<&'a Value>,
    /// Events since the edge.
    pub events: &'a [StreamEvent],
    /// Since when the stream has been open without a gap.
    pub stream_since: Option<Instant>,
    /// So many seconds have passed on the platform's clock since the edge was asked for.
    pub since_edge: Option<i64>,
    /// So many had passed when the uptime that the record shows was certainly not reported yet.
    pub reported_after: Option<i64>,
    /// Its uptimes are no instance's: one was older than the workspace, as that of a machine is.
    pub ageless: bool,
    /// The platform has stored that it came up since the edge.
    pub stored: bool,
}

/// When the uptimes that a record shows were seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beats {
    /// The address that showed them: another one begins anew.
    url: String,
    /// The highest, and when a look last showed it.
    highest: Option<(i64, Instant)>,
    /// When a look last showed a lower one: the highest was reported after that.
    lower: Option<Instant>,
}

impl Beats {
    /// A look that began then showed this uptime.
    pub(crate) fn saw(&mut self, uptime: Option<i64>, url: &str, at: Instant) {
        let Some(uptime) = uptime else { return };
        if url != self.url {
            *self = Beats { url: url.to_owned(), ..Beats::default() };
        }
        match self.highest {
            Some((highest, _)) if uptime < highest => {}
            Some((highest, last)) if uptime > highest => {
                (self.lower, self.highest) = (Some(last), Some((uptime, at)));
            }
            _ => self.highest = Some((uptime, at)),
        }
    }

    /// After which moment an uptime was reported, if it is the highest and another was seen before.
    pub(crate) fn reported_after(&self, uptime: Option<i64>) -> Option<Instant> {
        self.lower.filter(|_| self.highest.map(|(highest, _)| highest) == uptime)
    }
}

/// An agent that counts whole seconds, and a platform that passes on what it said a moment ago.
const ROUNDING: i64 = 2;
/// A copy of the row may show an uptime so much later than it was reported.
pub(crate) const LAG: i64 = 3;

impl Current<'_> {
    /// The uptime that the record shows, where it is an instance's.
    fn uptime(&self) -> Option<i64> {
        self.record.and_then(|r| r.get("uptime_seconds")).and_then(Value::as_i64).filter(|_| !self.ageless)
    }

    /// Whether an instance with this uptime can have been made by the edge: none is older than its edge, and whoever
    /// reads from a copy that lags sees an uptime fall without any.
    fn may_be_as_young(&self, uptime: i64) -> bool {
        self.since_edge.is_none_or(|since| uptime <= since + ROUNDING)
    }

    /// Whether an uptime can only be a younger instance's: when it was reported, the old one was older than that.
    fn grew_young(&self, before: &Baseline, uptime: i64) -> bool {
        let old = self.reported_after.zip(before.oldness()).map(|(after, age)| after + age);
        old.is_some_and(|old| uptime + LAG < old)
    }

    /// Whether an uptime that was reported after the edge is an old instance's.
    fn is_alive_still(&self, before: &Baseline, uptime: i64) -> bool {
        before.uptime.is_some_and(|old| uptime > old)
            && self.reported_after.is_some()
            && self.is_too_old(uptime)
            && !self.grew_young(before, uptime)
    }

    /// Whether an uptime is one of an instance from before the edge.
    pub(crate) fn is_too_old(&self, uptime: i64) -> bool {
        !self.ageless && !self.may_be_as_young(uptime)
    }
}

/// What proves a new instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// Which evidence.
    pub kind: ProofKind,
    /// For people: `url a → b`.
    pub text: String,
}

/// Why nothing proves a new instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotNew {
    /// It is the one from before the edge.
    #[error("still the old instance ({0})")]
    Old(String),
    /// The row has no URL.
    #[error("no URL yet")]
    NoUrl,
    /// No evidence either way.
    #[error("the same URL {url} and uptime {uptime} s: nothing tells a new instance from the old one")]
    Unknown {
        /// What the row shows.
        url: String,
        /// What the row shows.
        uptime: String,
    },
    /// It is there and has not said a word.
    #[error("the new instance has not spoken: no registration, and the uptime is still the old {0} s")]
    Silent(i64),
}

/// Whether an uptime is older than a workspace that was asked for so many seconds ago: then it is not its instance's.
pub(crate) fn outlives_workspace(uptime: i64, age: i64) -> bool {
    uptime > age.saturating_add(ROUNDING)
}

/// What shows that the instance from before the edge goes on, whatever has proven a new one: its uptime does.
pub(crate) fn goes_on(before: &Baseline, now: &Current<'_>) -> Option<String> {
    let uptime = now.uptime().filter(|uptime| now.is_alive_still(before, *uptime))?;
    let since = now.since_edge.unwrap_or_default();
    Some(format!("its uptime went on to {uptime} s, {since} s after the edge"))
}

/// Whether stored events, newest first, have a start since the edge that came online: those that were there before it
/// tell nothing.
pub(crate) fn came_online(before: &BTreeSet<String>, rows: &[Value]) -> bool {
    let text =
        |row: &Value, field: &str| row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let fresh = rows.iter().rev().filter(|row| !before.contains(&stored_id(row)));
    let mut provisioning = false;
    fresh.into_iter().any(|row| {
        let kind = text(row, "event_type");
        provisioning |= kind == "WORKSPACE_PROVISIONING";
        let url = row.pointer("/payload/url").and_then(Value::as_str).unwrap_or_default();
        provisioning && kind == "WORKSPACE_ONLINE" && !url.is_empty()
    })
}

/// What a stored event is known by.
pub(crate) fn stored_id(row: &Value) -> String {
    match row.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(id) if !id.is_null() => id.to_string(),
        _ => format!(
            "{} {}",
            row.get("created_at").unwrap_or_default(),
            row.get("event_type").unwrap_or_default()
        ),
    }
}

/// What proves a new instance, or why nothing does.
///
/// # Errors
/// What was there instead: old, absent, or no evidence either way.
pub(crate) fn is_new(before: &Baseline, now: &Current<'_>) -> Result<Proof, NotNew> {
    let proof = |kind, text| Ok(Proof { kind, text });
    if let (Some(old), Some(new)) = (&before.instance, now.instance) {
        // The best evidence decides alone, both ways.
        return if same(old, new) {
            Err(NotNew::Old(short(new).to_owned()))
        } else {
            proof(ProofKind::Instance, format!("instance {} → {}", short(old), short(new)))
        };
    }
    let url = now.record.and_then(|r| r.get("url")).and_then(Value::as_str).unwrap_or_default();
    let uptime = now.uptime();
    // Whoever goes on counting is the old one, at whatever address.
    if let Some(how) = goes_on(before, now) {
        return Err(NotNew::Old(how));
    }
    if !url.is_empty() && url != before.url {
        let text = if before.url.is_empty() {
            format!("url {url}")
        } else {
            format!("url {} → {url}", before.url)
        };
        return proof(ProofKind::Url, text);
    }
    if stream_shows_it(before, now) {
        return proof(ProofKind::Stream, "PROVISIONING, then ONLINE with a URL, on the stream".to_owned());
    }
    if now.stored {
        return proof(
            ProofKind::Stream,
            "PROVISIONING, then ONLINE with a URL, in the stored events".to_owned(),
        );
    }
    if let (Some(old), Some(new)) = (before.uptime, uptime)
        && new < old
        && now.may_be_as_young(new)
    {
        return proof(ProofKind::Uptime, format!("uptime {old} s → {new} s"));
    }
    if let Some(uptime) = uptime.filter(|uptime| now.grew_young(before, *uptime)) {
        let after = now.reported_after.unwrap_or_default();
        let age = before.oldness().unwrap_or_default();
        let text = format!(
            "an uptime of {uptime} s, reported more than {after} s after an edge at which the old one was {age} s old"
        );
        return proof(ProofKind::Uptime, text);
    }
    Err(match url {
        "" => NotNew::NoUrl,
        _ => NotNew::Unknown {
            url: url.to_owned(),
            uptime: uptime.map_or_else(|| "?".to_owned(), |u| u.to_string()),
        },
    })
}

/// When a new instance was first proven, and the uptime that the record still showed then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proven {
    /// When.
    pub at: Instant,
    /// The old instance's last word, as a rule.
    pub uptime: Option<i64>,
}

/// Whether the new instance itself has registered or sent a heartbeat. A late heartbeat of the old one turns the
/// row online too (contract §4), and the platform fills in the new URL before the new agent says a word.
///
/// # Errors
/// What is there instead.
pub(crate) fn has_spoken(before: &Baseline, now: &Current<'_>, proven: Proven) -> Result<(), NotNew> {
    let row = |field: &str| now.record.and_then(|r| r.get(field));
    let uptime = now.uptime();
    let url = row("url").and_then(Value::as_str).unwrap_or_default();
    // Only a registration announces ONLINE with a URL.
    let is_new = |event: &StreamEvent| event.url() != before.url || url == before.url;
    let registered = now.events.iter().any(|event| event.is_registration() && is_new(event));
    let heartbeat = now.events.iter().any(|e| e.kind == "WORKSPACE_HEARTBEAT" && e.at > proven.at);
    let (Some(old), Some(uptime)) = (before.uptime, uptime) else { return Ok(()) };
    let fell = uptime < old && now.may_be_as_young(uptime);
    if registered || heartbeat || fell || now.grew_young(before, uptime) || proven.uptime != Some(uptime) {
        return Ok(());
    }
    // Without a stream, an old uptime of 0 cannot be told from a new one.
    let watched = matches!((before.edge_at, now.stream_since), (Some(edge), Some(open)) if open < edge);
    if uptime == 0 && !watched {
        return Ok(());
    }
    Err(NotNew::Silent(uptime))
}

fn stream_shows_it(before: &Baseline, now: &Current<'_>) -> bool {
    let (Some(edge), Some(opened), Some(still)) = (before.edge_at, before.stream_since, now.stream_since)
    else {
        return false;
    };
    if opened >= edge || still != opened {
        return false;
    }
    let mut provisioning = false;
    now.events.iter().filter(|e| e.at >= edge).any(|event| {
        provisioning |= event.kind == "WORKSPACE_PROVISIONING";
        provisioning && event.is_registration()
    })
}

fn short(instance: &str) -> &str {
    instance.get(..12).unwrap_or(instance)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn event(at: Instant, kind: &str, payload: Value) -> StreamEvent {
        StreamEvent { at, kind: kind.into(), payload }
    }

    #[test]
    fn a_row_that_the_old_instance_turned_online_is_not_enough() {
        let edge = Instant::now();
        let at = |ms: u64| edge + Duration::from_millis(ms);
        let before = Baseline {
            url: "http://localhost:1".into(),
            uptime: Some(27),
            edge_at: Some(edge),
            ..Baseline::default()
        };
        let fresh = Baseline { uptime: Some(0), ..before.clone() };
        let unknown = Baseline { uptime: None, ..before.clone() };
        let row = |uptime: i64| json!({ "url": "http://localhost:2", "uptime_seconds": uptime });
        let proven = |uptime: i64| Proven { at: at(10), uptime: Some(uptime) };
        let online = |url: &str| vec![event(at(5), "WORKSPACE_ONLINE", json!({ "url": url }))];
        let beat = |ms: u64| vec![event(at(ms), "WORKSPACE_HEARTBEAT", json!({ "uptime_seconds": 27 }))];
        let open = edge.checked_sub(Duration::from_secs(1));
        let table = [
            ("the old uptime, nothing else", &before, 27, vec![], open, proven(27), false),
            ("the same without a stream", &before, 27, vec![], None, proven(27), false),
            ("the uptime fell", &before, 0, vec![], open, proven(27), true),
            ("it fell to what the old one may have", &before, 25, vec![], open, proven(25), false),
            ("the uptime moved since", &before, 40, vec![], open, proven(27), true),
            ("the old one's last heartbeat came before", &before, 29, vec![], open, proven(29), false),
            ("registered", &before, 27, online("http://localhost:2"), open, proven(27), true),
            ("the old one registered", &before, 27, online("http://localhost:1"), open, proven(27), false),
            ("online without a URL", &before, 27, online(""), open, proven(27), false),
            ("a heartbeat since", &before, 27, beat(11), open, proven(27), true),
            ("a heartbeat from before", &before, 27, beat(9), open, proven(27), false),
            ("zero on both sides, watched", &fresh, 0, vec![], open, proven(0), false),
            ("zero on both sides, unwatched", &fresh, 0, vec![], None, proven(0), true),
            ("an uptime that nobody knew", &unknown, 27, vec![], open, proven(27), true),
        ];
        for (name, before, uptime, events, stream_since, proven, spoken) in table {
            let row = row(uptime);
            let now = Current {
                record: Some(&row),
                events: &events,
                stream_since,
                since_edge: Some(5),
                ..Current::default()
            };
            assert_eq!(has_spoken(before, &now, proven).is_ok(), spoken, "{name}");
        }
    }

    #[test]
    fn an_uptime_is_reported_after_a_lower_one_was_seen() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut beats = Beats::default();
        for (second, uptime, after) in [
            (1, Some(5), None),
            (2, None, None),
            (3, Some(5), None),
            (4, Some(9), Some(3)),
            // A copy that lags shows an older one again.
            (5, Some(5), None),
            (6, Some(9), Some(3)),
            (7, Some(12), Some(6)),
        ] {
            beats.saw(uptime, "http://a", at(second));
            assert_eq!(beats.reported_after(uptime), after.map(at), "after {second} s");
        }
    }

    #[test]
    fn stored_events_tell_of_an_instance_that_came_up_since() {
        let row = |id: u64, kind: &str, url: &str| json!({ "id": id, "event_type": format!("WORKSPACE_{kind}"), "payload": { "url": url } });
        let before = [row(2, "ONLINE", "http://a"), row(1, "PROVISIONING", "")];
        let known: BTreeSet<String> = before.iter().map(stored_id).collect();
        for (name, fresh, came) in [
            ("nothing since", vec![], false),
            ("only a start", vec![row(3, "PROVISIONING", "")], false),
            ("an end and no start", vec![row(3, "ONLINE", "http://a")], false),
            (
                "a start that came online",
                vec![row(4, "ONLINE", "http://a"), row(3, "PROVISIONING", "")],
                true,
            ),
            ("online by a heartbeat", vec![row(4, "ONLINE", ""), row(3, "PROVISIONING", "")], false),
            ("a start after it", vec![row(4, "PROVISIONING", ""), row(3, "ONLINE", "http://a")], false),
        ] {
            let rows: Vec<Value> = fresh.into_iter().chain(before.clone()).collect();
            assert_eq!(came_online(&known, &rows), came, "{name}");
        }
        assert_ne!(stored_id(&json!({ "created_at": "a" })), stored_id(&json!({ "created_at": "b" })));
        assert!(outlives_workspace(90, 30) && !outlives_workspace(31, 30));
    }

    #[test]
    fn evidence_best_first() {
        let edge = Instant::now();
        let opened = edge.checked_sub(Duration::from_secs(1)).unwrap();
        let before = Baseline {
            instance: Some("old-instance".into()),
            url: "http://localhost:1".into(),
            uptime: Some(22),
            edge_at: Some(edge),
            stream_since: Some(opened),
            ..Baseline::default()
        };
        let unseen = Baseline { instance: None, ..before.clone() };
        let rested = Baseline { uptime: Some(0), age: Some(6), ..unseen.clone() };
        let second = json!({ "url": "http://localhost:1", "uptime_seconds": 1 });
        let same = json!({ "url": "http://localhost:1", "uptime_seconds": 22 });
        let moved = json!({ "url": "http://localhost:2", "uptime_seconds": 22 });
        let young = json!({ "url": "http://localhost:1", "uptime_seconds": 0 });
        let lagging = json!({ "url": "http://localhost:1", "uptime_seconds": 20 });
        let grown = json!({ "url": "http://localhost:1", "uptime_seconds": 30 });
        let gone_on = json!({ "url": "http://localhost:2", "uptime_seconds": 30 });
        let absent = json!({ "url": "", "uptime_seconds": 22 });
        let seen = [
            event(edge, "WORKSPACE_PROVISIONING", json!({})),
            event(edge, "WORKSPACE_ONLINE", json!({ "url": "http://localhost:1" })),
        ];
        let backwards = [seen[1].clone(), seen[0].clone()];
        let late = Some(edge + Duration::from_secs(1));
        let table: [(&str, &Baseline, Current<'_>, bool); 24] = [
            (
                "same container beats a new URL",
                &before,
                Current { instance: Some("old-instance"), record: Some(&moved), ..Current::default() },
                false,
            ),
            (
                "new container",
                &before,
                Current { instance: Some("new-instance"), record: Some(&same), ..Current::default() },
                true,
            ),
            ("new URL", &unseen, Current { record: Some(&moved), ..Current::default() }, true),
            ("same URL", &unseen, Current { record: Some(&same), ..Current::default() }, false),
            ("uptime fell", &unseen, Current { record: Some(&young), ..Current::default() }, true),
            (
                "uptime of a copy that lags",
                &unseen,
                Current { record: Some(&lagging), since_edge: Some(1), ..Current::default() },
                false,
            ),
            (
                "uptime that is no older than the edge",
                &unseen,
                Current { record: Some(&lagging), since_edge: Some(18), ..Current::default() },
                true,
            ),
            (
                "uptime that the old one was past when it was reported",
                &unseen,
                Current { record: Some(&grown), reported_after: Some(40), ..Current::default() },
                true,
            ),
            (
                "uptime that the old one may have reported",
                &unseen,
                Current { record: Some(&grown), reported_after: Some(10), ..Current::default() },
                false,
            ),
            (
                "uptime of a new one, and one before that was known for longer",
                &rested,
                Current {
                    record: Some(&second),
                    since_edge: Some(2),
                    reported_after: Some(4),
                    ..Current::default()
                },
                true,
            ),
            (
                "the same without that",
                &Baseline { age: None, ..rested.clone() },
                Current {
                    record: Some(&second),
                    since_edge: Some(2),
                    reported_after: Some(4),
                    ..Current::default()
                },
                false,
            ),
            (
                "the old one, which went on",
                &rested,
                Current {
                    record: Some(&grown),
                    since_edge: Some(24),
                    reported_after: Some(24),
                    ..Current::default()
                },
                false,
            ),
            ("no URL, old uptime", &unseen, Current { record: Some(&absent), ..Current::default() }, false),
            (
                "stream",
                &unseen,
                Current {
                    record: Some(&same),
                    events: &seen,
                    stream_since: Some(opened),
                    ..Current::default()
                },
                true,
            ),
            (
                "stream, and an old one that goes on to speak",
                &unseen,
                Current {
                    record: Some(&grown),
                    events: &seen,
                    stream_since: Some(opened),
                    since_edge: Some(8),
                    reported_after: Some(4),
                    ..Current::default()
                },
                false,
            ),
            (
                "stream, and an uptime that may have been on its way at the edge",
                &unseen,
                Current {
                    record: Some(&grown),
                    events: &seen,
                    stream_since: Some(opened),
                    since_edge: Some(8),
                    ..Current::default()
                },
                true,
            ),
            (
                "stream in the wrong order",
                &unseen,
                Current {
                    record: Some(&same),
                    events: &backwards,
                    stream_since: Some(opened),
                    ..Current::default()
                },
                false,
            ),
            (
                "stream with a gap",
                &unseen,
                Current { record: Some(&same), events: &seen, stream_since: late, ..Current::default() },
                false,
            ),
            (
                "no stream",
                &unseen,
                Current { record: Some(&same), events: &seen, ..Current::default() },
                false,
            ),
            (
                "a new URL, and an old one that goes on to speak there",
                &unseen,
                Current {
                    record: Some(&gone_on),
                    since_edge: Some(8),
                    reported_after: Some(4),
                    ..Current::default()
                },
                false,
            ),
            (
                "a new URL, and what the old one may have said before",
                &unseen,
                Current { record: Some(&gone_on), since_edge: Some(8), ..Current::default() },
                true,
            ),
            (
                "a new URL, and a machine's uptime",
                &unseen,
                Current {
                    record: Some(&gone_on),
                    since_edge: Some(8),
                    reported_after: Some(4),
                    ageless: true,
                    ..Current::default()
                },
                true,
            ),
            (
                "stored events",
                &unseen,
                Current { record: Some(&same), stored: true, ..Current::default() },
                true,
            ),
            ("nothing", &unseen, Current::default(), false),
        ];
        for (name, before, now, new) in table {
            assert_eq!(is_new(before, &now).is_ok(), new, "{name}: {:?}", is_new(before, &now));
        }
    }
}
