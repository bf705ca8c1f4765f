//! The state machine of contract §4: every transition, its guard and its event.

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::State;
use super::activity::{Body, Row};
use super::events::Keep;
use super::workspace::{Delivery, Workspace};
use crate::behaviour::{Behaviour, Behaviours};
use crate::clock::Instant;
use crate::domain::Status;
use crate::reference::clock::{Clock, wall};

/// A refused register marks a workspace degraded this long (contract §4.2).
pub(crate) const REGISTER_FAILURE_WINDOW: Duration = Duration::from_secs(300);
/// What the event says of it, whatever the heartbeat says.
const REGISTER_FAILED: &str =
    "Register failed — workspace auth token may be stale. Restart or reprovision to recover.";
/// Spend is clamped to this (contract §6.2).
const MAX_SPEND: i64 = 1_000_000_000_000;

/// What a heartbeat carries (contract §6.2).
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeat {
    pub error_rate: f64,
    pub sample_error: String,
    pub active_tasks: i64,
    pub uptime_seconds: i64,
    pub current_task: String,
    pub monthly_spend: i64,
    pub runtime_state: String,
    pub status_mgmt: bool,
    pub idle_timeout_seconds: Option<u64>,
    pub agent_card: Option<Value>,
}

/// What a register carries once it passed its gates (contract §6.1).
#[derive(Clone, Debug)]
pub(crate) struct Register {
    pub id: Uuid,
    pub url: String,
    pub agent_card: Value,
    pub delivery: Delivery,
}

impl State {
    /// Emits an event about a workspace.
    pub(crate) fn emit(&mut self, kind: &'static str, id: Uuid, payload: Value, keep: Keep) {
        if let Some(workspace) = self.get_mut(id) {
            workspace.spoke = Instant::now();
        }
        let related: Vec<Uuid> = match self.get(id) {
            Some(_) => self.related(id),
            None => Vec::new(),
        };
        self.events.emit(kind, id, payload, keep, |caller| related.contains(&caller));
    }

    /// Who hears of a workspace on a filtered stream: itself, siblings, ancestors, descendants.
    fn related(&self, id: Uuid) -> Vec<Uuid> {
        if !self.events.has_callers() {
            return Vec::new();
        }
        self.live().map(|w| w.id).filter(|other| self.can_communicate(id, *other, false)).collect()
    }

    fn stored(&mut self, kind: &'static str, id: Uuid, payload: Value) {
        self.emit(kind, id, payload, Keep::Stored);
    }

    fn described(&self, id: Uuid) -> Value {
        self.get(id)
            .map_or_else(|| json!({}), |w| json!({ "name": w.name, "tier": w.tier, "runtime": w.runtime }))
    }

    /// A new managed row: `provisioning`.
    pub(crate) fn created(&mut self, workspace: Workspace) {
        let id = workspace.id;
        self.insert(workspace);
        let payload = self.described(id);
        self.stored("WORKSPACE_PROVISIONING", id, payload);
    }

    /// The server's own agent, the root of all: its instance is started by nobody here.
    pub(crate) fn seed_platform_agent(&mut self, id: Uuid) {
        let mut workspace = Workspace::new(id, "Org Concierge".to_owned(), "hermes".to_owned());
        workspace.platform = true;
        workspace.tier = 0;
        workspace.broadcast_enabled = true;
        workspace.status = Status::Offline;
        self.insert(workspace);
    }

    /// A new external row: `online` when it brings a URL, else `awaiting_agent`.
    pub(crate) fn created_external(&mut self, workspace: Workspace) {
        let (id, url) = (workspace.id, workspace.url.clone());
        let payload = json!({ "name": workspace.name, "external": true });
        self.created(workspace);
        let (status, event) = match url.is_empty() {
            true => (Status::AwaitingAgent, "WORKSPACE_AWAITING_AGENT"),
            false => (Status::Online, "WORKSPACE_ONLINE"),
        };
        self.set_status(id, status);
        self.stored(event, id, payload);
    }

    /// A register that passed its gates. Unknown ids become rows; removed ones stay as they are, and are told of.
    pub(crate) fn register(&mut self, register: Register, behaviours: Behaviours) {
        let id = register.id;
        let new = self.get(id).is_none();
        if new {
            let mut workspace = Workspace::new(id, id.to_string(), "claude-code".to_owned());
            workspace.tier = 1;
            self.insert(workspace);
        }
        let Some(workspace) = self.get_mut(id) else { return };
        // A row that is made now has no name yet that could fill a gap.
        let card = match new {
            true => register.agent_card,
            false => reconcile_card(register.agent_card, workspace),
        };
        if workspace.status == Status::Removed {
            let mode = register.delivery.as_str();
            let payload = json!({ "url": register.url, "agent_card": card, "delivery_mode": mode });
            return self.stored("WORKSPACE_ONLINE", id, payload);
        }
        if !keeps_url(&workspace.url) {
            workspace.url.clone_from(&register.url);
        }
        workspace.agent_card = Some(card.clone()).filter(|card| !card.is_null());
        workspace.delivery = register.delivery;
        let now = Instant::now();
        workspace.last_heartbeat = Some(now);
        workspace.last_heartbeat_at = Some(wall());
        workspace.liveness = Some(now);
        workspace.last_register_failure = None;
        if !workspace.url.is_empty() {
            workspace.url_cache = Some((workspace.url.clone(), now));
        }
        let url = workspace.url.clone();
        let stays = behaviours.has(Behaviour::RegisterKeepsDormant)
            && matches!(workspace.status, Status::Paused | Status::Hibernated);
        if stays {
            return;
        }
        self.set_status(id, Status::Online);
        let payload = json!({ "url": url, "agent_card": card, "delivery_mode": register.delivery.as_str() });
        self.stored("WORKSPACE_ONLINE", id, payload);
    }

    /// A register was refused after its auth step passed.
    pub(crate) fn register_failed(&mut self, id: Uuid) {
        if let Some(workspace) = self.get_mut(id) {
            workspace.last_register_failure = Some(Instant::now());
        }
    }

    /// An accepted heartbeat; unknown and removed rows are left alone.
    pub(crate) fn heartbeat(&mut self, id: Uuid, beat: &Heartbeat, clock: &Clock) {
        let Some(workspace) = self.get_mut(id) else { return };
        if workspace.status == Status::Removed {
            return;
        }
        let task_changed = workspace.current_task != beat.current_task;
        if task_changed || workspace.active_tasks != beat.active_tasks {
            workspace.progress = Instant::now();
        }
        workspace.last_heartbeat = Some(Instant::now());
        workspace.last_heartbeat_at = Some(wall());
        workspace.last_error_rate = beat.error_rate;
        workspace.last_sample_error.clone_from(&beat.sample_error);
        workspace.active_tasks = beat.active_tasks;
        workspace.uptime_seconds = beat.uptime_seconds;
        workspace.current_task.clone_from(&beat.current_task);
        // Below zero is nothing said. What is less than before was spent anew: nothing is taken back.
        if beat.monthly_spend > 0 {
            let spend = beat.monthly_spend.min(MAX_SPEND);
            let before = std::mem::replace(&mut workspace.monthly_spend, spend);
            workspace.budget.spend(if spend >= before { spend - before } else { spend });
        }
        // What this heartbeat does not say is not so any more; the status is judged by the one before.
        workspace.idle_timeout_seconds = beat.idle_timeout_seconds;
        let own = std::mem::replace(&mut workspace.status_mgmt, beat.status_mgmt);
        if let Some(card) = &beat.agent_card {
            workspace.last_register_failure = None;
            if workspace.agent_card.is_none() {
                workspace.agent_card = Some(card.clone());
            }
        }
        if workspace.liveness.is_some() {
            workspace.liveness = Some(Instant::now());
        }
        self.evaluate(id, beat, own, clock);
        if task_changed {
            let payload = json!({ "current_task": beat.current_task, "active_tasks": beat.active_tasks });
            self.emit("TASK_UPDATED", id, payload, Keep::StreamOnly);
        }
        let payload = json!({ "active_tasks": beat.active_tasks, "uptime_seconds": beat.uptime_seconds });
        self.emit("WORKSPACE_HEARTBEAT", id, payload, Keep::StreamOnly);
    }

    /// What a heartbeat does to the status.
    fn evaluate(&mut self, id: Uuid, beat: &Heartbeat, own: bool, clock: &Clock) {
        let Some(workspace) = self.get(id) else { return };
        let refused =
            workspace.last_register_failure.is_some_and(|at| clock.since(at) < REGISTER_FAILURE_WINDOW);
        let sample = &beat.sample_error;
        let wedged = beat.runtime_state == "wedged";
        // The row is online before it is judged: a refused register degrades it with the same beat.
        let booted = workspace.status == Status::Provisioning;
        let present = if booted { Status::Online } else { workspace.status.clone() };
        if booted {
            self.set_status(id, Status::Online);
        }
        let (status, event): (Status, Option<(&'static str, Value)>) = match &present {
            Status::Offline => (Status::Online, Some(("WORKSPACE_ONLINE", json!({})))),
            from @ (Status::AwaitingAgent | Status::Failed) => {
                (Status::Online, Some(("WORKSPACE_ONLINE", json!({ "recovered_from": from.as_str() }))))
            }
            Status::Online => {
                // Each reason is judged by itself, and tells of itself.
                let reasons = [
                    (wedged, json!({ "runtime_state": "wedged", "sample_error": sample })),
                    (
                        beat.error_rate >= 0.5 && !own,
                        json!({ "error_rate": beat.error_rate, "sample_error": sample }),
                    ),
                    (refused, json!({ "register_failure": true, "sample_error": REGISTER_FAILED })),
                ];
                for (_, payload) in reasons.into_iter().filter(|(holds, _)| *holds) {
                    self.set_status(id, Status::Degraded);
                    self.stored("WORKSPACE_DEGRADED", id, payload);
                }
                return;
            }
            Status::Degraded
                if beat.error_rate < 0.1 && beat.runtime_state.is_empty() && !refused && !own =>
            {
                (Status::Online, Some(("WORKSPACE_ONLINE", json!({}))))
            }
            _ => return,
        };
        self.set_status(id, status);
        if let Some((kind, payload)) = event {
            self.stored(kind, id, payload);
        }
    }

    /// A provision was aborted or could not start. Observed servers do not look at the status first.
    pub(crate) fn provision_failed(
        &mut self,
        id: Uuid,
        message: &str,
        payload: Value,
        behaviours: Behaviours,
    ) {
        let Some(workspace) = self.get_mut(id) else { return };
        if behaviours.has(Behaviour::EarlyDeleteIsFinal) && workspace.status == Status::Removed {
            return;
        }
        message.clone_into(&mut workspace.last_sample_error);
        self.set_status(id, Status::Failed);
        self.stored("WORKSPACE_PROVISION_FAILED", id, payload);
    }

    /// A restart or resume begins: `provisioning`, without a URL.
    pub(crate) fn begin_provisioning(&mut self, id: Uuid, behaviours: Behaviours) {
        let Some(workspace) = self.get_mut(id) else { return };
        if !behaviours.has(Behaviour::RestartKeepsAddress) {
            workspace.url.clear();
        }
        if behaviours.has(Behaviour::RestartForgetsAddress) {
            workspace.url_cache = None;
        }
        self.set_status(id, Status::Provisioning);
        let payload = self.described(id);
        self.stored("WORKSPACE_PROVISIONING", id, payload);
    }

    /// A resume or a wake begins: told with the template since boots are told step by step.
    pub(crate) fn begin_resuming(&mut self, id: Uuid, behaviours: Behaviours) {
        if !behaviours.has(Behaviour::BootSteps) {
            return self.begin_provisioning(id, behaviours);
        }
        self.set_status(id, Status::Provisioning);
        let mut payload = self.described(id);
        payload["template"] = json!(self.get(id).map(|w| w.template.clone()).unwrap_or_default());
        self.stored("WORKSPACE_PROVISIONING", id, payload);
    }

    /// The instance of before is stopped: its address is nobody's. Of two starts that wait for each other
    /// the second finds the row online already.
    pub(crate) fn instance_stopped(&mut self, id: Uuid) {
        if let Some(workspace) = self.get_mut(id)
            && matches!(workspace.status, Status::Provisioning | Status::Online | Status::Degraded)
        {
            workspace.url.clear();
            workspace.url_cache = None;
        }
    }

    /// The instance runs under this URL.
    pub(crate) fn instance_started(&mut self, id: Uuid, url: &str) {
        if let Some(workspace) = self.get_mut(id) {
            url.clone_into(&mut workspace.url);
            workspace.generation += 1;
            workspace.url_cache = Some((url.to_owned(), Instant::now()));
        }
    }

    /// The instance is gone; restarting is the caller's business.
    pub(crate) fn offline(&mut self, id: Uuid, status: Status) {
        let moves = self.get(id).is_some_and(|w| !matches!(w.status, Status::Removed | Status::Provisioning));
        if let Some(workspace) = self.get_mut(id) {
            workspace.clear_keys();
        }
        if moves {
            self.set_status(id, status);
        }
        self.stored("WORKSPACE_OFFLINE", id, json!({}));
    }

    /// A liveness key ran out: the guard differs from a failed call's (contract §4.1, §13 row 14).
    pub(crate) fn expired(&mut self, id: Uuid, behaviours: Behaviours) -> bool {
        let Some(workspace) = self.get_mut(id) else { return false };
        workspace.clear_keys();
        let moves = if behaviours.has(Behaviour::ExpirySparesFailed) {
            matches!(workspace.status, Status::Online | Status::Degraded)
        } else {
            !matches!(workspace.status, Status::Removed | Status::Paused | Status::Hibernated)
        };
        if moves {
            let to = if workspace.runtime == "external" { Status::AwaitingAgent } else { Status::Offline };
            self.set_status(id, to);
            self.stored("WORKSPACE_OFFLINE", id, json!({}));
        }
        moves
    }

    /// `paused`.
    pub(crate) fn paused(&mut self, id: Uuid) {
        self.stopped(id, Status::Paused);
        let name = self.get(id).map(|w| w.name.clone());
        self.stored("WORKSPACE_PAUSED", id, json!({ "name": name }));
    }

    /// `hibernating` if it may; whether it was claimed.
    pub(crate) fn claim_hibernation(&mut self, id: Uuid, despite_tasks: bool) -> bool {
        let claimed = self.get(id).is_some_and(|w| {
            matches!(w.status, Status::Online | Status::Degraded) && (w.active_tasks == 0 || despite_tasks)
        });
        if claimed {
            self.set_status(id, Status::Hibernating);
        }
        claimed
    }

    /// `hibernated`.
    pub(crate) fn hibernated(&mut self, id: Uuid) {
        self.stopped(id, Status::Hibernated);
        let payload = self.get(id).map(|w| json!({ "name": w.name, "tier": w.tier })).unwrap_or_default();
        self.stored("WORKSPACE_HIBERNATED", id, payload);
    }

    fn stopped(&mut self, id: Uuid, status: Status) {
        if let Some(workspace) = self.get_mut(id) {
            workspace.url.clear();
            workspace.clear_keys();
        }
        self.set_status(id, status);
    }

    /// `removed`: tokens revoked, keys cleared; the URL stays in the row.
    pub(crate) fn removed(&mut self, id: Uuid) {
        if let Some(workspace) = self.get_mut(id) {
            workspace.clear_keys();
            workspace.removed_at = Some(wall());
        }
        self.set_status(id, Status::Removed);
        self.tokens.revoke(id, |_| true);
        if let Some(activities) = self.activity.get_mut(&id) {
            activities.trim();
        }
    }

    /// Writes an activity row and tells the streams.
    pub(crate) fn log_activity(&mut self, id: Uuid, row: Row) {
        self.tell_activity(id, &row);
        self.activity.entry(id).or_default().push(row);
    }

    /// Tells the streams of a row.
    pub(crate) fn tell_activity(&mut self, id: Uuid, row: &Row) {
        let mut payload = Map::new();
        for (key, value) in [
            ("activity_type", json!(row.kind)),
            ("method", json!(row.method)),
            ("summary", json!(row.summary)),
            ("status", json!(row.status)),
            ("source_id", json!(row.source)),
            ("target_id", json!(row.target)),
            ("duration_ms", json!(row.duration_ms)),
        ] {
            payload.insert(key.to_owned(), value);
        }
        for (key, value) in [
            ("request_body", row.request_body.as_ref().map(Body::value)),
            ("response_body", row.response_body.as_ref().map(Body::value)),
            ("error_detail", row.error_detail.as_ref().map(|v| json!(v))),
            ("message_id", row.message_id.as_ref().map(|v| json!(v))),
        ] {
            if let Some(value) = value {
                payload.insert(key.to_owned(), value);
            }
        }
        self.emit("ACTIVITY_LOGGED", id, Value::Object(payload), Keep::StreamOnly);
    }
}

/// A stored URL on this machine is kept if it ends in a port of its own (contract §6.1); one with a path is not.
fn keeps_url(url: &str) -> bool {
    ["http://127.0.0.1:", "http://localhost:"]
        .iter()
        .find_map(|start| url.strip_prefix(start))
        .is_some_and(|port| port != "8000" && port.parse::<u16>().is_ok())
}

/// Fills the gaps of a card from the row.
fn reconcile_card(card: Value, workspace: &Workspace) -> Value {
    let Value::Object(mut card) = card else { return card };
    let text = |card: &Map<String, Value>, key: &str| {
        card.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let name = text(&card, "name");
    if name.is_empty() || name == workspace.id.to_string() {
        card.insert("name".to_owned(), json!(workspace.name));
    }
    if text(&card, "description").is_empty() {
        let name = text(&card, "name");
        card.insert("description".to_owned(), json!(name));
    }
    if text(&card, "role").is_empty()
        && let Some(role) = &workspace.role
    {
        card.insert("role".to_owned(), json!(role));
    }
    Value::Object(card)
}

#[cfg(test)]
mod tests;
