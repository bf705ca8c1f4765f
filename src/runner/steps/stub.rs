//! `stub:` an agent of the harness's own that does as its script says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use serde_json::{Value, json};

use crate::domain::answers;
use crate::runner::context::ScenarioContext;
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::scenario::model::{Stub, StubAct};
use crate::wire::{self, Peer, Place};

/// No message is larger; what is gets no answer of the script.
const MAX_MESSAGE: usize = 1 << 20;

struct Agent {
    script: Vec<StubAct>,
    calls: Mutex<Vec<Value>>,
}

/// Runs the step; the agent lives until its scenario ends.
pub(super) async fn run(context: &ScenarioContext, verb: &Stub) -> StepResult {
    let cannot = |e: std::io::Error| Failure::of(FailureKind::Harness, format!("stub: cannot listen: {e}"));
    let network = context.run.api.client.network();
    let place = Place::take(network, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(cannot)?;
    let url = format!("http://localhost:{}", place.local_addr().map_err(cannot)?.port());
    let agent = Arc::new(Agent { script: verb.script.clone(), calls: Mutex::default() });
    let app = Router::new().fallback(any(serve)).layer(DefaultBodyLimit::max(MAX_MESSAGE)).with_state(agent);
    wire::serve(place, app, context.background.clone());
    context.state().captures.insert(verb.alias.clone(), json!(url));
    Ok(Passed::with(url))
}

async fn serve(
    State(agent): State<Arc<Agent>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    method: axum::http::Method,
    body: Bytes,
) -> Response {
    if method == axum::http::Method::GET {
        let calls = json!(*agent.calls.lock().unwrap_or_else(PoisonError::into_inner));
        return answer(200, calls.to_string());
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if request["method"] == "tasks/get" {
        return ended(&agent, &request);
    }
    let act = {
        let mut calls = agent.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(request.clone());
        let last = agent.script.len() - 1;
        agent.script[(calls.len() - 1).min(last)]
    };
    let result = |text: &str| {
        let parts = json!([{ "kind": "text", "text": text }]);
        let message =
            json!({ "kind": "message", "role": "agent", "messageId": crate::chance::uuid(), "parts": parts });
        answer(200, json!({ "jsonrpc": "2.0", "id": request["id"], "result": message }).to_string())
    };
    let asked = request["params"]["message"]["parts"][0]["text"].as_str().unwrap_or_default();
    match act {
        StubAct::Answer => result(answers::answer(asked).unwrap_or(asked)),
        StubAct::Task => {
            let task = json!({ "kind": "task", "id": request["id"], "status": { "state": "working" } });
            answer(200, json!({ "jsonrpc": "2.0", "id": request["id"], "result": task }).to_string())
        }
        StubAct::Other => result("Good morning. How can I help you?"),
        StubAct::Echo => result(asked),
        StubAct::ErrorText => result("Agent error (_ResultError)"),
        StubAct::Empty => result(""),
        StubAct::Nothing => answer(200, String::new()),
        StubAct::Garbage => answer(200, "<html>no JSON</html>".to_owned()),
        StubAct::Status(status) => {
            answer(status, json!({ "error": format!("no result: stub {status}") }).to_string())
        }
        StubAct::Reset => {
            peer.reset();
            answer(200, String::new())
        }
        StubAct::Hang => std::future::pending().await,
    }
}

/// The task of the message that had its id, completed.
fn ended(agent: &Agent, request: &Value) -> Response {
    let calls = agent.calls.lock().unwrap_or_else(PoisonError::into_inner);
    let id = &request["params"]["id"];
    let Some(asked) = calls.iter().find(|call| call["id"] == *id) else {
        let error = json!({ "code": -32001, "message": "no such task" });
        return answer(200, json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string());
    };
    let asked = asked["params"]["message"]["parts"][0]["text"].as_str().unwrap_or_default();
    let parts = json!([{ "kind": "text", "text": answers::answer(asked).unwrap_or(asked) }]);
    let task = json!({
        "kind": "task", "id": id, "status": { "state": "completed" }, "artifacts": [{ "parts": parts }]
    });
    answer(200, json!({ "jsonrpc": "2.0", "id": request["id"], "result": task }).to_string())
}

fn answer(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CONNECTION, "close")], body)
        .into_response()
}
