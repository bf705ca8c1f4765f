//! Messages that wait for a busy agent (contract §7.5).

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{IDLE, call, gone};
use super::message::{Message, received};
use crate::reference::clock::wall;
use crate::reference::faults::Fault;
use crate::reference::outbound::CallError;
use crate::reference::platform::Platform;
use crate::reference::reply;
use crate::reference::state::queue::{Item, MAX_ATTEMPTS, Standing};

/// The message waits for the agent's next heartbeat. `busy`: the agent was asked, and that is written down.
pub(super) fn enqueue(platform: &Platform, delivery: &Message, busy: bool) -> Response {
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
    let clock = &platform.clock;
    let queued = platform.state().queue.enqueue(delivery.id, item, |at| clock.since(at));
    match queued {
        Some((id, depth)) => {
            if busy {
                written(platform, delivery);
            }
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

/// A second row, known by no message id and never answered.
fn written(platform: &Platform, delivery: &Message) {
    if !delivery.sender.writes_rows() {
        return;
    }
    let name = platform.name_of(delivery.id);
    let mut row =
        received(delivery.id, &name, &delivery.envelope, &delivery.sender, " (queued: target busy)");
    row.message_id = None;
    row.duration_ms = Some(delivery.took());
    platform.state().log_activity(delivery.id, row);
}

/// What came of one try.
enum Tried {
    Delivered(Value),
    /// The agent was busy once more. The message collides with itself, counts as waiting, and is lost.
    Busy,
    Failed(String),
}

/// What an agent that refused said of it.
fn refusal(status: u16, body: &[u8]) -> String {
    let own: Value = serde_json::from_slice(body).unwrap_or_default();
    let reason = axum::http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    own["error"].as_str().or(reason).unwrap_or("agent error").to_owned()
}

/// Sends one waiting message, after a heartbeat with room for it.
pub(crate) fn drain_one(platform: &Arc<Platform>, id: Uuid) {
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
        let tried = match sent {
            Ok(answer) if answer.status < 300 && !answer.body.is_empty() => {
                let mut body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
                if platform.fault(Fault::QueuedForAnother) {
                    body["id"] = json!(crate::chance::uuid());
                }
                Tried::Delivered(body)
            }
            Ok(answer) => Tried::Failed(refusal(answer.status, &answer.body)),
            Err(CallError::Timeout | CallError::Broken(_)) if !gone(&platform, id).await => Tried::Busy,
            Err(error) => Tried::Failed(error.to_string()),
        };
        let mut state = platform.state();
        if matches!(tried, Tried::Busy) && item.message_id.is_none() {
            let again = Item::new(item.caller, None, item.body.clone());
            let _ = state.queue.enqueue(id, again, |at| platform.clock.since(at));
        }
        // The answer is with the item alone: no row of the activity gets it.
        state.queue.update(id, item.id, |item| match tried {
            Tried::Delivered(body) => {
                item.standing = Standing::Completed;
                item.completed_at = Some(wall());
                item.response = Some(body);
            }
            Tried::Busy => {
                item.standing = Standing::Completed;
                item.completed_at = Some(wall());
            }
            Tried::Failed(error) => {
                item.last_error = Some(error);
                item.dispatched_at = None;
                item.standing =
                    if item.attempts >= MAX_ATTEMPTS { Standing::Failed } else { Standing::Queued };
            }
        });
    });
}
