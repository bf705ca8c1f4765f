//! A small client for tests.

use std::pin::pin;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::reference::clock::Clock;
use crate::reference::outbound::{Call, Outbound};
use crate::reference::server::{AgentKind, Options, Running, start};

pub(super) const ADMIN: &str = "admin-token-of-the-tests";

/// An answer.
#[derive(Debug)]
pub(super) struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

/// A platform and a client.
pub(super) struct Play {
    pub running: Running,
    pub base: String,
    pub outbound: Outbound,
}

/// Options of most tests: fast, stub agents, inspection on.
pub(super) fn quick() -> Options {
    Options {
        admin_token: ADMIN.into(),
        time_scale: 50.0,
        inspect: true,
        agent: AgentKind::Stub,
        ..Options::default()
    }
}

impl Play {
    pub(super) async fn new(options: Options) -> Play {
        let running = start(options).await.unwrap();
        Play { base: running.base_url(), running, outbound: Outbound::new().unwrap() }
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Got {
        let headers: Vec<(&'static str, String)> = Vec::new();
        self.send_with(method, path, token, headers, body.map(Value::to_string)).await
    }

    pub(super) async fn send_with(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        mut headers: Vec<(&'static str, String)>,
        body: Option<String>,
    ) -> Got {
        if let Some(token) = token {
            headers.push(("authorization", format!("Bearer {token}")));
        }
        if body.is_some() && !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let call = Call {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            url: format!("{}{path}", self.base),
            headers,
            body: body.unwrap_or_default().into(),
            within: Duration::from_secs(20),
            headers_within: Duration::MAX,
            max_bytes: 64 << 20,
        };
        let answer = self.outbound.send(call).await.unwrap();
        let body = match serde_json::from_slice(&answer.body) {
            Ok(value) => value,
            Err(_) if answer.body.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(&answer.body).into_owned()),
        };
        Got { status: answer.status, headers: answer.headers, body }
    }

    pub(super) async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        self.send(method, path, Some(ADMIN), body.as_ref()).await
    }

    /// Reads until a condition holds; the last record.
    pub(super) async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let clock = Clock::new(1.0);
        for _ in 0..4_000 {
            let got = self.send("GET", &format!("/workspaces/{id}?include_removed=true"), None, None).await;
            if holds(&got.body) {
                return got.body;
            }
            clock.sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}");
    }

    /// Asks again until there is an answer.
    pub(super) async fn eventually<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let clock = Clock::new(1.0);
        for _ in 0..4_000 {
            if let Some(found) = look().await {
                return found;
            }
            clock.sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}");
    }

    pub(super) async fn status(&self, id: &str, status: &str) -> Value {
        self.until(id, status, |w| w["status"] == status).await
    }

    pub(super) async fn online(&self, id: &str) -> Value {
        self.until(id, "online with a URL", |w| w["status"] == "online" && w["url"] != "").await
    }

    /// A managed workspace that is being provisioned: id and API token.
    pub(super) async fn managed(&self, name: &str) -> (String, String) {
        let body = json!({
            "name": name,
            "tier": 2,
            "runtime": "claude-code",
            "model": "MiniMax-M2.7",
            "secrets": { "MINIMAX_API_KEY": "key-of-the-tests" },
        });
        let got = self.admin("POST", "/workspaces", Some(body)).await;
        assert_eq!(got.status, 201, "{:?}", got.body);
        let text = |key: &str| got.body[key].as_str().unwrap().to_owned();
        (text("id"), text("auth_token"))
    }

    /// An external workspace in poll mode: id and token.
    pub(super) async fn external(&self, name: &str) -> (String, String) {
        let body = json!({ "name": name, "external": true, "delivery_mode": "poll" });
        let got = self.admin("POST", "/workspaces", Some(body)).await;
        assert_eq!(got.status, 201, "{:?}", got.body);
        let token = got.body["connection"]["auth_token"].as_str().unwrap().to_owned();
        (got.body["id"].as_str().unwrap().to_owned(), token)
    }

    /// Reads a workspace's stream into a channel.
    pub(super) async fn listen(&self, id: &str, token: &str) -> mpsc::UnboundedReceiver<Value> {
        let url = format!("{}/workspaces/{id}/events/stream", self.base);
        let (status, headers, chunks) = self.outbound.open(&url, token).await;
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/event-stream"));
        let (sink, source) = mpsc::unbounded_channel();
        let (ready, begun) = oneshot::channel();
        tokio::spawn(async move {
            let mut ready = Some(ready);
            let mut chunks = pin!(chunks);
            let mut text = String::new();
            while let Some(chunk) = chunks.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk));
                while let Some((frame, rest)) = text.split_once("\n\n") {
                    match frame.strip_prefix("data: ") {
                        Some(data) => drop(sink.send(serde_json::from_str(data).unwrap())),
                        None => assert_eq!(frame, ": ping"),
                    }
                    let _ = ready.take().map(|r| r.send(()));
                    text = rest.to_owned();
                }
            }
        });
        begun.await.unwrap();
        source
    }

    pub(super) async fn environment(&self, id: &str) -> Got {
        self.admin("GET", &format!("/__lifecycle/workspaces/{id}/environment"), None).await
    }
}
