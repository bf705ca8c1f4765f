//! WebSockets over the same client: its TLS, its proxies.

use axum::http::HeaderName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Client, Transport, TransportError};
use crate::clock::Instant;
use crate::wire::{Network, Side};

/// Frames and messages may not be larger.
const MAX_FRAME: usize = 4 << 20;

/// An open WebSocket.
pub(crate) type WebSocket = WebSocketStream<Box<dyn Pipe>>;

/// What an open WebSocket reads and writes: a socket that was upgraded, or a pipe in memory.
pub trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

impl Client {
    /// Opens a WebSocket (RFC 6455 §4.1) at an `http:` or `https:` URL.
    ///
    /// # Errors
    /// As [`Client::send`]; also a server that does not switch protocols.
    pub async fn websocket(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        deadline: Instant,
    ) -> Result<WebSocket, TransportError> {
        let config =
            WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        if let Some(network) = &self.network {
            let opening = in_memory(network, url, headers, config);
            return crate::clock::timeout_at(deadline, opening).await.map_err(|_| late())?;
        }
        let key = generate_key();
        let mut builder = self
            .inner
            .get(url)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let opening = async {
            let answer = builder.send().await.map_err(|e| TransportError::from_reqwest(&e))?;
            let status = answer.status();
            let accepted = answer.headers().get("sec-websocket-accept").map(|value| value.as_bytes());
            if status != 101 || accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
                let text = format!("no WebSocket opens: the answer is {status}");
                return Err(TransportError::new(Transport::BadAnswer, text));
            }
            answer.upgrade().await.map_err(|e| TransportError::from_reqwest(&e))
        };
        let upgraded = crate::clock::timeout_at(deadline, opening).await.map_err(|_| late())??;
        Ok(WebSocketStream::from_raw_socket(Box::new(upgraded) as Box<dyn Pipe>, Role::Client, Some(config))
            .await)
    }
}

fn late() -> TransportError {
    TransportError::new(Transport::TimedOut, "the WebSocket did not open in time".to_owned())
}

async fn in_memory(
    network: &Network,
    url: &str,
    headers: &[(&str, &str)],
    config: WebSocketConfig,
) -> Result<WebSocket, TransportError> {
    let bad = |e: &dyn std::fmt::Display| TransportError::new(Transport::BadRequest, e.to_string());
    let mut request = url.replacen("http", "ws", 1).into_client_request().map_err(|e| bad(&e))?;
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(|e| bad(&e))?;
        request.headers_mut().insert(name, value.parse().map_err(|e| bad(&e))?);
    }
    let pipe = network
        .connect(Side::Harness, request.uri())
        .await
        .map_err(|broken| TransportError::from_wire(&broken, url))?;
    let opened = client_async_with_config(request, Box::new(pipe) as Box<dyn Pipe>, Some(config)).await;
    opened.map(|(socket, _)| socket).map_err(|e| {
        TransportError::new(Transport::BadAnswer, format!("no WebSocket opens: {}", super::chain(&e)))
    })
}
