//! One event stream a target: `GET /ws`, all events (contract §12). It only ever wakes waits early.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;

use super::{Api, record};
use crate::run::clock;
use crate::run::poller::Poller;

/// Frames may not be larger.
const MAX_FRAME: usize = 4 << 20;

/// Opens the stream once; `false` when the server has none.
pub async fn follow(api: Api, poller: Poller, stop: CancellationToken) -> bool {
    let Some(mut socket) = open(&api).await else { return false };
    poller.stream(true);
    tokio::spawn(async move {
        let mut pause = Duration::from_millis(50);
        loop {
            loop {
                let frame = tokio::select! {
                    () = stop.cancelled() => return,
                    frame = socket.next() => frame,
                };
                let Some(Ok(frame)) = frame else { break };
                pause = Duration::from_millis(50);
                if let Ok(text) = frame.to_text()
                    && let Ok(event) = serde_json::from_str::<Value>(text)
                {
                    let payload = event.get("payload").cloned().unwrap_or_default();
                    poller.event(
                        record::text(&event, "workspace_id"),
                        record::text(&event, "event").to_owned(),
                        payload,
                    );
                }
            }
            poller.stream(false);
            socket = loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = clock::sleep(pause) => {}
                }
                pause = (pause * 2).min(Duration::from_secs(5));
                if let Some(socket) = open(&api).await {
                    poller.stream(true);
                    break socket;
                }
            };
        }
    });
    true
}

/// Whether the server has an event stream.
pub async fn opens(api: &Api) -> bool {
    open(api).await.is_some()
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(api: &Api) -> Option<Socket> {
    let url = format!("{}/ws", api.base_url.replacen("http", "ws", 1));
    let mut request = url.into_client_request().ok()?;
    if let Some(org) = &api.org {
        request.headers_mut().insert("X-Molecule-Org-Id", org.parse().ok()?);
    }
    let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
    let connect = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
    let connected = tokio::time::timeout(Duration::from_secs(3), connect).await;
    Some(connected.ok()?.ok()?.0)
}
