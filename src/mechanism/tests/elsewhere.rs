//! What goes wrong on platforms, with agents and providers that nobody here has seen: the right class and name, or
//! `unclassified` with what decides.

use serde_json::{Value, json};

use super::causes::{Case, aborted, case, create};
use crate::domain::Status;
use crate::domain::Transport;
use crate::domain::answers::{ASK_ANOTHER, KNOWN, LOOK_FOR_ANOTHER};
use crate::event::{Class, Ended, Exchange, InboxProblem, Subject};
use crate::mechanism::{UNCLASSIFIED, diagnose};

const KEY: &str = "equals secret MINIMAX_API_KEY";
const BASE: &str = "https://api.minimax.io/anthropic";
const RIGHT: &[(&str, &str, &str)] =
    &[("ANTHROPIC_AUTH_TOKEN", KEY, KEY), ("ANTHROPIC_BASE_URL", BASE, BASE)];

/// An agent's answer, where the environment is as the rules say.
fn says(text: &str) -> Case {
    case("a2a", "x").row("online", "").answers(text).env(None, RIGHT)
}

fn message(status: u16, body: Value) -> Case {
    case("a2a", "x").row("online", "").exchange("message", "POST", "/workspaces/w/a2a", status, body)
}

/// An answer that is no JSON, with these headers.
fn page(status: u16, kind: &str, text: &str, headers: &[(&str, &str)]) -> Case {
    let mut case = message(status, json!({}));
    let last = case.0.exchanges.last_mut().unwrap();
    let response = last.response.as_mut().unwrap();
    (response.json, response.text, response.bytes) = (None, Some(text.to_owned()), text.len() as u64);
    last.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    last.headers.insert("content-type".into(), kind.into());
    case
}

/// A garbled success, and the platform has logged the message.
fn garbled(managed: bool) -> Case {
    let rows = json!([{ "request_body": question(), "status": "ok" }]);
    let mut case =
        page(200, "application/json", "<html>gateway</html>", &[]).sends(question()).part("activity", rows);
    case.0.workspace.get_or_insert_default().managed = managed;
    case
}

fn question() -> Value {
    let parts = json!([{ "kind": "text", "text": KNOWN[0].prompt }]);
    json!({ "id": "m", "params": { "message": { "messageId": "m", "parts": parts } } })
}

/// A reply to a known question, and one to the second question when it was asked.
fn known(first: &str, second: Option<&str>) -> Case {
    let reply = |text: &str| json!({ "id": "m", "result": { "parts": [{ "kind": "text", "text": text }] } });
    let case = case("a2a", "wanted the known answer PONG, got: x").row("online", "");
    let case = case.exchange("message", "POST", "/workspaces/w/a2a", 200, reply(first)).sends(question());
    match second {
        Some(text) => case.exchange("ask once more", "POST", "/workspaces/w/a2a", 200, reply(text)),
        None => case,
    }
}

/// A message that was queued, and the item as it was last seen.
fn queued(item: Value) -> Case {
    let case = message(202, json!({ "queued": true, "queue_id": "q" })).sends(question());
    case.exchange("follow the queued message", "GET", "/workspaces/w/a2a/queue/q", 200, item)
}

/// A look at a queued message, or at a task, that the end of the step cut off.
fn cut(case: Case, purpose: &str) -> Case {
    let case = case.exchange(purpose, "GET", "/workspaces/w/a2a/queue/q", 200, json!({}));
    by(case, |last| {
        (last.status, last.response, last.took_ms) = (None, None, 87);
        last.error = Some("no whole answer within 0 ms".to_owned());
        last.error_kind = Some(Transport::TimedOut);
    })
}

/// A task that an agent works on, and what it says when it is asked for it again, under an id of that request.
fn followed(then: Value) -> Case {
    let task = json!({ "kind": "task", "id": "t", "status": { "state": "working" } });
    let case = message(200, json!({ "jsonrpc": "2.0", "id": "m", "result": task })).sends(question());
    let case = case.exchange("follow the task", "POST", "/workspaces/w/a2a", 200, then);
    case.sends(json!({ "id": "t1", "method": "tasks/get", "params": { "id": "t" } }))
}

fn refused_read(status: u16) -> Case {
    let mut case = case("await", "x").waited(
        "online",
        &format!("the read was refused ({status}: invalid admin auth token)"),
        9,
        None,
    );
    case.0.wait.as_mut().unwrap().end = Ended::Hopeless;
    case
}

fn booting() -> Case {
    case("await", "x").waited("online", "provisioning", 90, None)
}

fn unwritten(line: &str) -> Case {
    let log = json!({ "lines": [format!("12:00:00 Provisioner: start w failed: {line}")] });
    case("await", "failed").row("failed", "workspace start failed").part("server log", log)
}

/// What an agent in poll mode read.
fn polled(problem: InboxProblem) -> Case {
    let path = "/workspaces/w/activity?type=a2a_receive&since_id=r1";
    let mut case = case("inbox", "wanted other messages").exchange("inbox", "GET", path, 200, json!([]));
    case.0.inbox = Some(problem);
    case
}

/// An edge that is refused in the platform's own words.
fn refused(verb: &str, status: u16, error: &str) -> Case {
    let path = format!("/workspaces/w/{verb}");
    case(verb, "x").row("online", "").exchange(verb, "POST", &path, status, json!({ "error": error }))
}

/// A row that only the single read speaks of: it is not there.
fn never_there(case: Case, seen: &[(Status, u32)]) -> Case {
    let gone = json!({ "gone": { "value": "404", "from": "read" } });
    case.part("record", gone).part("events", json!([])).timeline(seen)
}

/// An override that was written and is not there.
fn unstored() -> Case {
    let stored = json!({ "resolved_mode": "platform_managed", "workspace_override": null });
    let case = case("billing", "x").exchange(
        "billing mode",
        "PUT",
        "/admin/workspaces/w/llm-billing-mode",
        200,
        stored.clone(),
    );
    case.exchange("read it back", "GET", "/admin/workspaces/w/llm-billing-mode", 200, stored)
}

/// A message that was answered in the log, and another one after it.
fn held_back(second: bool) -> Case {
    let row = |id: &str| json!({ "request_body": { "params": { "message": { "messageId": id } } }, "response_body": { "result": {} } });
    let sent = |id: &str| json!({ "id": id, "params": { "message": { "messageId": id } } });
    let path = "/workspaces/w/activity";
    let mut case =
        case("a2a", "x").lost("message", "connection closed before message completed").sends(sent("m"));
    case = case.exchange(AFTER_LOSS, "GET", path, 200, json!([row("m")]));
    if second {
        case = case.lost(ASK_ANOTHER, "connection closed before message completed").sends(sent("n"));
        case = case.exchange(LOOK_FOR_ANOTHER, "GET", path, 200, json!([row("n")]));
    }
    case
}

const AFTER_LOSS: &str = "look for the lost answer";

/// A create that the server finds no credential in.
fn unseen_key(fits: bool) -> Case {
    let mut case = create(422, "MISSING_BYOK_CREDENTIAL", json!({ "MINIMAX_API_KEY": "x" }));
    case.0.credential = Some(fits);
    case
}

/// A workspace that is started again for ever.
fn restarting() -> Case {
    booting().edge("restart").row("provisioning", "").event("WORKSPACE_PROVISIONING", json!({}))
}

/// Online for four seconds, as the stream tells, and never in the row.
fn only_told(url: &str) -> Case {
    let row = json!({
        "status": { "value": "provisioning", "from": "read" },
        "url": { "value": url, "from": "read" },
        "gone": { "value": "no", "from": "read" },
    });
    let mut case = booting().edge("restart").part("record", row).timeline(&[(Status::Provisioning, 1)]);
    let subject = case.0.workspace.get_or_insert_default();
    subject.stream = Some(vec!["WORKSPACE_PROVISIONING".into(), "WORKSPACE_ONLINE".into()]);
    subject.online_told_ms = Some(4000);
    case
}

fn of_subject(mut case: Case, change: impl FnOnce(&mut Subject)) -> Case {
    change(case.0.workspace.get_or_insert_default());
    case
}

fn by(mut case: Case, change: impl FnOnce(&mut Exchange)) -> Case {
    change(case.0.exchanges.last_mut().unwrap());
    case
}

/// What platforms, agents and providers say that nobody here has.
pub(super) fn table() -> Vec<(&'static str, Case, &'static str, Class)> {
    use Class::{Config, Infra, Product, Provider, Unclassified};
    let rate = &[("x-ratelimit-limit", "unlimited")];
    let html = "<!DOCTYPE html><html><body>Welcome</body></html>";
    let ours =
        json!({ "jsonrpc": "2.0", "id": "m", "result": { "parts": [{ "kind": "text", "text": "PONG" }] } });
    let theirs = json!({ "jsonrpc": "2.0", "id": "of-another", "result": { "parts": [{ "kind": "text", "text": "PONG" }] } });
    let rpc = |code: i64, text: &str| {
        message(200, json!({ "jsonrpc": "2.0", "id": "m", "error": { "code": code, "message": text } }))
    };
    let openai: &[(&str, &str, &str)] = &[("OPENAI_API_KEY", "unset", "equals secret OPENAI_API_KEY")];
    let old: &[(&str, &str, &str)] = &[("ANTHROPIC_AUTH_TOKEN", "equals secret OLD_KEY", KEY), RIGHT[1]];
    let nothing = json!({ "instance": null, "status": "provisioning" });
    let unavailable = json!({ "error": "platform unavailable", "code": "platform_unavailable" });
    let works = json!({ "jsonrpc": "2.0", "id": "t1", "result": { "kind": "task", "id": "t", "status": { "state": "working" } } });
    let unknown =
        json!({ "jsonrpc": "2.0", "id": "t1", "error": { "code": -32601, "message": "Method not found" } });
    vec![
        // Replies that come later, or never.
        ("a task that nobody tells the end of", followed(unknown), "agent-refuses-message", Product),
        ("a task that goes on for ever", cut(followed(works), "follow the task"), "task-not-ended", Provider),
        ("a queued message that waits to the end", cut(queued(json!({ "status": "queued" })), "follow the queued message"), "message-queued-not-answered", Product),
        ("a queued message that the platform lost", by(queued(json!({ "error": "not found", "retryable": true })), |last| last.status = Some(404)), "message-queued-not-answered", Product),
        // Routes, limits and rows.
        ("a message that the server itself failed on", message(500, json!({ "error": "internal error" })).sends(question()).part("activity", json!([])), "server-error", Product),
        ("a page of a gateway that limits rates", page(403, "text/html", html, rate).sends(question()).part("activity", json!([])), "proxy-page-instead-of-server", Infra),
        ("an agent that is busy to the end", message(503, json!({ "error": "agent at capacity", "busy": true })), "agent-stays-busy", Product),
        ("an agent that the platform waited for", message(504, json!({ "error": "workspace agent did not answer in time" })), "reply-too-slow", Provider),
        ("a message that is no JSON to the server", message(400, json!({ "error": "invalid JSON" })).part("neighbours", json!([])), "message-refused", Product),
        ("a caller that the server does not know", message(401, json!({ "error": "caller authentication required" })).sends(question()).part("activity", json!([])).part("neighbours", json!([])), "message-refused", Product),
        ("words that may be the agent's", message(400, json!({ "error": "no such skill" })).sends(question()), UNCLASSIFIED, Unclassified),
        ("a restart under way", refused("restart", 409, "restart already in progress"), "edge-refused", Product),
        ("tasks in the way", refused("hibernate", 409, "workspace has 1 active tasks"), "edge-refused", Product),
        ("a server that is away", refused("restart", 503, "no upstream"), "server-unavailable", Infra),
        ("a message in two rows", polled(InboxProblem::Twice), "message-delivered-twice", Product),
        ("a message that does not come", polled(InboxProblem::Lost), "message-not-in-inbox", Product),
        ("rows from before the cursor", polled(InboxProblem::BeforeTheCursor), "inbox-ignores-cursor", Product),
        ("another order", polled(InboxProblem::Order), "inbox-out-of-order", Product),
        ("answers that never arrive", held_back(true), "answers-held-back", Infra),
        ("one that did not", held_back(false), "connection-cut", Infra),
        ("a billing mode that is not stored", unstored(), "billing-not-stored", Product),
        ("a removed row that is shown", case("expect", "gone").row("removed", "").deleted().exchange("read the row", "GET", "/workspaces/w", 200, json!({ "status": "removed" })), "removed-row-is-shown", Product),
        ("a number that is reached", by(refused("restart", 429, "too many restarts of this workspace (5 per hour)"), |last| { last.headers.insert("x-ratelimit-remaining".into(), "590".into()); }), "limit-reached", Config),
        ("a rate that is spent", by(refused("restart", 429, "slow down"), |last| { last.headers.insert("x-ratelimit-remaining".into(), "0".into()); }), "rate-limited", Infra),
        ("a model that the server does not see", create(422, "MODEL_REQUIRED", json!({})), "model-not-seen", Product),
        ("a restart that nothing came of", of_subject(refused("restart", 200, "").waited("ws to leave its old state", "the row is still online", 9, None).edge("restart"), |s| s.timeline = vec![(Status::Online, 0)]), "restart-not-begun", Product),
        ("degraded by a spent quota", case("await", "x").waited("online", "degraded", 9, None).row("degraded", "You exceeded your current quota, please check your plan and billing details.").env(None, RIGHT), "provider-quota-exhausted", Provider),
        ("a row that nobody ever saw", never_there(booting(), &[]), "created-and-not-stored", Product),
        ("a row that was seen and is gone", never_there(booting(), &[(Status::Online, 0)]), "removed-under-us", Infra),
        ("a key that the server does not see", unseen_key(true), "credential-not-seen", Product),
        ("a key of another provider", unseen_key(false), "create-missing-credential", Config),
        ("told and not stored", only_told("http://ws:8000"), "online-not-stored", Product),
        ("a copy of the row from before", only_told(""), "reads-are-stale", Infra),
        ("a server that was away after it took the restart", of_subject(restarting(), |s| (s.gap_ms, s.failed_looks) = (6000, 12)), "server-interrupted-during-provision", Infra),
        ("a start of which nothing is heard", restarting(), "start-not-finished", Product),
        ("an old instance at a new address", of_subject(case("await", "x").waited("online by a new instance", "online, but still the old instance", 9, None).edge("restart").row("online", ""), |s| s.old_speaks = true), "restart-keeps-old-instance", Product),
        // Providers, in their own words.
        ("Anthropic, key", says("Error code: 401 - {'type': 'error', 'error': {'type': 'authentication_error', 'message': 'invalid x-api-key'}}"), "provider-refuses-credential", Config),
        ("Claude Code, key", says("Invalid API key · Please run /login"), "provider-refuses-credential", Config),
        ("Claude Code, token", says("API Error: 401 {\"error\":{\"message\":\"OAuth token has expired.\"}} · Please run /login"), "provider-refuses-credential", Config),
        ("OpenAI, key", says("openai.AuthenticationError: Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-pr***'}}"), "provider-refuses-credential", Config),
        ("Gemini, key", says("Agent error: 400 API key not valid. Please pass a valid API key. API_KEY_INVALID"), "provider-refuses-credential", Config),
        ("OpenAI, model", says("openai.NotFoundError: Error code: 404 - {'error': {'message': 'The model `gpt-9` does not exist or you do not have access to it.', 'code': 'model_not_found'}}"), "provider-model-unknown", Config),
        ("Anthropic, model", says("API Error: 404 {\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: claude-x\"}}"), "provider-model-unknown", Config),
        ("Anthropic, 529", says("API Error: 529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"), "provider-overloaded", Provider),
        ("Anthropic, 429", says("Error code: 429 - {'type': 'error', 'error': {'type': 'rate_limit_error', 'message': 'This request would exceed your rate limit'}}"), "provider-rate-limited", Provider),
        ("LiteLLM, 429", says("litellm.RateLimitError: RateLimitError: OpenAIException - Too Many Requests"), "provider-rate-limited", Provider),
        ("Anthropic, money", says("Credit balance is too low"), "provider-quota-exhausted", Provider),
        ("OpenAI, money", says("openai.RateLimitError: Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota'}}"), "provider-quota-exhausted", Provider),
        ("OpenRouter, money", says("Error code: 402 - {'error': {'message': 'Insufficient credits. Add more using https://openrouter.ai/settings/credits', 'code': 402}}"), "provider-quota-exhausted", Provider),
        ("MiniMax, money", says("API Error: 500 {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"insufficient balance (1008)\"}}"), "provider-quota-exhausted", Provider),
        ("Anthropic, length", says("API Error: 400 {\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 209000 tokens > 200000 maximum\"}}"), "context-overflow", Config),
        ("OpenAI, length", says("openai.BadRequestError: Error code: 400 - {'error': {'message': \"This model's maximum context length is 128000 tokens.\", 'code': 'context_length_exceeded'}}"), "context-overflow", Config),
        ("a name that does not resolve", says("API Error: getaddrinfo ENOTFOUND api.minimax.io"), "provider-unreachable", Provider),
        ("a provider that hangs", says("httpx.ReadTimeout: The read operation timed out"), "provider-unreachable", Provider),
        ("a bad gateway", says("API Error: 502 Bad Gateway"), "provider-overloaded", Provider),
        // No provider in it.
        ("a tool that hangs", says("Agent error: tool `bash` timed out after 120 s"), "agent-error-as-text", Product),
        ("a runtime's own part", says("hermes-agent unreachable: Connection refused"), "agent-error-as-text", Product),
        ("a traceback", says("Traceback (most recent call last):\n  File \"a.py\"\nKeyError: 'parts'"), "agent-error-as-text", Product),
        // JSON-RPC.
        ("-32600", rpc(-32600, "Invalid Request"), "agent-refuses-message", Product),
        ("-32601", rpc(-32601, "Method not found"), "agent-refuses-message", Product),
        ("-32602", rpc(-32602, "Invalid params"), "agent-refuses-message", Product),
        ("-32603", rpc(-32603, "Internal error"), "agent-refuses-message", Product),
        ("-32700", rpc(-32700, "Parse error"), "agent-refuses-message", Product),
        ("-32000", rpc(-32000, "Server error"), "agent-refuses-message", Product),
        ("-32001", rpc(-32001, "Task not found"), "agent-refuses-message", Product),
        ("-32005", rpc(-32005, "Content type not supported"), "agent-refuses-message", Product),
        ("a provider's words in it", rpc(-32603, "Error code: 529 overloaded_error").env(None, RIGHT), "provider-overloaded", Provider),
        // Replies that are none.
        ("a promise", known("⚡ I am stopping what I was doing; your message is taken up next.", Some("PONG")), "acknowledged-not-answered", Product),
        ("a model that answers otherwise", known("Hello there!", Some("Hello again!")), "wrong-answer", Product),
        ("nobody asked again", known("Hello there!", None), "wrong-answer", Product),
        ("an echo", known(KNOWN[0].prompt, None), "reply-echoes-question", Product),
        ("JSON of another protocol", message(200, json!({ "message": "hello" })), "agent-speaks-no-rpc", Product),
        ("a page of the agent, 200", page(200, "text/html", html, rate), "agent-speaks-no-rpc", Product),
        // A refusal of an agent's comes as JSON, whatever headers a gateway adds.
        ("a page, 404, and a gateway that limits rates", page(404, "text/html", html, rate), "proxy-page-instead-of-server", Infra),
        ("a gateway that gave up", page(504, "text/html", "<html><title>504 Gateway Time-out</title></html>", rate), "proxy-page-instead-of-server", Infra),
        ("an answer that ends in its middle", page(200, "application/json", "{\"jsonrpc\": \"2.0\", \"result\": {\"kind\":\"mess", rate), "agent-answer-cut", Product),
        ("an agent that dies of each message", message(503, json!({ "error": "workspace agent unreachable — container restart triggered", "restarting": true })).row("offline", "").event("WORKSPACE_OFFLINE", json!({})).timeline(&[(Status::Online, 0), (Status::Offline, 0)]), "agent-dies-on-message", Product),
        ("a model that nobody has, instead of the word", known("The model `gpt-5.9` does not exist or you do not have access to it.", None), "provider-model-unknown", Config),
        ("a limit, instead of the word", known("You've hit your limit · resets 3pm (UTC)", None), "provider-quota-exhausted", Provider),
        ("no JSON, and the message is logged", garbled(true), "agent-speaks-no-rpc", Product),
        ("the same, of somebody else's agent", garbled(false), UNCLASSIFIED, Unclassified),
        ("a page of a gateway", page(502, "text/html", "<html><title>502 Bad Gateway</title></html>", &[("server", "nginx")]), "proxy-page-instead-of-server", Infra),
        ("a login page", page(200, "text/html", "<html>Sign in</html>", &[]), "proxy-page-instead-of-server", Infra),
        ("a plain 503 of a balancer", page(503, "text/plain", "no healthy upstream", &[("server", "envoy")]), "server-unavailable", Infra),
        ("the agent's own words, like the server's", message(429, json!({ "error": "rate limited" })).sends(question()).part("activity", json!([{ "status": "error", "response_body": { "error": "rate limited" }, "request_body": { "params": { "message": { "messageId": "m" } } } }])), "agent-answers-error", Product),
        ("the agent's own budget", message(402, json!({ "error": "budget" })).sends(question()).part("activity", json!([{ "status": "error", "response_body": { "error": "budget" }, "request_body": { "params": { "message": { "messageId": "m" } } } }])), "agent-answers-error", Product),
        ("the agent's limit", message(429, json!({ "error": "Too Many Requests" })), "agent-answers-error", Product),
        ("the server's limit", message(429, json!({ "error": "rate limit exceeded" })), "rate-limited", Infra),
        ("the agent's 402", message(402, json!({ "error": "Payment Required" })), "agent-answers-error", Product),
        ("of another request, in the queue", queued(json!({ "status": "completed", "response_body": theirs })), "reply-of-another-request", Product),
        ("right, in the queue", queued(json!({ "status": "completed", "response_body": ours })), UNCLASSIFIED, Unclassified),
        ("given up: nobody there", queued(json!({ "status": "failed", "attempts": 5, "last_error": "dial tcp: lookup ws-1: no such host" })), "agent-unreachable", Product),
        ("given up: the agent's error", queued(json!({ "status": "failed", "last_error": "agent says 500" })), "queued-message-given-up", Product),
        ("dropped", queued(json!({ "status": "dropped" })), "message-queued-not-answered", Product),
        // Limits, gateways and databases.
        ("a limit that is no rate", by(case("create", "x").exchange("create", "POST", "/workspaces", 429, json!({ "error": "workspace limit reached (20)" })), |last| { last.headers.insert("x-ratelimit-remaining".into(), "590".into()); }), "limit-reached", Config),
        ("a gateway that gave up on a turn", page(504, "text/html", "<html>504 Gateway Time-out</html>", &[]).sends(question()).part("activity", json!([{ "request_body": { "params": { "message": { "messageId": "m" } } } }])), "gateway-gave-up-on-reply", Infra),
        ("a server without the route of messages", by(page(404, "text/plain", "404 page not found", &[]), |last| last.method = "POST".into()).row("online", ""), "route-missing", Product),
        ("a database that only reads", case("http", "x").exchange("restart", "POST", "/workspaces/w/restart", 500, json!({ "error": "pq: cannot execute UPDATE in a read-only transaction" })), "server-datastore-down", Infra),
        ("degraded by a quota", case("await", "x").row("degraded", "Agent error: 429 You exceeded your current quota"), "provider-quota-exhausted", Provider),
        ("degraded by a key, the environment unseen", case("await", "x").row("degraded", "Agent error: 401 invalid x-api-key"), "agent-meets-401", Provider),
        // Environments.
        ("another provider's key", case("expect", "env").row("online", "").env(None, openai), "secret-not-passed", Product),
        ("a restart that keeps an old key", case("expect", "env").edge("restart").row("online", "").env(None, old), "wrong-credential-projected", Product),
        ("a key in small letters", create(422, "MISSING_BYOK_CREDENTIAL", json!({ "minimax_api_key": "x" })), "create-missing-credential", Config),
        ("a code of tomorrow", create(422, "WORKSPACE_QUOTA_EXCEEDED", json!({})), "create-refused-otherwise", Config),
        // Starts.
        ("an image, told in the row", case("await", "failed").row("failed", "image pull failed: manifest for x:1 not found: manifest unknown"), "image-missing", Config),
        ("a private image", unwritten("Error response from daemon: pull access denied for x, repository does not exist or may require 'docker login'"), "image-missing", Config),
        ("an unknown tag", unwritten("manifest for x:1 not found: manifest unknown: manifest unknown"), "image-missing", Config),
        ("an image for another machine", unwritten("no matching manifest for linux/arm64/v8 in the manifest list entries"), "image-cannot-run", Config),
        ("a start that nobody knows", unwritten("context deadline exceeded"), "provision-start-failed", Product),
        ("failed for a reason of tomorrow", aborted("nodes are out of gas", json!({ "error": "nodes are out of gas" })), UNCLASSIFIED, Unclassified),
        ("stuck, and the row says why", booting().row("provisioning", "license server refused").event("WORKSPACE_PROVISIONING", json!({})).part("environment", nothing), UNCLASSIFIED, Unclassified),
        ("a status of tomorrow", booting().row("warming", "").event("WORKSPACE_WARMING", json!({})), UNCLASSIFIED, Unclassified),
        ("no events at all", booting().row("provisioning", "").part("events", json!([])), UNCLASSIFIED, Unclassified),
        // Credentials and ways.
        ("the token was rotated", refused_read(401), "admin-token-refused", Config),
        ("a list that is given all the same", refused_read(401).part("neighbours", json!([])), UNCLASSIFIED, Unclassified),
        ("a clock that is off", case("http", "x").lost("GET /", "invalid peer certificate: certificate not valid yet"), "certificate-not-trusted", Infra),
        ("no name", case("http", "x").lost("GET /", "error sending request: client error (Connect): dns error: failed to lookup address information: Name or service not known"), "name-does-not-resolve", Infra),
        ("the database, on a delete", case("delete", "x").row("online", "").exchange("delete", "DELETE", "/workspaces/w", 503, unavailable), "server-datastore-down", Infra),
        ("an event that did not come", case("expect", "event of ws: WORKSPACE_ONLINE").row("online", ""), UNCLASSIFIED, Unclassified),
    ]
}

#[test]
fn what_others_see_has_the_right_name_or_none() {
    let table = table();
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(name, case, wanted, class)| {
            let got = diagnose(&case.0);
            (got.mechanism != *wanted || got.class != *class).then(|| {
                format!(
                    "{name}: wanted {wanted} {class:?}, got {} {:?}\n  {:?}\n  {:?}",
                    got.mechanism, got.class, got.nearest, got.evidence
                )
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where no name is given, what decides is quoted.
#[test]
fn what_has_no_name_shows_what_decides() {
    let log = |lines: &[&str]| json!({ "lines": lines });
    let table = [
        (booting().row("provisioning", "license server refused"), "license server refused"),
        (booting().row("warming", ""), "row: warming"),
        (aborted("nodes are out of gas", json!({ "error": "no gas" })), "no gas"),
        (message(500, json!({ "error": "something new" })), "something new"),
        (
            booting()
                .row("provisioning", "")
                .part("agent log", log(&["a", "b", "c", "waiting for the licence"])),
            "agent log: waiting for the licence",
        ),
        (
            booting().row("failed", "x").part("server log", log(&["scheduler: no node for w"])),
            "server log: scheduler: no node for w",
        ),
    ];
    for (case, shown) in table {
        let got = diagnose(&case.0);
        assert_eq!(got.mechanism, UNCLASSIFIED, "{shown}: {:?}", got.evidence);
        assert!(got.evidence.iter().any(|line| line.contains(shown)), "{shown}: {:?}", got.evidence);
    }
}

/// A follow that was answered by a request of somebody else carries no body of ours.
#[test]
fn an_answer_without_an_id_is_nobodys() {
    let body = json!({ "status": "completed", "response_body": { "result": { "parts": [{ "kind": "text", "text": "PONG" }] } } });
    let got = diagnose(&by(queued(body), |exchange| exchange.request = None).0);
    assert_ne!(got.mechanism, "reply-of-another-request");
}
