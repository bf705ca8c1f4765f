//! One event stream a target: `GET /ws`, all events (contract §12). It only ever wakes waits early.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Api, record};
use crate::clock::{self, Backoff, Instant};
use crate::http::WebSocket;
use crate::run::poller::Poller;

/// A stream that takes longer to open is none.
const OPENS_WITHIN: Duration = Duration::from_secs(3);

/// Opens the stream once; `false` when the server has none.
pub(crate) async fn follow(api: Api, poller: Poller, stop: CancellationToken) -> bool {
    let Some(mut socket) = open(&api).await else { return false };
    poller.stream(true);
    tokio::spawn(async move {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        loop {
            loop {
                let frame = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    frame = socket.next() => frame,
                };
                let Some(Ok(frame)) = frame else { break };
                backoff.restart();
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
                    biased;
                    () = stop.cancelled() => return,
                    () = clock::sleep(backoff.next()) => {}
                }
                backoff.grow();
                if api.limits.now().is_some() {
                    continue;
                }
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
pub(crate) async fn opens(api: &Api) -> bool {
    open(api).await.is_some()
}

async fn open(api: &Api) -> Option<WebSocket> {
    let url = format!("{}/ws", api.base_url);
    // Servers that ask for no token do not look at one.
    let bearer = api.admin.as_ref().map(|token| format!("Bearer {}", token.expose()));
    let org = api.org.iter().map(|org| ("X-Molecule-Org-Id", org.as_str()));
    let headers: Vec<(&str, &str)> =
        org.chain(bearer.iter().map(|bearer| ("Authorization", bearer.as_str()))).collect();
    api.client.websocket(&url, &headers, Instant::now() + OPENS_WITHIN).await.ok()
}
