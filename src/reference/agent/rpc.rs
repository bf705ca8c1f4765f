//! The agent's own server: JSON-RPC on every path (contract §9.3).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::core::Core;
use super::{memory, model};
use crate::domain::answers::STUB_REPLY;
use crate::reference::options::AgentKind;
use crate::reference::reply;

/// The routes: all of them are the same one.
pub(super) fn app(core: Arc<Core>) -> Router {
    Router::new().fallback(answer).layer(axum::extract::DefaultBodyLimit::max(16 << 20)).with_state(core)
}

async fn answer(State(core): State<Arc<Core>>, method: Method, body: Bytes) -> Response {
    if method != Method::POST {
        return reply::raw(200, json!({ "status": "ok", "workspace_id": core.workspace() }).to_string());
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return rpc_error(&Value::Null, -32700, "parse error");
    };
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    match request.get("method").and_then(Value::as_str).unwrap_or("message/send") {
        "message/send" => {
            core.busy.fetch_add(1, Ordering::Relaxed);
            let busy = Busy(Arc::clone(&core));
            let text = speak(&core, &request).await;
            drop(busy);
            let other = core.fault("reply-of-another").then(|| json!("of-another-request"));
            let id = other.unwrap_or(id);
            result(
                &id,
                &json!({
                    "kind": "message",
                    "role": "agent",
                    "parts": [{ "kind": "text", "text": text }],
                    "messageId": message_id(),
                }),
            )
        }
        "signals/restart_pending" => {
            core.say("restart is pending");
            result(&id, &json!({ "status": "draining" }))
        }
        other => rpc_error(&id, -32601, &format!("method not found: {other}")),
    }
}

/// Counts a message as in work until it is dropped.
struct Busy(Arc<Core>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All text parts of a message.
fn text_of(message: &Value) -> String {
    let parts = message["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}

async fn speak(core: &Arc<Core>, request: &Value) -> String {
    let message = &request["params"]["message"];
    let kind = message["metadata"]["kind"].as_str().unwrap_or("message");
    core.say(&format!("received {kind} {}", message["messageId"].as_str().unwrap_or("without an id")));
    if core.kind == AgentKind::Stub {
        return STUB_REPLY.to_owned();
    }
    if core.kind == AgentKind::Echo {
        return text_of(message);
    }
    if core.fault("empty-completion") {
        return String::new();
    }
    if core.fault("error-as-text") {
        return "Agent error: 529 overloaded_error: the model is overloaded".to_owned();
    }
    if core.fault("acknowledges-first")
        && kind == "message"
        && core.heard.fetch_add(1, Ordering::Relaxed) == 0
    {
        return "I am stopping what I was doing; your message is taken up next.".to_owned();
    }
    if core.is_process() && text_of(message) == memory::TAKE_ALL {
        // The answer leaves first: a message without one would be delivered again.
        let own = Arc::clone(core);
        tokio::spawn(async move {
            own.clock.sleep(memory::PAUSE).await;
            own.say(&memory::take_all(&own).await);
        });
        return "taking all memory".to_owned();
    }
    match model::ask(core, &text_of(message)).await {
        Ok(text) => text,
        Err(error) => {
            core.say(&error);
            error
        }
    }
}

fn message_id() -> String {
    format!("m-{}", crate::clock::wall().as_nanosecond())
}

fn result(id: &Value, result: &Value) -> Response {
    reply::raw(200, json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
}

fn rpc_error(id: &Value, code: i64, message: &str) -> Response {
    reply::raw(
        200,
        json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }).to_string(),
    )
}
