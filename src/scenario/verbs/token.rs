//! `token:` mints, revokes or rotates tokens.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::decode::Spanned;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, Text};
use crate::scenario::raw::words::{NewName, WorkspaceName};
use crate::source::Span;
use crate::yaml::Node;

/// `token:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Token", extend("oneOf" = [{ "required": ["mint"] }, { "required": ["revoke"] }, { "required": ["rotate"] }]))]
pub(crate) struct RawToken {
    /// Whose.
    #[schemars(required, with = "WorkspaceName")]
    pub workspace: Option<Text>,
    /// Mints an API token and names it for later steps.
    #[schemars(with = "Option<NewName>")]
    pub mint: Option<Text>,
    /// `all`: revokes every token.
    #[schemars(extend("enum" = ["all"]))]
    pub revoke: Option<Text>,
    /// `true`: a new instance token of an external workspace, every old one revoked.
    pub rotate: Option<Spanned<bool>>,
    /// What must hold of the answer; the action's own success when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `token:` (contract §1.6).
#[derive(Clone, Debug)]
pub struct TokenVerb {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// What is done.
    pub action: TokenAction,
    /// Status of the action's own success when absent.
    pub answer: Answer,
}

/// What a `token:` step does.
#[derive(Clone, Debug)]
pub enum TokenAction {
    /// Mints an API token and names it.
    Mint {
        /// The capture's name.
        alias: String,
    },
    /// Revokes all.
    RevokeAll,
    /// `POST external/rotate`.
    Rotate,
}

impl VerbSpec for TokenVerb {
    const HELP: Help = Help {
        keyword: "token",
        group: Group::Settings,
        meaning: "Mints, revokes or rotates tokens of a workspace.",
        example: "- token: { workspace: ws, mint: spare }",
        names: Names::Field("mint"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawToken>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawToken = check.read(node);
        let workspace = check.subject(raw.workspace.as_ref(), "token", span);
        let answer = check.answer(raw.expect.as_ref());
        let rotate = raw.rotate.is_some_and(|r| r.value);
        let action = match (&raw.mint, &raw.revoke, rotate) {
            (Some(name), None, false) => {
                check.define(name, Means::Text);
                TokenAction::Mint { alias: name.value.clone() }
            }
            (None, Some(what), false) => {
                check.word(what, &["all"], "what can be revoked; a single token goes through `http`");
                TokenAction::RevokeAll
            }
            (None, None, true) => TokenAction::Rotate,
            _ => {
                let hint = "exactly one of `mint: name`, `revoke: all`, `rotate: true`".to_owned();
                check.error("exclusive-fields", span, "a token is minted, revoked or rotated", "here", hint);
                return None;
            }
        };
        Some(TokenVerb { workspace, action, answer })
    }

    fn title(&self) -> String {
        format!("token of {}", self.workspace.name)
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
