//! `use:` puts the steps of a fragment in its place. It makes no step of its own.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::scenario::raw::values::{AnyValue, NameOr, Text};
use crate::yaml::Node;

use super::spec::{Group, Help, Holds, Names};

/// `use:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Use")]
pub(crate) struct RawUse {
    /// Which fragment.
    #[schemars(required)]
    pub fragment: Option<Text>,
    /// Its parameters.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub with: Option<Node>,
}

pub(super) const HELP: Help = Help {
    keyword: "use",
    group: Group::Flow,
    meaning: "Puts the steps of a fragment here. Short form: the fragment's name.",
    example: "- use: { fragment: online-and-answering, with: { workspace: ws } }",
    names: Names::None,
    holds: Holds::Nothing,
};

pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<NameOr<RawUse>>()
}
