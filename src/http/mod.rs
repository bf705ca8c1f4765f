//! The only user of reqwest: limits, proxies, TLS, and what is kept of an exchange.

mod address;
mod body;
mod error;
mod json;
mod names;
mod websocket;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request as Sent, Response as Answer, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::clock::Instant;
use crate::domain::Secret;
use crate::redact::Redactor;
use crate::wire::{Network, Side};

pub use crate::domain::Transport;
pub(crate) use address::{address, is_loopback};
pub(crate) use body::{LONGEST, keep_json, keep_text};
pub(crate) use error::{BadClient, TransportError, chain};
pub(crate) use websocket::WebSocket;

/// No answer may be larger; an endless one ends here.
pub(crate) const MAX_BODY: usize = 32 << 20;

/// What it calls itself.
const AGENT: &str = concat!("lifecycle/", env!("CARGO_PKG_VERSION"));

/// How the client reaches servers.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// PEM of a CA to trust besides the system's.
    pub ca_cert: Option<Vec<u8>>,
    /// Certificates are not verified.
    pub insecure: bool,
    /// Proxies by scheme (`HTTP_PROXY`, `HTTPS_PROXY`), never used for loopback.
    pub proxies: Proxies,
    /// TLS is needed at all; a client for plain HTTP works in an empty root.
    pub tls: bool,
    /// Every server is in memory and is called there.
    pub network: Option<Network>,
    /// What keeps secrets out of what is quoted of answers.
    pub redactor: Redactor,
}

/// Proxies as the environment names them.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// `HTTP_PROXY`.
    pub http: Option<String>,
    /// `HTTPS_PROXY`.
    pub https: Option<String>,
    /// `NO_PROXY`.
    pub none: Option<String>,
}

/// Sends requests; cheap to clone, one pool of connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    network: Option<Network>,
    redactor: Redactor,
}

/// A request that can be sent and shown.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// Whole.
    pub url: String,
    /// Besides content type and authorization.
    pub headers: Vec<(String, String)>,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<Secret>,
    /// Whose bearer that is, for people.
    pub identity: String,
    /// What is sent.
    pub body: Payload,
}

/// The body of a request.
#[derive(Clone, Debug, Default)]
pub enum Payload {
    /// None.
    #[default]
    None,
    /// JSON.
    Json(Value),
    /// As it is, with `Content-Type: application/json` unless a header says otherwise.
    Text(String),
    /// One file as `multipart/form-data`.
    File {
        /// The form field.
        field: String,
        /// The file's name.
        name: String,
        /// Its type.
        mime: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers, lower-case names; of repeated ones the last.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
    /// The body as JSON, when it is JSON.
    pub json: Option<Value>,
    /// Knows the secrets of whoever asked.
    pub redactor: Redactor,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `Retry-After` (RFC 9110 §10.2.3), seconds or a date by the server's own clock, bounded to an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        let said = self.headers.get("retry-after")?.trim();
        let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp());
        let seconds = said.parse().ok().or_else(|| {
            let now = self.headers.get("date").and_then(|text| date(text.trim()));
            let left = date(said)?.duration_since(now.unwrap_or_else(crate::clock::wall));
            Some(u64::try_from(left.as_secs()).unwrap_or_default())
        })?;
        Some(Duration::from_secs(seconds.min(3_600)))
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the body says that it is JSON and is none: a gateway's page, or half an answer.
    pub fn is_garbled(&self) -> bool {
        let json = self.headers.get("content-type").is_some_and(|kind| kind.contains("json"));
        json && self.json.is_none() && !self.body.is_empty()
    }

    /// A short text of the body for messages, redacted, on one line.
    pub fn excerpt(&self) -> String {
        self.excerpt_of(&self.text(), 200)
    }

    /// A short text of something in the body, redacted, on one line. Credentials in the body are known by then.
    pub fn excerpt_of(&self, text: &str, max: usize) -> String {
        if let Some(json) = &self.json {
            self.redactor.learn(json);
        }
        self.redactor.excerpt(text, max)
    }
}

/// How many certificates a PEM bundle holds.
///
/// # Errors
/// One that is none.
pub(crate) fn certificates_in(pem: &[u8]) -> Result<usize, BadClient> {
    Ok(reqwest::Certificate::from_pem_bundle(pem).map_err(BadClient::Ca)?.len())
}

impl Client {
    /// Builds a client.
    ///
    /// # Errors
    /// A CA file that is none, a proxy that is no URL, no system roots.
    pub fn new(config: &Config) -> Result<Client, BadClient> {
        let mut builder = crate::tls::client()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(256)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .dns_resolver(std::sync::Arc::new(names::Names))
            .user_agent(AGENT)
            // Nothing here unpacks a body.
            .default_headers(
                [(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"))]
                    .into_iter()
                    .collect(),
            )
            .no_proxy();
        if !config.tls {
            builder = builder.tls_certs_only([]);
        } else if let Some(pem) = &config.ca_cert {
            let certs = reqwest::Certificate::from_pem_bundle(pem).map_err(BadClient::Ca)?;
            builder = builder.tls_certs_merge(certs);
        }
        if config.insecure {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        let none = config.proxies.none.clone().unwrap_or_default();
        let none = reqwest::NoProxy::from_string(&format!("localhost,127.0.0.0/8,::1,{none}"));
        for (scheme, proxy) in [("http", &config.proxies.http), ("https", &config.proxies.https)] {
            if let Some(url) = proxy {
                let proxy =
                    if scheme == "http" { reqwest::Proxy::http(url) } else { reqwest::Proxy::https(url) };
                let proxy = proxy.map_err(|e| BadClient::Proxy(scheme, e))?;
                builder = builder.proxy(proxy.no_proxy(none.clone()));
            }
        }
        let inner = builder.build().map_err(BadClient::Build)?;
        Ok(Client { inner, network: config.network.clone(), redactor: config.redactor.clone() })
    }

    /// What keeps secrets out of what is quoted of answers.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The network in memory through which it calls.
    pub fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// Sends a request and reads the whole answer, all of it before the deadline.
    ///
    /// # Errors
    /// No whole answer came: refused, reset, timed out, too large, cut off; with the chain of causes.
    pub async fn send(&self, request: &Request, deadline: Instant) -> Result<Response, TransportError> {
        let began = Instant::now();
        let sent = self.exchange(request);
        match crate::clock::timeout_at(deadline, sent).await {
            Ok(result) => result,
            Err(_) => Err(TransportError::new(
                Transport::TimedOut,
                format!(
                    "no whole answer within {}",
                    crate::domain::time::show(deadline.saturating_duration_since(began))
                ),
            )),
        }
    }

    async fn exchange(&self, request: &Request) -> Result<Response, TransportError> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|_| {
            TransportError::new(Transport::BadRequest, format!("`{}` is not a method", request.method))
        })?;
        let mut builder = self.inner.request(method, &request.url);
        if let Some(bearer) = &request.bearer {
            builder = builder.bearer_auth(bearer.expose());
        }
        let typed = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        builder = match &request.body {
            Payload::None => builder,
            Payload::Json(value) => builder.json(value),
            Payload::Text(text) if typed => builder.body(text.clone()),
            Payload::Text(text) => builder.header("content-type", "application/json").body(text.clone()),
            Payload::File { field, name, mime, bytes } => {
                let part = reqwest::multipart::Part::bytes(bytes.clone())
                    .file_name(name.clone())
                    .mime_str(mime)
                    .map_err(|e| TransportError::new(Transport::BadRequest, chain(&e)))?;
                builder.multipart(reqwest::multipart::Form::new().part(field.clone(), part))
            }
        };
        let answer = self.answer(builder).await?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let mut body = BytesMut::new();
        let mut stream = answer.into_body().into_data_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| TransportError::from_body(&e).within_answer(status))?;
            if body.len() + chunk.len() > MAX_BODY {
                return Err(TransportError::new(
                    Transport::TooLarge,
                    format!("the body of a {status} answer is larger than {} MiB", MAX_BODY >> 20),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        let body = body.freeze();
        let json = json::read(&body);
        Ok(Response { status, headers, body, json, redactor: self.redactor.clone() })
    }

    /// The head of an answer and a body that is not read yet, over a socket or in memory.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Answer<Body>, TransportError> {
        let Some(network) = &self.network else {
            let answer = request.send().await.map_err(|e| TransportError::from_reqwest(&e))?;
            return Ok(Answer::from(answer).map(Body::new));
        };
        let request = request.build().map_err(|e| TransportError::from_reqwest(&e))?;
        let url = request.url().to_string();
        let mut request: Sent<reqwest::Body> =
            request.try_into().map_err(|e: reqwest::Error| TransportError::from_reqwest(&e))?;
        // What a connection's client adds to every request.
        request.headers_mut().entry(header::ACCEPT).or_insert(header::HeaderValue::from_static("*/*"));
        request.headers_mut().entry(header::USER_AGENT).or_insert(header::HeaderValue::from_static(AGENT));
        let answered = network.call(Side::Harness, request.map(Body::new)).await;
        answered.map_err(|broken| TransportError::from_wire(&broken, &url))
    }

    /// Opens a stream of server-sent events; the caller reads it in bounded pieces.
    ///
    /// # Errors
    /// As [`Client::send`]; also an answer that is no event stream.
    pub async fn stream(
        &self,
        url: &str,
        bearer: Option<&Secret>,
        deadline: Instant,
    ) -> Result<impl futures_util::Stream<Item = Result<Bytes, TransportError>> + use<>, TransportError> {
        let mut builder = self.inner.get(url).header("accept", "text/event-stream");
        if let Some(bearer) = bearer {
            builder = builder.bearer_auth(bearer.expose());
        }
        let answer = crate::clock::timeout_at(deadline, self.answer(builder)).await.map_err(|_| {
            TransportError::new(Transport::TimedOut, "the stream did not open in time".to_owned())
        })??;
        if !answer.status().is_success() {
            return Err(TransportError::new(
                Transport::BadAnswer,
                format!("the stream answered {}", answer.status()),
            ));
        }
        let chunks = answer.into_body().into_data_stream();
        Ok(chunks.map(|chunk| chunk.map_err(|e| TransportError::from_body(&e))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_back() {
        let noon = "Sat, 21 Nov 2026 12:00:00 GMT";
        for (said, at, seconds) in [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("86400", None, Some(3_600)),
            ("Sat, 21 Nov 2026 12:00:09 GMT", Some(noon), Some(9)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(noon), Some(0)),
            ("Sat, 28 Nov 2026 12:00:00 GMT", Some(noon), Some(3_600)),
            ("Mon, 01 Jan 1990 00:00:00 GMT", None, Some(0)),
            ("-3", None, None),
            ("soon", Some(noon), None),
        ] {
            let headers = [("retry-after", Some(said)), ("date", at)];
            let headers =
                headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
            let answer = Response {
                status: 429,
                headers: headers.collect(),
                body: Bytes::new(),
                json: None,
                redactor: Redactor::new(),
            };
            assert_eq!(answer.retry_after(), seconds.map(Duration::from_secs), "{said}");
        }
    }
}
