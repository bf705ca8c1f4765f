//! What a control plane knows.

use std::collections::{BTreeMap, HashMap, VecDeque};

use indexmap::IndexMap;
use serde_json::{Value, json};
use uuid::Uuid;

use super::machine::Machine;
use super::org::{Org, Phase};
use super::rule::Rule;

/// So many requests are remembered.
const RECORD: usize = 2_000;
/// So many ended organisations and instances are remembered.
const KEPT: usize = 2_000;
/// So many keys of provision calls are remembered.
const KEYS: usize = 4_000;

/// What one request was, without what is secret in it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub at: String,
    pub method: String,
    pub path: String,
    pub workspace: Option<String>,
    pub org: Option<String>,
    pub instance: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    /// `None`: the connection ended without an answer.
    pub status: Option<u16>,
    pub answered_by: String,
}

impl Seen {
    pub(super) fn shown(&self) -> Value {
        json!({
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "workspace_id": self.workspace,
            "org_id": self.org,
            "instance_id": self.instance,
            "headers": self.headers,
            "body": self.body,
            "status": self.status,
            "answered_by": self.answered_by,
        })
    }
}

/// A provision call with a key.
#[derive(Clone, Debug)]
pub(super) enum Keyed {
    UnderWay,
    Answered(Value),
}

pub(super) struct State {
    pub orgs: IndexMap<Uuid, Org>,
    pub machines: IndexMap<String, Machine>,
    pub counters: BTreeMap<&'static str, u64>,
    pub record: VecDeque<Seen>,
    pub rules: Vec<Rule>,
    pub keys: HashMap<String, Keyed>,
    key_order: VecDeque<String>,
}

/// What is counted; the first three as upstream's stub counts them.
pub(super) const COUNTERS: [&str; 5] =
    ["redeploy_fleet_calls", "provision_calls", "tenants_config_calls", "stop_calls", "status_calls"];

impl State {
    pub(super) fn new(rules: Vec<Rule>) -> State {
        State {
            orgs: IndexMap::new(),
            machines: IndexMap::new(),
            counters: COUNTERS.map(|name| (name, 0)).into(),
            record: VecDeque::new(),
            rules,
            keys: HashMap::new(),
            key_order: VecDeque::new(),
        }
    }

    pub(super) fn count(&mut self, counter: &'static str) {
        *self.counters.entry(counter).or_default() += 1;
    }

    pub(super) fn remember(&mut self, seen: Seen) {
        if self.record.len() == RECORD {
            self.record.pop_front();
        }
        self.record.push_back(seen);
    }

    /// The organisation of a slug that was not purged.
    pub(super) fn by_slug(&self, slug: &str) -> Option<&Org> {
        self.orgs.values().rev().find(|org| org.slug == slug && org.phase != Phase::Purged)
    }

    /// The organisation that a header or a body names, by id or slug.
    pub(super) fn by_name(&self, name: &str) -> Option<&Org> {
        let by_id = Uuid::try_parse(name).ok().and_then(|id| self.orgs.get(&id));
        by_id.filter(|org| org.phase != Phase::Purged).or_else(|| self.by_slug(name))
    }

    /// Those that count against the quota.
    pub(super) fn living(&self) -> usize {
        self.orgs.values().filter(|org| org.phase != Phase::Purged && !org.foreign).count()
    }

    /// Begins a provision call with this key; what it came to when it is not the first.
    pub(super) fn keyed(&mut self, key: &str) -> Option<Keyed> {
        if let Some(known) = self.keys.get(key) {
            return Some(known.clone());
        }
        if self.key_order.len() == KEYS
            && let Some(oldest) = self.key_order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.key_order.push_back(key.to_owned());
        self.keys.insert(key.to_owned(), Keyed::UnderWay);
        None
    }

    /// Forgets the oldest of what ended.
    pub(super) fn forget(&mut self) {
        while self.orgs.len() > KEPT {
            let oldest = self.orgs.values().find(|org| org.phase == Phase::Purged).map(|org| org.id);
            let Some(oldest) = oldest else { break };
            self.orgs.shift_remove(&oldest);
        }
        while self.machines.len() > KEPT {
            let oldest = self.machines.values().find(|m| m.ended()).map(|m| m.id.clone());
            let Some(oldest) = oldest else { break };
            self.machines.shift_remove(&oldest);
        }
    }
}
