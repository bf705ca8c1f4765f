//! An agent that answers as its address says: the last part of the path is a script, one word a POST, the last one
//! for ever after.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::reference::clock::Clock;

/// One agent for all scripts; it ends with the test's runtime.
pub(super) struct ScriptedAgent {
    /// `localhost:PORT`.
    pub authority: String,
    /// The bodies that came, with their paths.
    pub heard: Arc<Mutex<Vec<(String, Value)>>>,
}

impl ScriptedAgent {
    pub(super) async fn start() -> ScriptedAgent {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let authority = format!("localhost:{}", listener.local_addr().unwrap().port());
        let heard: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (told, turns) = (Arc::clone(&heard), Arc::new(Mutex::new(HashMap::new())));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&told), Arc::clone(&turns)));
            }
        });
        ScriptedAgent { authority, heard }
    }
}

/// One request a connection.
async fn talk(
    mut stream: TcpStream,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
    turns: Arc<Mutex<HashMap<String, usize>>>,
) -> Option<()> {
    let (head, body) = request(&mut stream).await?;
    let mut words = head.split_whitespace();
    let (method, path) = (words.next()?, words.next()?.to_owned());
    if method == "GET" {
        return answer(&mut stream, 200, "", "{}").await;
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    heard.lock().unwrap().push((path.clone(), body.clone()));
    let script: Vec<&str> = path.rsplit('/').next()?.split(',').collect();
    let word = {
        let mut turns = turns.lock().unwrap();
        let turn = turns.entry(path.clone()).or_default();
        *turn += 1;
        script[(*turn).min(script.len()) - 1]
    };
    match word {
        "eof" => Some(()),
        "half" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":").await.ok()?;
            stream.flush().await.ok()
        }
        "redirect" => answer(&mut stream, 302, "location: /elsewhere\r\n", "").await,
        "nothing200" => answer(&mut stream, 200, "", "").await,
        word => match word.parse::<u16>() {
            Ok(status) => {
                answer(&mut stream, status, "", &json!({ "error": format!("agent says {word}") }).to_string())
                    .await
            }
            Err(_) => {
                let seconds = word.strip_prefix("slow").and_then(|n| n.parse().ok()).unwrap_or(0);
                Clock::new(1.0).sleep(std::time::Duration::from_secs(seconds)).await;
                let text = json!({ "kind": "text", "text": "hello" });
                let result =
                    json!({ "kind": "message", "role": "agent", "parts": [text], "messageId": "m-1" });
                let body = json!({ "jsonrpc": "2.0", "id": body["id"], "result": result });
                answer(&mut stream, 200, "", &body.to_string()).await
            }
        },
    }
}

async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length =
        head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    Some((head, bytes[end..].to_vec()))
}

async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> Option<()> {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}
