//! What was sent and answered in the failed step.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::Value;

use super::parts::{part, yes};
use crate::domain::Transport;
use crate::domain::answers::{ASK_ANOTHER, ASK_ONCE_MORE, KNOWN, LOOK_FOR_ANOTHER};
use crate::event::{Body, Ended, Exchange, Symptoms};
use crate::mechanism::facts::Facts;
use crate::mechanism::said;
use crate::platform::record::{self, Reply, text};
use crate::platform::row::Row as _;
use crate::redact::excerpt_of_redacted as excerpt;

/// A quoted body is not longer than this.
const MAX_BODY: usize = 400;
/// An answer that is waited for shorter than this, in milliseconds, was cut off rather than missed.
const PATIENCE: u64 = 2_000;
/// Larger bodies may have been kept as the beginning of their text, JSON or not.
const CUT: u64 = 8 << 10;

/// What is sent after the answer that decides, to understand it: it decides nothing itself.
const AFTERWARDS: [&str; 6] = [
    "look for the lost answer",
    "look for the name",
    "read the name back",
    ASK_ONCE_MORE,
    ASK_ANOTHER,
    LOOK_FOR_ANOTHER,
];
/// What asks for an answer of the agent.
const MESSAGES: [&str; 3] = ["message", "follow the queued message", "follow the task"];

pub(super) fn add(symptoms: &Symptoms, facts: &mut Facts) {
    transport(symptoms, facts);
    sent(symptoms, facts);
    let heard = heard(symptoms);
    let Some(last) = marked(symptoms, &heard).or(heard.last().copied()) else {
        if symptoms.exchanges_whole {
            facts.list("http.purpose", []);
        }
        return;
    };
    let statuses = heard.iter().filter_map(|e| e.status);
    facts.list("http.statuses", statuses.map(|s| s.to_string()));
    decisive(last, facts);
    reply(symptoms, &heard, facts);
    secrets(&symptoms.exchanges, facts);
}

/// Exchanges without those that the end of the step cut off: beside one that was answered, or waited for in
/// earnest, an impatience of a moment says nothing about the server.
fn heard(symptoms: &Symptoms) -> Vec<&Exchange> {
    let exchanges = &symptoms.exchanges;
    let answered = exchanges.iter().any(|e| e.status.is_some() || e.took_ms >= PATIENCE);
    let cut = |e: &&Exchange| {
        let out_of_time = e.error_kind == Some(Transport::TimedOut);
        answered && out_of_time && e.took_ms < PATIENCE
    };
    exchanges.iter().filter(|e| !cut(e) && !AFTERWARDS.contains(&e.purpose.as_str())).collect()
}

/// The exchange that a step says decided, unless it was cut off.
fn marked<'s>(symptoms: &'s Symptoms, heard: &[&'s Exchange]) -> Option<&'s Exchange> {
    let marked = symptoms.decisive.and_then(|at| symptoms.exchanges.get(at))?;
    heard.iter().any(|one| std::ptr::eq(*one, marked)).then_some(marked)
}

/// Why no answer came: of the exchanges, and of the looks of a wait that got none at all.
fn transport(symptoms: &Symptoms, facts: &mut Facts) {
    let heard = heard(symptoms);
    let mut errors: Vec<String> = heard.iter().filter_map(|e| e.error.clone()).collect();
    // An answer after it means that the error did not decide.
    if marked(symptoms, &heard).or(heard.last().copied()).is_some_and(|last| last.error.is_none()) {
        errors.clear();
    }
    if let Some(wait) = &symptoms.wait
        && (wait.stats.blind || wait.end == Ended::Dead)
        && wait.stats.last_error_kind.is_some()
    {
        errors.extend(wait.stats.last_error.clone());
    }
    if !symptoms.exchanges.is_empty() || symptoms.wait.is_some() {
        facts.list("transport", errors);
    }
}

/// The create's request: of the workspace that was made, or of the create that was refused.
fn sent(symptoms: &Symptoms, facts: &mut Facts) {
    let refused = symptoms.exchanges.iter().rev().find(|e| e.purpose == "create");
    let refused = refused.and_then(|e| e.request.as_ref()?.json.as_ref());
    let Some(body) = part(symptoms, "sent").filter(|b| b.is_object()).or(refused) else { return };
    facts.set("sent.runtime", text(body, "runtime"));
    facts.set("sent.model", text(body, "model"));
    if let Some(fields) = part(symptoms, "record").filter(|fields| fields.is_object()) {
        let stored = |name: &str| fields.get(name).and_then(|known| known.get("value")).cloned();
        let row = |name: &str| (name.to_owned(), stored(name).unwrap_or_default());
        let row = Value::Object(["runtime", "parent_id"].map(row).into_iter().collect());
        facts.list("sent.unlike", row.unlike(body).map(|one| one.to_string()));
    }
    let names = body.get("secrets").and_then(Value::as_object).map(|s| s.keys().cloned().collect::<Vec<_>>());
    let real = |name: &String| !name.starts_with("LIFECYCLE_");
    facts.list("sent.secrets", names.unwrap_or_default().into_iter().filter(real));
    facts.set("sent.external", yes(body.get("external").and_then(Value::as_bool).unwrap_or(false)));
}

fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn shown(body: Option<&Body>) -> String {
    match body {
        Some(Body { json: Some(json), .. }) => excerpt(&json.to_string(), MAX_BODY),
        Some(Body { text: Some(text), .. }) => excerpt(text, MAX_BODY),
        _ => String::new(),
    }
}

/// JSON that ends in its middle.
fn breaks_off(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<Value>(text).is_err_and(|error| error.is_eof())
}

fn decisive(last: &Exchange, facts: &mut Facts) {
    facts.set("http.purpose", last.purpose.clone());
    let request = format!("{} {}", last.method, path(&last.url));
    facts.set("http.request", request.clone());
    facts.set("http.as", last.identity.clone());
    let Some(status) = last.status else { return };
    facts.set("http.status", status.to_string());
    facts.set("http.type", last.headers.get("content-type").cloned().unwrap_or_default());
    let json = last.response.as_ref().and_then(|b| b.json.as_ref());
    let bytes = last.response.as_ref().map_or(0, |b| b.bytes);
    // A body that was cut is neither proven to be JSON nor to be none.
    let cut = json.is_none() && bytes > CUT;
    if !cut {
        facts.set("http.json", yes(json.is_some()));
    }
    let written = last.response.as_ref().and_then(|body| body.text.as_deref()).unwrap_or_default();
    facts.set("http.broken_off", yes(!cut && json.is_none() && breaks_off(written)));
    facts.set("http.code", json.map(|j| text(j, "code")).unwrap_or_default());
    facts.set("http.error", json.map(|j| text(j, "error")).unwrap_or_default());
    facts.set("http.text", shown(last.response.as_ref()));
    if status == 429 {
        let header = |name: &str| last.headers.get(name).map(String::as_str);
        let left = ["x-ratelimit-remaining", "ratelimit-remaining"].into_iter().find_map(header);
        let of_rate = |error: &str| {
            let error = error.to_lowercase();
            ["rate", "too many requests", "throttl", "slow down"].iter().any(|word| error.contains(word))
        };
        let words = json.is_none_or(|j| of_rate(text(j, "error")));
        let later = header("retry-after").is_some() || left.is_some_and(|left| left.trim() == "0");
        match (later || words, left) {
            (true, _) => facts.set("http.rate", "spent"),
            (false, Some(_)) => facts.set("http.rate", "unspent"),
            // Nothing says which of the two it is.
            (false, None) => {}
        }
    }
    let list = |name: &str| json.and_then(|j| j.get(name)?.as_array()).into_iter().flatten();
    facts.list("http.missing", list("missing").filter_map(Value::as_str).map(str::to_owned));
    let stage = |failure: &&Value| !text(failure, "stage").is_empty();
    facts.list("http.stages", list("failures").filter(stage).map(|f| text(f, "stage").to_owned()));
    let line = |f: &Value| format!("{}: {}", text(f, "stage"), excerpt(text(f, "error"), 160));
    facts.list("http.failures", list("failures").filter(stage).map(line));
    let said = record::error(json).unwrap_or_else(|| match bytes {
        0 => "an empty body".to_owned(),
        _ => excerpt(&shown(last.response.as_ref()), 160),
    });
    facts.set("http.answered", format!("{request} → {status}: {said}"));
}

/// The newest answer to a message, followed through the queue.
fn reply(symptoms: &Symptoms, heard: &[&Exchange], facts: &mut Facts) {
    let Some(last) = heard.iter().rev().find(|e| MESSAGES.contains(&e.purpose.as_str())) else { return };
    let look = |sent: &str, look: &str| logged(symptoms, sent, look);
    let first = look(MESSAGES[0], AFTERWARDS[0]);
    facts.list("message.logged", first.map(|logged| yes(logged.message)));
    let another = symptoms.exchanges.iter().rev().find(|e| e.purpose == ASK_ANOTHER);
    let held = another.filter(|e| e.status.is_none()).and_then(|_| look(ASK_ANOTHER, LOOK_FOR_ANOTHER));
    facts.list("message.held_back", held.map(|logged| yes(logged.reply)));
    if last.status.is_none() {
        facts.set("reply.kind", "none");
        facts.set("reply.error", "none");
        return;
    }
    let Some(body) = last.response.as_ref().and_then(|b| b.json.as_ref()) else {
        facts.set("reply.kind", "no-json");
        facts.set("reply.error", "none");
        facts.set("reply.text", shown(last.response.as_ref()));
        return;
    };
    let queued = last.purpose == MESSAGES[1];
    let item = queued.then(|| text(body, "status")).filter(|status| !status.is_empty());
    facts.list("reply.queue", item.map(str::to_owned));
    let ended = item.is_some_and(|status| status != "completed");
    let body = body.get("response_body").filter(|b| b.is_object() && !ended).unwrap_or(body);
    let (kind, said) = match record::reply(body) {
        // The item itself: it says why it was given up, and is no reply.
        Reply::Platform(_) if queued && item.is_some() => ("queued", text(body, "last_error").to_owned()),
        Reply::Text(text) => ("text", text),
        Reply::RpcError(Some(code), text) => ("rpc-error", format!("{code} {text}")),
        Reply::RpcError(None, text) => ("rpc-error", text),
        Reply::NoText(kinds) => ("no-text", kinds),
        Reply::Task(state, text) => ("task", format!("{state}: {text}")),
        Reply::Queued | Reply::Followed(_) => ("queued", String::new()),
        Reply::Platform(text) => ("platform-error", text),
        Reply::Empty => ("empty", String::new()),
    };
    // A followed answer is one to the message that was sent.
    let sent = symptoms.exchanges.iter().rev().find(|e| e.purpose == MESSAGES[0]);
    let sent = sent.and_then(|e| e.request.as_ref()?.json.as_ref());
    let asked = sent.and_then(|sent| sent.pointer("/params/message/parts/0/text")?.as_str());
    let first = asked.and_then(|question| known(question, &said));
    let wrapped = record::wrapped_error_of(&said, first.is_some());
    let error = match kind {
        "text" if wrapped.is_none() && (first != Some("other") || !said::is_plain(&said)) => "none",
        "text" | "rpc-error" | "task" => said::kind(&said),
        _ => "none",
    };
    facts.set("reply.kind", kind);
    facts.set("reply.error", error);
    let second = symptoms.exchanges.iter().rev().find(|e| e.purpose == ASK_ONCE_MORE);
    if let Some(question) = asked {
        facts.list("reply.known", first.map(str::to_owned));
        let text = second.and_then(|e| e.response.as_ref()?.json.as_ref()).map(record::reply);
        if let Some(Reply::Text(text)) = text {
            facts.list("reply.second", known(question, &text).map(str::to_owned));
        }
    }
    facts.set("reply.text", said);
    // Whoever asks for a task asks under an id of its own.
    let own = last.request.as_ref().and_then(|b| b.json.as_ref()?.get("id"));
    let asked = own.or_else(|| sent.and_then(|sent| sent.get("id")));
    if let Some(same) = asked.and_then(|id| record::answers(body, id)) {
        facts.set("reply.same_request", yes(same));
    }
}

/// Whether the activity log has the message whose answer was lost: the platform writes it down before it calls the agent
/// (contract §7.2). `None`: nobody looked, or the log could not be read.
fn logged(symptoms: &Symptoms, purpose: &str, look: &str) -> Option<Logged> {
    let body = |exchange: &Exchange| exchange.request.as_ref()?.json.clone();
    let sent = symptoms.exchanges.iter().rev().find(|e| e.purpose == purpose).and_then(body)?;
    let id = sent.pointer("/params/message/messageId")?.as_str()?;
    let look = symptoms.exchanges.iter().rev().find(|e| e.purpose == look && e.status == Some(200))?;
    let rows = look.response.as_ref()?.json.as_ref()?.as_array()?;
    let is_it = |row: &&Value| {
        row.pointer("/request_body/params/message/messageId").and_then(Value::as_str) == Some(id)
    };
    let mine: Vec<&Value> = rows.iter().filter(is_it).collect();
    let is_reply = |row: &&Value| row.get("response_body").is_some_and(|reply| !reply.is_null());
    Some(Logged { message: !mine.is_empty(), reply: mine.iter().any(is_reply) })
}

/// What the activity log has of a message.
struct Logged {
    message: bool,
    reply: bool,
}

/// What a reply to a known question is.
fn known(question: &str, reply: &str) -> Option<&'static str> {
    let known = KNOWN.iter().find(|known| known.prompt == question)?;
    Some(match (known.is_in(reply), reply.contains(known.prompt)) {
        (true, _) => "right",
        (false, true) => "question",
        (false, false) => "other",
    })
}

/// Sentences of the platform's own on the route of messages (contract §7.2); an agent's string error stands there too.
const OWN: [&str; 20] = [
    "access denied",
    "agent returned empty response body",
    "failed to read agent response",
    "failed to reach workspace agent",
    "invalid a2a",
    "invalid caller",
    "invalid json",
    "invalid workspace",
    "lookup failed",
    "missing caller",
    "missing workspace",
    "params.message",
    "platform",
    "rate limit",
    "workspace agent",
    "workspace budget",
    "workspace has no url",
    "workspace is",
    "workspace not found",
    "workspace url",
];

/// Whether the status of a message's answer is the agent's, which the platform passes on: with the bare text of the
/// status, or with the agent's words and a row that has the agent's answer (contract §7.2).
pub(super) fn of_agent(symptoms: &Symptoms, facts: &mut Facts) {
    let purpose = facts.text("http.purpose").unwrap_or_default();
    let status = facts.text("http.status").and_then(|s| s.parse::<u16>().ok());
    // The queue is the platform's own: nobody passes on what it answers.
    if purpose == MESSAGES[1] && status.is_some() {
        facts.set("http.of_agent", yes(false));
    }
    let Some(status) = status.filter(|_| [MESSAGES[0], MESSAGES[2]].contains(&purpose.as_str())) else {
        return;
    };
    if purpose == MESSAGES[0]
        && let Some(logged) = in_log(symptoms)
    {
        facts.set("message.in_log", yes(logged));
    }
    // Whoever has no address to call passes nothing on: an agent that polls is asked by nobody.
    let no_address = facts.get("record.url").is_some_and(|url| matches!(url, [url] if url.is_empty()));
    let polls = no_address && facts.text("workspace.managed").as_deref() == Some("false") && status >= 300;
    if symptoms.servers_own || polls {
        facts.set("http.of_agent", yes(false));
        return;
    }
    if facts.text("http.json").as_deref() == Some("false") {
        // A refusal of the agent's is passed on as JSON (contract §7.1), whatever headers a gateway adds.
        if status >= 300 {
            facts.set("http.of_agent", yes(false));
        } else if through_the_platform(symptoms, status) {
            facts.set("http.of_agent", yes(true));
        }
        return;
    }
    if status < 300 {
        return;
    }
    let error = facts.text("http.error").unwrap_or_default();
    // The platform writes the agent's refusal into the message's own row: whatever the words, they are the agent's.
    let of_its_row = |row: &Value| {
        text(row, "status") == "error"
            && row.pointer("/response_body/error").and_then(Value::as_str) == Some(&error)
    };
    if !error.is_empty() && own_row(symptoms).is_some_and(of_its_row) {
        facts.set("http.of_agent", yes(true));
        return;
    }
    let phrase = StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    let bare = phrase.is_some_and(|phrase| error.eq_ignore_ascii_case(phrase));
    let own = OWN.iter().any(|own| error.to_lowercase().starts_with(own));
    let logged = part(symptoms, "activity").and_then(Value::as_array).is_some_and(|rows| {
        rows.first().is_some_and(|row| text(row, "status") == "error" && text(row, "error_detail").is_empty())
    });
    match (bare || (!own && !error.is_empty() && logged), own || error.is_empty()) {
        (true, _) => facts.set("http.of_agent", yes(true)),
        (false, true) => facts.set("http.of_agent", yes(false)),
        // The platform writes the message down before it calls the agent.
        (false, false) if in_log(symptoms) == Some(false) => facts.set("http.of_agent", yes(false)),
        // Words that nobody knows, and no row that says whose they are.
        (false, false) => {}
    }
}

/// Whether what is no JSON went through the platform's own route: it has the platform's header, or it is a success and
/// the platform has logged the message. A gateway's page has neither. For an agent that is somebody else's the log tells
/// nothing: it may poll, and then the platform logs the message and answers it alone.
fn through_the_platform(symptoms: &Symptoms, status: u16) -> bool {
    let Some(sent) = symptoms.exchanges.iter().rev().find(|e| e.purpose == MESSAGES[0]) else { return false };
    let managed = symptoms.workspace.as_ref().is_none_or(|workspace| workspace.managed);
    let logged = in_log(symptoms);
    // Gateways limit rates under the same name; the platform writes the message down before it passes it on.
    let headed = sent.headers.contains_key("x-ratelimit-limit") && !(managed && logged == Some(false));
    headed || (status < 300 && managed && logged == Some(true))
}

/// Whether the activity log that was gathered has the message; `None`: it could not be read.
fn in_log(symptoms: &Symptoms) -> Option<bool> {
    own_rows(symptoms).map(|mut own| own.next().is_some())
}

/// The row of the message in it.
fn own_row(symptoms: &Symptoms) -> Option<&Value> {
    own_rows(symptoms)?.next()
}

fn own_rows(symptoms: &Symptoms) -> Option<impl Iterator<Item = &Value>> {
    let sent = symptoms.exchanges.iter().rev().find(|e| e.purpose == MESSAGES[0])?;
    let body = sent.request.as_ref()?.json.as_ref()?;
    let id = body.pointer("/params/message/messageId")?.as_str()?;
    let rows = part(symptoms, "activity")?.as_array()?;
    Some(rows.iter().filter(move |row| {
        row.pointer("/request_body/params/message/messageId").and_then(Value::as_str) == Some(id)
    }))
}

/// Writes and deletes that were answered with success, against the list that followed.
fn secrets(exchanges: &[Exchange], facts: &mut Facts) {
    let mut written = BTreeSet::new();
    let mut deleted = BTreeSet::new();
    let mut listed: Option<BTreeMap<String, bool>> = None;
    for exchange in exchanges.iter().filter(|e| e.status.is_some_and(|s| (200..300).contains(&s))) {
        let path = path(&exchange.url).split('?').next().unwrap_or_default();
        let request = exchange.request.as_ref().and_then(|b| b.json.as_ref());
        let answer = exchange.response.as_ref().and_then(|b| b.json.as_ref());
        if path.ends_with("/secrets") && exchange.method == "GET" {
            let rows = answer.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let has = |row: &Value| row.get("has_value").and_then(Value::as_bool) != Some(false);
            listed = answer
                .filter(|a| a.is_array())
                .map(|_| rows.iter().map(|row| (text(row, "key").to_owned(), has(row))).collect());
        } else if path.ends_with("/secrets")
            && let Some(key) = request.map(|r| text(r, "key")).filter(|k| !k.is_empty())
        {
            written.insert(key.to_owned());
        } else if let Some((_, key)) = path.rsplit_once("/secrets/")
            && exchange.method == "DELETE"
        {
            deleted.insert(key.to_owned());
        }
    }
    let Some(listed) = listed else { return };
    let there = |key: &String| listed.get(key).copied().unwrap_or(false);
    facts.list("secrets.unstored", written.into_iter().filter(|key| !there(key)));
    facts.list("secrets.undeleted", deleted.into_iter().filter(|key| there(key)));
}
