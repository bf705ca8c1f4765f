//! `expect:`, which asserts something about the platform.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{AnyValue, TestMap, Tests, Text, TextMap, Texts};
use crate::yaml::Node;

/// `expect:`; exactly one of `row_of`, `env_of`, `activity_of`, `event_of`, `container_of`, `gone`, `value`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Expect")]
pub struct RawExpect {
    /// The stored row of this workspace.
    pub row_of: Option<Text>,
    /// With `row_of` and `container_of`: JSON path → what must hold.
    #[schemars(with = "Option<TestMap>")]
    pub json: Option<Node>,
    /// The environment of this workspace's current instance.
    pub env_of: Option<Text>,
    /// With `env_of`: `provider`, the projection rules of its provider hold. With `container_of`: `contract`, its name,
    /// labels, network, port, volumes, limits and restart policy are those of its tier.
    #[schemars(extend("enum" = ["provider", "contract"]))]
    pub satisfies: Option<Text>,
    /// With `env_of`: no LLM variable changed over the last edge, apart from what the rules say.
    pub stable: Option<bool>,
    /// With `env_of`: variable → what must hold of its value.
    #[schemars(with = "Option<TestMap>")]
    pub vars: Option<Node>,
    /// A row of this workspace's activity log.
    pub activity_of: Option<Text>,
    /// With `activity_of`: `restart_context`, or `true`: such a row appears; `false`: there is none.
    #[schemars(with = "Option<AnyValue>")]
    pub has: Option<Node>,
    /// With `activity_of`: `none`, or the workspace that it came from.
    pub source: Option<Text>,
    /// With `activity_of`: its `activity_type`.
    pub kind: Option<Text>,
    /// With `activity_of`: its `method`.
    pub method: Option<Text>,
    /// With `activity_of`: the message's text contains this.
    pub text: Option<Text>,
    /// With `activity_of`: its `status`.
    pub status: Option<Text>,
    /// An event of this workspace since the last edge.
    pub event_of: Option<Text>,
    /// With `event_of`: its type, for example `WORKSPACE_ONLINE`.
    pub event: Option<Text>,
    /// The container of this workspace, as the engine shows it.
    pub container_of: Option<Text>,
    /// With `container_of`: its state, or any of a list: `created`, `running`, `paused`, `restarting`, `exited`, `dead`,
    /// `absent`.
    #[schemars(with = "Option<Texts>")]
    pub state: Option<Node>,
    /// With `container_of`: `configs`, `workspace`, `sessions` → `present` or `absent`.
    #[schemars(with = "Option<TextMap>")]
    pub volumes: Option<Node>,
    /// This workspace is gone.
    pub gone: Option<Text>,
    /// A value, usually a template.
    #[schemars(with = "Option<AnyValue>")]
    pub value: Option<Node>,
    /// With `value`: what must hold of it.
    #[schemars(with = "Option<Tests>")]
    pub is: Option<Node>,
    /// The deadline; may stand beside the verb instead.
    pub within: Option<Text>,
}
