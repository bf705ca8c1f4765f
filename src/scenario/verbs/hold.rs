//! `hold:` a quiet window.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use crate::domain::Status;
use crate::scenario::check::{Check, whole};
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::{DurationField, WorkspaceRef};
use crate::scenario::raw::values::{SomeOf, Text, TimeOr};
use crate::scenario::raw::words::{TimeOrLookup, WorkspaceName};
use crate::source::Span;
use crate::yaml::Node;

/// `hold:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hold", extend("dependentRequired" = { "workspace": ["status"], "status": ["workspace"] }))]
pub(crate) struct RawHold {
    /// How long, in the platform's time.
    #[schemars(required, with = "TimeOrLookup")]
    pub r#for: Option<Text>,
    /// A workspace whose status must not change meanwhile.
    #[schemars(with = "Option<WorkspaceName>")]
    pub workspace: Option<Text>,
    /// The status that it must keep; a list: any of them.
    #[schemars(with = "Option<SomeOf<Status>>")]
    pub status: Option<Node>,
}

/// `hold:` a quiet window; divided by the target's time scale.
#[derive(Clone, Debug)]
pub struct Hold {
    /// How long, in platform time.
    pub duration: DurationField,
    /// A status that must not be left meanwhile.
    pub stays: Option<(WorkspaceRef, Vec<Status>)>,
}

impl VerbSpec for Hold {
    const HELP: Help = Help {
        keyword: "hold",
        group: Group::Lifecycle,
        meaning: "Lets the platform's time pass; with a workspace, its status must stay as it is. Short form: the duration.",
        example: "- hold: { for: 20s, workspace: ws, status: online }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<TimeOr<RawHold>>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw = match check.short(node) {
            Some(duration) => RawHold { r#for: Some(duration), ..RawHold::default() },
            None => check.read(node),
        };
        let text = check.required(raw.r#for.as_ref(), "hold", "for", span, "for example `hold: {for: 20s}`");
        let duration = match &raw.r#for {
            Some(text) => check.duration_field(text),
            None => DurationField::Literal(Duration::ZERO),
        };
        if let DurationField::Literal(duration) = &duration
            && *duration > check.budget
        {
            let hint = "raise `budget:`, or shorten this".to_owned();
            check.warning(
                "within-over-budget",
                text.span,
                "this is longer than the scenario's budget",
                "here",
                hint,
            );
        }
        let statuses = check.statuses(raw.status.as_ref());
        let stays = match (&raw.workspace, &raw.status) {
            (Some(name), Some(_)) => Some((check.workspace(name), statuses)),
            (None, None) => None,
            _ => {
                let hint = "for example `hold: {for: 20s, workspace: ws, status: online}`".to_owned();
                check.error(
                    "missing-field",
                    whole(span, node),
                    "`workspace` and `status` go together",
                    "here",
                    hint,
                );
                None
            }
        };
        Some(Hold { duration, stays })
    }

    fn title(&self) -> String {
        match &self.stays {
            Some((workspace, statuses)) => {
                let statuses: Vec<&str> = statuses.iter().map(Status::as_str).collect();
                format!("hold while {} stays {}", workspace.name, statuses.join(" or "))
            }
            None => "hold".to_owned(),
        }
    }

    fn budget(&self) -> Budget<'_> {
        Budget::AsLongAs(&self.duration)
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        self.stays.iter().map(|(workspace, _)| workspace).collect()
    }
}
