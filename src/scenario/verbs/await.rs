//! `await:` waits for a status.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use crate::domain::Status;
use crate::scenario::check::Check;
use crate::scenario::decode::Spanned;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{OneOrMany, SomeOf, Text};
use crate::scenario::raw::words::{Time, TimeOrLookup, WorkspaceName};
use crate::source::Span;
use crate::yaml::Node;

/// `await:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Await")]
#[expect(dead_code, reason = "some fields are there for the schema: the check reads the mapping itself")]
pub(crate) struct RawAwait {
    /// Which workspace.
    #[schemars(required, with = "WorkspaceName")]
    pub workspace: Option<Text>,
    /// The status that ends the wait; a list: any of them.
    #[schemars(required, with = "SomeOf<Status>")]
    pub status: Option<Node>,
    /// The deadline; may stand beside the verb instead.
    #[schemars(with = "Option<TimeOrLookup>")]
    pub within: Option<Text>,
    /// Ends when the status is none of `status` any more.
    pub leaves: Option<Spanned<bool>>,
    /// Only an instance that is new since the last edge counts.
    pub new_instance: Option<Spanned<bool>>,
    /// Also wants an address (default for managed workspaces that go online), or does not.
    pub url: Option<bool>,
    /// Status → how long at a stretch it is borne before it ends the wait.
    #[schemars(with = "Option<indexmap::IndexMap<Status, Time>>")]
    pub tolerate: Option<Node>,
    /// Statuses that end the wait at once as a failure.
    #[schemars(with = "Option<OneOrMany<Status>>")]
    pub never: Option<Node>,
}

/// `await:`
#[derive(Clone, Debug)]
pub struct Await {
    /// Which workspace.
    pub workspace: WorkspaceRef,
    /// Any of these ends the wait.
    pub status: Vec<Status>,
    /// Ends when the status is none of `status` any more.
    pub leaves: bool,
    /// Only a new instance counts, since the last edge.
    pub new_instance: bool,
    /// Also wants a non-empty URL; on by default for managed workspaces that go online.
    pub url: Option<bool>,
    /// Grace of states that would otherwise end the wait: consecutive time in that state.
    pub tolerate: IndexMap<Status, Duration>,
    /// States that end the wait at once as a failure.
    pub never: Vec<Status>,
}

impl VerbSpec for Await {
    const HELP: Help = Help {
        keyword: "await",
        group: Group::Lifecycle,
        meaning: "Waits until a workspace has a status. After an edge, `new_instance: true` waits for an instance that is \
         not the old one.",
        example: "- await: { workspace: ws, status: online, within: 90s, tolerate: { failed: 20s } }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawAwait>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawAwait = check.read(node);
        let workspace = check.subject(raw.workspace.as_ref(), "await", span);
        let status = check.statuses(raw.status.as_ref());
        if status.is_empty() && raw.status.as_ref().is_none_or(|n| n.one_or_many().is_empty()) {
            let hint = "for example `status: online`, or a list of several";
            check.required(None, "await", "status", span, hint);
        }
        let leaves = raw.leaves.is_some_and(|l| l.value);
        let new_instance = raw.new_instance.is_some_and(|n| n.value);
        if let Some(flag) = raw.new_instance.filter(|n| n.value) {
            check.new_instance(flag.span, &workspace, &status, leaves);
        }
        let mut tolerate = IndexMap::new();
        for (key, value) in check.entries(raw.tolerate.as_ref()) {
            let text = check.text_of(&value);
            let duration = check.duration(&text);
            let Some(tolerated) = check.status(&Text { value: key.text, span: key.span }) else { continue };
            if leaves {
                let hint = "a wait for leaving a status ends in any other one".to_owned();
                check.error("tolerate", key.span, "nothing is to be tolerated with `leaves`", "here", hint);
            } else if status.contains(&tolerated) {
                let message = format!("`{tolerated}` is awaited, so it cannot be tolerated");
                check.error("tolerate", key.span, message, "here", None);
            }
            tolerate.insert(tolerated, duration);
        }
        let never = check.statuses(raw.never.as_ref());
        if let Some(both) = never.iter().find(|s| status.contains(s) || tolerate.contains_key(*s)) {
            let span = raw.never.as_ref().map_or(span, |n| n.span);
            let message = format!("`{both}` ends the wait as a failure and is awaited or tolerated as well");
            check.error("tolerate", span, message, "here", None);
        }
        Some(Await { workspace, status, leaves, new_instance, url: raw.url, tolerate, never })
    }

    fn title(&self) -> String {
        let statuses: Vec<&str> = self.status.iter().map(Status::as_str).collect();
        let leaving = if self.leaves { "leaving " } else { "" };
        format!("await {} {leaving}{}", self.workspace.name, statuses.join(" or "))
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(Duration::from_secs(90))
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        vec![&self.workspace]
    }
}

impl Check<'_> {
    fn new_instance(&mut self, span: Span, workspace: &WorkspaceRef, status: &[Status], leaves: bool) {
        let live = status.iter().any(Status::is_live);
        if leaves || (!live && !status.is_empty()) {
            let hint = "it goes with `status: online`, `degraded` or `provisioning`".to_owned();
            self.error("new-instance", span, "a workspace in this status has no instance", "here", hint);
        } else if !self.had_edge(&workspace.name) {
            let message = format!("nothing before this step gives `{}` a new instance", workspace.name);
            let hint =
                "it goes after restart, resume, wake, a secret, a model change, terminate, container, …"
                    .to_owned();
            self.error("new-instance", span, message, "here", hint);
        }
    }
}
