//! A fast platform's clock that stands still: what is held on it is held until it has passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Harness, of_kind};
use super::platform::{beside, block};

/// The answer to the create of a run's own root.
const CREATED: &str = r#"{"id":"7d2f5c7e-6a51-4a7e-9d51-0f5a4f1f0c11","external":true,"status":"awaiting_agent","connection":{"auth_token":"a-token-of-this-test-and-of-nobody-else-0123"}}"#;

/// Says that it is very fast, and a second later each time that it is asked.
async fn answer(mut stream: TcpStream, asked: Arc<AtomicU64>, tells: bool) -> std::io::Result<()> {
    let mut request = vec![0; 8 << 10];
    let read = stream.read(&mut request).await?;
    let (head, body) = match &request[..read] {
        health if health.starts_with(b"GET /health") => {
            let clock = asked.fetch_add(1_000, Ordering::SeqCst);
            let told = if tells { format!("x-lifecycle-clock: {clock}\r\n") } else { String::new() };
            (format!("200 OK\r\nx-lifecycle-time-scale: 1000\r\n{told}"), "{\"status\":\"ok\"}")
        }
        list if list.starts_with(b"GET /workspaces ") => ("200 OK\r\n".to_owned(), "[]"),
        create if create.starts_with(b"POST /workspaces ") => ("201 Created\r\n".to_owned(), CREATED),
        delete if delete.starts_with(b"DELETE ") => {
            ("200 OK\r\n".to_owned(), "{\"status\":\"removed\",\"cascade_deleted\":0}")
        }
        _ => ("410 Gone\r\n".to_owned(), "{\"error\":\"workspace removed\"}"),
    };
    let rest = "content-type: application/json\r\nconnection: close\r\n";
    let text = format!("HTTP/1.1 {head}{rest}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// How often the clock was looked at in a hold of five seconds.
fn looks(tells: bool) -> usize {
    let listener = block(TcpListener::bind("127.0.0.1:0")).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    beside(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let asked = Arc::clone(&asked);
            // The harness may hang up: that is its answer.
            beside(async move { drop(answer(stream, asked, tells).await) });
        }
    });
    let scenario = "scenario: held\nsteps:\n  - hold: { for: 5s }\n";
    let output = Harness::new().args(["run", "-q"]).scenario(scenario).at(&base).run();
    assert_eq!(output.verdicts(), [("held".to_owned(), "passed".to_owned())], "{}", output.stderr);
    of_kind(&output.events(), "exchange").filter(|e| e["purpose"] == "clock").count()
}

#[test]
fn a_hold_ends_when_the_platforms_own_time_has_passed() {
    assert_eq!(looks(true), 6, "one at its beginning, and one for each second that was missing");
    assert_eq!(looks(false), 1, "who does not tell is not asked again");
}
