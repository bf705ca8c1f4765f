//! Answers in the platform's forms.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const JSON_RAW: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

fn build(status: u16, kind: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A JSON answer as most routes give it.
pub(super) fn json_body(status: u16, value: &Value) -> Response {
    build(status, JSON_UTF8, Body::from(value.to_string()))
}

/// 200 with JSON.
pub(super) fn ok(value: &Value) -> Response {
    json_body(200, value)
}

/// `{"error": text}`.
pub(super) fn error(status: u16, text: impl AsRef<str>) -> Response {
    json_body(status, &json!({ "error": text.as_ref() }))
}

/// Bytes of JSON that were not made here, as the A2A proxy passes them on.
pub(super) fn raw(status: u16, body: impl Into<Bytes>) -> Response {
    build(status, JSON_RAW, Body::from(body.into()))
}

/// Plain text without a charset.
pub(super) fn text(status: u16, body: &'static str) -> Response {
    build(status, TEXT, Body::from(body))
}

/// A page.
pub(super) fn html(status: u16, body: String) -> Response {
    build(status, HeaderValue::from_static("text/html; charset=utf-8"), Body::from(body))
}

/// Plain text with a charset, as Go's own error pages have it.
pub(super) fn plain(status: u16, body: &'static str) -> Response {
    build(status, HeaderValue::from_static("text/plain; charset=utf-8"), Body::from(body))
}

/// What an unknown route gets.
pub(super) fn no_route() -> Response {
    text(404, "404 page not found")
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response
}

/// 429, and when to come again.
pub(super) fn too_many(seconds: u64) -> Response {
    let body = json!({ "error": "rate limit exceeded", "retry_after": seconds });
    retry_after(json_body(429, &body), seconds)
}

/// Adds Retry-After.
pub(super) fn retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
