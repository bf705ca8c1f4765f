//! Verbs that hold steps, and those that act outside the platform.

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawStep;
use super::values::{AnyValue, Tests, Text, TextMap};
use crate::scenario::decode::Spanned;
use crate::yaml::Node;

/// `container:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Container")]
pub struct RawContainer {
    /// Whose.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// `kill`, `stop`, `start`, `restart`, `pause`, `unpause`, `disconnect`, `connect`, `remove`, `remove_volume`
    /// (the container and its config volume), `fill_volume` (64 MiB into its workspace volume).
    #[schemars(required)]
    pub action: Option<Text>,
}

/// `exec:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Exec")]
pub struct RawExec {
    /// Program and arguments; no shell.
    #[schemars(required, with = "Vec<Text>")]
    pub argv: Option<Node>,
    /// Variables added to a minimal environment.
    #[schemars(with = "Option<TextMap>")]
    pub env: Option<Node>,
    /// Written to its standard input.
    pub stdin: Option<Text>,
    /// The expected exit code; 0 when absent.
    pub code: Option<Spanned<i32>>,
    /// What must hold of standard output.
    #[schemars(with = "Option<Tests>")]
    pub stdout: Option<Node>,
    /// Names standard output (trimmed) for later steps.
    pub capture: Option<Text>,
    /// The deadline; may stand beside the verb instead.
    pub within: Option<Text>,
}

/// `stub:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stub")]
pub struct RawStub {
    /// Its address for later steps: `${peer}`.
    #[schemars(required)]
    pub r#as: Option<Text>,
    /// What it does with each message, the last one for all that follow: `answer`, `other`, `echo`, `error-text`,
    /// `empty`, `nothing`, `garbage`, `reset`, `hang`, or a status such as `503`. `[answer]` when absent.
    #[schemars(with = "Option<Vec<Text>>")]
    pub script: Option<Node>,
}

/// `foreach:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Foreach")]
pub struct RawForeach {
    /// The items.
    #[schemars(required, with = "Vec<Text>")]
    pub r#in: Option<Node>,
    /// The name of an item inside the steps.
    #[schemars(required)]
    pub r#as: Option<Text>,
    /// The steps, one after another for each item.
    #[schemars(required, with = "Vec<RawStep>")]
    pub steps: Option<Node>,
    /// All items at once.
    pub parallel: Option<bool>,
}

/// `use:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Use")]
pub struct RawUse {
    /// Which fragment.
    #[schemars(required)]
    pub fragment: Option<Text>,
    /// Its parameters.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub with: Option<Node>,
}
