//! `org:` makes another organisation at the control plane of the target, or purges one.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::Text;
use crate::source::Span;
use crate::yaml::Node;

/// An organisation comes up within this, its purge included.
const LIFE: Duration = Duration::from_secs(30 * 60);

/// `org:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Org")]
pub(crate) struct RawOrg {
    /// Makes one and names it: `${beta.url}`, `${beta.id}`, `${beta.slug}`, `${beta.token}`.
    pub r#as: Option<Text>,
    /// Purges the one that was named so, and proves by listing that it is gone.
    pub purge: Option<Text>,
}

/// `org:` an organisation of the scenario's own; what it does not purge goes when the run ends.
#[derive(Clone, Debug)]
pub enum Org {
    /// Makes one.
    Make {
        /// Its name for later steps.
        alias: String,
    },
    /// Purges one.
    Purge {
        /// Its name.
        alias: String,
    },
}

impl VerbSpec for Org {
    const HELP: Help = Help {
        keyword: "org",
        group: Group::Outside,
        meaning: "Makes another organisation at the control plane and waits until its tenant's routes answer, or purges one. \
         Its address, id, slug and token are `${beta.url}`, `${beta.id}`, `${beta.slug}` and `${beta.token}`.",
        example: "- org: { as: beta }\n- org: { purge: beta }",
        names: Names::Field("as"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawOrg>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawOrg = check.read(node);
        match (raw.r#as, raw.purge) {
            (Some(name), None) => {
                check.define(&name, Means::Value);
                Some(Org::Make { alias: name.value })
            }
            (None, Some(name)) => {
                check.path(std::slice::from_ref(&name.value), name.span);
                Some(Org::Purge { alias: name.value })
            }
            _ => {
                let hint = "exactly one of `as: name`, `purge: name`".to_owned();
                check.error("exclusive-fields", span, "an organisation is made or purged", "here", hint);
                None
            }
        }
    }

    fn title(&self) -> String {
        match self {
            Org::Make { alias } => format!("organisation {alias}"),
            Org::Purge { alias } => format!("purge organisation {alias}"),
        }
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(LIFE)
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        Vec::new()
    }
}
