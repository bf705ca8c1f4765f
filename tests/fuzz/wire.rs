//! Answers of servers: heads, bodies, chunks, and frames of WebSockets.

use std::time::Duration;

use futures_util::StreamExt as _;
use lifecycle_harness::facade::clock::Instant;
use lifecycle_harness::facade::http::{Client, Config, Request};
use lifecycle_harness::facade::platform::{Row as _, record};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::mutate::fuzz;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Reads the head of a request, and its WebSocket key if it has one.
async fn head(stream: &mut tokio::net::TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    })
}

#[test]
fn answers() {
    let body =
        r#"[{"id": "a", "status": "online", "url": "http://h:1", "last_sample_error": "x"}, {"id": "b"}]"#;
    let reply = r#"{"jsonrpc": "2.0", "id": "1", "result": {"parts": [{"kind": "text", "text": "PONG"}]}}"#;
    let corpus: Vec<Vec<u8>> = [
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{reply}\r\n0\r\n\r\n", reply.len()),
        "HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        "HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nDate: Fri, 31 Dec 1999 23:59:00 GMT\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/a\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\ndata: {\"a\": 1}\n\ndata: x\n\n".to_owned(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    let runtime = runtime();
    let client = Client::new(&Config::default()).unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/workspaces", listener.local_addr().unwrap());
    let request = Request { method: "GET".to_owned(), url, ..Request::default() };
    fuzz("answers", &corpus, |input| {
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await;
            let _ = stream.write_all(input).await;
        };
        let ask = client.send(&request, Instant::now() + Duration::from_secs(5));
        let answer = runtime.block_on(async { tokio::join!(ask, serve).0 });
        if let Ok(answer) = answer {
            let _ = (
                answer.retry_after(),
                answer.excerpt(),
                answer.is_garbled(),
                record::error(answer.json.as_ref()),
            );
            for row in record::list(answer.json.as_ref()).into_iter().flatten() {
                let _ = (row.status(), row.uptime(), record::auth_token(row));
            }
            if let Some(body) = &answer.json {
                let _ = (record::reply(body), record::answers(body, &serde_json::json!("1")));
            }
            let _ = record::wrapped_error(&answer.text());
        }
    });
}

#[test]
fn frames() {
    let text = |payload: &[u8]| [&[0x81, u8::try_from(payload.len()).unwrap()], payload].concat();
    let corpus = vec![
        text(br#"{"event": "WORKSPACE_ONLINE", "workspace_id": "a"}"#),
        [text(b"a"), vec![0x89, 1, b'x'], vec![0x88, 2, 3, 0xe8]].concat(),
        [&[0x82, 126, 0x01, 0x00][..], &[7; 256]].concat(),
        vec![0x81, 127, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        [&[0x01, 2][..], b"ab", &[0x80, 1], b"c"].concat(),
    ];
    let runtime = runtime();
    let client = Client::new(&Config::default()).unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/ws", listener.local_addr().unwrap());
    fuzz("frames", &corpus, |input| {
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let key = head(&mut stream).await.unwrap_or_default();
            let accept = derive_accept_key(key.as_bytes());
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(input).await;
        };
        let ask = async {
            let Ok(mut socket) = client.websocket(&url, &[], Instant::now() + Duration::from_secs(5)).await
            else {
                return;
            };
            while let Some(Ok(message)) = socket.next().await {
                let _ = message.to_text().map(|text| serde_json::from_str::<serde_json::Value>(text).is_ok());
            }
        };
        runtime.block_on(async { tokio::join!(ask, serve) });
    });
}
