//! A failure as the engine saw it: no knowledge of causes, only what was there.

use std::time::Duration;

use crate::domain::Status;
use crate::event::{Evidence, Exchange, WaitStats};

/// What mechanisms are tried against.
#[derive(Clone, Debug, Default)]
pub struct Symptoms {
    /// Instance name.
    pub scenario: String,
    /// The step that failed, the innermost.
    pub step: String,
    /// Its verb.
    pub verb: String,
    /// What it said.
    pub message: String,
    /// More of what it said.
    pub details: Vec<String>,
    /// `product`, `inconclusive`, `environment`, `config`, `harness`.
    pub kind: String,
    /// The wait that ended without its object.
    pub wait: Option<Wait>,
    /// The workspace that it is about.
    pub workspace: Option<Subject>,
    /// Exchanges of the step, oldest first.
    pub exchanges: Vec<Exchange>,
    /// Those are all of them: no older one was forgotten.
    pub exchanges_whole: bool,
    /// What was gathered.
    pub evidence: Evidence,
    /// How many times faster than ours its clock runs.
    pub time_scale: f64,
    /// Whether a message wakes a hibernated workspace there, when that is known.
    pub wakes: Option<bool>,
}

/// A wait that ended without its object.
#[derive(Clone, Debug, Default)]
pub struct Wait {
    /// `timed-out`, `hopeless`, `dead`, `cancelled`.
    pub end: String,
    /// What it wanted.
    pub wants: String,
    /// What it saw last.
    pub last: String,
    /// How long the step might take.
    pub within: Duration,
    /// What it cost and saw.
    pub stats: WaitStats,
}

/// The workspace that a failure is about.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// Its id.
    pub id: String,
    /// The platform makes its instances.
    pub managed: bool,
    /// As created.
    pub runtime: String,
    /// As created or changed.
    pub model: String,
    /// What the model derives to.
    pub provider: String,
    /// The scenario itself deleted it, or what it hung under.
    pub deleted: bool,
    /// The last edge.
    pub edge: String,
    /// How many edges there were after the create.
    pub edges: u32,
    /// Its instance before the last edge.
    pub instance_before: Option<String>,
    /// Ids of activity rows from before the last edge; `None` when nobody looked.
    pub activity_before: Option<Vec<String>>,
    /// What was seen of it: status and the edge that it belongs to, oldest first.
    pub timeline: Vec<(Status, u32)>,
}
