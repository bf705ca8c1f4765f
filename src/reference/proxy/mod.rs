//! The A2A proxy: from an accepted message to an answer (contract §7.1, §7.2, §7.5).

mod call;
mod envelope;
mod message;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::wall;
use super::faults::Fault;
use super::outbound::{Answer, CallError};
use super::platform::Platform;
use super::state::activity::{Body, Row};
use super::state::events::Keep;
use super::state::tokens::random_token;
use super::state::workspace::Delivery;
use super::{addresses, reply};
use crate::behaviour::{Behaviour, Edition};
use crate::clock::Instant;
use crate::domain::{Status, time};
use call::{IDLE, call, gone};
pub(super) use envelope::{Envelope, normalise};
pub(super) use message::Sender;
use message::{Message, received};
pub(super) use waiting::drain_one;
use waiting::enqueue;

/// A canvas caller waits this long for an answer (contract §4.2).
const CANVAS_BUDGET: Duration = Duration::from_secs(90);
/// An agent waits this long for another one.
const AGENT_CEILING: Duration = Duration::from_secs(30 * 60);
/// No limit that anybody meets.
const FOREVER: Duration = Duration::from_secs(30 * 24 * 3_600);
/// A cached URL is used this long.
const URL_CACHE: Duration = Duration::from_secs(300);
/// How long a mock agent thinks.
const MOCK: Duration = Duration::from_millis(80);
/// What mock agents say.
const MOCK_REPLIES: [&str; 3] = ["Roger that, on it.", "On it!", "Got it, working on that now."];

/// Sends a message of the platform's own and drops the answer.
pub(super) async fn send_system(platform: &Arc<Platform>, id: Uuid, body: Value) {
    let Ok(envelope) = normalise(&Bytes::from(body.to_string())) else { return };
    let _ = deliver(platform, id, envelope, Sender::System("system:restart-context"), false).await;
}

/// Delivers a message and answers as the route does. `unbounded`: the caller sent an X-Timeout.
pub(super) async fn deliver(
    platform: &Arc<Platform>,
    id: Uuid,
    envelope: Envelope,
    sender: Sender,
    unbounded: bool,
) -> Response {
    let Some(target) = Target::look(platform, id) else {
        return reply::error(404, "workspace not found");
    };
    if target.removed && platform.does(Behaviour::RemovedTakesNoMessage) {
        return reply::error(404, "workspace not found");
    }
    let mut envelope = envelope;
    if sender.is_canvas() && platform.does(Behaviour::CanvasContext) {
        envelope.of_canvas(id);
    } else if matches!(sender, Sender::User(_)) {
        envelope.of_user();
    }
    ingest(platform, id, &target, &envelope, &sender);
    if target.delivery == Delivery::Poll {
        let method = envelope.method.clone();
        polled(platform, id, &target, &envelope, &sender);
        return reply::raw(
            200,
            json!({ "status": "queued", "delivery_mode": "poll", "method": method }).to_string(),
        );
    }
    if target.mock {
        platform.clock.sleep(MOCK).await;
        return mock(platform, id, &envelope);
    }
    let waits = match target.status {
        Status::Provisioning | Status::AwaitingAgent => platform.does(Behaviour::QueuedWhileProvisioning),
        Status::Removed => platform.does(Behaviour::MessageToRemovedIsQueued),
        _ => false,
    };
    if waits || (platform.fault(Fault::QueuedForAnother) && !target.external) {
        return enqueue(platform, &Message { id, envelope, sender, started: Instant::now() }, false);
    }
    if target.url.is_empty() {
        return no_url(platform, id, &target);
    }
    if target.external && platform.does(Behaviour::CallsExternalWithBearer) && unknown_to_agent(platform, id)
    {
        let body = json!({
            "error": "workspace re-registering — please retry in 30 seconds",
            "detail": "Inbound auth secret was just minted. Workspace will pick it up on its next heartbeat.",
            "retry_after_seconds": 30,
        });
        return reply::json_body(503, &body);
    }
    if !addresses::may_call(&target.url, platform.mode, platform.saas()).await {
        return reply::error(502, "workspace URL is not publicly routable");
    }
    let delivery = Message { id, envelope, sender, started: Instant::now() };
    let canvas = delivery.sender.is_canvas();
    let method = delivery.envelope.method.clone();
    let limit = if canvas || unbounded { FOREVER } else { AGENT_CEILING };
    let budget = canvas_budget(platform);
    let (answer, arrived) = tokio::sync::oneshot::channel();
    let work = Arc::clone(platform);
    // The message is delivered even when its sender stops listening.
    platform.spawn(async move {
        let response = dispatch(&work, &delivery, &target, limit).await;
        let _ = answer.send(response);
    });
    let patience = if canvas { budget } else { limit + CANVAS_BUDGET };
    match platform.clock.within(patience, arrived).await {
        Some(Ok(response)) => response,
        Some(Err(_)) => reply::error(503, "server is shutting down"),
        None => reply::raw(
            200,
            json!({ "status": "queued", "delivery_mode": "push-async", "method": method }).to_string(),
        ),
    }
}

/// Whether the secret that the agent would know us by has to be made first; it is made.
fn unknown_to_agent(platform: &Platform, id: Uuid) -> bool {
    let mut state = platform.state();
    let Some(workspace) = state.get_mut(id) else { return false };
    let unknown = workspace.inbound_secret.is_none();
    workspace.inbound_secret.get_or_insert_with(random_token);
    unknown
}

/// How long a canvas caller waits, as the server's environment may set it.
fn canvas_budget(platform: &Platform) -> Duration {
    if platform.server_var("A2A_CANVAS_SYNC_DISABLE").is_some_and(|v| v == "true" || v == "1") {
        return AGENT_CEILING + CANVAS_BUDGET;
    }
    platform.server_var("A2A_CANVAS_SYNC_BUDGET").and_then(|v| time::parse(v).ok()).unwrap_or(CANVAS_BUDGET)
}

/// What has to be known of the receiver.
struct Target {
    delivery: Delivery,
    mock: bool,
    external: bool,
    removed: bool,
    status: Status,
    url: String,
    name: String,
    idle: Duration,
}

impl Target {
    fn look(platform: &Platform, id: Uuid) -> Option<Target> {
        let state = platform.state();
        let workspace = state.get(id)?;
        let cached = workspace
            .url_cache
            .as_ref()
            .filter(|(_, at)| platform.clock.since(*at) < URL_CACHE)
            .map(|(url, _)| url.clone());
        Some(Target {
            delivery: workspace.delivery,
            mock: workspace.runtime == "mock",
            external: workspace.external_like(),
            removed: workspace.status == Status::Removed,
            status: workspace.status.clone(),
            url: cached.unwrap_or_else(|| workspace.url.clone()),
            name: workspace.name.clone(),
            idle: workspace
                .idle_timeout_seconds
                .or_else(|| platform.server_var("A2A_IDLE_TIMEOUT_SECONDS").and_then(|s| s.parse().ok()))
                .map_or(IDLE, Duration::from_secs),
        })
    }
}

fn no_url(platform: &Arc<Platform>, id: Uuid, target: &Target) -> Response {
    if target.status != Status::Hibernated {
        let body = json!({ "error": "workspace has no URL", "status": target.status.as_str() });
        return reply::json_body(503, &body);
    }
    platform.restart_by_id(id);
    let body = json!({
        "error": "workspace is waking from hibernation — retry in ~15 seconds",
        "waking": true,
        "retry_after": 15,
    });
    reply::retry_after(reply::json_body(503, &body), 15)
}

/// The row that is written before anything is sent.
fn ingest(platform: &Platform, id: Uuid, target: &Target, envelope: &Envelope, sender: &Sender) {
    if envelope.method != "message/send" {
        return;
    }
    let mut state = platform.state();
    if let Sender::System(name) = sender
        && platform.fault(Fault::RestartContextSource)
    {
        drop(state);
        platform
            .say(&format!("LogActivity insert error: pq: invalid input syntax for type uuid: \"{name}\""));
        return;
    }
    if envelope.message_id.is_empty() || !sender.writes_rows() {
        return;
    }
    let known = state.activity.get(&id).is_some_and(|a| a.has_message(&envelope.message_id));
    if known {
        return;
    }
    state.log_activity(id, received(id, &target.name, envelope, sender, " (ingest)"));
    if !envelope.text.is_empty() {
        let payload =
            json!({ "message_id": envelope.message_id, "content": envelope.text, "workspace_id": id });
        state.emit("USER_MESSAGE", id, payload, Keep::StreamOnly);
    }
}

/// A poller will fetch it. What has no row yet gets one; the streams hear of it in any case.
fn polled(platform: &Platform, id: Uuid, target: &Target, envelope: &Envelope, sender: &Sender) {
    if !sender.writes_rows() {
        return;
    }
    let row = received(id, &target.name, envelope, sender, " (queued for poll)");
    let mut state = platform.state();
    match envelope.has_row() {
        true => state.tell_activity(id, &row),
        false => state.log_activity(id, row),
    }
}

fn mock(platform: &Platform, id: Uuid, envelope: &Envelope) -> Response {
    let said = platform.state().activity.get(&id).map_or(1, |a| a.rows().count().max(1));
    let text = match platform.edition {
        Edition::MidJune => MOCK_REPLIES[(said - 1) % MOCK_REPLIES.len()],
        Edition::MidAugust => "Got it, on it now.",
    };
    let body = json!({
        "jsonrpc": "2.0",
        "id": envelope.value["id"],
        "result": { "parts": [{ "kind": "text", "text": text }] },
    });
    platform.state().activity.entry(id).or_default().update(&envelope.message_id, |row| {
        row.response_body = Some(Body::new(&body));
    });
    reply::raw(200, body.to_string())
}

/// Ends when nothing was heard of a workspace for as long as an agent may be silent, in real time.
async fn silence(platform: &Platform, delivery: &Message, limit: Duration) {
    let limit = platform.clock.patience(limit);
    loop {
        let spoke = platform.state().get(delivery.id).map_or(delivery.started, |w| w.spoke);
        let until = spoke.max(delivery.started) + limit;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        crate::clock::sleep(left).await;
    }
}

async fn dispatch(
    platform: &Arc<Platform>,
    delivery: &Message,
    target: &Target,
    limit: Duration,
) -> Response {
    let body = Bytes::from(delivery.envelope.value.to_string());
    let sent = tokio::select! {
        biased;
        sent = call(platform, delivery.id, &target.url, body, limit) => sent,
        () = silence(platform, delivery, target.idle) => Err(CallError::Timeout),
    };
    match sent {
        Ok(answer) => answered(platform, delivery, answer).await,
        Err(CallError::Cut { status, .. }) => {
            let text = "failed to read agent response";
            fail(platform, delivery, text);
            let max = 64 << 20;
            let body =
                json!({ "error": text, "delivery_confirmed": true, "truncated": false, "max_bytes": max });
            reply::json_body(if status >= 300 { status } else { 502 }, &body)
        }
        Err(CallError::TooLarge(max)) => {
            let text = "agent response too large";
            fail(platform, delivery, text);
            let body =
                json!({ "error": text, "delivery_confirmed": true, "truncated": true, "max_bytes": max });
            reply::json_body(502, &body)
        }
        Err(error) => unreachable(platform, delivery, &error).await,
    }
}

async fn answered(platform: &Arc<Platform>, delivery: &Message, answer: Answer) -> Response {
    let gateway = matches!(answer.status, 502..=504 | 521..=524);
    if gateway && gone(platform, delivery.id).await {
        lost(platform, delivery, &format!("agent answered {}", answer.status));
        let body = json!({ "error": "workspace agent is restarting", "restarting": true, "retry_after": 15 });
        return reply::retry_after(reply::json_body(503, &body), 15);
    }
    if answer.status >= 300 {
        let own: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let reason = axum::http::StatusCode::from_u16(answer.status).ok().and_then(|s| s.canonical_reason());
        let text = own["error"].as_str().or(reason).unwrap_or("agent error").to_owned();
        complete(platform, delivery, "error", Some(own).filter(|own| !own.is_null()).as_ref());
        return reply::error(answer.status, text);
    }
    if answer.body.is_empty() {
        let text = "agent returned empty response body";
        return reply::error(
            if platform.does(Behaviour::EmptyAnswerIsAnError) { 502 } else { answer.status },
            text,
        );
    }
    let value: Value =
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&answer.body)));
    complete(platform, delivery, "ok", Some(&value));
    if let Some(caller) = delivery.sender.source()
        && let Some(workspace) = platform.state().get_mut(caller)
    {
        workspace.last_outbound_at = Some(wall());
    }
    reply::raw(answer.status, answer.body)
}

/// The answer is in: the row of the message gets it, or it gets a row now; canvas senders hear of good ones.
fn complete(platform: &Platform, delivery: &Message, status: &str, value: Option<&Value>) {
    let duration = delivery.took();
    if matches!(delivery.sender, Sender::System(_)) || !delivery.sender.writes_rows() {
        return;
    }
    let (id, envelope) = (delivery.id, &delivery.envelope);
    let name = platform.name_of(id);
    let mut state = platform.state();
    let fill = |row: &mut Row| {
        row.response_body = value.map(Body::new);
        row.duration_ms = Some(duration);
        status.clone_into(&mut row.status);
    };
    if envelope.has_row() {
        if let Some(activities) = state.activity.get_mut(&id) {
            activities.update(&envelope.message_id, fill);
        }
    } else if state.get(id).is_some() {
        let mut row = received(id, &name, envelope, &delivery.sender, "");
        fill(&mut row);
        state.log_activity(id, row);
    }
    if delivery.sender.is_canvas() && status == "ok" {
        let payload = json!({
            "response_body": value,
            "method": delivery.envelope.method,
            "duration_ms": duration,
            "message_id": delivery.envelope.message_id,
        });
        state.emit("A2A_RESPONSE", delivery.id, payload, Keep::StreamOnly);
    }
}

/// A row of its own for a message that was not delivered.
fn fail(platform: &Platform, delivery: &Message, detail: &str) {
    let name = platform.name_of(delivery.id);
    let row = Row {
        source: delivery.sender.source(),
        target: Some(delivery.id),
        method: Some(delivery.envelope.method.clone()),
        summary: Some(format!("A2A request to {name} failed: {detail}")),
        duration_ms: Some(delivery.took()),
        status: "error".to_owned(),
        error_detail: Some(detail.to_owned()),
        request_body: Some(Body::new(&delivery.envelope.value)),
        ..Row::new("a2a_receive")
    };
    let mut state = platform.state();
    if state.get(delivery.id).is_some() {
        state.log_activity(delivery.id, row);
    }
}

/// Whether the instance of a managed workspace is known to run.
async fn alive(platform: &Platform, id: Uuid) -> bool {
    let managed = platform.state().get(id).is_some_and(|w| !w.external_like() && w.runtime != "mock");
    managed && platform.has_backend && platform.provisioner.is_running(id).await == Ok(true)
}

/// A dead instance: offline, and started again.
fn lost(platform: &Arc<Platform>, delivery: &Message, detail: &str) {
    fail(platform, delivery, detail);
    platform.state().offline(delivery.id, Status::Offline);
    platform.restart_by_id(delivery.id);
}

async fn unreachable(platform: &Arc<Platform>, delivery: &Message, error: &CallError) -> Response {
    platform.say(&format!("a2a {}: {error}", delivery.id));
    if gone(platform, delivery.id).await {
        lost(platform, delivery, &error.to_string());
        let text = "workspace agent unreachable — container restart triggered";
        return reply::json_body(503, &json!({ "error": text, "restarting": true }));
    }
    match error {
        CallError::Timeout | CallError::Broken(_) => enqueue(platform, delivery, true),
        _ if platform.does(Behaviour::BusyWhileAlive) && alive(platform, delivery.id).await => {
            fail(platform, delivery, &error.to_string());
            let body =
                json!({ "error": "workspace agent busy — please retry", "busy": true, "retry_after": 5 });
            reply::retry_after(reply::json_body(503, &body), 5)
        }
        _ => {
            fail(platform, delivery, &error.to_string());
            reply::error(502, "failed to reach workspace agent")
        }
    }
}

#[cfg(test)]
mod tests;
