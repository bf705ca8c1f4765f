//! What a scenario knows of a workspace that it made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clock::Instant;
use crate::domain::{Secret, Status};
use crate::event::EnvVar;
use crate::models::billing::BillingMode;
use crate::run::instance::Baseline;

/// A workspace of a scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    /// Its name in the scenario.
    pub alias: String,
    /// The platform's id.
    pub id: String,
    /// The name that was asked for, or read back.
    pub name: String,
    /// The ledger's key.
    pub resource: String,
    /// The platform makes its instances.
    pub managed: bool,
    /// As created.
    pub runtime: String,
    /// As created or changed.
    pub model: String,
    /// What the model derives to.
    pub provider: String,
    /// As created.
    pub parent_id: Option<String>,
    /// Its own bearer, the newest.
    pub token: Option<Secret>,
    /// Secrets by name, as created or written.
    pub secrets: BTreeMap<String, Secret>,
    /// The billing override in force.
    pub billing: Option<BillingMode>,
    /// The instance before the last edge.
    pub baseline: Baseline,
    /// What the last edge replaces; what only disturbs an instance replaces none.
    pub replaced: Baseline,
    /// How many edges re-provisioned it; 0 after create.
    pub edge: u32,
    /// `create`, `restart`, ….
    pub edge_name: String,
    /// When the last edge was asked for.
    pub edge_at: Option<Instant>,
    /// A lifecycle verb asked for it and the platform says that it is gone.
    pub gone: bool,
    /// What was last seen of it.
    pub seen: Option<(Status, String)>,
    /// The URL that its row showed last, of an instance that may be at rest now.
    pub address: String,
    /// The uptime that its row showed last, and since when.
    pub uptime: Option<(i64, Instant)>,
    /// What was seen of it: status and edge, oldest first.
    pub timeline: Vec<(Status, u32)>,
    /// Rows of the activity log before the last edge.
    pub activity_before: BTreeSet<String>,
    /// Number of the edge that those rows were read for.
    pub activity_for: u32,
    /// They could not be read: nobody knows which rows are new.
    pub activity_unknown: bool,
    /// The environment before the last edge, and the newest one: name → what is known.
    pub env_before: Option<BTreeMap<String, EnvVar>>,
    /// The newest environment that was read, with its instance.
    pub env: Option<(String, BTreeMap<String, EnvVar>)>,
    /// Variables that an instance before the last edge had as the rules want them.
    pub env_right: BTreeMap<String, EnvVar>,
    /// The edge whose instance answered a message as it should.
    pub answered_at: Option<u32>,
    /// Its instance went on running after a request that was answered and stored should have ended it.
    pub outlived: bool,
    /// What was sent at create.
    pub sent: Value,
}

impl Workspace {
    /// A request that re-provisions was asked for.
    pub(crate) fn begin_edge(&mut self, name: &str, baseline: Baseline) {
        self.edge += 1;
        name.clone_into(&mut self.edge_name);
        self.edge_at = baseline.edge_at;
        self.replaced.clone_from(&baseline);
        self.baseline = baseline;
        for (name, var) in self.env.iter().flat_map(|(_, vars)| vars) {
            if var.set && var.ok == Some(true) {
                self.env_right.insert(name.clone(), var.clone());
            }
        }
        self.env_before = self.env.take().map(|(_, vars)| vars).or(self.env_before.take());
    }
}
