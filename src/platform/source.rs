//! How the poller reads a workspace-server.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::ask::{Asker, Outcome};
use super::filing::Unrecorded;
use super::row::Row;
use super::{Api, policy, record};
use crate::clock::Instant;
use crate::http::{Request, Response};
use crate::run::look::{ListLook, Look, Seen, Source};

impl Source for Api {
    fn one(&self, id: String, deadline: Instant) -> BoxFuture<'static, Look> {
        let api = self.clone();
        async move {
            let outcome = poll(&api, api.read(&id), deadline).await;
            let pace = outcome.response().map(|answer| api.pace(answer)).unwrap_or_default();
            let seen = match outcome {
                Outcome::Answer(answer) => see(&id, answer),
                other => unseen(other),
            };
            Look { seen, pace }
        }
        .boxed()
    }

    fn all(&self, deadline: Instant) -> BoxFuture<'static, ListLook> {
        let api = self.clone();
        async move {
            let outcome = poll(&api, api.list(), deadline).await;
            let pace = outcome.response().map(|answer| api.pace(answer)).unwrap_or_default();
            let rows = match outcome {
                Outcome::Answer(Response { status: 200, json: Some(Value::Array(rows)), .. }) => {
                    let rows = rows.into_iter().map(|row| (row.id().to_owned(), Arc::new(row)));
                    Ok(rows.collect::<HashMap<_, _>>())
                }
                Outcome::Answer(answer) => Err(refusal(&answer)),
                other => Err(unseen(other)),
            };
            ListLook { rows, pace }
        }
        .boxed()
    }
}

fn see(id: &str, answer: Response) -> Seen {
    match (answer.status, &answer.json) {
        (200, Some(record)) if record.is_anothers(id) => {
            Seen::Unavailable { text: format!("asked for {id}, the answer is about {}", record.id()) }
        }
        (200, Some(record @ Value::Object(_))) if record.get("status").is_some_and(Value::is_string) => {
            Seen::Record(Arc::new(record.clone()))
        }
        _ => refusal(&answer),
    }
}

fn refusal(answer: &Response) -> Seen {
    let status = answer.status;
    let said = record::error(answer.json.as_ref());
    let text = said.unwrap_or_else(|| match &*answer.body {
        [] => "empty body".to_owned(),
        _ => answer.excerpt_of(&answer.text(), 160),
    });
    match status {
        // A proxy's own 404 says nothing about the workspace.
        404 | 410 if record::is_gone(answer) => Seen::Gone { status, text },
        401 | 403 => Seen::Refused { status, text },
        200 => Seen::Unavailable { text: format!("200, but no workspace record: {text}") },
        _ => Seen::Unavailable { text: format!("{status}: {text}") },
    }
}

/// The poller asks again by itself, and files nothing: what changed is an event of its own.
async fn poll(api: &Api, request: Request, deadline: Instant) -> Outcome {
    Asker::new(api, Arc::new(Unrecorded), deadline).ask("poll", request, &policy::POLL).await
}

fn unseen(outcome: Outcome) -> Seen {
    match outcome {
        Outcome::Silent(error) => Seen::Transport { kind: error.kind, text: error.text },
        other => match other.response() {
            Some(answer) => refusal(answer),
            None => Seen::Unavailable { text: other.said() },
        },
    }
}
