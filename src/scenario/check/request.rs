//! Verbs that write settings, and any request.

use indexmap::IndexMap;

use crate::scenario::model::{
    Billing, Http, HttpBody, Identity, ModelChange, Picked, Secret, TokenAction, TokenVerb,
};
use crate::scenario::raw::request::{RawBilling, RawFile, RawHttp, RawModel, RawSecret, RawToken};
use crate::scenario::raw::values::Text;
use crate::scenario::template::Template;
use crate::source::Span;
use crate::yaml::{Kind, Node};

use super::Check;
use super::names::Means;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const MODES: [&str; 3] = ["byok", "platform_managed", "disabled"];

impl Check<'_> {
    pub(super) fn secret(&mut self, node: &Node, span: Span) -> Secret {
        let raw: RawSecret = self.read(node);
        let global = raw.global.is_some_and(|g| g.value);
        match (&raw.workspace, global) {
            (Some(_), true) => {
                let span = raw.global.map_or(span, |g| g.span);
                self.error(
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
                self.required(None, "secret", "workspace", span, hint);
            }
            _ => {}
        }
        let workspace = raw.workspace.as_ref().map(|text| self.workspace(text));
        let delete = self.texts(raw.delete.as_ref());
        delete.iter().for_each(|name| self.plain_name(name));
        let secret = Secret {
            set: self.templates(raw.set.as_ref()),
            delete: delete.into_iter().map(|t| t.value).collect(),
            identity: self.identity(raw.auth.as_ref()),
            answer: self.answer(raw.expect.as_ref()),
            workspace,
        };
        if secret.set.is_empty() && secret.delete.is_empty() {
            self.required(None, "secret", "set` or `delete", span, "for example `set: {KEY: value}`");
        }
        self.edge(secret.workspace.as_ref().map(|w| w.name.as_str()));
        secret
    }

    pub(super) fn billing(&mut self, node: &Node, span: Span) -> Billing {
        let raw: RawBilling = self.read(node);
        let workspace = self.subject(raw.workspace.as_ref(), "billing", span);
        let answer = self.answer(raw.expect.as_ref());
        // `mode: null` clears, no `mode` at all is a mistake: only the node can tell them apart.
        if node.get("mode").is_none() {
            self.required(
                None,
                "billing",
                "mode",
                span,
                "`byok`, `platform_managed`, `disabled`, or `null` to clear",
            );
        }
        let mode = match &raw.mode {
            Some(text) if answer.is_default() => self.word_template(Some(text), &MODES, "a billing mode"),
            other => self.template_of(other.as_ref()),
        };
        Billing { workspace, mode, answer }
    }

    pub(super) fn model(&mut self, node: &Node, span: Span) -> ModelChange {
        let raw: RawModel = self.read(node);
        let workspace = self.subject(raw.workspace.as_ref(), "model", span);
        let hint = "for example `model: {workspace: ws, set: MiniMax-M2.7}`";
        let set = self.required(raw.set.as_ref(), "model", "set", span, hint);
        let set = self.template(&set);
        self.edge(Some(&workspace.name));
        ModelChange { workspace, set, answer: self.answer(raw.expect.as_ref()) }
    }

    pub(super) fn token(&mut self, node: &Node, span: Span) -> Option<TokenVerb> {
        let raw: RawToken = self.read(node);
        let workspace = self.subject(raw.workspace.as_ref(), "token", span);
        let answer = self.answer(raw.expect.as_ref());
        let rotate = raw.rotate.is_some_and(|r| r.value);
        let action = match (&raw.mint, &raw.revoke, rotate) {
            (Some(name), None, false) => {
                self.define(name, Means::Text);
                TokenAction::Mint { alias: name.value.clone() }
            }
            (None, Some(what), false) => {
                self.word(what, &["all"], "what can be revoked; a single token goes through `http`");
                TokenAction::RevokeAll
            }
            (None, None, true) => TokenAction::Rotate,
            _ => {
                let hint = "exactly one of `mint: name`, `revoke: all`, `rotate: true`".to_owned();
                self.error("exclusive-fields", span, "a token is minted, revoked or rotated", "here", hint);
                return None;
            }
        };
        Some(TokenVerb { workspace, action, answer })
    }

    pub(super) fn http(&mut self, node: &Node, span: Span) -> Http {
        let raw: RawHttp = self.read(node);
        let hint = "for example `http: {path: /health, auth: none, expect: {status: 200}}`";
        let path = self.required(raw.path.as_ref(), "http", "path", span, hint);
        if !path.value.is_empty() && !path.value.starts_with(['/', '$']) && !path.value.contains("://") {
            let message = format!("`{}` is neither a path nor a URL", path.value);
            self.error("path", path.span, message, "here", format!("write `/{}`", path.value));
        }
        let method = match &raw.method {
            None => "GET".to_owned(),
            Some(text) => {
                let upper = Text { value: text.value.to_uppercase(), span: text.span };
                self.word(&upper, &METHODS, "an HTTP method");
                upper.value
            }
        };
        let until = raw.until.is_some_and(|u| u.value);
        if let Some(flag) = raw.until.filter(|u| u.value && method != "GET") {
            let message = format!("a {method} is not repeated: it may change something each time");
            self.error("until", flag.span, message, "here", "`until` goes with GET".to_owned());
        }
        let http = Http {
            path: self.template(&path),
            identity: self.identity(raw.auth.as_ref()).unwrap_or(Identity::Admin),
            headers: self.templates(raw.headers.as_ref()),
            body: self.http_body(&raw, node),
            answer: self.answer(raw.expect.as_ref()),
            capture: self.captures(raw.capture.as_ref()),
            until,
            method,
        };
        if http.method != "GET" {
            self.edge(None);
        }
        http
    }

    fn http_body(&mut self, raw: &RawHttp, node: &Node) -> HttpBody {
        let bodies: Vec<&str> =
            ["json", "text", "file"].into_iter().filter(|key| node.get(key).is_some()).collect();
        if let [_, second, ..] = bodies.as_slice()
            && let Some((key, _)) = node.entry(second)
        {
            self.error("exclusive-fields", key.span, "a request has one body", "a second one", None);
        }
        if let Some(json) = node.get("json") {
            return HttpBody::Json(self.value(json));
        }
        if let Some(text) = &raw.text {
            return HttpBody::Text(self.template(text));
        }
        let Some(file) = &raw.file else { return HttpBody::None };
        let hint = "`file: {field: files, name: dot.png, mime: image/png, base64: …}`";
        let file_span = file.span;
        let file: RawFile = self.read(file);
        for text in [&file.field, &file.name, &file.mime].into_iter().flatten() {
            self.plain_name(text);
        }
        let field = self.required(file.field.as_ref(), "file", "field", file_span, hint).value;
        let name = self.required(file.name.as_ref(), "file", "name", file_span, hint).value;
        let base64 = self.required(file.base64.as_ref(), "file", "base64", file_span, hint);
        let mime = file.mime.map_or_else(|| "application/octet-stream".to_owned(), |t| t.value);
        let base64: Template = self.template(&base64);
        if let Some(literal) = base64.as_literal() {
            use base64::Engine as _;
            if base64::engine::general_purpose::STANDARD.decode(literal).is_err() {
                self.error("base64", base64.span, "these bytes are not base64", "here", None);
            }
        }
        HttpBody::File { field, name, mime, base64 }
    }

    fn captures(&mut self, node: Option<&Node>) -> IndexMap<String, Picked> {
        let mut captured = IndexMap::new();
        for (key, value) in self.entries(node) {
            let text = self.text_of(&value);
            let what = match text.value.as_str() {
                "status" => Some(Picked::Status),
                "body" => Some(Picked::Body),
                path if path.starts_with('$') => self.json_path(&text).map(Picked::Path),
                other => match other.strip_prefix("header:").map(str::trim).filter(|name| !name.is_empty()) {
                    Some(name) => {
                        self.plain_name(&text);
                        Some(Picked::Header(name.to_owned()))
                    }
                    None => {
                        let message = format!("`{other}` is nothing that can be captured");
                        let hint = "a JSON path (`$.id`), `header:Name`, `status` or `body`".to_owned();
                        if value.kind != Kind::Null {
                            self.error("capture", value.span, message, "here", hint);
                        }
                        None
                    }
                },
            };
            let means = match what {
                Some(Picked::Status | Picked::Body | Picked::Header(_)) => Means::Text,
                Some(Picked::Path(_)) | None => Means::Value,
            };
            self.define(&Text { value: key.text.clone(), span: key.span }, means);
            captured.extend(what.map(|what| (key.text, what)));
        }
        captured
    }
}
