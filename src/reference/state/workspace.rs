//! One workspace row and how it is shown (contract §3.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::budget::Budget;
use crate::clock::Instant;
use crate::domain::Status;
use crate::reference::clock::wall;

/// How messages reach a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Push,
    Poll,
}

impl Delivery {
    /// The word on the wire, empty meaning push.
    pub(crate) fn parse(word: &str) -> Option<Delivery> {
        match word {
            "push" => Some(Delivery::Push),
            "poll" => Some(Delivery::Poll),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Delivery::Push => "push",
            Delivery::Poll => "poll",
        }
    }
}

/// A stored secret.
#[derive(Clone, Debug)]
pub(crate) struct SecretRow {
    pub value: String,
    pub created_at: String,
    pub updated_at: String,
}

impl SecretRow {
    pub(crate) fn new(value: String) -> SecretRow {
        let now = wall();
        SecretRow { value, created_at: now.clone(), updated_at: now }
    }

    pub(crate) fn update(&mut self, value: String) {
        self.value = value;
        self.updated_at = wall();
    }
}

/// Programmatic restarts of one workspace (contract §4.2, self-debounce).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RestartDebounce {
    pub started: Option<Instant>,
    pub running: bool,
    pub pending: bool,
}

/// What the watchdog of stalled agents knows of one workspace (contract §4.2).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StallWatch {
    /// The probe that waits for an answer, and since when.
    pub probe: Option<(Uuid, Instant)>,
    /// When the watchdog last came to an end with it.
    pub settled: Option<Instant>,
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub id: Uuid,
    pub order: u64,
    pub name: String,
    pub role: Option<String>,
    pub tier: i64,
    /// An edit wrote `null`: what reads this row fails.
    pub tier_erased: bool,
    pub status: Status,
    pub platform: bool,
    pub url: String,
    pub url_cache: Option<(String, Instant)>,
    pub parent: Option<Uuid>,
    pub agent_card: Option<Value>,
    pub active_tasks: i64,
    pub max_concurrent_tasks: i64,
    pub last_error_rate: f64,
    pub last_sample_error: String,
    pub uptime_seconds: i64,
    pub current_task: String,
    pub runtime: String,
    pub template: String,
    pub workspace_dir: Option<String>,
    pub workspace_access: String,
    pub budget_limit: Option<i64>,
    pub monthly_spend: i64,
    pub budget: Budget,
    pub x: f64,
    pub y: f64,
    pub collapsed: bool,
    pub broadcast_enabled: bool,
    pub talk_to_user_enabled: bool,
    pub compute: Value,
    pub last_outbound_at: Option<String>,
    pub delivery: Delivery,
    pub inbound_secret: Option<String>,
    pub billing_override: Option<String>,
    pub secrets: BTreeMap<String, SecretRow>,
    pub idle_timeout_seconds: Option<u64>,
    pub status_mgmt: bool,
    pub created: Instant,
    pub updated: Instant,
    pub removed_at: Option<String>,
    pub last_heartbeat: Option<Instant>,
    pub last_heartbeat_at: Option<String>,
    /// How many instances it has had.
    pub generation: u64,
    pub last_register_failure: Option<Instant>,
    /// The Redis liveness key: when it was last renewed; register creates it, heartbeats only renew it.
    pub liveness: Option<Instant>,
    pub hibernation_idle_minutes: u64,
    pub restarts: RestartDebounce,
    pub stall: StallWatch,
    /// When the streams last heard of it.
    pub spoke: Instant,
    /// When its tasks last changed.
    pub progress: Instant,
    /// How many requests are stopping its instance right now.
    pub stopping: u32,
    /// One provision at a time.
    pub cycle: Arc<tokio::sync::Mutex<()>>,
}

impl Workspace {
    /// Whether it serves.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.status, Status::Online | Status::Degraded)
    }

    /// A new row in `provisioning`.
    pub(crate) fn new(id: Uuid, name: String, runtime: String) -> Workspace {
        let now = Instant::now();
        Workspace {
            id,
            order: 0,
            name,
            role: None,
            tier: 3,
            tier_erased: false,
            status: Status::Provisioning,
            platform: false,
            url: String::new(),
            url_cache: None,
            parent: None,
            agent_card: None,
            active_tasks: 0,
            max_concurrent_tasks: 1,
            last_error_rate: 0.0,
            last_sample_error: String::new(),
            uptime_seconds: 0,
            current_task: String::new(),
            runtime,
            template: String::new(),
            workspace_dir: None,
            workspace_access: "none".to_owned(),
            budget_limit: None,
            monthly_spend: 0,
            budget: Budget::default(),
            x: 0.0,
            y: 0.0,
            collapsed: false,
            broadcast_enabled: false,
            talk_to_user_enabled: true,
            compute: json!({}),
            last_outbound_at: None,
            delivery: Delivery::Push,
            inbound_secret: None,
            billing_override: None,
            secrets: BTreeMap::new(),
            idle_timeout_seconds: None,
            status_mgmt: false,
            created: now,
            updated: now,
            removed_at: None,
            last_heartbeat: None,
            last_heartbeat_at: None,
            generation: 0,
            last_register_failure: None,
            liveness: None,
            hibernation_idle_minutes: 0,
            restarts: RestartDebounce::default(),
            stall: StallWatch::default(),
            spoke: now,
            progress: now,
            stopping: 0,
            cycle: Arc::default(),
        }
    }

    /// Whether somebody else runs the agent: external, kimi, kimi-cli.
    pub(crate) fn external_like(&self) -> bool {
        is_external_like(&self.runtime)
    }

    /// The stored model, empty when there is none.
    pub(crate) fn model(&self) -> &str {
        self.secrets.get("MODEL").map_or("", |row| row.value.as_str())
    }

    /// The Redis keys of this workspace are dropped.
    pub(crate) fn clear_keys(&mut self) {
        self.liveness = None;
        self.url_cache = None;
    }

    /// What both reads show.
    fn common(&self) -> Map<String, Value> {
        let Value::Object(map) = json!({
            "id": self.id,
            "name": self.name,
            "role": self.role,
            "tier": self.tier,
            "status": self.status.as_str(),
            "kind": if self.platform { "platform" } else { "workspace" },
            "url": self.url,
            "parent_id": self.parent,
            "agent_card": self.agent_card,
            "active_tasks": self.active_tasks,
            "max_concurrent_tasks": self.max_concurrent_tasks,
            "last_error_rate": number(self.last_error_rate),
            "uptime_seconds": self.uptime_seconds,
            "runtime": self.runtime,
            "x": number(self.x),
            "y": number(self.y),
            "collapsed": self.collapsed,
            "broadcast_enabled": self.broadcast_enabled,
            "talk_to_user_enabled": self.talk_to_user_enabled,
            "compute": self.compute,
        }) else {
            return Map::new();
        };
        map
    }

    /// As `GET /workspaces/:id` shows it.
    pub(crate) fn single(&self, health: bool) -> Value {
        let mut map = self.common();
        map.insert("last_outbound_at".to_owned(), json!(self.last_outbound_at));
        if health {
            map.insert("last_heartbeat_at".to_owned(), json!(self.last_heartbeat_at));
            map.insert("last_sample_error".to_owned(), json!(self.last_sample_error));
            // Not what a heartbeat says of its runtime: the recorded read after one says false.
            map.insert("wedged".to_owned(), json!(false));
            map.extend(loaded());
        }
        Value::Object(map)
    }

    /// As `GET /workspaces` shows it.
    pub(crate) fn listed(&self, health: bool) -> Value {
        let mut map = self.common();
        for (key, value) in [
            ("last_sample_error", json!(self.last_sample_error)),
            ("current_task", json!(self.current_task)),
            ("workspace_dir", json!(self.workspace_dir)),
            ("budget_limit", json!(self.budget_limit)),
            ("monthly_spend", json!(self.monthly_spend)),
        ] {
            map.insert(key.to_owned(), value);
        }
        if health {
            map.extend(loaded());
        }
        Value::Object(map)
    }
}

/// What the agent loaded: our agents load nothing.
fn loaded() -> [(String, Value); 2] {
    [("loaded_mcp_tools".to_owned(), json!([])), ("mcp_surface".to_owned(), Value::Null)]
}

/// Whether agents of this runtime are run by somebody else.
pub(crate) fn is_external_like(runtime: &str) -> bool {
    matches!(runtime, "external" | "kimi" | "kimi-cli")
}

/// A float as Go writes it: without `.0` when it is whole.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "only whole numbers of this size are converted")]
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}
