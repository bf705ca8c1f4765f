//! `billing:` sets or clears the billing override.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, Text};
use crate::scenario::raw::words::{TextOrNull, WorkspaceName};
use crate::scenario::template::Template;
use crate::source::Span;
use crate::yaml::Node;

const MODES: [&str; 3] = ["byok", "platform_managed", "disabled"];

/// `billing:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Billing")]
pub(crate) struct RawBilling {
    /// Whose.
    #[schemars(required, with = "WorkspaceName")]
    pub workspace: Option<Text>,
    /// `byok`, `platform_managed`, `disabled`; `null` clears the override.
    #[schemars(required, with = "TextOrNull")]
    pub mode: Option<Text>,
    /// What must hold of the answer; status 200 and the resolved mode when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `billing:` (contract §8.1).
#[derive(Clone, Debug)]
pub struct Billing {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// `byok`, `platform_managed`, `disabled`; `None` clears the override.
    pub mode: Option<Template>,
    /// Status 200 and the resolved mode when absent.
    pub answer: Answer,
}

impl VerbSpec for Billing {
    const HELP: Help = Help {
        keyword: "billing",
        group: Group::Settings,
        meaning: "Sets or clears the billing override.",
        example: "- billing: { workspace: ws, mode: byok }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawBilling>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawBilling = check.read(node);
        let workspace = check.subject(raw.workspace.as_ref(), "billing", span);
        let answer = check.answer(raw.expect.as_ref());
        // `mode: null` clears, no `mode` at all is a mistake: only the node can tell them apart.
        if node.get("mode").is_none() {
            check.required(
                None,
                "billing",
                "mode",
                span,
                "`byok`, `platform_managed`, `disabled`, or `null` to clear",
            );
        }
        let mode = match &raw.mode {
            Some(text) if answer.is_default() => check.word_template(Some(text), &MODES, "a billing mode"),
            other => check.template_of(other.as_ref()),
        };
        Some(Billing { workspace, mode, answer })
    }

    fn title(&self) -> String {
        format!("billing of {}", self.workspace.name)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.answer)
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        vec![&self.workspace]
    }
}
