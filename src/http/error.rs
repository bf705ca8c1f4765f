//! Why no whole answer came.

use std::error::Error;

use crate::domain::Transport;
use crate::wire::Broken;

/// No client can be made of what is configured.
#[derive(Debug, thiserror::Error)]
pub enum BadClient {
    /// The CA file is none.
    #[error("the CA file: {}", chain(.0))]
    Ca(reqwest::Error),
    /// The proxy for a scheme is no URL.
    #[error("the {0} proxy: {text}", text = chain(.1))]
    Proxy(&'static str, reqwest::Error),
    /// The system has no roots, or TLS cannot be had.
    #[error("cannot build an HTTP client: {}", chain(.0))]
    Build(reqwest::Error),
}

/// No whole answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TransportError {
    /// Its kind.
    pub kind: Transport,
    /// The whole chain of causes.
    pub text: String,
}

impl TransportError {
    /// Names a failure.
    pub fn new(kind: Transport, text: String) -> Self {
        TransportError { kind, text }
    }

    /// The run was cancelled while the answer was waited for.
    pub fn cancelled() -> Self {
        TransportError::new(Transport::Cancelled, "the run was cancelled".to_owned())
    }

    /// The last cause alone, where the chain only says that a request was sent.
    pub fn root(&self) -> &str {
        match self.text.starts_with("error sending request") {
            true => self.text.rsplit(": ").next().unwrap_or(&self.text),
            false => &self.text,
        }
    }

    /// Whether the request certainly never reached a server.
    pub fn never_sent(&self) -> bool {
        matches!(self.kind, Transport::BadRequest | Transport::Dns | Transport::Connect | Transport::Tls)
    }

    pub(super) fn from_reqwest(error: &reqwest::Error) -> Self {
        let text = chain(error);
        let lower = text.to_lowercase();
        let kind = if error.is_builder() {
            Transport::BadRequest
        } else if error.is_timeout() {
            Transport::TimedOut
        } else if error.is_connect() {
            if lower.contains("dns") || lower.contains("lookup address") {
                Transport::Dns
            } else if ["certificate", "tls", "handshake", "corrupt message"].iter().any(|w| lower.contains(w))
            {
                Transport::Tls
            } else {
                Transport::Connect
            }
        } else if error.is_body() || error.is_decode() {
            Transport::CutOff
        } else if lower.contains("invalid http")
            || lower.contains("parse error")
            || lower.contains("invalid status")
            || lower.contains("message head is too large")
        {
            Transport::BadAnswer
        } else {
            Transport::Reset
        };
        TransportError { kind, text }
    }

    pub(super) fn from_wire(broken: &Broken, url: &str) -> Self {
        let kind = match broken {
            Broken::Unknown(_) => Transport::Dns,
            Broken::Untrusted => Transport::Tls,
            Broken::Refused => Transport::Connect,
            Broken::Reset => Transport::Reset,
            Broken::Garbage => Transport::BadAnswer,
        };
        TransportError { kind, text: format!("error sending request for url ({url}): {broken}") }
    }

    pub(super) fn from_body(error: &axum::Error) -> Self {
        TransportError { kind: Transport::CutOff, text: chain(error) }
    }

    pub(super) fn within_answer(mut self, status: u16) -> Self {
        if self.kind == Transport::Reset {
            self.kind = Transport::CutOff;
        }
        self.text = format!("a {status} answer was cut off: {}", self.text);
        self
    }
}

/// The whole chain of causes: reqwest's own text hides "Connection refused" three levels down.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
