//! A checked scenario: valid by construction, with the span of everything that can fail later.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use crate::domain::Status;
use crate::source::{Position, SourceFile, Span};

use super::template::{Template, TemplateValue};

/// One scenario file, checked. Spans point into `source`.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `scenario:`, unique among the loaded ones: lower-case words with dashes.
    pub name: String,
    /// One line for lists.
    pub summary: String,
    /// For `@tag` selection.
    pub tags: Vec<String>,
    /// Whether a red here turns the run red.
    pub gate: Gate,
    /// What the target must offer; else a counted skip.
    pub needs: Vec<Capability>,
    /// The whole body's budget.
    pub budget: Duration,
    /// Declared inputs, in order.
    pub inputs: IndexMap<String, Input>,
    /// One scenario per combination; empty when there is no matrix.
    pub matrix: IndexMap<String, Vec<String>>,
    /// The body.
    pub steps: Vec<Step>,
    /// Runs after the body in every ending, before clean-up.
    pub finally: Vec<Step>,
    /// Names that must have been reached under `--require-live`.
    pub milestones: Vec<String>,
    /// The body is expected to fail.
    pub expect_failure: Option<ExpectFailure>,
    /// The file.
    pub source: SourceFile,
}

/// Whether a red turns the run red.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// It does.
    #[default]
    Required,
    /// Shown, never turns the run red.
    Advisory,
}

/// What a target can offer, found by read-only probes and the profile (DESIGN §4).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Workspaces whose instances the platform makes.
    Managed,
    /// Workspaces whose agents live elsewhere.
    External,
    /// The containers are reachable through an engine.
    Containers,
    /// The environment of an instance can be read.
    Env,
    /// The engine keeps the limits of containers.
    Limits,
    /// An event stream.
    Events,
    /// Billing overrides.
    Billing,
    /// Organisations of a control plane.
    Org,
    /// Agents answer known questions.
    Answers,
    /// A message wakes a hibernated workspace.
    Wakes,
    /// What servers of mid-June 2026 do and should not (contract §13, §14.2) is mended.
    Mended,
    /// Faults can be switched on.
    Faults,
    /// The reference platform's own inspection route.
    Inspect,
    /// The server reaches agents that the harness runs on this machine.
    Stubs,
}

impl Capability {
    /// All of them, in the order of documentation.
    pub const ALL: [Capability; 14] = [
        Capability::Managed,
        Capability::External,
        Capability::Containers,
        Capability::Env,
        Capability::Limits,
        Capability::Events,
        Capability::Billing,
        Capability::Org,
        Capability::Answers,
        Capability::Wakes,
        Capability::Mended,
        Capability::Faults,
        Capability::Inspect,
        Capability::Stubs,
    ];

    /// The word in scenario files.
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Managed => "managed",
            Capability::External => "external",
            Capability::Containers => "containers",
            Capability::Env => "env",
            Capability::Limits => "limits",
            Capability::Events => "events",
            Capability::Billing => "billing",
            Capability::Org => "org",
            Capability::Answers => "answers",
            Capability::Wakes => "wakes",
            Capability::Mended => "mended",
            Capability::Faults => "faults",
            Capability::Inspect => "inspect",
            Capability::Stubs => "stubs",
        }
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A declared input.
#[derive(Clone, Debug)]
pub struct Input {
    /// Used when nobody sets it; `None` makes it required (a run that lacks it skips as not configured).
    pub default: Option<String>,
    /// Allowed values; empty means any.
    pub one_of: Vec<String>,
    /// Environment variables that set it, first non-empty wins.
    pub env: Vec<String>,
    /// Its value is registered for redaction and never shown.
    pub secret: bool,
    /// What it must parse as.
    pub kind: InputKind,
    /// For people.
    pub summary: String,
    /// Where it is declared.
    pub span: Span,
}

/// What an input's value must parse as.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// Anything.
    #[default]
    Text,
    /// `90s`, or a bare number of seconds.
    Duration,
    /// A whole number.
    Number,
    /// `true` or `false` (also `1`, `0`).
    Bool,
}

/// `expect_failure`: the body runs, and must fail in this way.
#[derive(Clone, Debug)]
pub struct ExpectFailure {
    /// Where it is tracked, for example `#2863`.
    pub issue: String,
    /// Why, for people.
    pub reason: String,
    /// Only this mechanism is the expected one.
    pub mechanism: Option<String>,
    /// Last day on which it is still expected (`YYYY-MM-DD`).
    pub until: String,
    /// Holds only where the target behaves like this (`wakes: false`); elsewhere the body must pass.
    pub when: IndexMap<Capability, bool>,
    /// Where it is declared.
    pub span: Span,
}

/// One step: exactly one verb, plus what every step can have.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its place in the scenario: `3`, `finally.1`, `4.parallel.2`; counted from 1.
    pub id: String,
    /// For people; made from the verb when absent.
    pub name: String,
    /// What to do.
    pub verb: Verb,
    /// Runs only when this holds.
    pub when: Option<Condition>,
    /// The step's own deadline; the scenario's budget bounds it too.
    pub within: Option<DurationField>,
    /// Overrides the scenario's gate.
    pub gate: Option<Gate>,
    /// Tries again on failure.
    pub retry: Option<Retry>,
    /// Reached when the step passed.
    pub milestone: Option<String>,
    /// Of the verb key.
    pub span: Span,
    /// Of the verb key.
    pub position: Position,
    /// The text that this step's spans point into: the scenario's, or a fragment's.
    pub source: SourceFile,
}

/// How often a step is tried; a pass after a failure is flaky, not green.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// Pause between them.
    pub pause: Duration,
}

/// A `when:` of a step: `${inputs.mode} == full`, `!=`, `in [a, b]`, or a bare template that is `true`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Left side.
    pub left: Template,
    /// The comparison.
    pub test: ConditionTest,
    /// For reports.
    pub text: String,
}

/// The comparison of a [`Condition`].
#[derive(Clone, Debug)]
pub enum ConditionTest {
    /// Non-empty and not `false` or `0`.
    Truthy,
    /// Equal texts.
    Equals(Template),
    /// Different texts.
    Differs(Template),
    /// One of these.
    In(Vec<Template>),
}

/// A duration, or a template that becomes one.
#[derive(Clone, Debug)]
pub enum DurationField {
    /// Known at load.
    Literal(Duration),
    /// Known when the inputs are.
    Template(Template),
}

/// A reference to a workspace by the name that `as:` gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceRef {
    /// The name.
    pub name: String,
    /// Where it is used.
    pub span: Span,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Makes a workspace.
    Create(Box<Create>),
    /// Registers as an agent.
    Register(Box<Register>),
    /// Sends heartbeats as an agent.
    Heartbeat(Box<Heartbeat>),
    /// `POST restart`.
    Restart(Edge),
    /// `POST pause`.
    Pause(Edge),
    /// `POST resume`.
    Resume(Edge),
    /// `POST hibernate`.
    Hibernate(Edge),
    /// A message to a hibernated workspace, then a wait for online.
    Wake(Wake),
    /// Stops the instance behind the platform's back.
    Terminate(Terminate),
    /// `DELETE`, response and row.
    Delete(Edge),
    /// Waits for a status.
    Await(Box<Await>),
    /// A quiet window.
    Hold(Hold),
    /// Sends a message and judges the reply.
    A2a(Box<A2a>),
    /// Reads a poll-mode agent's messages.
    Inbox(Box<Inbox>),
    /// Writes or deletes secrets, asserted.
    Secret(Secret),
    /// Sets or clears a billing override, asserted.
    Billing(Billing),
    /// Changes the model, asserted.
    Model(ModelChange),
    /// Mints, lists or revokes tokens.
    Token(TokenVerb),
    /// Any request.
    Http(Box<Http>),
    /// Asserts something.
    Expect(Box<Expect>),
    /// Names values for later steps.
    Capture(IndexMap<String, TemplateValue>),
    /// Acts on the container of a workspace.
    Container(ContainerVerb),
    /// Runs a command.
    Exec(Exec),
    /// Starts a programmable agent of the harness's own.
    Stub(Stub),
    /// Runs steps at once.
    Parallel(Vec<Step>),
    /// Runs steps for each item.
    Foreach(Foreach),
    /// Runs steps one after another, as one step.
    Steps(Vec<Step>),
    /// Says something in the reports.
    Note(Template),
}

impl Verb {
    /// The key in scenario files.
    pub fn keyword(&self) -> &'static str {
        match self {
            Verb::Create(_) => "create",
            Verb::Register(_) => "register",
            Verb::Heartbeat(_) => "heartbeat",
            Verb::Restart(_) => "restart",
            Verb::Pause(_) => "pause",
            Verb::Resume(_) => "resume",
            Verb::Hibernate(_) => "hibernate",
            Verb::Wake(_) => "wake",
            Verb::Terminate(_) => "terminate",
            Verb::Delete(_) => "delete",
            Verb::Await(_) => "await",
            Verb::Hold(_) => "hold",
            Verb::A2a(_) => "a2a",
            Verb::Inbox(_) => "inbox",
            Verb::Secret(_) => "secret",
            Verb::Billing(_) => "billing",
            Verb::Model(_) => "model",
            Verb::Token(_) => "token",
            Verb::Http(_) => "http",
            Verb::Expect(_) => "expect",
            Verb::Capture(_) => "capture",
            Verb::Container(_) => "container",
            Verb::Exec(_) => "exec",
            Verb::Stub(_) => "stub",
            Verb::Parallel(_) => "parallel",
            Verb::Foreach(_) => "foreach",
            Verb::Steps(_) => "steps",
            Verb::Note(_) => "note",
        }
    }
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

/// `heartbeat:` (contract §6.2).
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// The body's fields besides `workspace_id`: `error_rate`, `sample_error`, `active_tasks`, …
    pub body: IndexMap<String, TemplateValue>,
    /// Keep beating at this pace in the background until the scenario ends or `stop` is sent.
    pub every: Option<Duration>,
    /// Stops a background heartbeat.
    pub stop: bool,
    /// Whose bearer is sent.
    pub identity: Option<Identity>,
    /// Status 200 when absent.
    pub answer: Answer,
}

/// A lifecycle request: restart, pause, resume, hibernate, delete.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Which workspace.
    pub workspace: WorkspaceRef,
    /// `?force=true` (hibernate).
    pub force: bool,
    /// `?cascade=true` (pause, resume).
    pub cascade: bool,
    /// `?purge=true` (delete).
    pub purge: bool,
    /// `reset: true` (restart).
    pub reset: bool,
    /// Body fields (restart).
    pub body: IndexMap<String, TemplateValue>,
    /// Whose bearer is sent.
    pub identity: Option<Identity>,
    /// The verb's own success when empty: response and stored row.
    pub answer: Answer,
}

/// `wake:` a message to a hibernated workspace, then online by a new instance.
#[derive(Clone, Debug)]
pub struct Wake {
    /// Which workspace.
    pub workspace: WorkspaceRef,
}

/// `terminate:`
#[derive(Clone, Debug)]
pub struct Terminate {
    /// Which workspace.
    pub workspace: WorkspaceRef,
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

/// `hold:` a quiet window; divided by the target's time scale.
#[derive(Clone, Debug)]
pub struct Hold {
    /// How long, in platform time.
    pub duration: DurationField,
    /// A status that must not be left meanwhile.
    pub stays: Option<(WorkspaceRef, Vec<Status>)>,
}

/// `a2a:` (contract §7.1).
#[derive(Clone, Debug)]
pub struct A2a {
    /// To whom.
    pub to: WorkspaceRef,
    /// What is said.
    pub say: Say,
    /// The caller; anonymous canvas with the admin token when absent.
    pub from: Option<WorkspaceRef>,
    /// Whose bearer is sent.
    pub identity: Option<Identity>,
    /// Full JSON-RPC (default) or bare `{method, params}`.
    pub envelope: Envelope,
    /// The discriminator of a part: `kind` (default) or `type`.
    pub part: Part,
    /// JSON-RPC id and message id; random when absent.
    pub message_id: Option<Template>,
    /// The JSON-RPC method; `message/send` when absent.
    pub method: Option<Template>,
    /// Further fields of `params`.
    pub params: IndexMap<String, TemplateValue>,
    /// Extra headers.
    pub headers: IndexMap<String, Template>,
    /// What the reply must be.
    pub reply: Reply,
    /// Names the reply's text for later steps.
    pub capture: Option<String>,
    /// What is asserted of the HTTP answer, instead of a reply.
    pub answer: Answer,
}

/// `say:` of an a2a step.
#[derive(Clone, Debug)]
pub enum Say {
    /// A question whose answer is known; what is expected follows from what the target's agents can answer.
    KnownAnswer(String),
    /// This text.
    Text(Template),
}

/// What reply an a2a step wants.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer that is no error wrapped in a 200; with a known answer, that token.
    Answer,
    /// Its text satisfies these.
    Text(Vec<Matcher>),
    /// A JSON-RPC error with this code.
    RpcError(i64),
    /// The queued envelope of poll mode.
    Queued,
    /// None is judged, only the HTTP answer.
    Ignored,
}

/// How an a2a request is wrapped.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Envelope {
    /// `{jsonrpc, id, method, params}`.
    #[default]
    Full,
    /// `{method, params}`.
    Bare,
}

/// The discriminator of a message part.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// `kind: text`.
    #[default]
    Kind,
    /// `type: text`, renamed by the platform.
    Type,
}

/// `inbox:` reads activity as a poll-mode agent (contract §7.4).
#[derive(Clone, Debug)]
pub struct Inbox {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// Only after this cursor.
    pub since: Option<Template>,
    /// Waits until at least this many messages are there.
    pub at_least: usize,
    /// Exactly these texts in this order (oldest first), others fail.
    pub texts: Option<Vec<Template>>,
    /// The last row's id becomes this capture.
    pub cursor: Option<String>,
    /// What is asserted of the HTTP answer, instead of messages.
    pub answer: Answer,
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

/// `model:` as a verb: `PUT /workspaces/:id/model`.
#[derive(Clone, Debug)]
pub struct ModelChange {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// The slug; an empty one clears.
    pub set: Template,
    /// Status 200 and the stored value when absent.
    pub answer: Answer,
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

/// Whose credentials a request carries.
#[derive(Clone, Debug)]
pub enum Identity {
    /// The admin token.
    Admin,
    /// None at all.
    Anonymous,
    /// The workspace's own token.
    Workspace(WorkspaceRef),
    /// This bearer.
    Bearer(Template),
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

/// What is asserted of an HTTP answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Any of these; empty means the verb's own success.
    pub status: Vec<StatusPattern>,
    /// Where `status` is written.
    pub status_span: Span,
    /// JSON path → what must hold of the nodes it finds.
    pub json: Vec<(JsonPath, Vec<Matcher>)>,
    /// What must hold of the whole body as text.
    pub text: Vec<Matcher>,
    /// Header → what must hold.
    pub headers: Vec<(String, Vec<Matcher>)>,
}

impl Answer {
    /// Whether nothing was said, so that the verb's own success is meant.
    pub fn is_default(&self) -> bool {
        self.status.is_empty() && self.json.is_empty() && self.text.is_empty() && self.headers.is_empty()
    }
}

/// A status or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPattern {
    /// `201`.
    Exact(u16),
    /// `2xx`.
    Class(u16),
    /// `!200`.
    Not(u16),
}

impl StatusPattern {
    /// Whether a status fits.
    pub fn fits(self, status: u16) -> bool {
        match self {
            StatusPattern::Exact(n) => status == n,
            StatusPattern::Class(n) => status / 100 == n,
            StatusPattern::Not(n) => status != n,
        }
    }
}

impl std::fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StatusPattern::Exact(n) => write!(f, "{n}"),
            StatusPattern::Class(n) => write!(f, "{n}xx"),
            StatusPattern::Not(n) => write!(f, "not {n}"),
        }
    }
}

/// A JSON path (RFC 9535) that was parsed at load.
#[derive(Clone, Debug)]
pub struct JsonPath {
    /// As written.
    pub text: String,
    /// Parsed; with stand-ins where something is looked up.
    pub path: serde_json_path::JsonPath,
    /// Where it looks something up: [`JsonPath::resolve`] fills it in.
    pub template: Option<Template>,
    /// Where it is written.
    pub span: Span,
}

/// What must hold of a value, with the place that says so.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The test.
    pub test: MatcherTest,
    /// Where it is written.
    pub span: Span,
}

/// The tests of values.
#[derive(Clone, Debug)]
pub enum MatcherTest {
    /// The same JSON value (numbers by value).
    Equals(TemplateValue),
    /// Anything else.
    Differs(TemplateValue),
    /// The text contains this; with `ignore_case`.
    Contains {
        /// The needle.
        text: Template,
        /// Case does not matter.
        ignore_case: bool,
    },
    /// The text does not contain this.
    Lacks {
        /// The needle.
        text: Template,
        /// Case does not matter.
        ignore_case: bool,
    },
    /// The text matches a regular expression.
    Matches(regex::Regex),
    /// One of these values.
    OneOf(Vec<TemplateValue>),
    /// Something is there (`true`) or nothing (`false`).
    Exists(bool),
    /// `string`, `number`, `bool`, `array`, `object`, `null`.
    Type(String),
    /// Length of a list, object or text.
    Length(Bounds),
    /// A number's bounds.
    Number(Bounds),
    /// Non-empty text, list or object.
    NonEmpty,
    /// A list that has these elements, in any order, perhaps with others.
    Includes(Vec<TemplateValue>),
}

/// Inclusive bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// At least.
    pub min: Option<f64>,
    /// At most.
    pub max: Option<f64>,
}

/// `expect:` asserts something about the platform, not about an answer.
#[derive(Clone, Debug)]
pub enum Expect {
    /// The stored row, single read and admin list merged.
    Row {
        /// Whose.
        workspace: WorkspaceRef,
        /// JSON path → what must hold.
        json: Vec<(JsonPath, Vec<Matcher>)>,
    },
    /// The environment of the current instance (after an edge: of the new one).
    Env {
        /// Whose.
        workspace: WorkspaceRef,
        /// The projection rules of the workspace's provider hold.
        satisfies_provider: bool,
        /// No LLM variable changed over the last edge, apart from what the rules say.
        stable: bool,
        /// Variable → what must hold of its value.
        vars: Vec<(String, Vec<Matcher>)>,
    },
    /// A row of the activity log appears.
    Activity {
        /// Whose.
        workspace: WorkspaceRef,
        /// What the row must be.
        row: ActivityRow,
        /// `true`: there is one (waits for it); `false`: there is none.
        has: bool,
    },
    /// An event was seen on the stream since the last edge.
    Event {
        /// Whose.
        workspace: WorkspaceRef,
        /// Its type, for example `WORKSPACE_ONLINE`.
        event: String,
    },
    /// Two values: `left` satisfies the matchers.
    Value {
        /// The value.
        left: TemplateValue,
        /// What must hold.
        is: Vec<Matcher>,
    },
    /// The workspace is gone: row 404 or 410, not in the list.
    Gone {
        /// Which.
        workspace: WorkspaceRef,
    },
    /// The container that bears the workspace's name, and its volumes.
    Container(ContainerExpect),
}

/// What must hold of a workspace's container on the engine.
#[derive(Clone, Debug)]
pub struct ContainerExpect {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// Any of these states; `absent` when there is none. Empty: any that exists.
    pub states: Vec<String>,
    /// It is made as the contract says (§9).
    pub contract: bool,
    /// JSON path → what must hold of it as the engine shows it.
    pub json: Vec<(JsonPath, Vec<Matcher>)>,
    /// `configs`, `workspace`, `sessions` → whether the volume is there.
    pub volumes: Vec<(String, bool)>,
}

impl ContainerExpect {
    /// Whether a container must be there.
    pub fn wants_one(&self) -> bool {
        let absent = self.states.iter().any(|s| s == "absent");
        let of_it = self.contract || !self.json.is_empty() || !self.states.is_empty();
        of_it && !absent
    }
}

/// What a row of the activity log must be.
#[derive(Clone, Debug, Default)]
pub struct ActivityRow {
    /// A restart-context message.
    pub restart_context: bool,
    /// `activity_type`.
    pub kind: Option<String>,
    /// `method`.
    pub method: Option<String>,
    /// `source_id`: `none`, or a workspace.
    pub source: Option<ActivitySource>,
    /// The message's text contains this.
    pub text: Option<Template>,
    /// `status`.
    pub status: Option<String>,
}

/// Who a row of the activity log came from.
#[derive(Clone, Debug)]
pub enum ActivitySource {
    /// `source_id` is null.
    None,
    /// This workspace.
    Workspace(WorkspaceRef),
}

/// `container:` acts on the container of a workspace.
#[derive(Clone, Debug)]
pub struct ContainerVerb {
    /// Whose.
    pub workspace: WorkspaceRef,
    /// `kill`, `stop`, `pause`, `unpause`, `disconnect`, `connect`, …
    pub action: String,
}

/// `exec:` runs a command, never through a shell.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Program and arguments.
    pub argv: Vec<Template>,
    /// Added to a minimal environment.
    pub env: IndexMap<String, Template>,
    /// Written to its standard input.
    pub stdin: Option<Template>,
    /// The expected exit code; 0 when absent.
    pub code: i32,
    /// What must hold of standard output.
    pub stdout: Vec<Matcher>,
    /// Names standard output (trimmed) for later steps.
    pub capture: Option<String>,
}

/// `stub:` an agent of the harness's own, at `http://localhost:PORT`.
#[derive(Clone, Debug)]
pub struct Stub {
    /// Its address for later steps.
    pub alias: String,
    /// What it does with each message; the last one for all that follow.
    pub script: Vec<StubAct>,
}

/// What a stub does with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StubAct {
    /// Answers: the known answer where the question has one, else the question's own text.
    Answer,
    /// Answers, but not what was asked.
    Other,
    /// Says the question again.
    Echo,
    /// An error text in a good answer.
    ErrorText,
    /// A JSON-RPC result without any text.
    Empty,
    /// A 200 without a body.
    Nothing,
    /// A 200 whose body is no JSON.
    Garbage,
    /// Ends the connection without an answer.
    Reset,
    /// Never answers.
    Hang,
    /// An error of this status.
    Status(u16),
}

/// `foreach:`
#[derive(Clone, Debug)]
pub struct Foreach {
    /// The items.
    pub items: Vec<Template>,
    /// The name of an item inside the steps.
    pub alias: String,
    /// Run one after another for each item.
    pub steps: Vec<Step>,
    /// Items at once instead of one after another.
    pub parallel: bool,
}

/// A JSON object as captures hold it.
pub type Captured = Value;
