//! Messages that wait for a busy agent (contract §7.5).

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{IDLE, call};
use super::message::Message;
use crate::reference::clock::wall;
use crate::reference::platform::Platform;
use crate::reference::reply;
use crate::reference::state::activity::Body;
use crate::reference::state::queue::{Item, MAX_ATTEMPTS, Standing};

/// The agent is alive and busy: the message waits for its next heartbeat.
pub fn enqueue(platform: &Platform, delivery: &Message) -> Response {
    let envelope = &delivery.envelope;
    let mut item = Item::new(
        delivery.sender.source(),
        Some(envelope.message_id.clone()).filter(|m| !m.is_empty()),
        Bytes::from(envelope.value.to_string()),
    );
    if let Some(seconds) = envelope.expires_in {
        item.expires_in = Some(Duration::from_secs(seconds));
        let real = platform.clock.real(Duration::from_secs(seconds));
        let at = crate::clock::wall().checked_add(jiff::SignedDuration::try_from(real).unwrap_or_default());
        item.expires_at = at.ok().map(|t| t.to_string());
    }
    match platform.state().queue.enqueue(delivery.id, item) {
        Some((id, depth)) => {
            let body = json!({
                "queued": true,
                "queue_id": id,
                "queue_depth": depth,
                "message": "workspace agent busy — request queued, will dispatch when capacity available",
            });
            reply::raw(202, body.to_string())
        }
        None => {
            let body = json!({ "error": "workspace agent is busy", "busy": true, "retry_after": 30 });
            reply::retry_after(reply::json_body(503, &body), 30)
        }
    }
}

/// Sends one waiting message, after a heartbeat with room for it.
pub fn drain_one(platform: &Arc<Platform>, id: Uuid) {
    let clock = platform.clock.clone();
    let (item, url) = {
        let mut state = platform.state();
        let Some(url) = state.get(id).map(|w| w.url.clone()).filter(|u| !u.is_empty()) else { return };
        let Some(item) = state.queue.take(id, |at| clock.since(at)) else { return };
        (item, url)
    };
    let platform = Arc::clone(platform);
    let tracker = Arc::clone(&platform);
    tracker.spawn(async move {
        let sent = call(&platform, id, &url, item.body.clone(), IDLE).await;
        let result = match sent {
            Ok(answer) if answer.status < 300 && !answer.body.is_empty() => {
                Ok(serde_json::from_slice::<Value>(&answer.body).unwrap_or_default())
            }
            Ok(answer) => Err(format!("agent answered {}", answer.status)),
            Err(error) => Err(error.to_string()),
        };
        let mut state = platform.state();
        if let (Ok(body), Some(message)) = (&result, &item.message_id)
            && let Some(activities) = state.activity.get_mut(&id)
        {
            activities.update(message, |row| row.response_body = Some(Body::new(body)));
        }
        state.queue.update(id, item.id, |item| match result {
            Ok(body) => {
                item.standing = Standing::Completed;
                item.completed_at = Some(wall());
                item.response = Some(body);
            }
            Err(error) => {
                item.last_error = Some(error);
                item.standing =
                    if item.attempts >= MAX_ATTEMPTS { Standing::Failed } else { Standing::Queued };
            }
        });
    });
}
