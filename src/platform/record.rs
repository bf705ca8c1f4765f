//! Reading the platform's JSON leniently: a field of the wrong type is absent, never a panic.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::http::Response;

/// A text field; empty when absent.
pub fn text<'r>(record: &'r Value, field: &str) -> &'r str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The platform's `{"error": …}` text, with its code.
pub fn error(body: Option<&Value>) -> Option<String> {
    let body = body?;
    let error = text(body, "error");
    let code = text(body, "code");
    match (error, code) {
        ("", "") => None,
        (error, "") => Some(error.to_owned()),
        ("", code) => Some(code.to_owned()),
        (error, code) => Some(format!("{error} ({code})")),
    }
}

/// `404: workspace not found`: the status and what an answer says.
pub fn said(answer: &Response) -> String {
    format!("{}: {}", answer.status, error(answer.json.as_ref()).unwrap_or_else(|| answer.excerpt()))
}

/// The text of a stored message.
pub fn message_text(row: &Value) -> String {
    let parts = row.pointer("/request_body/params/message/parts").and_then(Value::as_array);
    let texts: Vec<&str> =
        parts.into_iter().flatten().map(|p| self::text(p, "text")).filter(|t| !t.is_empty()).collect();
    texts.join("\n")
}

/// Whether a refusal names workspaces below the one that was meant: that does not pass by itself.
pub(crate) fn names_others(body: Option<&Value>) -> bool {
    let Some(body) = body else { return false };
    let some = |name: &str| body.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    some("children") || some("descendants") || text(body, "status") == "confirmation_required"
}

/// Whether the platform says that what was asked for is not there: a 404 without a reason is of something in between.
pub fn is_absent(answer: &Response) -> bool {
    matches!(answer.status, 404 | 410) && error(answer.json.as_ref()).is_some()
}

/// Whether the platform says that a workspace is not there, in its own words (contract §3.2, §5.5): gateways answer 404 with
/// a JSON of their own.
pub fn is_gone(answer: &Response) -> bool {
    let words = error(answer.json.as_ref()).unwrap_or_default();
    is_absent(answer) && (answer.status == 410 || words.to_lowercase().contains("workspace"))
}

/// The token of a 201: managed ones have it at the top, external ones in `connection` (contract §2.3).
pub fn auth_token(body: &Value) -> Option<&str> {
    let top = text(body, "auth_token");
    let inner = body.get("connection").map(|c| text(c, "auth_token")).unwrap_or_default();
    [top, inner].into_iter().find(|t| !t.is_empty())
}

/// Whether a list of so many says that it is one page of more.
pub(crate) fn is_page(answer: &Response, length: usize) -> bool {
    let header = |name: &str| answer.headers.get(name).map(String::as_str).unwrap_or_default();
    let field = |name: &str| answer.json.as_ref().and_then(|body| body.get(name));
    let says = |name: &str| match field(name) {
        Some(Value::String(next)) => !next.is_empty(),
        Some(Value::Bool(more)) => *more,
        _ => false,
    };
    let more =
        header("link").contains("rel=\"next\"") || ["next_cursor", "next", "has_more"].into_iter().any(says);
    let total = header("x-total-count").parse().ok().or_else(|| field("total").and_then(Value::as_u64));
    more || total.is_some_and(|total| total > length as u64)
}

/// The elements of a list: an array, or the `null` that Go makes of an empty one; nothing else is one.
pub fn list(body: Option<&Value>) -> Option<&[Value]> {
    match body? {
        Value::Array(items) => Some(items),
        Value::Null => Some(&[]),
        _ => None,
    }
}

/// What a reply of an agent is (scenarios §6 lists the shapes that exist).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer with this text.
    Text(String),
    /// A JSON-RPC error.
    RpcError(Option<i64>, String),
    /// Poll mode: queued for an agent that asks.
    Queued,
    /// Push mode, busy or slow: queued under this id, to be followed.
    Followed(Option<String>),
    /// A task in another state than `completed`, and what it says.
    Task(String, String),
    /// An error of the platform.
    Platform(String),
    /// An answer without any text.
    Empty,
    /// An answer whose parts are of other kinds: `data`, `file`.
    NoText(String),
}

/// Reads a reply.
pub fn reply(body: &Value) -> Reply {
    if let Some(error) = body.get("error").filter(|error| is_rpc_error(body, error)) {
        return Reply::RpcError(error.get("code").and_then(Value::as_i64), rpc_text(error));
    }
    let queued = text(body, "status") == "queued" || body.get("queued") == Some(&Value::Bool(true));
    if queued && text(body, "delivery_mode") == "poll" {
        return Reply::Queued;
    }
    if queued {
        let id = text(body, "queue_id");
        return Reply::Followed((!id.is_empty()).then(|| id.to_owned()));
    }
    match body.get("result") {
        Some(result) => {
            // Since version 1 of the protocol a result says which of the two it is.
            let result = result.get("task").filter(|task| task.is_object()).unwrap_or(result);
            let text = reply_text(result);
            if let Some(state) = task_state(result).filter(|state| state != "completed") {
                return Reply::Task(state, text);
            }
            match (text.trim().is_empty(), other_parts(result)) {
                (false, _) => Reply::Text(text),
                (true, Some(kinds)) => Reply::NoText(kinds),
                (true, None) => Reply::Empty,
            }
        }
        None => Reply::Platform(error(Some(body)).unwrap_or_else(|| "an answer without a result".to_owned())),
    }
}

/// Whether an error is one of JSON-RPC, and not the platform's own `{"error": "…"}`.
fn is_rpc_error(body: &Value, error: &Value) -> bool {
    let says_so = body.get("jsonrpc").is_some();
    match error {
        Value::Object(error) => says_so || error.get("code").is_some_and(Value::is_i64),
        Value::String(_) => says_so,
        _ => false,
    }
}

/// What an error of JSON-RPC says: its message, a code that is no number, and what stands in `data`.
fn rpc_text(error: &Value) -> String {
    let code = text(error, "code");
    let data = match error.get("data") {
        Some(Value::String(data)) => data.clone(),
        Some(data) if !data.is_null() => data.to_string(),
        _ => String::new(),
    };
    let said = error.as_str().unwrap_or_else(|| text(error, "message"));
    [code, said, &data].into_iter().filter(|said| !said.is_empty()).collect::<Vec<_>>().join(": ")
}

/// The kinds of a result's parts that are no text, if there are any.
fn other_parts(result: &Value) -> Option<String> {
    let all = all_parts(result).filter_map(Value::as_array).flatten();
    let kinds: BTreeSet<&str> = all
        .map(|part| {
            [text(part, "kind"), text(part, "type")]
                .into_iter()
                .find(|kind| !kind.is_empty())
                .unwrap_or_default()
        })
        .filter(|kind| !kind.is_empty() && *kind != "text")
        .collect();
    (!kinds.is_empty()).then(|| kinds.into_iter().collect::<Vec<_>>().join(", "))
}

/// The state of a result that is a task, in the words of the protocol's JSON: `completed`, `input-required`, ….
fn task_state(result: &Value) -> Option<String> {
    let state = result.pointer("/status/state").and_then(Value::as_str)?.trim().to_ascii_lowercase();
    Some(state.trim_start_matches("task_state_").replace('_', "-"))
}

/// Whether a task in this state will never be completed.
pub fn is_final(state: &str) -> bool {
    matches!(state, "completed" | "failed" | "rejected" | "canceled" | "cancelled")
}

/// Whether a task in this state goes on by itself.
pub fn is_under_way(state: &str) -> bool {
    matches!(state, "submitted" | "working")
}

/// Whether an answer is the one to the request with this id; `None` when it does not say.
pub fn answers(body: &Value, id: &Value) -> Option<bool> {
    body.get("id").filter(|got| !got.is_null()).map(|got| got == id)
}

/// The texts of a result, each once, wherever its shape keeps them: never ids, roles or other leaves.
///
/// What a task made comes before what is said of it.
fn reply_text(result: &Value) -> String {
    let parts = all_parts(result);
    let plain = [Some(result), result.get("text")].into_iter().flatten().filter_map(Value::as_str);
    let mut texts: Vec<&str> = Vec::new();
    for text in parts.flat_map(part_texts).chain(plain) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    // A task may keep what was said in its history alone.
    if texts.is_empty() {
        let mut said = result.get("history").and_then(Value::as_array).into_iter().flatten();
        let last = said.rfind(|m| text(m, "role").to_ascii_lowercase().ends_with("agent"));
        texts.extend(last.and_then(|m| m.get("parts")).map(part_texts).unwrap_or_default());
    }
    texts.join("\n")
}

/// Every list of parts in a result; what a task made comes first.
fn all_parts(result: &Value) -> impl Iterator<Item = &Value> {
    let artifacts = result.get("artifacts").and_then(Value::as_array).into_iter().flatten();
    let places = ["/parts", "/message/parts", "/status/message/parts"];
    let made = artifacts.filter_map(|artifact| artifact.get("parts"));
    made.chain(places.into_iter().filter_map(|place| result.pointer(place)))
}

fn part_texts(parts: &Value) -> Vec<&str> {
    let parts = parts.as_array().map(Vec::as_slice).unwrap_or_default();
    parts
        .iter()
        .filter(|p| {
            let bare = p.get("kind").is_none() && p.get("type").is_none();
            bare || text(p, "kind") == "text" || text(p, "type") == "text"
        })
        .map(|p| text(p, "text"))
        .collect()
}

/// Why a text is an error that an agent wrapped in a 200, if it is one.
///
/// Only shapes that an agent's error path produces: ordinary prose with the word "error" is an answer.
pub fn wrapped_error(text: &str) -> Option<String> {
    // Marks of emphasis, quotes, brackets and emoji before the words say nothing.
    let plain = |c: char| !c.is_alphanumeric();
    let lower = text.trim_start_matches(plain).to_lowercase().replace('\u{2019}', "'");
    let begins = [
        "agent error",
        "error:",
        "api error",
        "failed to authenticate",
        "hermes-agent error",
        "hermes-agent unreachable",
        "exception:",
        "traceback (most recent call last)",
        "a2a_error",
        "error code:",
        "an error occurred",
        "sorry, i encountered an error",
        "request failed",
        "execution error",
        "unexpected error",
        "internal error",
        "internal server error",
        "connection error",
        "litellm.",
        "error]",
        "error communicating with",
        "request timed out",
        "sorry, something went wrong",
        "there's an issue with the selected model",
        "the model `",
        "you've hit your limit",
        "you've reached your limit",
        "you've hit your usage limit",
    ];
    let contains = [
        "missing_byok_credential",
        "model_not_found",
        "insufficient_quota",
        "exceeded your current quota",
        "message contained no text content",
        "encrypted content is not supported",
        "could not resolve authentication",
        "no provider api key",
        "_resulterror",
        "invalid api key",
        "authentication_error",
        "permission_error",
        "rate_limit_error",
        "overloaded_error",
        "invalid_request_error",
        "not_found_error",
        "billing_error",
        "context_length_exceeded",
        "credit balance is too low",
        "prompt is too long",
        "please run /login",
        "oauth token has expired",
        "usage limit reached",
    ];
    let hit = begins
        .iter()
        .find(|b| lower.starts_with(**b))
        .or_else(|| contains.iter().find(|c| lower.contains(**c)))
        .map(|hit| (*hit).to_owned());
    hit.or_else(|| exception(text)).or_else(|| refused_status(&lower))
}

/// The same of a reply. Of the answer to a known question every line counts: it has nothing to tell but the word, and an
/// agent may have said that before it failed.
pub fn wrapped_error_of(text: &str, known_question: bool) -> Option<String> {
    if known_question { text.lines().find_map(wrapped_error) } else { wrapped_error(text) }
}

/// A text that begins with the status of a refusal: `http 401: unauthorized`.
fn refused_status(lower: &str) -> Option<String> {
    let rest = lower
        .strip_prefix("http ")
        .or_else(|| lower.strip_prefix("status "))
        .or_else(|| lower.strip_prefix("error "))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().filter(|digits| digits.len() == 3)?;
    let status: u16 = digits.parse().ok()?;
    (400..600).contains(&status).then(|| format!("status {status}"))
}

/// The name of an exception with which a text begins, as Python and JavaScript print it: `openai.RateLimitError: …`.
fn exception(text: &str) -> Option<String> {
    let (name, _) = text.trim_start().split_once(':')?;
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let bare = name.rsplit('.').next().unwrap_or(name);
    let ends = |end: &str| bare.len() > end.len() && bare.ends_with(end);
    let is_one = (["Error", "Exception"].into_iter().any(ends) || (name.contains('.') && ends("Timeout")))
        && name.chars().all(of_name);
    is_one.then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_an_array() {
        for (body, length) in [
            (json!([1, 2]), Some(2)),
            (json!([]), Some(0)),
            (Value::Null, Some(0)),
            (json!({ "rows": [1] }), None),
            (json!("x"), None),
        ] {
            assert_eq!(list(Some(&body)).map(<[Value]>::len), length, "{body}");
        }
        assert_eq!(list(None), None);
    }

    #[test]
    fn replies_of_every_shape() {
        let parts = json!([{ "kind": "text", "text": "PONG" }]);
        let table = [
            (
                json!({ "result": { "kind": "message", "role": "agent", "parts": parts } }),
                Reply::Text("PONG".into()),
            ),
            (
                json!({ "result": { "message": { "parts": [{ "type": "text", "text": "PONG" }] } } }),
                Reply::Text("PONG".into()),
            ),
            (
                json!({ "result": { "status": { "message": { "parts": parts } } } }),
                Reply::Text("PONG".into()),
            ),
            (json!({ "result": { "artifacts": [{ "parts": parts }] } }), Reply::Text("PONG".into())),
            (
                json!({ "result": {
                    "status": { "state": "completed", "message": { "parts": [{ "kind": "text", "text": "Done." }] } },
                    "artifacts": [{ "parts": parts }], "parts": parts,
                } }),
                Reply::Text("PONG\nDone.".into()),
            ),
            (
                json!({ "result": { "status": { "state": "failed" }, "artifacts": [{ "parts": parts }] } }),
                Reply::Task("failed".into(), "PONG".into()),
            ),
            (
                json!({ "result": { "status": { "state": "TASK_STATE_INPUT_REQUIRED" } } }),
                Reply::Task("input-required".into(), String::new()),
            ),
            (json!({ "result": { "role": "agent", "id": "401" } }), Reply::Empty),
            (
                json!({ "error": { "code": -32601, "message": "no such method" } }),
                Reply::RpcError(Some(-32601), "no such method".into()),
            ),
            (json!({ "status": "queued", "delivery_mode": "poll", "method": "message/send" }), Reply::Queued),
            (
                json!({ "queued": true, "queue_id": "q1", "queue_depth": 1 }),
                Reply::Followed(Some("q1".into())),
            ),
            (json!({ "status": "queued", "delivery_mode": "push-async" }), Reply::Followed(None)),
            (
                json!({ "error": "workspace has no URL", "status": "paused" }),
                Reply::Platform("workspace has no URL".into()),
            ),
            (
                json!({ "result": { "message": { "role": "ROLE_AGENT", "parts": [{ "text": "of version 1" }] } } }),
                Reply::Text("of version 1".into()),
            ),
            (
                json!({ "result": { "task": { "status": { "state": "TASK_STATE_COMPLETED" }, "artifacts": [{ "parts": [{ "text": "a task" }] }] } } }),
                Reply::Text("a task".into()),
            ),
            (
                json!({ "result": { "kind": "task", "status": { "state": "completed" }, "history": [
                    { "role": "user", "parts": [{ "kind": "text", "text": "asked" }] },
                    { "role": "agent", "parts": [{ "kind": "text", "text": "told" }] },
                ] } }),
                Reply::Text("told".into()),
            ),
            (json!({ "result": "a text alone" }), Reply::Text("a text alone".into())),
            (
                json!({ "result": { "parts": [{ "kind": "data", "data": {} }] } }),
                Reply::NoText("data".into()),
            ),
            (
                json!({ "jsonrpc": "2.0", "error": { "code": "E_AUTH", "message": "401 invalid x-api-key" } }),
                Reply::RpcError(None, "E_AUTH: 401 invalid x-api-key".into()),
            ),
            (
                json!({ "jsonrpc": "2.0", "error": "401 invalid x-api-key" }),
                Reply::RpcError(None, "401 invalid x-api-key".into()),
            ),
            (
                json!({ "error": { "code": -32603, "message": "Internal error", "data": { "detail": "overloaded" } } }),
                Reply::RpcError(Some(-32603), "Internal error: {\"detail\":\"overloaded\"}".into()),
            ),
            (json!("nonsense"), Reply::Platform("an answer without a result".into())),
        ];
        for (body, reply_is) in table {
            assert_eq!(reply(&body), reply_is, "{body}");
        }
    }

    #[test]
    fn an_error_in_a_200_is_told_from_ordinary_words() {
        for bad in [
            "Agent error (_ResultError)",
            "API Error: 401 invalid api key",
            "Error: MISSING_BYOK_CREDENTIAL",
            "**Error:** 401 invalid x-api-key",
            "❌ Error: 401 Unauthorized",
            "[error] the model refused: 401",
            "HTTP 401: unauthorized",
            "Request timed out.",
        ] {
            assert!(wrapped_error(bad).is_some(), "{bad}");
        }
        for good in
            ["PONG", "Answer: PONG", "I made no error, and no exception either: PONG", "room 401 is free"]
        {
            assert_eq!(wrapped_error(good), None, "{good}");
        }
    }
}
