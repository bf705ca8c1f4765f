//! What a scenario knows of a workspace that it made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clock::{Instant, TimeScale};
use crate::domain::{Secret, Status};
use crate::event::{EnvVar, WaitStats};
use crate::models::billing::BillingMode;
use crate::platform::row::Row;
use crate::run::instance::{Baseline, Beats, Current, LAG, goes_on, outlives_workspace};

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
    /// When the create was asked for: none of its instances is older.
    pub made_at: Option<Instant>,
    /// An uptime was older than the workspace: its uptimes are a machine's, and tell nothing of an instance.
    pub ageless: bool,
    /// Messages that its inbox has shown: the row's id and the message's, oldest first.
    pub shown: Vec<(String, String)>,
    /// Ids of the messages to it that were answered `queued`.
    pub queued: Vec<String>,
    /// The longest time since the last edge without a look that showed its row, in milliseconds; and how many failed.
    pub unseen: (u64, u64),
    /// The edge whose new instance rows or events have proven.
    pub proven: Option<u32>,
    /// What showed after that proof that the instance is the old one all the same.
    pub contradicted: Option<String>,
    /// Uptimes that rows showed since the last edge.
    pub beats: Beats,
    /// The instance that was seen last, where instances are in reach.
    pub instance: Option<String>,
    /// Its old instance went on speaking after the last edge.
    pub old_speaks: bool,
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
    /// A row showed an uptime: a new address proves a new instance only until the old one is heard there.
    pub(crate) fn beats(&mut self, row: &Value, scale: TimeScale) {
        let now = Instant::now();
        let passed = |from: Instant, to: Instant| {
            let passed = scale.lengthen(to.saturating_duration_since(from)).as_secs();
            i64::try_from(passed).unwrap_or(i64::MAX)
        };
        let Some(uptime) = row.uptime() else { return };
        self.ageless |= self.made_at.is_some_and(|made| outlives_workspace(uptime, passed(made, now)));
        if self.uptime.is_none_or(|(known, _)| known != uptime) {
            self.uptime = Some((uptime, now));
        }
        self.beats.saw(Some(uptime), row.url(), now);
        let Some(edge) = self.baseline.edge_at.filter(|_| self.proven == Some(self.edge)) else { return };
        let current = Current {
            record: Some(row),
            since_edge: Some(passed(edge, now)),
            // After a proof a copy that lags may show what was reported before the edge.
            reported_after: self
                .beats
                .reported_after(Some(uptime))
                .map(|after| passed(edge, after))
                .filter(|after| *after >= LAG),
            ageless: self.ageless,
            ..Current::default()
        };
        self.contradicted = self.contradicted.take().or_else(|| goes_on(&self.baseline, &current));
    }

    /// A wait that it passed is over.
    pub(crate) fn looked(&mut self, stats: &WaitStats) {
        self.unseen = (self.unseen.0.max(stats.longest_gap_ms), self.unseen.1.saturating_add(stats.errors));
    }

    /// A request that re-provisions was asked for.
    pub(crate) fn begin_edge(&mut self, name: &str, baseline: Baseline) {
        self.edge += 1;
        (self.old_speaks, self.unseen) = (false, (0, 0));
        (self.contradicted, self.beats) = (None, Beats::default());
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
