//! What the language must know of a verb. Nothing here has a default: a verb that leaves one out does not compile.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::{DurationField, WorkspaceRef};
use crate::source::Span;
use crate::yaml::Node;

/// How long a step may take that asks for something and does not wait for more than the answer.
pub(in crate::scenario) const REQUEST: Duration = Duration::from_secs(30);
/// How long a step may take that asks nobody.
pub(in crate::scenario) const QUICK: Duration = Duration::from_secs(5);

/// One verb of the language.
pub(in crate::scenario) trait VerbSpec: Sized {
    /// How it is written and what it means.
    const HELP: Help;

    /// The JSON Schema of what stands behind its key.
    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// Reads and checks it. `key` is the place of its key, `id` the step's number.
    fn check(check: &mut Check<'_>, node: &Node, key: Span, id: &str) -> Option<Self>;

    /// What its step is called when nobody named it.
    fn title(&self) -> String;

    /// How long it may take when it does not say.
    fn budget(&self) -> Budget<'_>;

    /// What it asserts of an HTTP answer, where it can.
    fn answer(&self) -> Option<&Answer>;

    /// The workspaces that it names.
    fn workspaces(&self) -> Vec<&WorkspaceRef>;
}

/// What people read about a verb, and what can be known of it before it is checked.
#[derive(Clone, Copy, Debug)]
pub struct Help {
    /// The key in scenario files.
    pub keyword: &'static str,
    /// Its chapter in the documentation.
    pub group: Group,
    /// What it does, in a line or two.
    pub meaning: &'static str,
    /// Steps that can be copied.
    pub example: &'static str,
    /// The names that it introduces.
    pub names: Names,
    /// The steps inside it.
    pub holds: Holds,
}

/// Chapters of the documentation, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Workspaces are made, moved and watched.
    Lifecycle,
    /// The harness is the agent.
    Agent,
    /// Messages to agents.
    Messages,
    /// Secrets, billing, models, tokens.
    Settings,
    /// Any request.
    Requests,
    /// What must hold.
    Assertions,
    /// Behind the platform's back.
    Outside,
    /// Steps that hold steps.
    Flow,
}

impl Group {
    /// The chapter's title.
    pub fn title(self) -> &'static str {
        match self {
            Group::Lifecycle => "Lifecycle",
            Group::Agent => "As an agent",
            Group::Messages => "Messages",
            Group::Settings => "Settings",
            Group::Requests => "Requests",
            Group::Assertions => "Assertions",
            Group::Outside => "Outside the platform",
            Group::Flow => "Flow",
        }
    }
}

/// Where a verb's text introduces names for later steps.
#[derive(Clone, Copy, Debug)]
pub enum Names {
    /// Nowhere.
    None,
    /// The text of this field.
    Field(&'static str),
    /// The keys of this mapping.
    KeysOf(&'static str),
    /// Its own keys.
    Keys,
}

/// Where a verb's text holds steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Nowhere.
    Nothing,
    /// It is a list of steps.
    Here,
    /// This field is one.
    Field(&'static str),
}

/// How long a verb may take when its step does not say.
#[derive(Clone, Copy, Debug)]
pub enum Budget<'a> {
    /// This long.
    Own(Duration),
    /// As long as it says itself.
    AsLongAs(&'a DurationField),
    /// As long as its steps one after another.
    Sum,
    /// As long as the longest of its steps.
    Longest,
    /// As long as its steps, so often.
    Times(usize),
}
