//! What is written down of an exchange: for the log, and for whoever keeps a few.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::row::Row;
use super::whose::{Due, whose};
use crate::domain::time;
use crate::event::{Body, EventKind, Exchange, Log};
use crate::http::{Payload, Request, Response, TransportError, keep_json, keep_text};

/// Files what came of a request.
pub(crate) type Filed = Box<dyn FnOnce(&Result<Response, TransportError>) + Send>;

/// Writes exchanges down.
pub trait Record: Send + Sync {
    /// A request leaves now; what comes back files its end.
    fn begin(&self, purpose: &str, request: &Request) -> Filed;

    /// The step ends before the answer to a request that goes on: it fails now, and by this.
    fn missed(&self, _purpose: &str, _request: &Request, _error: &TransportError, _took: Duration) {}

    /// It does not leave: with this answer the server told somebody else that it wants no request for longer.
    fn held(&self, _purpose: &str, _request: &Request, _answer: &Response) {}
}

/// Writes nothing down: what would be filed is secret, or nobody runs yet.
pub(crate) struct Unrecorded;

impl Record for Unrecorded {
    fn begin(&self, _: &str, _: &Request) -> Filed {
        Box::new(|_| {})
    }
}

/// Keeps an exchange besides.
pub(crate) type Keep = Arc<dyn Fn(&Exchange) + Send + Sync>;

/// Files exchanges under a step.
#[derive(Clone)]
pub(crate) struct Filing {
    /// Where.
    pub log: Log,
    /// Whose; `None` for the run itself.
    pub scenario: Option<String>,
    /// The step.
    pub step: String,
    /// How many it has so far.
    pub exchanges: Arc<AtomicU32>,
    /// Who keeps them besides.
    pub keep: Option<Keep>,
    /// Of a list only this row is filed: the others are everybody else's.
    pub only: Option<String>,
    /// What an answer must be.
    pub due: Due,
}

impl Filing {
    /// For the run itself.
    pub(crate) fn of_run(log: &Log, step: &str) -> Self {
        Filing {
            log: log.clone(),
            scenario: None,
            step: step.to_owned(),
            exchanges: Arc::default(),
            keep: None,
            only: None,
            due: Due::Json,
        }
    }
}

impl Filing {
    fn ended(&self, mut exchange: Exchange, result: &Result<Response, TransportError>) -> Exchange {
        const KEPT: [&str; 9] = [
            "content-type",
            "retry-after",
            "location",
            "server",
            "www-authenticate",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-request-id",
            "x-lifecycle-time-scale",
        ];
        exchange.took_ms = self.log.ms().saturating_sub(exchange.started_ms);
        match result {
            Ok(answer) => {
                exchange.status = Some(answer.status);
                exchange.elsewhere = whose(answer, self.due);
                exchange.headers = answer
                    .headers
                    .iter()
                    .filter(|(name, _)| KEPT.contains(&name.as_str()))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                let redactor = self.log.redactor();
                if let Some(json) = &answer.json {
                    redactor.learn_answer(&exchange.url, json);
                }
                let row = self.only.as_deref().and_then(|id| row_of(answer.json.as_ref(), id));
                exchange.response = match row.as_ref().or(answer.json.as_ref()) {
                    Some(json) => Some(keep_json(redactor, json, answer.body.len())),
                    None if answer.body.is_empty() => None,
                    None => Some(keep_text(redactor, &answer.text())),
                };
            }
            Err(error) => {
                exchange.error = Some(error.text.clone());
                exchange.error_kind = Some(error.kind);
            }
        }
        exchange
    }
}

impl Filing {
    fn begun(&self, purpose: &str, request: &Request, attempt: u32) -> Exchange {
        let redactor = self.log.redactor();
        let body = match &request.body {
            Payload::None => None,
            Payload::Json(value) => Some(keep_json(redactor, value, value.to_string().len())),
            Payload::Text(text) => Some(keep_text(redactor, text)),
            Payload::File { name, bytes, .. } => {
                Some(Body { json: None, text: Some(format!("file {name}")), bytes: bytes.len() as u64 })
            }
        };
        Exchange {
            scenario: self.scenario.clone(),
            step: self.step.clone(),
            attempt,
            purpose: purpose.to_owned(),
            method: request.method.clone(),
            url: request.url.clone(),
            request: body,
            identity: request.identity.clone(),
            started_ms: self.log.ms(),
            ..Exchange::default()
        }
    }
}

impl Record for Filing {
    fn begin(&self, purpose: &str, request: &Request) -> Filed {
        let exchange = self.begun(purpose, request, self.exchanges.fetch_add(1, Ordering::Relaxed) + 1);
        let filing = self.clone();
        Box::new(move |result| {
            let exchange = filing.ended(exchange, result);
            if let Some(keep) = &filing.keep {
                keep(&exchange);
            }
            filing.log.emit(EventKind::Exchange(Box::new(exchange)));
        })
    }

    fn missed(&self, purpose: &str, request: &Request, error: &TransportError, took: Duration) {
        let Some(keep) = &self.keep else { return };
        let attempt = self.exchanges.load(Ordering::Relaxed);
        keep(&Exchange {
            error: Some(error.text.clone()),
            error_kind: Some(error.kind),
            took_ms: time::ms(took),
            ..self.begun(purpose, request, attempt)
        });
    }

    fn held(&self, purpose: &str, request: &Request, answer: &Response) {
        let Some(keep) = &self.keep else { return };
        let attempt = self.exchanges.load(Ordering::Relaxed);
        keep(&self.ended(self.begun(purpose, request, attempt), &Ok(answer.clone())));
    }
}

/// The row of a list that has this id, or null; `None` when it is no list.
pub(crate) fn row_of(list: Option<&Value>, id: &str) -> Option<Value> {
    let rows = list?.as_array()?;
    Some(rows.iter().find(|row| row.is(id)).cloned().unwrap_or(Value::Null))
}
