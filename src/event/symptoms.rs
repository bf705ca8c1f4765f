//! A failure as the runner saw it: no knowledge of causes, only what was there. It stands in the log, so that every
//! later version can look for the cause again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Evidence, Exchange, WaitStats};
use crate::domain::Status;

/// What mechanisms are tried against.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Symptoms {
    /// Instance name.
    pub scenario: String,
    /// The step that failed, the innermost.
    pub step: String,
    /// Its name, or its verb and subject; empty in logs of earlier versions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its verb.
    pub verb: String,
    /// What the step wanted.
    pub asserts: Red,
    /// What it said.
    pub message: String,
    /// More of what it said.
    pub details: Vec<String>,
    /// How the step counts before any cause is known.
    pub kind: Kind,
    /// The wait that ended without its object.
    pub wait: Option<Wait>,
    /// The workspace that it is about.
    pub workspace: Option<Subject>,
    /// Exchanges of the step, oldest first: of each purpose the first, the last that was answered and the last error.
    pub exchanges: Vec<Exchange>,
    /// Which of them the failure speaks of, by its place.
    pub decisive: Option<usize>,
    /// The server answered other requests, which no agent sees, with the very answer that this step failed by.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub servers_own: bool,
    /// Nothing of the step was forgotten.
    pub exchanges_whole: bool,
    /// What was gathered; in the log it is an event of its own.
    #[serde(skip)]
    pub evidence: Evidence,
    /// How many times faster than ours the server's clock runs.
    pub time_scale: f64,
    /// Who was to pay for the models, as the run was told: `byok` or `platform`.
    pub llm_path: Option<String>,
    /// Whether a message wakes a hibernated workspace there, when that is known.
    pub wakes: Option<bool>,
    /// What is wrong with the messages that an agent in poll mode read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbox: Option<InboxProblem>,
    /// Whether the create that was sent carries a credential that the model's provider takes, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<bool>,
}

/// What is wrong with the messages that an agent in poll mode reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InboxProblem {
    /// A message stands there a second time, in another row.
    Twice,
    /// A message that was answered `queued` does not come.
    Lost,
    /// A row came that is not after the cursor.
    BeforeTheCursor,
    /// The messages are the wanted ones in another order.
    Order,
}

impl InboxProblem {
    /// As facts have it.
    pub fn as_str(self) -> &'static str {
        match self {
            InboxProblem::Twice => "twice",
            InboxProblem::Lost => "lost",
            InboxProblem::BeforeTheCursor => "before-the-cursor",
            InboxProblem::Order => "order",
        }
    }
}

/// How a failure counts before any cause is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The platform did something else than it should.
    #[default]
    Product,
    /// There was no evidence either way.
    Inconclusive,
    /// The environment: unreachable, dead.
    Environment,
    /// The scenario asks for what cannot be.
    Config,
    /// This tool.
    Harness,
}

impl Kind {
    /// As facts have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Product => "product",
            Kind::Inconclusive => "inconclusive",
            Kind::Environment => "environment",
            Kind::Config => "config",
            Kind::Harness => "harness",
        }
    }
}

/// What a step wanted and did not get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Red {
    /// This tool failed.
    Panic,
    /// Nothing came that the platform itself said.
    NoAnswer,
    /// A request was to be answered otherwise.
    Answer,
    /// The create was to be accepted.
    Create,
    /// A workspace was to run.
    Online,
    /// A workspace was to be in another status than a running one.
    Status,
    /// A workspace was to stay as it is.
    Hold,
    /// The instance's environment was to be as the rules say.
    Environment,
    /// The activity log was to have a row, or not.
    Activity,
    /// The event stream was to have an event.
    Event,
    /// The stored row was to have a value.
    Row,
    /// The container was to be as wanted.
    Container,
    /// A value that was read before was to be another.
    Value,
    /// A workspace was to be removed.
    Gone,
    /// A message was to be answered.
    Reply,
    /// Anything else.
    #[default]
    Other,
}

impl Red {
    /// All of them, with their names and what they mean.
    pub const ALL: [(&'static str, Red, &'static str); 16] = [
        ("panic", Red::Panic, "a part of this tool failed"),
        (
            "no-answer",
            Red::NoAnswer,
            "nothing came that the platform itself said: no connection, no whole answer, somebody else's page",
        ),
        ("answer", Red::Answer, "a request was answered otherwise than the step wanted"),
        ("create", Red::Create, "a create was not accepted"),
        (
            "online",
            Red::Online,
            "a workspace was to run (online, degraded), by its new instance after an edge",
        ),
        ("status", Red::Status, "a workspace was to be in another status: paused, hibernated, offline, …"),
        ("hold", Red::Hold, "a workspace did not stay as it was"),
        ("environment", Red::Environment, "the instance's environment was to be as the rules say"),
        ("activity", Red::Activity, "the activity log was to have a row, or not to have it"),
        ("event", Red::Event, "the event stream was to have an event"),
        ("row", Red::Row, "the stored row was to have a value"),
        ("container", Red::Container, "the container was to be as wanted"),
        ("value", Red::Value, "a value that was read before was to be another one"),
        ("gone", Red::Gone, "a workspace was to be removed"),
        ("reply", Red::Reply, "a message was to be answered"),
        ("other", Red::Other, "what only this tool does: a command, a stub, a capture"),
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        Red::ALL.iter().find(|(_, red, _)| *red == self).map_or("other", |(name, ..)| name)
    }
}

/// A wait that ended without its object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Wait {
    /// How.
    pub end: Ended,
    /// What it wanted.
    pub wants: String,
    /// What it saw last.
    pub last: String,
    /// How long the step might take, in milliseconds.
    pub within_ms: u64,
    /// What it cost and saw.
    pub stats: WaitStats,
}

/// How a wait ended without its object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The deadline passed.
    #[default]
    TimedOut,
    /// It could not come any more.
    Hopeless,
    /// The target was dead.
    Dead,
    /// The run was cancelled.
    Cancelled,
}

impl Ended {
    /// As facts have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Ended::TimedOut => "timed-out",
            Ended::Hopeless => "hopeless",
            Ended::Dead => "dead",
            Ended::Cancelled => "cancelled",
        }
    }
}

/// The workspace that a failure is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
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
    /// An instance that is not the old one was seen since the last edge.
    pub new_instance_seen: bool,
    /// The uptime of the old one went on after the last edge.
    pub old_speaks: bool,
    /// The instance of the last edge has answered a message as it should.
    pub answered: bool,
    /// It went on running after a request that was answered and stored should have ended it.
    pub outlived: bool,
    /// The longest time since the last edge in which no look showed its row, in milliseconds, the failed wait left out.
    pub gap_ms: u64,
    /// Looks at its row that failed in that time.
    pub failed_looks: u64,
    /// Kinds of the events that the stream brought since the last edge, oldest first; `None`: there was no stream.
    pub stream: Option<Vec<String>>,
    /// How long before the step failed the stream told that it came online, in milliseconds.
    pub online_told_ms: Option<u64>,
    /// Ids of activity rows from before the last edge; `None` when nobody looked.
    pub activity_before: Option<Vec<String>>,
    /// What was seen of it: status and the edge that it belongs to, oldest first.
    pub timeline: Vec<(Status, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_red_has_one_name_and_it_is_the_one_on_disk() {
        for (name, red, _) in Red::ALL {
            assert_eq!(serde_json::to_value(red).unwrap(), name);
            assert_eq!(red.as_str(), name);
        }
        for ended in [Ended::TimedOut, Ended::Hopeless, Ended::Dead, Ended::Cancelled] {
            assert_eq!(serde_json::to_value(ended).unwrap(), ended.as_str());
        }
    }
}
