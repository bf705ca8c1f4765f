//! One request, past its guard.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::guard::{Caller, bearer};
use crate::reference::platform::Platform;
use crate::reference::reply;

/// What a handler gets.
pub(crate) struct Call {
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
    pub(crate) fn id_text(&self) -> &str {
        self.params.first().map_or("", String::as_str)
    }

    /// The first `:name` as an id; else the answer that reads give.
    pub(crate) fn id(&self) -> Result<Uuid, Response> {
        Uuid::try_parse(self.id_text()).map_err(|_| reply::error(400, "invalid workspace ID"))
    }

    /// The first `:name` as an id; else what a route answers that asks its database with it as it is.
    pub(crate) fn id_or(&self, text: &str) -> Result<Uuid, Response> {
        Uuid::try_parse(self.id_text()).map_err(|_| reply::error(500, text))
    }

    /// A query value.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a query value is the word `true`; nothing else switches anything on.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query(name) == Some("true")
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty())
    }

    /// The bearer token.
    pub(crate) fn bearer(&self) -> Option<&str> {
        bearer(&self.headers)
    }

    /// The body as JSON, read as Go reads it into a struct: what follows the first value is ignored, keys are
    /// known in any case, the last of two equal keys wins, bad UTF-8 is replaced, `null` is nothing said.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        let text = String::from_utf8_lossy(&self.body);
        let first = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next()?.ok()?;
        let value = match first {
            Value::Object(map) => {
                map.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect()
            }
            Value::Null => Value::Object(Map::new()),
            other => other,
        };
        serde_json::from_value(value).ok()
    }

    /// The body as an object; a list is none.
    pub(crate) fn object<T: DeserializeOwned>(&self) -> Option<T> {
        self.json::<Map<String, Value>>().and_then(|map| serde_json::from_value(Value::Object(map)).ok())
    }
}

/// Splits a query string.
pub(super) fn query(text: &str) -> Vec<(String, String)> {
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
