//! `create:` makes a workspace.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::decode::Spanned;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::{Answered, AnyValue, Text, TextMap};
use crate::scenario::raw::words::{ContradictionCode, DeliveryMode, LlmPath, NewName, Tier, WorkspaceName};
use crate::scenario::template::{Template, TemplateValue};
use crate::source::Span;
use crate::yaml::Node;

/// The platform's limit (contract §2.1) less room for the random tail.
const MAX_NAME: usize = 255 - 15;
const BAD_NAME: [char; 10] = ['{', '}', '[', ']', '|', '>', '*', '&', '!', '\n'];

/// `create:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Create")]
pub(crate) struct RawCreate {
    /// The name for later steps; may be left out when a refusal is expected.
    #[schemars(with = "Option<NewName>")]
    pub r#as: Option<Text>,
    /// The start of the workspace's name; a random tail is always added.
    pub name: Option<Text>,
    /// The runtime.
    pub runtime: Option<Text>,
    /// A template of the server.
    pub template: Option<Text>,
    /// A slug, `auto` (default: the model rules choose) or `none`.
    pub model: Option<Text>,
    /// `byok` or `platform`, for `model: auto`.
    #[schemars(with = "Option<LlmPath>")]
    pub llm_path: Option<Text>,
    /// `auto` (default: the first key that the environment has) or `none`.
    #[schemars(extend("enum" = ["auto", "none"]))]
    pub credentials: Option<Text>,
    /// Secrets sent with the request, beside the credentials.
    #[schemars(with = "Option<TextMap>")]
    pub secrets: Option<Node>,
    /// The agent lives elsewhere.
    pub external: Option<bool>,
    /// The endpoint of an external agent.
    pub url: Option<Text>,
    /// `push` or `poll`.
    #[schemars(with = "Option<DeliveryMode>")]
    pub delivery_mode: Option<Text>,
    /// A workspace of this scenario; the run's own root when absent.
    #[schemars(with = "Option<WorkspaceName>")]
    pub parent: Option<Text>,
    /// 1 to 4; 2 when absent.
    #[schemars(with = "Option<Tier>")]
    pub tier: Option<Spanned<u8>>,
    /// Free text.
    pub role: Option<Text>,
    /// Further fields of the request, as they are; they win over the verb's own.
    #[schemars(with = "Option<indexmap::IndexMap<String, AnyValue>>")]
    pub body: Option<Node>,
    /// A contradiction code (`C8`) that is sent on purpose.
    #[schemars(with = "Option<ContradictionCode>")]
    pub contradiction: Option<Text>,
    /// What must hold of the answer; status 201 when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `create:` (contract §2).
#[derive(Clone, Debug)]
pub struct Create {
    /// The name for later steps.
    pub alias: String,
    /// A prefix of the workspace's name; the run's own random tail is always added.
    pub name: Option<Template>,
    /// Absent for templates and externals that need none.
    pub runtime: Option<Template>,
    /// A template of the server.
    pub template: Option<Template>,
    /// The slug, or the model rules' choice.
    pub model: ModelField,
    /// `byok` or `platform`, for `auto`.
    pub llm_path: Option<Template>,
    /// Where the credential comes from.
    pub credentials: Credentials,
    /// Sent as they are, beside the credentials.
    pub secrets: IndexMap<String, Template>,
    /// `external: true`.
    pub external: bool,
    /// An external push endpoint.
    pub url: Option<Template>,
    /// `push` or `poll`.
    pub delivery_mode: Option<Template>,
    /// A workspace of this scenario; the run's own root when absent.
    pub parent: Option<WorkspaceRef>,
    /// 1–4; 2 when absent.
    pub tier: Option<u8>,
    /// Free text.
    pub role: Option<Template>,
    /// Further fields of the request body, as they are.
    pub body: IndexMap<String, TemplateValue>,
    /// A contradiction code (`C8`) that this step sends on purpose.
    pub contradiction: Option<String>,
    /// What is asserted of the answer; status 201 when absent.
    pub answer: Answer,
}

/// `model:` of a create.
#[derive(Clone, Debug)]
pub enum ModelField {
    /// The model rules choose.
    Auto,
    /// None is sent.
    None,
    /// This slug (a template that yields `auto` or an empty text means [`ModelField::Auto`]).
    Slug(Template),
}

/// `credentials:` of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The first key that the environment has by the dispatch rules; else a generated one where our provider answers.
    Auto,
    /// None.
    None,
}

impl VerbSpec for Create {
    const HELP: Help = Help {
        keyword: "create",
        group: Group::Lifecycle,
        meaning: "Makes a workspace under the run's own root, and checks the answer and the stored row.",
        example: "- create: { as: ws, runtime: claude-code, model: auto }",
        names: Names::Field("as"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawCreate>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, id: &str) -> Option<Self> {
        let raw: RawCreate = check.read(node);
        let external = raw.external.unwrap_or_default();
        let answer = check.answer(raw.expect.as_ref());
        let refused = !answer.status.is_empty() && !(200..300).any(|status| answer.status_fits(status));
        let name = raw.name.as_ref().map(|text| check.workspace_name(text));
        let model = match raw.model.as_ref().map(|t| t.value.as_str()) {
            None if external => ModelField::None,
            None | Some("auto") => ModelField::Auto,
            Some("none") => ModelField::None,
            Some(_) => {
                raw.model.as_ref().map_or(ModelField::Auto, |text| ModelField::Slug(check.template(text)))
            }
        };
        let credentials = match &raw.credentials {
            None if external => Credentials::None,
            None => Credentials::Auto,
            Some(text) => {
                check.word(text, &["auto", "none"], "a source of credentials");
                if text.value == "none" { Credentials::None } else { Credentials::Auto }
            }
        };
        if let Some(tier) = raw.tier
            && !(1..=4).contains(&tier.value)
        {
            let hint = "write 1 to 4; to send another one on purpose put it into `body`".to_owned();
            check.error("tier", tier.span, format!("there is no tier {}", tier.value), "here", hint);
        }
        if let Some(code) = &raw.contradiction {
            let digits = code.value.strip_prefix('C').is_some_and(|n| n.parse::<u8>().is_ok());
            if !digits {
                let hint = "`lifecycle check` shows them, for example C8".to_owned();
                let message = format!("`{}` is not a contradiction code", code.value);
                check.error("contradiction", code.span, message, "here", hint);
            }
        }
        let create = Create {
            alias: raw.r#as.as_ref().map_or_else(|| format!("refused-{id}"), |t| t.value.clone()),
            name,
            runtime: check.template_of(raw.runtime.as_ref()),
            template: check.template_of(raw.template.as_ref()),
            model,
            llm_path: check.word_template(
                raw.llm_path.as_ref(),
                &["byok", "platform"],
                "a path to the model",
            ),
            credentials,
            secrets: check.secrets(raw.secrets.as_ref()),
            external,
            url: check.template_of(raw.url.as_ref()),
            delivery_mode: check.delivery_mode(raw.delivery_mode.as_ref()),
            parent: raw.parent.as_ref().map(|text| check.workspace(text)),
            tier: raw.tier.map(|t| t.value),
            role: check.template_of(raw.role.as_ref()),
            body: check.values(raw.body.as_ref()),
            contradiction: raw.contradiction.map(|t| t.value),
            answer,
        };
        match &raw.r#as {
            Some(name) if refused => {
                let hint = "leave `as` out: a refused create makes no workspace".to_owned();
                check.error(
                    "refused-name",
                    name.span,
                    "this create is expected to be refused",
                    "names nothing",
                    hint,
                );
            }
            Some(name) => check.define(name, Means::Workspace),
            None if refused => {}
            None => {
                check.required(
                    None,
                    "create",
                    "as",
                    span,
                    "for example `create: {as: ws, …}`: later steps say `ws`",
                );
            }
        }
        Some(create)
    }

    fn title(&self) -> String {
        format!("create {}", self.alias)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.answer)
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        self.parent.iter().collect()
    }
}

impl Check<'_> {
    pub(in crate::scenario) fn workspace_name(&mut self, text: &Text) -> Template {
        let template = self.template(text);
        if let Some(literal) = template.as_literal() {
            let hint = "to send a bad one on purpose put it into `body`".to_owned();
            if literal.chars().count() > MAX_NAME {
                let message =
                    format!("a workspace's name has at most {MAX_NAME} characters before its random tail");
                self.error("workspace-name", text.span, message, "too long", hint);
            } else if let Some(bad) = literal.chars().find(|c| BAD_NAME.contains(c)) {
                let message = format!("the platform allows no {bad:?} in a name");
                self.error("workspace-name", text.span, message, "here", hint);
            }
        }
        template
    }
}
