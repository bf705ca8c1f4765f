//! Register, heartbeat, card (contract §6.1–§6.3).

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use crate::behaviour::Behaviour;
use crate::reference::addresses::check_agent_url;
use crate::reference::faults::Fault;
use crate::reference::state::events::Keep;
use crate::reference::state::machine::{Heartbeat, Register};
use crate::reference::state::tokens::{Kind, random_token};
use crate::reference::state::workspace::Delivery;
use crate::reference::{proxy, reply};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RegisterBody {
    id: Option<String>,
    /// `null` is a card.
    #[serde(deserialize_with = "said")]
    agent_card: Option<Value>,
    url: Option<String>,
    delivery_mode: Option<String>,
    kind: Option<String>,
}

/// A value that is there, even as `null`.
fn said<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    capabilities: Option<BTreeMap<String, Option<bool>>>,
    idle_timeout_seconds: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeartbeatBody {
    workspace_id: Option<String>,
    error_rate: Option<f64>,
    sample_error: Option<String>,
    active_tasks: Option<i64>,
    uptime_seconds: Option<i64>,
    current_task: Option<String>,
    monthly_spend: Option<i64>,
    runtime_state: Option<String>,
    runtime_metadata: Option<Metadata>,
    agent_card: Option<Value>,
}

/// The token rule of the registry: as long as the id has an instance token, the bearer must be one
/// of its tokens, of either kind.
fn token_refusal(call: &Call, id: &str) -> Option<Response> {
    let id = Uuid::try_parse(id).ok()?;
    let mut state = call.platform.state();
    if !state.tokens.has_instance(id) {
        return None;
    }
    match call.bearer() {
        None => Some(reply::error(401, "missing workspace auth token")),
        Some(token) if state.tokens.owner(token) == Some(id) => None,
        Some(_) => Some(reply::error(401, "invalid workspace auth token")),
    }
}

pub(super) async fn register(call: Call) -> Response {
    let response = try_register(&call).await;
    let (status, platform) = (response.status().as_u16(), &call.platform);
    if status != 200 {
        platform.say(&format!("boot_register_failed status={status}"));
    }
    response
}

fn refused(call: &Call, reason: &str, text: impl AsRef<str>) -> Response {
    call.platform.say(&format!("registry_register_400 reason={reason}"));
    reply::error(400, text)
}

async fn try_register(call: &Call) -> Response {
    let platform = &call.platform;
    let body: RegisterBody = call.object().unwrap_or_default();
    let (Some(id_text), Some(card)) = (body.id.filter(|i| !i.is_empty()), body.agent_card) else {
        return refused(call, "invalid_json", "invalid request body");
    };
    let given = body.delivery_mode.unwrap_or_default();
    let given_mode = Delivery::parse(&given);
    if !given.is_empty() && given_mode.is_none() {
        return refused(call, "invalid_delivery_mode", "delivery_mode must be 'push' or 'poll'");
    }
    let kind = body.kind.unwrap_or_default();
    if !matches!(kind.as_str(), "" | "workspace" | "platform") {
        return refused(call, "invalid_kind", "kind must be 'workspace' or 'platform'");
    }
    if let Some(refusal) = token_refusal(call, &id_text) {
        return refusal;
    }
    let Ok(id) = Uuid::try_parse(&id_text) else { return reply::error(500, "registration failed") };
    let (removed, is_platform, below, stored) = {
        let state = platform.state();
        let row = state.get(id);
        let removed = row.is_some() && state.present(id).is_none();
        let below = row.is_some_and(|w| w.parent.is_some());
        (removed, row.is_some_and(|w| w.platform), below, row.map(|w| w.delivery))
    };
    if removed && platform.does(Behaviour::RemovedMayNotRegister) {
        return reply::json_body(410, &json!({ "error": "workspace removed", "id": id }));
    }
    let failed = |response: Response| {
        platform.state().register_failed(id);
        response
    };
    if kind == "platform" && !is_platform {
        let text = "kind='platform' may only be assigned by the platform-agent install path";
        return failed(reply::error(403, text));
    }
    let instance = platform.provisioner.instance(id).await;
    if let Some(instance) = instance
        && platform.fault_once(Fault::Register400Once, &instance.instance)
    {
        return failed(refused(call, "url_validate_failed", "url could not be validated"));
    }
    let delivery = given_mode.or(stored).unwrap_or(Delivery::Push);
    let said_url = body.url.unwrap_or_default();
    let url = Some(said_url.clone())
        .filter(|u| !u.is_empty())
        .or_else(|| card["url"].as_str().map(str::to_owned))
        .unwrap_or_default();
    if delivery == Delivery::Push {
        if url.is_empty() {
            return failed(refused(
                call,
                "url_required_for_push",
                "url is required for push-mode workspaces",
            ));
        }
        if let Err(why) = check_agent_url(&url, platform.saas(), platform.loopback_ok()).await {
            return failed(refused(call, "url_validate_failed", why));
        }
    }
    if kind == "platform" && below {
        return failed(reply::error(409, "a platform agent must be the org root"));
    }
    let mut state = platform.state();
    // A poller's address is written as it says, unlooked at, and only what the payload itself says.
    let url = if delivery == Delivery::Push { url } else { said_url };
    state.register(Register { id, url, agent_card: card, delivery }, platform.behaviours);
    let mut answer = json!({ "status": "registered", "delivery_mode": delivery.as_str() });
    if !state.tokens.has_instance(id) {
        if removed {
            // It is issued and never validates: lookups skip removed workspaces (contract §13, 23).
            answer["auth_token"] = json!(state.tokens.issue_in_vain(id, Kind::Instance));
        } else {
            answer["auth_token"] = json!(state.tokens.issue(id, Kind::Instance));
        }
    }
    answer["platform_inbound_secret"] = json!(inbound_secret(&mut state, id));
    reply::ok(&answer)
}

/// The stored secret, made when there is none; not kept for a row that does not exist.
fn inbound_secret(state: &mut crate::reference::state::State, id: Uuid) -> String {
    match state.get_mut(id) {
        Some(workspace) => workspace.inbound_secret.get_or_insert_with(random_token).clone(),
        None => random_token(),
    }
}

pub(super) fn heartbeat(call: &Call) -> Response {
    let platform = &call.platform;
    let Some(body) = call.object::<HeartbeatBody>() else { return reply::error(400, "invalid request body") };
    let Some(id_text) = body.workspace_id.filter(|i| !i.is_empty()) else {
        return reply::error(400, "invalid request body");
    };
    if let Some(refusal) = token_refusal(call, &id_text) {
        return refusal;
    }
    let Ok(id) = Uuid::try_parse(&id_text) else { return reply::error(500, "failed to update") };
    let metadata = body.runtime_metadata.unwrap_or_default();
    let numbers = [body.active_tasks, body.uptime_seconds];
    if numbers.into_iter().flatten().any(|n| i32::try_from(n).is_err()) {
        return reply::error(500, "failed to update");
    }
    let beat = Heartbeat {
        error_rate: body.error_rate.unwrap_or_default(),
        sample_error: body.sample_error.unwrap_or_default(),
        active_tasks: body.active_tasks.unwrap_or_default(),
        uptime_seconds: body.uptime_seconds.unwrap_or_default(),
        current_task: body.current_task.unwrap_or_default(),
        monthly_spend: body.monthly_spend.unwrap_or_default(),
        runtime_state: body.runtime_state.unwrap_or_default(),
        status_mgmt: metadata.capabilities.unwrap_or_default().get("status_mgmt") == Some(&Some(true)),
        idle_timeout_seconds: metadata
            .idle_timeout_seconds
            .and_then(|s| u64::try_from(s).ok())
            .filter(|s| *s > 0),
        agent_card: body.agent_card.filter(|c| !c.is_null()),
    };
    let (answer, spare) = {
        let mut state = platform.state();
        if platform.does(Behaviour::UnknownHeartbeatRefused) && state.present(id).is_none() {
            return reply::error(404, "workspace not found");
        }
        state.heartbeat(id, &beat, &platform.clock);
        let spare = state.present(id).is_some_and(|w| w.active_tasks < w.max_concurrent_tasks);
        let secret = inbound_secret(&mut state, id);
        let mut answer = json!({ "status": "ok", "platform_inbound_secret": secret });
        if platform.does(Behaviour::HeartbeatTellsGeneration) {
            answer["generation"] = json!(state.get(id).map_or(0, |w| w.generation));
        }
        (answer, spare)
    };
    if spare {
        proxy::drain_one(platform, id);
    }
    reply::ok(&answer)
}

pub(super) fn update_card(call: &Call) -> Response {
    let body: Value = call.json().unwrap_or_default();
    let (Some(id_text), Some(card)) = (body["workspace_id"].as_str(), body.get("agent_card")) else {
        return reply::error(400, "invalid request body");
    };
    if let Some(refusal) = token_refusal(call, id_text) {
        return refusal;
    }
    let Ok(id) = Uuid::try_parse(id_text) else { return reply::error(500, "failed to update") };
    let mut state = call.platform.state();
    if let Some(workspace) = state.get_mut(id) {
        workspace.agent_card = Some(card.clone()).filter(|card| !card.is_null());
    }
    // Told and stored, whether there is a row or not.
    state.emit("AGENT_CARD_UPDATED", id, json!({ "agent_card": card }), Keep::Stored);
    reply::ok(&json!({ "status": "updated" }))
}
