//! Verbs that make, move and watch workspaces.

use indexmap::IndexMap;

use crate::domain::Status;
use crate::scenario::model::{
    Await, Create, Credentials, DurationField, Edge, Hold, ModelField, Terminate, Wake, WorkspaceRef,
};
use crate::scenario::raw::lifecycle::{
    RawAwait, RawCreate, RawDelete, RawHibernate, RawHold, RawPause, RawRestart, RawTarget,
};
use crate::scenario::raw::values::Text;
use crate::source::Span;
use crate::yaml::{Kind, Node};

use super::Check;
use super::names::Means;
use super::step::whole;

/// The platform's limit (contract §2.1) less room for the random tail.
const MAX_NAME: usize = 255 - 15;
const BAD_NAME: [char; 10] = ['{', '}', '[', ']', '|', '>', '*', '&', '!', '\n'];

impl Check<'_> {
    pub(super) fn create(&mut self, node: &Node, span: Span, id: &str) -> Create {
        let raw: RawCreate = self.read(node);
        let external = raw.external.unwrap_or_default();
        let answer = self.answer(raw.expect.as_ref());
        let refused = !answer.status.is_empty() && !(200..300).any(|status| answer.status_fits(status));
        let name = raw.name.as_ref().map(|text| self.workspace_name(text));
        let model = match raw.model.as_ref().map(|t| t.value.as_str()) {
            None if external => ModelField::None,
            None | Some("auto") => ModelField::Auto,
            Some("none") => ModelField::None,
            Some(_) => {
                raw.model.as_ref().map_or(ModelField::Auto, |text| ModelField::Slug(self.template(text)))
            }
        };
        let credentials = match &raw.credentials {
            None if external => Credentials::None,
            None => Credentials::Auto,
            Some(text) => {
                self.word(text, &["auto", "none"], "a source of credentials");
                if text.value == "none" { Credentials::None } else { Credentials::Auto }
            }
        };
        if let Some(tier) = raw.tier
            && !(1..=4).contains(&tier.value)
        {
            let hint = "write 1 to 4; to send another one on purpose put it into `body`".to_owned();
            self.error("tier", tier.span, format!("there is no tier {}", tier.value), "here", hint);
        }
        if let Some(code) = &raw.contradiction {
            let digits = code.value.strip_prefix('C').is_some_and(|n| n.parse::<u8>().is_ok());
            if !digits {
                let hint = "`lifecycle check` shows them, for example C8".to_owned();
                let message = format!("`{}` is no contradiction code", code.value);
                self.error("contradiction", code.span, message, "here", hint);
            }
        }
        let create = Create {
            alias: raw.r#as.as_ref().map_or_else(|| format!("refused-{id}"), |t| t.value.clone()),
            name,
            runtime: self.template_of(raw.runtime.as_ref()),
            template: self.template_of(raw.template.as_ref()),
            model,
            llm_path: self.word_template(raw.llm_path.as_ref(), &["byok", "platform"], "a path to the model"),
            credentials,
            secrets: self.templates(raw.secrets.as_ref()),
            external,
            url: self.template_of(raw.url.as_ref()),
            delivery_mode: self.delivery_mode(raw.delivery_mode.as_ref()),
            parent: raw.parent.as_ref().map(|text| self.workspace(text)),
            tier: raw.tier.map(|t| t.value),
            role: self.template_of(raw.role.as_ref()),
            body: self.values(raw.body.as_ref()),
            contradiction: raw.contradiction.map(|t| t.value),
            answer,
        };
        match &raw.r#as {
            Some(name) if refused => {
                let hint = "leave `as` out: a refused create makes no workspace".to_owned();
                self.error(
                    "refused-name",
                    name.span,
                    "this create is expected to be refused",
                    "names nothing",
                    hint,
                );
            }
            Some(name) => self.define(name, Means::Workspace),
            None if refused => {}
            None => {
                self.required(
                    None,
                    "create",
                    "as",
                    span,
                    "for example `create: {as: ws, …}`: later steps say `ws`",
                );
            }
        }
        create
    }

    fn workspace_name(&mut self, text: &Text) -> crate::scenario::template::Template {
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

    pub(super) fn delivery_mode(
        &mut self,
        text: Option<&Text>,
    ) -> Option<crate::scenario::template::Template> {
        self.word_template(text, &["push", "poll"], "a delivery mode; a bad one on purpose goes into `body`")
    }

    /// The mapping of a verb, or the workspace alone.
    fn short(&mut self, node: &Node) -> Option<Text> {
        match node.kind {
            Kind::Map(_) => None,
            _ => Some(self.text_of(node)),
        }
    }

    /// The workspace that a verb acts on.
    pub(super) fn subject(&mut self, text: Option<&Text>, verb: &str, span: Span) -> WorkspaceRef {
        let hint = format!("for example `{verb}: {{workspace: ws}}`");
        let text = self.required(text, verb, "workspace", span, &hint);
        self.workspace(&text)
    }

    pub(super) fn restart(&mut self, node: &Node, span: Span) -> Edge {
        let raw = match self.short(node) {
            Some(name) => RawRestart { workspace: Some(name), ..RawRestart::default() },
            None => self.read(node),
        };
        let workspace = self.subject(raw.workspace.as_ref(), "restart", span);
        self.edge(Some(&workspace.name));
        Edge {
            reset: raw.reset.unwrap_or_default(),
            body: self.values(raw.body.as_ref()),
            identity: self.identity(raw.auth.as_ref()),
            answer: self.answer(raw.expect.as_ref()),
            ..edge(workspace)
        }
    }

    pub(super) fn pause(&mut self, node: &Node, span: Span, verb: &str) -> Edge {
        let raw = match self.short(node) {
            Some(name) => RawPause { workspace: Some(name), ..RawPause::default() },
            None => self.read(node),
        };
        let workspace = self.subject(raw.workspace.as_ref(), verb, span);
        self.edge(Some(&workspace.name));
        Edge {
            cascade: raw.cascade.unwrap_or_default(),
            identity: self.identity(raw.auth.as_ref()),
            answer: self.answer(raw.expect.as_ref()),
            ..edge(workspace)
        }
    }

    pub(super) fn hibernate(&mut self, node: &Node, span: Span) -> Edge {
        let raw = match self.short(node) {
            Some(name) => RawHibernate { workspace: Some(name), ..RawHibernate::default() },
            None => self.read(node),
        };
        let workspace = self.subject(raw.workspace.as_ref(), "hibernate", span);
        self.edge(Some(&workspace.name));
        Edge {
            force: raw.force.unwrap_or_default(),
            identity: self.identity(raw.auth.as_ref()),
            answer: self.answer(raw.expect.as_ref()),
            ..edge(workspace)
        }
    }

    pub(super) fn delete(&mut self, node: &Node, span: Span) -> Edge {
        let raw = match self.short(node) {
            Some(name) => RawDelete { workspace: Some(name), ..RawDelete::default() },
            None => self.read(node),
        };
        let workspace = self.subject(raw.workspace.as_ref(), "delete", span);
        Edge {
            purge: raw.purge.unwrap_or_default(),
            identity: self.identity(raw.auth.as_ref()),
            answer: self.answer(raw.expect.as_ref()),
            ..edge(workspace)
        }
    }

    fn target(&mut self, node: &Node, span: Span, verb: &str) -> WorkspaceRef {
        let name = match self.short(node) {
            Some(name) => Some(name),
            None => self.read::<RawTarget>(node).workspace,
        };
        let workspace = self.subject(name.as_ref(), verb, span);
        self.edge(Some(&workspace.name));
        workspace
    }

    pub(super) fn wake(&mut self, node: &Node, span: Span) -> Wake {
        Wake { workspace: self.target(node, span, "wake") }
    }

    pub(super) fn terminate(&mut self, node: &Node, span: Span) -> Terminate {
        Terminate { workspace: self.target(node, span, "terminate") }
    }

    pub(super) fn wait(&mut self, node: &Node, span: Span) -> Await {
        let raw: RawAwait = self.read(node);
        let workspace = self.subject(raw.workspace.as_ref(), "await", span);
        let status = self.statuses(raw.status.as_ref());
        if status.is_empty() && raw.status.as_ref().is_none_or(|n| n.one_or_many().is_empty()) {
            let hint = "for example `status: online`, or a list of several";
            self.required(None, "await", "status", span, hint);
        }
        let leaves = raw.leaves.is_some_and(|l| l.value);
        let new_instance = raw.new_instance.is_some_and(|n| n.value);
        if let Some(flag) = raw.new_instance.filter(|n| n.value) {
            self.new_instance(flag.span, &workspace, &status, leaves);
        }
        let mut tolerate = IndexMap::new();
        for (key, value) in self.entries(raw.tolerate.as_ref()) {
            let text = self.text_of(&value);
            let duration = self.duration(&text);
            let Some(tolerated) = self.status(&Text { value: key.text, span: key.span }) else { continue };
            if leaves {
                let hint = "a wait for leaving a status ends in any other one".to_owned();
                self.error("tolerate", key.span, "nothing is to be tolerated with `leaves`", "here", hint);
            } else if status.contains(&tolerated) {
                let message = format!("`{tolerated}` is awaited, so it cannot be tolerated");
                self.error("tolerate", key.span, message, "here", None);
            }
            tolerate.insert(tolerated, duration);
        }
        let never = self.statuses(raw.never.as_ref());
        if let Some(both) = never.iter().find(|s| status.contains(s) || tolerate.contains_key(*s)) {
            let span = raw.never.as_ref().map_or(span, |n| n.span);
            let message = format!("`{both}` ends the wait as a failure and is awaited or tolerated as well");
            self.error("tolerate", span, message, "here", None);
        }
        Await { workspace, status, leaves, new_instance, url: raw.url, tolerate, never }
    }

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

    pub(super) fn hold(&mut self, node: &Node, span: Span) -> Hold {
        let raw = match self.short(node) {
            Some(duration) => RawHold { r#for: Some(duration), ..RawHold::default() },
            None => self.read(node),
        };
        let text = self.required(raw.r#for.as_ref(), "hold", "for", span, "for example `hold: {for: 20s}`");
        let duration = match &raw.r#for {
            Some(text) => self.duration_field(text),
            None => DurationField::Literal(std::time::Duration::ZERO),
        };
        if let DurationField::Literal(duration) = &duration
            && *duration > self.budget
        {
            let hint = "raise `budget:`, or shorten this".to_owned();
            self.warning(
                "within-over-budget",
                text.span,
                "this is longer than the scenario's budget",
                "here",
                hint,
            );
        }
        let statuses = self.statuses(raw.status.as_ref());
        let stays = match (&raw.workspace, &raw.status) {
            (Some(name), Some(_)) => Some((self.workspace(name), statuses)),
            (None, None) => None,
            _ => {
                let hint = "for example `hold: {for: 20s, workspace: ws, status: online}`".to_owned();
                self.error(
                    "missing-field",
                    whole(span, node),
                    "`workspace` and `status` go together",
                    "here",
                    hint,
                );
                None
            }
        };
        Hold { duration, stays }
    }
}

fn edge(workspace: WorkspaceRef) -> Edge {
    Edge {
        workspace,
        force: false,
        cascade: false,
        purge: false,
        reset: false,
        body: IndexMap::new(),
        identity: None,
        answer: crate::scenario::model::Answer::default(),
    }
}
