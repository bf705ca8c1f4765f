//! How the poller reads a workspace-server.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Api, record};
use crate::clock::Instant;
use crate::http::{Response, TransportError, excerpt};
use crate::run::look::{ListLook, Look, Pace, Seen, Source};

impl Source for Api {
    fn one(&self, id: String, deadline: Instant) -> BoxFuture<'static, Look> {
        let api = self.clone();
        async move {
            match api.client.send(&api.read(&id), deadline).await {
                Ok(answer) => Look { pace: api.pace(&answer), seen: see(&id, answer) },
                Err(error) => Look { pace: Pace::default(), seen: unseen(&error) },
            }
        }
        .boxed()
    }

    fn all(&self, deadline: Instant) -> BoxFuture<'static, ListLook> {
        let api = self.clone();
        async move {
            match api.client.send(&api.list(), deadline).await {
                Ok(answer) => {
                    let pace = api.pace(&answer);
                    match (answer.status, answer.json) {
                        (200, Some(Value::Array(rows))) => {
                            let rows = rows
                                .into_iter()
                                .map(|row| (record::text(&row, "id").to_owned(), Arc::new(row)));
                            ListLook { rows: Ok(rows.collect::<HashMap<_, _>>()), pace }
                        }
                        (status, json) => ListLook { rows: Err(refusal(status, json, &answer.body)), pace },
                    }
                }
                Err(error) => ListLook { rows: Err(unseen(&error)), pace: Pace::default() },
            }
        }
        .boxed()
    }
}

fn see(id: &str, answer: Response) -> Seen {
    match (answer.status, answer.json) {
        (200, Some(record)) if record::is_anothers(&record, id) => Seen::Unavailable {
            text: format!("asked for {id}, the answer is about {}", record::text(&record, "id")),
        },
        (200, Some(record @ Value::Object(_))) if record.get("status").is_some_and(Value::is_string) => {
            Seen::Record(Arc::new(record))
        }
        (status, json) => refusal(status, json, &answer.body),
    }
}

fn refusal(status: u16, json: Option<Value>, body: &[u8]) -> Seen {
    let said = record::error(json.as_ref());
    let has_reason = said.is_some();
    let text = said.unwrap_or_else(|| match body {
        [] => "empty body".to_owned(),
        body => excerpt(&String::from_utf8_lossy(body), 160),
    });
    match status {
        // A proxy's own 404 page says nothing about the workspace.
        404 | 410 if has_reason => Seen::Gone { status, text },
        401 | 403 => Seen::Refused { status, text },
        200 => Seen::Unavailable { text: format!("200, but no workspace record: {text}") },
        _ => Seen::Unavailable { text: format!("{status}: {text}") },
    }
}

fn unseen(error: &TransportError) -> Seen {
    Seen::Transport { text: error.text.clone() }
}
