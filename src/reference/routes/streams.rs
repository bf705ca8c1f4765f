//! Event streams: SSE, WebSocket, and the stored tail (contract §12).

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ws::{Message, WebSocket};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Call;
use super::guard::{is_admin, is_org};
use crate::behaviour::Behaviour;
use crate::reference::platform::Platform;
use crate::reference::reply;
use crate::reference::state::events::{Event, Wants};

pub(super) fn all_events(call: &Call) -> Response {
    reply::ok(&Value::Array(call.platform.state().events.latest(None)))
}

pub(super) fn events(call: &Call) -> Response {
    let id = match call.id_or("query failed") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    reply::ok(&Value::Array(call.platform.state().events.latest(Some(id))))
}

/// A comment first, then one `data:` line an event; nothing else, ever.
pub(super) fn sse(call: &Call) -> Response {
    let id = match call.id_or("failed to verify workspace") {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let events = {
        let mut state = call.platform.state();
        if state.get(id).is_none() {
            return reply::error(404, "workspace not found");
        }
        state.events.subscribe(Wants::Workspace(id))
    };
    let first = stream::once(async { Bytes::from_static(b": ping\n\n") });
    let rest = stream::unfold(events, |mut events| async move {
        let event = events.recv().await?;
        Some((Bytes::from(format!("data: {}\n\n", event.sse())), events))
    });
    let until = Arc::clone(&call.platform);
    let body = first
        .chain(rest)
        .map(Ok::<Bytes, Infallible>)
        .take_until(async move { until.stopping.cancelled().await });
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONNECTION, "keep-alive"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Everything for a canvas; for a workspace, what it may talk to.
pub(super) async fn socket(call: Call) -> Response {
    // Where a browser comes from matters only when the server says from where they may come.
    let listed = call.platform.server_var("CORS_ORIGINS");
    if let (Some(listed), Some(origin)) = (listed, call.header("origin"))
        && !listed.split(',').any(|o| o.trim() == origin)
    {
        return reply::error(403, "origin not allowed");
    }
    let wants = match call.header("x-workspace-id") {
        None => {
            if call.platform.does(Behaviour::WsNeedsBearer) && !may_listen(&call) {
                return reply::error(401, "missing or invalid auth token");
            }
            Wants::All
        }
        Some(text) => {
            let Ok(id) = Uuid::try_parse(text) else { return reply::error(500, "auth check failed") };
            let mut state = call.platform.state();
            if state.tokens.has_any(id) {
                let Some(token) = call.bearer() else {
                    return reply::error(401, "missing workspace auth token");
                };
                if state.tokens.owner(token) != Some(id) {
                    return reply::error(401, "invalid workspace auth token");
                }
            }
            Wants::Caller(id)
        }
    };
    let Some(upgrade) = call.socket else { return reply::plain(400, "Bad Request\n") };
    let platform = Arc::clone(&call.platform);
    // Subscribed before the handshake is answered, so that nothing after it is missed.
    let events = platform.state().events.subscribe(wants);
    upgrade.on_upgrade(move |socket| forward(platform, socket, events))
}

/// Whether the bearer, or the token in the subprotocol `molecule-auth.<hex>`, is somebody's.
fn may_listen(call: &Call) -> bool {
    let protocols = call.header("sec-websocket-protocol").unwrap_or_default().split(',');
    let hex = protocols.map(str::trim).find_map(|p| p.strip_prefix("molecule-auth."));
    let bytes = hex.and_then(|hex| {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
            .collect::<Option<Vec<u8>>>()
    });
    let spoken = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let platform = &call.platform;
    call.bearer().map(str::to_owned).or(spoken).is_some_and(|token| {
        is_admin(platform, &token)
            || is_org(platform, &token)
            || platform.state().tokens.owner(&token).is_some()
    })
}

async fn forward(platform: Arc<Platform>, mut socket: WebSocket, mut events: mpsc::Receiver<Arc<Event>>) {
    loop {
        tokio::select! {
            biased;
            () = platform.stopping.cancelled() => break,
            event = events.recv() => {
                let Some(event) = event else { break };
                if socket.send(Message::Text(event.frame().to_string().into())).await.is_err() {
                    break;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(_)) => {}
                _ => break,
            },
        }
    }
}
