//! `stub:` an agent of the harness's own that does as its script says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::domain::answers;
use crate::runner::context::ScenarioContext;
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::scenario::model::{Stub, StubAct};

/// No message is larger; what is gets no answer.
const MAX_MESSAGE: usize = 1 << 20;
/// A sender that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(30);

struct Agent {
    script: Vec<StubAct>,
    calls: Mutex<Vec<Value>>,
}

/// Runs the step; the agent lives until its scenario ends.
pub async fn run(context: &ScenarioContext, verb: &Stub) -> StepResult {
    let cannot = |e: std::io::Error| Failure::of(FailureKind::Harness, format!("stub: cannot listen: {e}"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(cannot)?;
    let url = format!("http://localhost:{}", listener.local_addr().map_err(cannot)?.port());
    let agent = Arc::new(Agent { script: verb.script.clone(), calls: Mutex::default() });
    let over = context.background.clone();
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                () = over.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = stream else { continue };
            let (agent, over) = (Arc::clone(&agent), over.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = over.cancelled() => {}
                    _ = crate::clock::timeout(PATIENCE, agent.serve(stream)) => {}
                }
            });
        }
    });
    context.state().captures.insert(verb.alias.clone(), json!(url));
    Ok(Passed::with(url))
}

impl Agent {
    /// One request on a connection of its own.
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some((head, body)) = read(&mut stream).await? else { return Ok(()) };
        if head.starts_with("GET ") {
            let calls = json!(*self.calls.lock().unwrap_or_else(PoisonError::into_inner));
            return write(&mut stream, 200, &calls.to_string()).await;
        }
        let request: Value = serde_json::from_slice(&body).unwrap_or_default();
        let act = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push(request.clone());
            let last = self.script.len() - 1;
            self.script[(calls.len() - 1).min(last)]
        };
        let result = |text: &str| {
            let parts = json!([{ "kind": "text", "text": text }]);
            let message = json!({ "kind": "message", "role": "agent", "messageId": uuid::Uuid::new_v4(), "parts": parts });
            json!({ "jsonrpc": "2.0", "id": request["id"], "result": message }).to_string()
        };
        let asked = request["params"]["message"]["parts"][0]["text"].as_str().unwrap_or_default();
        match act {
            StubAct::Answer => {
                write(&mut stream, 200, &result(answers::answer(asked).unwrap_or(asked))).await
            }
            StubAct::Other => write(&mut stream, 200, &result("Good morning. How can I help you?")).await,
            StubAct::Echo => write(&mut stream, 200, &result(asked)).await,
            StubAct::ErrorText => write(&mut stream, 200, &result("Agent error (_ResultError)")).await,
            StubAct::Empty => write(&mut stream, 200, &result("")).await,
            StubAct::Nothing => write(&mut stream, 200, "").await,
            StubAct::Garbage => write(&mut stream, 200, "<html>no JSON</html>").await,
            StubAct::Status(status) => {
                write(
                    &mut stream,
                    status,
                    &json!({ "error": format!("no result: stub {status}") }).to_string(),
                )
                .await
            }
            StubAct::Reset => stream.set_zero_linger(),
            StubAct::Hang => std::future::pending().await,
        }
    }
}

/// Head and body of a request; `None` when it is none, or too large.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse::<usize>().ok())
                .unwrap_or_default();
            if length <= MAX_MESSAGE && bytes.len() >= end + 4 + length {
                return Ok(Some((head, bytes[end + 4..end + 4 + length].to_vec())));
            }
        }
        let read = stream.read(&mut chunk).await?;
        if read == 0 || bytes.len() > 2 * MAX_MESSAGE {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

async fn write(stream: &mut TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Stub\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
