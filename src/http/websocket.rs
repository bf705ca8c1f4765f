//! WebSockets over the same client: its TLS, its proxies.

use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{Client, Transport, TransportError};
use crate::clock::Instant;

/// Frames and messages may not be larger.
const MAX_FRAME: usize = 4 << 20;

/// An open WebSocket.
pub type WebSocket = WebSocketStream<reqwest::Upgraded>;

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
        let upgraded = crate::clock::timeout_at(deadline, opening).await.map_err(|_| {
            TransportError::new(Transport::TimedOut, "the WebSocket did not open in time".to_owned())
        })??;
        let config =
            WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }
}
