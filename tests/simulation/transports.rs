//! The two transports tell the same: one table over sockets and in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use futures_util::StreamExt as _;
use lifecycle_harness::facade::clock::Instant;
use lifecycle_harness::facade::domain::Secret;
use lifecycle_harness::facade::http::{Client, Config, Payload, Request, Transport};
use lifecycle_harness::facade::reference::options::Options;
use lifecycle_harness::facade::reference::server;
use lifecycle_harness::facade::wire::{self, Fate, Fault, Network, Place, What};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a client is told of one request.
#[derive(Debug, PartialEq)]
enum Told {
    Answer { status: u16, retry_after: Option<Duration>, kind: Option<String>, body: String },
    Failure(Transport),
}

async fn ask(client: &Client, url: &str) -> Told {
    let request = Request { method: "GET".into(), url: url.into(), ..Request::default() };
    match client.send(&request, Instant::now() + Duration::from_secs(2)).await {
        Ok(answer) => Told::Answer {
            status: answer.status,
            retry_after: answer.retry_after(),
            kind: answer.headers.get("content-type").cloned(),
            body: answer.text(),
        },
        Err(error) => Told::Failure(error.kind),
    }
}

/// What is on a wire, byte by byte, for each fault that a network in memory knows.
fn rows() -> Vec<(&'static str, What, &'static str)> {
    const HTML: &str = "<html><head><title>503 Gateway</title></head><body>nginx</body></html>";
    assert_eq!(HTML.len(), 70);
    vec![
        ("reset", What::Reset, ""),
        ("hang", What::Hang, "(hang)"),
        ("garbage", What::Garbage, "SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        (
            "gateway",
            What::Page(503),
            "HTTP/1.1 503 x\r\ncontent-type: text/html\r\ncontent-length: 70\r\n\r\n<html><head><title>503 Gateway</title></head><body>nginx</body></html>",
        ),
        (
            "limit",
            What::TooMany(7),
            "HTTP/1.1 429 x\r\ncontent-type: application/json\r\nretry-after: 7\r\ncontent-length: 31\r\n\r\n{\"error\":\"rate limit exceeded\"}",
        ),
        (
            "garbled",
            What::Garbled,
            "HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"id\":\"0000",
        ),
        ("empty", What::Empty, "HTTP/1.1 200 x\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n"),
        (
            "truncated",
            What::Truncated,
            "HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"sta",
        ),
    ]
}

async fn in_memory(what: Option<What>) -> Told {
    let network = Network::default();
    let place = Place::take(Some(&network), SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let addr = place.local_addr().unwrap();
    let app = Router::new().fallback(|| async {
        let mut answer = Response::new(Body::from(r#"{"status":1}"#));
        answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
        (StatusCode::OK, answer)
    });
    let closed = tokio_util::sync::CancellationToken::new();
    wire::serve(place, app, closed.clone());
    tokio::task::yield_now().await;
    let handled = what == Some(What::Truncated);
    network.weather(move |_| Fate { fault: what.map(|what| Fault { what, handled }), ..Fate::default() });
    let client = Client::new(&Config { network: Some(network), ..Config::default() }).unwrap();
    let told = ask(&client, &format!("http://{addr}/x")).await;
    closed.cancel();
    told
}

async fn over_a_socket(bytes: &'static str) -> Told {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve_bytes(stream, bytes));
        }
    });
    let client = Client::new(&Config::default()).unwrap();
    let told = ask(&client, &format!("http://{addr}/x")).await;
    serving.abort();
    told
}

async fn serve_bytes(mut stream: TcpStream, bytes: &str) {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await;
    match bytes {
        "" => stream.set_zero_linger().unwrap(),
        "(hang)" => std::future::pending().await,
        bytes => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    }
}

#[tokio::test]
async fn a_fault_of_the_wire_is_told_the_same() {
    for (name, what, bytes) in rows() {
        let (memory, socket) = (in_memory(Some(what)).await, over_a_socket(bytes).await);
        assert_eq!(memory, socket, "{name}");
    }
    let refused = {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        ask(&Client::new(&Config::default()).unwrap(), &format!("http://{free}/")).await
    };
    assert_eq!(in_memory(Some(What::Refused)).await, refused);
    let unknown = "http://no-such-host.invalid/";
    let network = Config { network: Some(Network::default()), ..Config::default() };
    let memory = ask(&Client::new(&network).unwrap(), unknown).await;
    assert_eq!(memory, Told::Failure(Transport::Dns));
    assert!(matches!(in_memory(None).await, Told::Answer { status: 200, .. }));
}

/// The names in a value, without what differs from one server to the next.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), shape(field))).collect(),
        Value::Array(items) => json!(items.iter().map(shape).collect::<Vec<_>>()),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        other => other.clone(),
    }
}

async fn conversation(network: Option<Network>) -> Vec<(String, u16, Vec<String>, Value)> {
    const TOKEN: &str = "admin-of-both-transports";
    let platform = server::start(Options {
        network: network.clone(),
        admin_token: Secret::new(TOKEN),
        time_scale: 40.0,
        inspect: true,
        ..Options::default()
    })
    .await
    .unwrap();
    let client = Client::new(&Config { network, ..Config::default() }).unwrap();
    let external = json!({ "name": "w", "external": true, "runtime": "external", "delivery_mode": "poll" });
    let mut told = Vec::new();
    for (method, path, admin, body) in [
        ("GET", "/health", false, Payload::None),
        ("GET", "/workspaces", false, Payload::None),
        ("GET", "/workspaces", true, Payload::None),
        ("POST", "/workspaces", true, Payload::Text("{".to_owned())),
        ("POST", "/workspaces", true, Payload::Json(json!({}))),
        ("POST", "/workspaces", true, Payload::Json(external)),
        ("GET", "/workspaces", true, Payload::None),
        ("GET", "/workspaces/00000000-0000-4000-8000-000000000000", true, Payload::None),
        ("GET", "/no/such/route?a=b%20c", true, Payload::None),
        ("DELETE", "/workspaces/00000000-0000-4000-8000-000000000000", true, Payload::None),
        ("GET", "/__lifecycle/instances", true, Payload::None),
    ] {
        let request = Request {
            method: method.to_owned(),
            url: format!("{}{path}", platform.base_url()),
            bearer: admin.then(|| Secret::new(TOKEN)),
            body,
            ..Request::default()
        };
        let answer = client.send(&request, Instant::now() + Duration::from_secs(5)).await.unwrap();
        // A connection's own header; the other transport has no connection.
        let names = answer.headers.keys().filter(|name| *name != "date").cloned().collect();
        told.push((
            format!("{method} {path}"),
            answer.status,
            names,
            answer.json.as_ref().map(shape).unwrap_or_else(|| json!(answer.text())),
        ));
    }
    let mut socket = client
        .websocket(&format!("{}/ws", platform.base_url()), &[], Instant::now() + Duration::from_secs(5))
        .await
        .unwrap();
    let another = json!({ "name": "seen", "external": true, "runtime": "external", "delivery_mode": "poll" });
    let request = Request {
        method: "POST".into(),
        url: format!("{}/workspaces", platform.base_url()),
        bearer: Some(Secret::new(TOKEN)),
        body: Payload::Json(another),
        ..Request::default()
    };
    client.send(&request, Instant::now() + Duration::from_secs(5)).await.unwrap();
    let frame = socket.next().await.unwrap().unwrap();
    let frame: Value = serde_json::from_str(frame.to_text().unwrap()).unwrap();
    told.push(("the first event".into(), 101, Vec::new(), shape(&frame)));
    platform.stop().await;
    told
}

#[tokio::test]
async fn a_platform_tells_the_same_over_both() {
    let (memory, socket) = (conversation(Some(Network::default())).await, conversation(None).await);
    let by_name = |told: Vec<(String, u16, Vec<String>, Value)>| -> Vec<_> {
        told.into_iter()
            .map(|(name, status, headers, shape)| BTreeMap::from([(name, (status, headers, shape))]))
            .collect()
    };
    for (memory, socket) in by_name(memory).into_iter().zip(by_name(socket)) {
        assert_eq!(memory, socket);
    }
}
