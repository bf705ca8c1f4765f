//! The reference provider: one server that stands for every model vendor.
//!
//! It serves Anthropic Messages and OpenAI chat completions under the path of each vendor of the
//! catalogue, checks the credential, and answers known questions. A path that no vendor has is a
//! 404 in the vendor's shape, so that a doubled `/v1` shows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{reply, vendors};
use crate::domain::answers::answer;
use crate::models::catalogue::{Catalogue, Protocol};
use crate::wire::{self, Network, Place};

/// What it says when it was not asked a known question.
pub const NEUTRAL: &str = "I have read your message and have nothing to add.";
/// The header in which an agent says for which origin a request was meant.
pub const ORIGIN_HEADER: &str = "x-lifecycle-origin";
/// How many requests are remembered.
const SEEN: usize = 1_000;

/// What a provider is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Credentials that every vendor takes.
    pub keys: BTreeSet<String>,
    /// Credentials that one origin takes, such as `https://api.minimax.io`.
    pub keys_of: BTreeMap<String, BTreeSet<String>>,
    /// Take any credential that is not empty.
    pub accept_any_key: bool,
    /// Answer everything with this status: a vendor that is down or overloaded.
    pub refuse: Option<u16>,
    /// Where to listen instead of on a socket.
    pub network: Option<Network>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            keys: BTreeSet::new(),
            keys_of: BTreeMap::new(),
            accept_any_key: false,
            refuse: None,
            network: None,
        }
    }
}

/// One request that was answered. Never a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Path of the request.
    pub path: String,
    /// For which origin it was meant, if it says so.
    pub origin: Option<String>,
    /// The model that it asked for.
    pub model: String,
    /// What it got.
    pub status: u16,
}

/// A provider that serves.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    closed: CancellationToken,
    server: Option<JoinHandle<()>>,
}

struct Shared {
    paths: Vec<(String, Protocol)>,
    accept_any_key: bool,
    state: Mutex<Inner>,
}

struct Inner {
    keys: BTreeSet<String>,
    keys_of: BTreeMap<String, BTreeSet<String>>,
    refuse: Option<u16>,
    seen: VecDeque<Seen>,
}

/// Starts a provider.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn start(options: Options) -> io::Result<Running> {
    let place = Place::take(options.network.as_ref(), options.listen).await?;
    let addr = place.local_addr()?;
    let shared = Arc::new(Shared {
        paths: vendors::paths(Catalogue::built_in()),
        accept_any_key: options.accept_any_key,
        state: Mutex::new(Inner {
            keys: options.keys,
            keys_of: options.keys_of,
            refuse: options.refuse,
            seen: VecDeque::new(),
        }),
    });
    let app =
        Router::new().fallback(serve).layer(DefaultBodyLimit::max(16 << 20)).with_state(Arc::clone(&shared));
    let closed = CancellationToken::new();
    let server = Some(wire::serve(place, app, closed.clone()));
    Ok(Running { addr, shared, closed, server })
}

impl Running {
    /// The origin to put into an override; no slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Takes one more credential, for every vendor.
    pub fn accept(&self, key: impl Into<String>) {
        self.shared.lock().keys.insert(key.into());
    }

    /// Takes a credential no longer.
    pub fn reject(&self, key: &str) {
        let mut state = self.shared.lock();
        state.keys.remove(key);
        for keys in state.keys_of.values_mut() {
            keys.remove(key);
        }
    }

    /// Answers everything with this status, or again as usual.
    pub fn refuse(&self, status: Option<u16>) {
        self.shared.lock().refuse = status;
    }

    /// The last requests, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.iter().cloned().collect()
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.closed.cancel();
        if let Some(server) = self.server.take() {
            let _ = server.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any of the request's credentials is taken.
    fn knows(&self, headers: &HeaderMap, origin: Option<&str>) -> bool {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let bearer = text("authorization").and_then(|v| v.strip_prefix("Bearer "));
        let given = [bearer, text("x-api-key")];
        let state = self.lock();
        given.into_iter().flatten().map(str::trim).filter(|key| !key.is_empty()).any(|key| {
            let vendor = origin.and_then(|o| state.keys_of.get(o));
            self.accept_any_key || state.keys.contains(key) || vendor.is_some_and(|keys| keys.contains(key))
        })
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let origin = headers.get(ORIGIN_HEADER).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let path = uri.path().to_owned();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let found = shared.paths.iter().find(|(own, _)| *own == path).map(|(_, protocol)| *protocol);
    // An unknown path is answered in the shape of the client that asked.
    let shape =
        found.unwrap_or(if path.ends_with("/messages") { Protocol::Anthropic } else { Protocol::Openai });
    let refuse = shared.lock().refuse;
    let (status, answer) = if let Some(status) = refuse {
        (status, error(shape, status, "the service is not available"))
    } else if found.is_none() || method != Method::POST {
        (404, error(shape, 404, "not found"))
    } else if !shared.knows(&headers, origin.as_deref()) {
        (401, error(shape, 401, "invalid credential"))
    } else if !request["messages"].is_array() {
        (400, error(shape, 400, "messages: field required"))
    } else {
        (200, completion(shape, &request))
    };
    let mut state = shared.lock();
    if state.seen.len() == SEEN {
        state.seen.pop_front();
    }
    let model = request["model"].as_str().unwrap_or_default().to_owned();
    state.seen.push_back(Seen { path, origin, model, status });
    drop(state);
    reply::raw(status, answer.to_string())
}

/// An error as this kind of vendor words it.
fn error(shape: Protocol, status: u16, message: &str) -> Value {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    match shape {
        Protocol::Anthropic => json!({ "type": "error", "error": { "type": kind, "message": message } }),
        Protocol::Openai => {
            json!({ "error": { "message": message, "type": kind, "param": null, "code": kind } })
        }
    }
}

/// The text of the last message that a user sent.
fn prompt(request: &Value) -> String {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(message) = messages.iter().rev().find(|m| m["role"] == "user") else { return String::new() };
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().filter_map(|b| b["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn completion(shape: Protocol, request: &Value) -> Value {
    let prompt = prompt(request);
    let text = answer(&prompt).unwrap_or(NEUTRAL);
    let id = crate::chance::uuid().simple().to_string();
    let (asked, said) = (prompt.len() / 4 + 1, text.len() / 4 + 1);
    match shape {
        Protocol::Anthropic => json!({
            "id": format!("msg_{id}"),
            "type": "message",
            "role": "assistant",
            "model": request["model"],
            "content": [{ "type": "text", "text": text }],
            "stop_reason": "end_turn",
            "stop_sequence": null,
            "usage": { "input_tokens": asked, "output_tokens": said },
        }),
        Protocol::Openai => json!({
            "id": format!("chatcmpl-{id}"),
            "object": "chat.completion",
            "model": request["model"],
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": text },
                "finish_reason": "stop",
            }],
            "usage": { "prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said },
        }),
    }
}

#[cfg(test)]
mod tests;
