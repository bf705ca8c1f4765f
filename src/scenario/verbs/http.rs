//! `http:` any request.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::decode::Spanned;
use crate::scenario::model::answer::{Answer, Identity};
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::model::matcher::JsonPath;
use crate::scenario::raw::values::{Answered, AnyValue, Auth, Text, TextMap};
use crate::scenario::raw::words::{HttpMethod, NamedTexts, PathOrUrl, TimeOrLookup};
use crate::scenario::template::{Template, TemplateValue};
use crate::source::Span;
use crate::yaml::{Kind, Node};

const APPROVED: &str = "approved";
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// `http:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Http", extend("allOf" = [{ "not": { "required": ["json", "text"] } }, { "not": { "required": ["json", "file"] } }, { "not": { "required": ["text", "file"] } }]))]
#[expect(dead_code, reason = "some fields are there for the schema: the check reads the mapping itself")]
pub(crate) struct RawHttp {
    /// GET when absent.
    #[schemars(with = "Option<HttpMethod>")]
    pub method: Option<Text>,
    /// Path and query, or an absolute URL.
    #[schemars(required, with = "PathOrUrl")]
    pub path: Option<Text>,
    /// Whose credentials: `admin` (default), `none`, `{workspace: ws}`, `{bearer: …}`.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// Extra headers.
    #[schemars(with = "Option<TextMap>")]
    pub headers: Option<Node>,
    /// A JSON body.
    #[schemars(with = "Option<AnyValue>")]
    pub json: Option<Node>,
    /// A raw body.
    pub text: Option<Text>,
    /// A multipart body with one file.
    #[schemars(with = "Option<RawFile>")]
    pub file: Option<Node>,
    /// When the answer is a 202 that waits for an approval: decides on it, then sends the request once more;
    /// `{workspace: ID}`, and `decision: denied`, `by: WHO` where the defaults `approved`, `lifecycle` are not wanted.
    #[schemars(with = "Option<RawApproval>")]
    pub approval: Option<Node>,
    /// What must hold of the answer, after an approval of the second one; status 2xx when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
    /// Names for later steps: a JSON path, `header:Name`, `status` or `body`.
    #[schemars(with = "Option<NamedTexts>")]
    pub capture: Option<Node>,
    /// Repeats a GET until the assertions hold or the time is over.
    pub until: Option<Spanned<bool>>,
    /// The deadline; may stand beside the verb instead.
    #[schemars(with = "Option<TimeOrLookup>")]
    pub within: Option<Text>,
}

/// One file of a multipart body.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "File")]
pub(crate) struct RawFile {
    /// The form field.
    #[schemars(required)]
    pub field: Option<Text>,
    /// The file's name.
    #[schemars(required)]
    pub name: Option<Text>,
    /// Its type; `application/octet-stream` when absent.
    pub mime: Option<Text>,
    /// Its bytes in base64.
    #[schemars(required)]
    pub base64: Option<Text>,
}

/// What is said to an action that waits for an approval.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Approval")]
pub(crate) struct RawApproval {
    /// Id of the workspace under which it is decided.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// `approved` (default) or `denied`.
    pub decision: Option<Text>,
    /// Who decides; `lifecycle` when absent.
    pub by: Option<Text>,
}

/// What is said to an action that waits for an approval.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Id of the workspace under which it is decided.
    pub workspace: Template,
    /// The decision, as the server takes it.
    pub decision: String,
    /// Who decides.
    pub by: String,
}

impl Approval {
    /// Whether it says yes.
    pub fn approves(&self) -> bool {
        self.decision == APPROVED
    }
}

/// `http:` any request.
#[derive(Clone, Debug)]
pub struct Http {
    /// Upper case.
    pub method: String,
    /// Path and query, or an absolute URL.
    pub path: Template,
    /// Admin when absent.
    pub identity: Identity,
    /// Extra headers.
    pub headers: IndexMap<String, Template>,
    /// The body.
    pub body: HttpBody,
    /// What is said when it waits for an approval.
    pub approval: Option<Approval>,
    /// What is asserted.
    pub answer: Answer,
    /// Values named for later steps.
    pub capture: IndexMap<String, Picked>,
    /// Repeats the request until the assertions hold or the step's time is over; reads only.
    pub until: bool,
}

/// What of an HTTP answer gets a name.
#[derive(Clone, Debug)]
pub enum Picked {
    /// `status`.
    Status,
    /// `body`.
    Body,
    /// `header:Name`.
    Header(String),
    /// A JSON path: its node, or the list of nodes where it can find several.
    Path(JsonPath),
}

impl std::fmt::Display for Picked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Picked::Status => f.write_str("status"),
            Picked::Body => f.write_str("body"),
            Picked::Header(name) => write!(f, "header:{name}"),
            Picked::Path(path) => f.write_str(&path.text),
        }
    }
}

/// The body of an `http:` step.
#[derive(Clone, Debug)]
pub enum HttpBody {
    /// None.
    None,
    /// JSON with templates at its string leaves.
    Json(TemplateValue),
    /// A raw text.
    Text(Template),
    /// `multipart/form-data` with one file.
    File {
        /// The form field.
        field: String,
        /// The file's name.
        name: String,
        /// Its type.
        mime: String,
        /// Its bytes, base64.
        base64: Template,
    },
}

impl VerbSpec for Http {
    const HELP: Help = Help {
        keyword: "http",
        group: Group::Requests,
        meaning: "Sends any request and checks the answer.",
        example: "- http: { path: \"/workspaces/${ws.id}\", auth: none, expect: { json: { $.status: online } } }",
        names: Names::KeysOf("capture"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawHttp>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawHttp = check.read(node);
        let hint = "for example `http: {path: /health, auth: none, expect: {status: 200}}`";
        let path = check.required(raw.path.as_ref(), "http", "path", span, hint);
        if !path.value.is_empty() && !path.value.starts_with(['/', '$']) && !path.value.contains("://") {
            let message = format!("`{}` is neither a path nor a URL", path.value);
            check.error("path", path.span, message, "here", format!("write `/{}`", path.value));
        }
        let method = match &raw.method {
            None => "GET".to_owned(),
            Some(text) => {
                let upper = Text { value: text.value.to_uppercase(), span: text.span };
                check.word(&upper, &METHODS, "an HTTP method");
                upper.value
            }
        };
        let until = raw.until.is_some_and(|u| u.value);
        if let Some(flag) = raw.until.filter(|u| u.value && method != "GET") {
            let message = format!("a {method} is not repeated: it may change something each time");
            check.error("until", flag.span, message, "here", "`until` goes with GET".to_owned());
        }
        let http = Http {
            path: check.template(&path),
            identity: check.identity(raw.auth.as_ref()).unwrap_or(Identity::Admin),
            headers: check.templates(raw.headers.as_ref()),
            body: check.http_body(&raw, node),
            approval: raw.approval.as_ref().map(|node| check.approval(node)),
            answer: check.answer(raw.expect.as_ref()),
            capture: check.captures(raw.capture.as_ref()),
            until,
            method,
        };
        if http.method != "GET" {
            check.edge(None);
        }
        Some(http)
    }

    fn title(&self) -> String {
        format!("{} {}", self.method, self.path.raw)
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.answer)
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        match &self.identity {
            Identity::Workspace(workspace) => vec![workspace],
            Identity::Admin | Identity::Anonymous | Identity::Bearer(_) => Vec::new(),
        }
    }
}

impl Check<'_> {
    fn approval(&mut self, node: &Node) -> Approval {
        let raw: RawApproval = self.read(node);
        let hint = "`approval: {workspace: \"${ws.id}\"}`";
        let workspace = self.required(raw.workspace.as_ref(), "approval", "workspace", node.span, hint);
        let decision = raw.decision.map_or_else(
            || APPROVED.to_owned(),
            |text| {
                self.word(&text, &[APPROVED, "denied"], "a decision");
                text.value
            },
        );
        if let Some(by) = &raw.by {
            self.plain_name(by);
        }
        let by = raw.by.map_or_else(|| "lifecycle".to_owned(), |text| text.value);
        Approval { workspace: self.template(&workspace), decision, by }
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
