//! `secret:` writes or deletes secrets.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::decode::Spanned;
use crate::scenario::model::answer::{Answer, Identity};
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, Auth, Text, TextMap, Texts};
use crate::scenario::raw::words::WorkspaceName;
use crate::scenario::template::Template;
use crate::source::Span;
use crate::yaml::Node;

/// `secret:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Secret", extend("oneOf" = [{ "required": ["workspace"] }, { "required": ["global"] }], "anyOf" = [{ "required": ["set"] }, { "required": ["delete"] }]))]
pub(crate) struct RawSecret {
    /// Whose.
    #[schemars(with = "Option<WorkspaceName>")]
    pub workspace: Option<Text>,
    /// Instead of `workspace`: everybody's. Needs `--exclusive`.
    pub global: Option<Spanned<bool>>,
    /// Keys and values to write, in order.
    #[schemars(with = "Option<TextMap>")]
    pub set: Option<Node>,
    /// Keys to delete.
    #[schemars(with = "Option<Texts>")]
    pub delete: Option<Node>,
    /// Whose credentials; admin when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// What must hold of each answer; status 200 when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `secret:` (contract §8.1). Written one by one, each answer asserted.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Whose; `None` writes a global one, which needs `--exclusive`.
    pub workspace: Option<WorkspaceRef>,
    /// Keys and values to write, in order.
    pub set: IndexMap<String, Template>,
    /// Keys to delete.
    pub delete: Vec<String>,
    /// Whose bearer is sent.
    pub identity: Option<Identity>,
    /// Status 200 when absent.
    pub answer: Answer,
}

impl VerbSpec for Secret {
    const HELP: Help = Help {
        keyword: "secret",
        group: Group::Settings,
        meaning: "Writes or deletes secrets one by one; every answer is checked.",
        example: "- secret: { workspace: ws, set: { MINIMAX_API_KEY: \"${inputs.key}\" } }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawSecret>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawSecret = check.read(node);
        let global = raw.global.is_some_and(|g| g.value);
        match (&raw.workspace, global) {
            (Some(_), true) => {
                let span = raw.global.map_or(span, |g| g.span);
                check.error(
                    "exclusive-fields",
                    span,
                    "`workspace` and `global` exclude each other",
                    "here",
                    None,
                );
            }
            (None, false) => {
                let hint =
                    "for example `secret: {workspace: ws, set: {KEY: value}}`; `global: true` is everybody's";
                check.required(None, "secret", "workspace", span, hint);
            }
            _ => {}
        }
        let workspace = raw.workspace.as_ref().map(|text| check.workspace(text));
        let delete = check.texts(raw.delete.as_ref());
        delete.iter().for_each(|name| check.plain_name(name));
        let secret = Secret {
            set: check.secrets(raw.set.as_ref()),
            delete: delete.into_iter().map(|t| t.value).collect(),
            identity: check.identity(raw.auth.as_ref()),
            answer: check.answer(raw.expect.as_ref()),
            workspace,
        };
        if secret.set.is_empty() && secret.delete.is_empty() {
            check.required(None, "secret", "set` or `delete", span, "for example `set: {KEY: value}`");
        }
        check.edge(secret.workspace.as_ref().map(|w| w.name.as_str()));
        Some(secret)
    }

    fn title(&self) -> String {
        match &self.workspace {
            Some(workspace) => format!("secrets of {}", workspace.name),
            None => "global secrets".to_owned(),
        }
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
