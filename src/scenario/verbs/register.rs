//! `register:` registers as an agent.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::model::answer::{Answer, Identity};
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, AnyValue, Auth, Text};
use crate::scenario::raw::words::{DeliveryMode, NewName, WorkspaceName};
use crate::scenario::template::{Template, TemplateValue};
use crate::source::Span;
use crate::yaml::Node;

/// `register:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Register", extend("oneOf" = [{ "required": ["workspace"] }, { "required": ["as"] }]))]
pub(crate) struct RawRegister {
    /// An existing workspace.
    #[schemars(with = "Option<WorkspaceName>")]
    pub workspace: Option<Text>,
    /// Instead of `workspace`: a fresh id is registered under this name.
    #[schemars(with = "Option<NewName>")]
    pub r#as: Option<Text>,
    /// `push` or `poll`.
    #[schemars(with = "Option<DeliveryMode>")]
    pub delivery_mode: Option<Text>,
    /// The agent's endpoint.
    pub url: Option<Text>,
    /// The agent card; a minimal one when absent.
    #[schemars(with = "Option<AnyValue>")]
    pub card: Option<Node>,
    /// Whose credentials; the workspace's own when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// Further fields of the request, as they are; they win over the verb's own.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub body: Option<Node>,
    /// What must hold of the answer; status 200 when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `register:` (contract §6.1).
#[derive(Clone, Debug)]
pub struct Register {
    /// An existing workspace, or a new one when `alias` is set.
    pub workspace: Option<WorkspaceRef>,
    /// A fresh id is registered under this name.
    pub alias: Option<String>,
    /// `push` or `poll`.
    pub delivery_mode: Option<Template>,
    /// The agent's endpoint.
    pub url: Option<Template>,
    /// The agent card; a minimal one when absent.
    pub card: Option<TemplateValue>,
    /// Whose bearer is sent.
    pub identity: Option<Identity>,
    /// Further fields.
    pub body: IndexMap<String, TemplateValue>,
    /// Status 200 when absent.
    pub answer: Answer,
}

impl VerbSpec for Register {
    const HELP: Help = Help {
        keyword: "register",
        group: Group::Agent,
        meaning: "Registers as the agent of a workspace, or as an agent nobody has heard of.",
        example: "- register: { workspace: ws, delivery_mode: poll }",
        names: Names::Field("as"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawRegister>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawRegister = check.read(node);
        let hint =
            "for example `register: {workspace: ws, delivery_mode: poll}`, or `as: stranger` for a fresh id";
        match (&raw.workspace, &raw.r#as) {
            (Some(_), Some(both)) => {
                check.error(
                    "exclusive-fields",
                    both.span,
                    "`workspace` and `as` exclude each other",
                    "here",
                    hint.to_owned(),
                );
            }
            (None, None) => {
                check.required(None, "register", "workspace` or `as", span, hint);
            }
            _ => {}
        }
        let register = Register {
            workspace: raw.workspace.as_ref().map(|text| check.workspace(text)),
            alias: raw.r#as.as_ref().map(|t| t.value.clone()),
            delivery_mode: check.delivery_mode(raw.delivery_mode.as_ref()),
            url: check.template_of(raw.url.as_ref()),
            card: raw.card.as_ref().map(|n| check.value(n)),
            identity: check.identity(raw.auth.as_ref()),
            body: check.values(raw.body.as_ref()),
            answer: check.answer(raw.expect.as_ref()),
        };
        if let Some(name) = &raw.r#as {
            check.define(name, Means::Workspace);
        }
        Some(register)
    }

    fn title(&self) -> String {
        let name = self.workspace.as_ref().map(|w| &w.name).or(self.alias.as_ref());
        format!("register {}", name.map_or("", String::as_str))
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.answer)
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        self.workspace.iter().collect()
    }
}
