//! One request, past its guard.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::guard::{Caller, bearer};
use crate::reference::platform::Platform;
use crate::reference::reply;

/// What a handler gets.
pub struct Call {
    pub platform: Arc<Platform>,
    /// Values of the path's `:names`, in order.
    pub params: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub caller: Caller,
    /// Whoever opened the connection; no header changes that (contract §1.5).
    pub address: IpAddr,
    pub socket: Option<WebSocketUpgrade>,
}

impl Call {
    /// The first `:name`, as it was sent.
    pub fn id_text(&self) -> &str {
        self.params.first().map_or("", String::as_str)
    }

    /// The first `:name` as an id; else the answer that reads give.
    pub fn id(&self) -> Result<Uuid, Response> {
        Uuid::try_parse(self.id_text()).map_err(|_| reply::error(400, "invalid workspace ID"))
    }

    /// A query value.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a query value is `true`.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.query(name), Some("true" | "1"))
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty())
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        bearer(&self.headers)
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Splits a query string.
pub fn query(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        assert_eq!(
            query("a=1&b=x%20y+z&&c"),
            [("a", "1"), ("b", "x y z"), ("c", "")].map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
    }
}
