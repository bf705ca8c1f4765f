//! The one table of routes, and how a request finds its row.

mod a2a;
mod activity;
mod admin;
mod approvals;
mod budget;
mod create;
mod delegation;
mod delete;
mod edit;
mod external;
pub(super) mod guard;
mod inspect;
mod kept;
mod lifecycle;
mod messages;
mod model;
mod open;
mod payload;
mod peers;
mod read;
mod registry;
mod request;
mod secrets;
mod streams;
pub(super) mod table;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts as _, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;

use super::faults::Fault;
use super::options::Mode;
use super::platform::Platform;
use super::{ratelimit, reply};
use crate::wire::Peer;
pub(super) use guard::Caller;
pub(super) use request::Call;
use table::{Found, Handler, find};

/// The largest body that is read (contract §7.1).
pub(super) const MAX_BODY: usize = 16 << 20;

/// The whole application.
pub(super) fn app(platform: Arc<Platform>) -> Router {
    Router::new().fallback(serve).with_state(platform)
}

async fn serve(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request<Body>,
) -> Response {
    answer(platform, peer, request).await
}

/// On every answer (divergences O8). Of the last four only the names are known: their values are ours.
const SECURITY: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("content-security-policy", "default-src 'self'"),
];

/// One request, whichever door it came in by.
pub(super) async fn answer(platform: Arc<Platform>, peer: Peer, request: Request<Body>) -> Response {
    let scale = platform.clock.scale();
    let health = request.uri().path() == "/health";
    let key = ratelimit::key(request.headers(), &peer.addr.ip().to_string());
    let allowance = match platform.mode {
        Mode::Development => None,
        Mode::Production => Some(platform.limits.take(&key)),
    };
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match allowance {
        Some(a) if !a.allowed => reply::too_many(a.reset),
        _ => disturbed(&platform, &peer, request).await,
    };
    let headers = response.headers_mut();
    match allowance {
        None => {
            headers.insert("x-ratelimit-limit", HeaderValue::from_static("unlimited"));
        }
        Some(a) => {
            for (name, value) in [
                ("x-ratelimit-limit", a.limit),
                ("x-ratelimit-remaining", a.remaining),
                ("x-ratelimit-reset", a.reset),
            ] {
                headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
            }
        }
    }
    for (name, value) in SECURITY {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if health
        && scale.to_bits() != 1.0_f64.to_bits()
        && let Ok(value) = HeaderValue::from_str(&scale.to_string())
    {
        headers.insert("x-lifecycle-time-scale", value);
        // A fast clock stands still while the machine has no time for it: who waits by it has to see it.
        let passed = u64::try_from(platform.clock.passed().as_millis()).unwrap_or(u64::MAX);
        headers.insert("x-lifecycle-clock", HeaderValue::from(passed));
    }
    if let Some(origin) = origin.filter(|o| allowed_origin(&platform, o)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}

/// The origins that a browser may come from (contract §1.5).
fn allowed_origin(platform: &Platform, origin: &HeaderValue) -> bool {
    let allowed =
        platform.server_var("CORS_ORIGINS").unwrap_or("http://localhost:3000,http://localhost:3001");
    allowed.split(',').any(|o| o.trim().as_bytes() == origin.as_bytes())
}

/// Whether a page asks that is neither listed nor the server's own.
fn foreign(platform: &Platform, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| {
        let origin = origin.to_str().unwrap_or_default();
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host)
    });
    !own && !allowed_origin(platform, origin)
}

/// Where a path leads that has a slash at its end and is a route without it.
fn slash_too_many(method: &Method, uri: &Uri) -> Option<Response> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    find(method, path)?;
    let to = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut response = match *method == Method::GET {
        true => reply::html(301, format!("<a href=\"{to}\">Moved Permanently</a>.\n\n")),
        false => reply::empty(307),
    };
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&to).ok()?);
    Some(response)
}

/// Faults of the wire, around the request. Agents and inspection are spared.
async fn disturbed(platform: &Arc<Platform>, peer: &Peer, request: Request<Body>) -> Response {
    let path = request.uri().path();
    if path.starts_with("/registry/") || path.starts_with("/__lifecycle") || platform.faults.is_empty() {
        return route(platform, peer, request).await;
    }
    if platform.fault_turn(Fault::Http503EveryN).is_some() {
        return reply::error(503, "service unavailable");
    }
    if platform.fault_turn(Fault::Http429EveryN).is_some() {
        return reply::too_many(1);
    }
    if platform.fault_turn(Fault::HangEveryN).is_some() {
        return hang(platform).await;
    }
    if platform.fault(Fault::Hang) && request.method() == Method::GET && path.starts_with("/workspaces") {
        return hang(platform).await;
    }
    if let Some(turn) = platform.fault_turn(Fault::ResetEveryN) {
        // By turns before and after the request took effect: its sender cannot know.
        let response =
            if turn.is_multiple_of(2) { route(platform, peer, request).await } else { reply::empty(200) };
        peer.reset();
        return response;
    }
    if platform.fault_turn(Fault::GarbageEveryN).is_some() {
        let status = route(platform, peer, request).await.status().as_u16();
        return reply::raw(status, Bytes::from_static(b"\x00\xffnot json {"));
    }
    route(platform, peer, request).await
}

async fn hang(platform: &Platform) -> Response {
    platform.stopping.cancelled().await;
    reply::empty(503)
}

async fn route(platform: &Arc<Platform>, peer: &Peer, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(refusal) = guard::tenant(platform, &parts) {
        return refusal;
    }
    if foreign(platform, &parts.headers) {
        return reply::empty(403);
    }
    let Some(Found { route, params }) = find(&parts.method, parts.uri.path()) else {
        if parts.method == Method::OPTIONS && parts.headers.contains_key(header::ORIGIN) {
            return preflight();
        }
        return slash_too_many(&parts.method, &parts.uri).unwrap_or_else(reply::no_route);
    };
    let served = route.served(platform.behaviours);
    if !served || (route.path.starts_with("/__lifecycle") && !platform.inspect) {
        return reply::no_route();
    }
    let caller = match guard::check(platform, route.guard, &parts.headers, params.first().map(String::as_str))
    {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let socket = if route.path == "/ws" {
        WebSocketUpgrade::from_request_parts(&mut parts, &()).await.ok()
    } else {
        None
    };
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        let body = json!({ "error": "request body too large", "truncated": true, "max_bytes": MAX_BODY });
        return reply::json_body(413, &body);
    };
    let call = Call {
        platform: Arc::clone(platform),
        query: request::query(parts.uri.query().unwrap_or_default()),
        headers: parts.headers,
        params,
        body,
        caller,
        address: peer.addr.ip(),
        socket,
    };
    match route.run {
        Handler::Now(handle) => handle(&call),
        Handler::Later(handle) => handle(call).await,
    }
}

fn preflight() -> Response {
    let mut response = reply::empty(204);
    for (name, value) in [
        ("access-control-allow-methods", "GET,POST,PUT,PATCH,DELETE,OPTIONS"),
        (
            "access-control-allow-headers",
            "Origin,Content-Type,Authorization,X-Workspace-ID,X-Molecule-Org-Id,X-Molecule-Org-Slug,X-Confirm-Name",
        ),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
