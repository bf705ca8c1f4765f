//! The reference platform's HTTP client: the platform calling agents, agents calling platform and provider.
//!
//! Never through a proxy, never following redirects. Plain HTTP needs no certificates, so that it
//! also works in an image that holds nothing else; a client for https is made only when it is needed.

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::{Client, redirect};

use crate::wire::{Broken, Network, Side};

/// How long a connection may take to open (contract §4.2).
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// Connections kept open and unused to each of many addresses.
const IDLE_OF_MANY: usize = 1;
/// Connections kept open and unused to the one address that many share.
const IDLE_OF_ONE: usize = 64;

/// A client; clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    plain: Client,
    connect: Duration,
    tls: Arc<OnceLock<Result<Client, String>>>,
    network: Option<(Network, Side)>,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The connection could not be opened.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// It broke after it was open.
    #[error("connection lost: {0}")]
    Broken(String),
    /// The headers came, and the body broke off.
    #[error("answer {status} cut off: {why}")]
    Cut {
        /// The status of the answer.
        status: u16,
        /// What broke.
        why: String,
    },
    /// The body is larger than asked for.
    #[error("answer larger than {0} bytes")]
    TooLarge(usize),
    /// The request cannot be made.
    #[error("cannot send: {0}")]
    Unsendable(String),
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Method.
    pub method: Method,
    /// Absolute URL.
    pub url: String,
    /// Headers, all of them.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Bytes,
    /// How long all of it may take, in real time.
    pub within: Duration,
    /// How long its headers may take, in real time.
    pub headers_within: Duration,
    /// How large the answer may be.
    pub max_bytes: usize,
}

impl Call {
    /// A POST of JSON.
    pub(crate) fn post_json(url: impl Into<String>, body: impl Into<Bytes>) -> Call {
        Call {
            method: Method::POST,
            url: url.into(),
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
            within: Duration::from_secs(30),
            headers_within: Duration::MAX,
            max_bytes: 64 << 20,
        }
    }

    /// Bounds the wait for the answer's headers, in real time.
    #[must_use]
    pub(crate) fn headers_within(mut self, limit: Duration) -> Call {
        self.headers_within = limit;
        self
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Call {
        self.headers.push((name, value.into()));
        self
    }

    /// Bounds it, in real time.
    #[must_use]
    pub(crate) fn within(mut self, limit: Duration) -> Call {
        self.within = limit;
        self
    }

    /// Where an answer sends it on, as Go's client follows it; another host gets no secret.
    pub(crate) fn redirected(&self, answer: &Answer) -> Option<Call> {
        let keeps = match answer.status {
            301..=303 => false,
            307 | 308 => true,
            _ => return None,
        };
        let here = reqwest::Url::parse(&self.url).ok()?;
        let to = here.join(answer.headers.get("location")?.to_str().ok()?).ok()?;
        let mut next = Call { url: to.to_string(), ..self.clone() };
        if to.host_str() != here.host_str() {
            next.headers.retain(|(name, _)| *name != "authorization");
        }
        if !keeps {
            next.method = Method::GET;
            next.body = Bytes::new();
            next.headers.retain(|(name, _)| *name != "content-type");
        }
        Some(next)
    }
}

fn builder(idle: usize, connect: Duration) -> reqwest::ClientBuilder {
    crate::tls::client()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(connect)
        .pool_max_idle_per_host(idle)
        .pool_idle_timeout(Duration::from_secs(20))
        // Needs no resolver, and agents listen on the IPv4 loopback first.
        .resolve_to_addrs(
            "localhost",
            &[SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))],
        )
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

impl Outbound {
    /// A client.
    ///
    /// # Errors
    /// When the HTTP library cannot be set up.
    pub(crate) fn new() -> std::io::Result<Outbound> {
        Outbound::connecting_within(CONNECT)
    }

    /// A client that waits for a connection as long as this, in real time.
    ///
    /// # Errors
    /// When the HTTP library cannot be set up.
    pub(crate) fn connecting_within(connect: Duration) -> std::io::Result<Outbound> {
        Outbound::build(IDLE_OF_MANY, connect)
    }

    /// A client that many agents share to talk to one platform.
    ///
    /// # Errors
    /// When the HTTP library cannot be set up.
    pub(crate) fn to_one_server() -> std::io::Result<Outbound> {
        Outbound::build(IDLE_OF_ONE, CONNECT)
    }

    fn build(idle: usize, connect: Duration) -> std::io::Result<Outbound> {
        let plain = builder(idle, connect).tls_certs_only([]).build().map_err(std::io::Error::other)?;
        Ok(Outbound { plain, connect, tls: Arc::default(), network: None })
    }

    /// The same client, which calls through a network in memory when there is one.
    #[must_use]
    pub(crate) fn through(self, network: Option<(Network, Side)>) -> Outbound {
        Outbound { network, ..self }
    }

    fn client(&self, url: &str) -> Result<&Client, CallError> {
        if !url.starts_with("https:") {
            return Ok(&self.plain);
        }
        self.tls
            .get_or_init(|| builder(IDLE_OF_MANY, self.connect).build().map_err(|e| chain(&e)))
            .as_ref()
            .map_err(|e| CallError::Unsendable(e.clone()))
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, CallError> {
        let limit = call.within;
        match crate::clock::timeout(limit, self.send_unbounded(call)).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Timeout),
        }
    }

    async fn send_unbounded(&self, call: Call) -> Result<Answer, CallError> {
        let mut request = self.client(&call.url)?.request(call.method, &call.url).body(call.body);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let sent = crate::clock::timeout(call.headers_within, self.exchange(request)).await;
        let response = sent.map_err(|_| CallError::Timeout)??;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        let mut chunks = response.into_body().into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|e| CallError::Cut { status, why: chain(&e) })?;
            if body.len() + chunk.len() > call.max_bytes {
                return Err(CallError::TooLarge(call.max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.into() })
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Response<Body>, CallError> {
        let Some((network, side)) = &self.network else {
            let response = request.send().await.map_err(|e| classify(&e))?;
            return Ok(Response::from(response).map(Body::new));
        };
        let request = request.build().and_then(Request::try_from).map_err(|e| classify(&e))?;
        network.call(*side, request.map(Body::new)).await.map_err(|broken| match broken {
            Broken::Unknown(_) | Broken::Untrusted | Broken::Refused => {
                CallError::Connect(broken.to_string())
            }
            Broken::Reset | Broken::Garbage => CallError::Broken(broken.to_string()),
        })
    }
}

#[cfg(test)]
impl Outbound {
    /// An answer whose body comes piece by piece.
    pub(crate) async fn open(
        &self,
        url: &str,
        token: &str,
    ) -> (u16, HeaderMap, impl futures_util::Stream<Item = Bytes> + use<>) {
        use futures_util::StreamExt as _;
        let response = self.plain.get(url).bearer_auth(token).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, response.bytes_stream().filter_map(|chunk| async { chunk.ok() }))
    }
}

fn classify(error: &reqwest::Error) -> CallError {
    if error.is_builder() {
        CallError::Unsendable(chain(error))
    } else if error.is_timeout() {
        // A connection that never opens is a time-out too (contract §7.1).
        CallError::Timeout
    } else if error.is_connect() {
        CallError::Connect(chain(error))
    } else {
        CallError::Broken(chain(error))
    }
}
