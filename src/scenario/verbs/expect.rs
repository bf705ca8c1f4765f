//! `expect:` asserts something about the platform.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::spec::{Budget, Group, Help, Holds, Names, REQUEST, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::model::matcher::{JsonPath, Matcher};
use crate::scenario::raw::values::{AnyValue, TestMap, Tests, Text};
use crate::scenario::raw::words::{TimeOrLookup, WorkspaceName, words};
use crate::scenario::template::{Template, TemplateValue};
use crate::source::{Span, did_you_mean};
use crate::yaml::{Kind, Node};

/// Subjects and the fields that go with each.
const SUBJECTS: [(&str, &[&str]); 7] = [
    ("row_of", &["json"]),
    ("env_of", &["satisfies", "stable", "vars"]),
    ("activity_of", &["has", "source", "kind", "method", "text", "status"]),
    ("event_of", &["event"]),
    ("container_of", &["state", "satisfies", "json", "volumes"]),
    ("gone", &[]),
    ("value", &["is"]),
];
/// States of a container; `absent` is none of the engine's.
const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "exited", "dead", "absent"];
/// Volumes of a workspace.
const VOLUMES: [&str; 3] = ["configs", "workspace", "sessions"];

/// `expect:`; exactly one of `row_of`, `env_of`, `activity_of`, `event_of`, `container_of`, `gone`, `value`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Expect", extend("oneOf" = one_subject()))]
#[expect(dead_code, reason = "some fields are there for the schema: the check reads the mapping itself")]
pub(crate) struct RawExpect {
    /// The stored row of this workspace.
    #[schemars(with = "Option<WorkspaceName>")]
    pub row_of: Option<Text>,
    /// With `row_of` and `container_of`: JSON path → what must hold.
    #[schemars(with = "Option<TestMap>")]
    pub json: Option<Node>,
    /// The environment of this workspace's current instance.
    #[schemars(with = "Option<WorkspaceName>")]
    pub env_of: Option<Text>,
    /// With `env_of`: `provider`, the projection rules of its provider hold. With `container_of`: `contract`, its name,
    /// labels, network, port, volumes, limits and restart policy are those of its tier.
    #[schemars(extend("enum" = ["provider", "contract"]))]
    pub satisfies: Option<Text>,
    /// With `env_of`: no LLM variable changed over the last edge, apart from what the rules say.
    pub stable: Option<bool>,
    /// With `env_of`: variable → what must hold of its value.
    #[schemars(with = "Option<TestMap>")]
    pub vars: Option<Node>,
    /// A row of this workspace's activity log.
    #[schemars(with = "Option<WorkspaceName>")]
    pub activity_of: Option<Text>,
    /// With `activity_of`: `restart_context`, or `true`: such a row appears; `false`: there is none.
    #[schemars(with = "Option<HasActivity>")]
    pub has: Option<Node>,
    /// With `activity_of`: `none`, or the workspace that it came from.
    #[schemars(with = "Option<WorkspaceName>")]
    pub source: Option<Text>,
    /// With `activity_of`: its `activity_type`.
    pub kind: Option<Text>,
    /// With `activity_of`: its `method`.
    pub method: Option<Text>,
    /// With `activity_of`: the message's text contains this.
    pub text: Option<Text>,
    /// With `activity_of`: its `status`.
    pub status: Option<Text>,
    /// An event of this workspace since the last edge.
    #[schemars(with = "Option<WorkspaceName>")]
    pub event_of: Option<Text>,
    /// With `event_of`: its type, for example `WORKSPACE_ONLINE`.
    #[schemars(with = "Option<EventType>")]
    pub event: Option<Text>,
    /// The container of this workspace, as the engine shows it.
    #[schemars(with = "Option<WorkspaceName>")]
    pub container_of: Option<Text>,
    /// With `container_of`: its state, or any of a list: `created`, `running`, `paused`, `restarting`, `exited`, `dead`,
    /// `absent`.
    #[schemars(with = "Option<ContainerStates>")]
    pub state: Option<Node>,
    /// With `container_of`: `configs`, `workspace`, `sessions` → `present` or `absent`.
    #[schemars(with = "Option<VolumeStates>")]
    pub volumes: Option<Node>,
    /// This workspace is gone.
    #[schemars(with = "Option<WorkspaceName>")]
    pub gone: Option<Text>,
    /// A value, usually a template.
    #[schemars(with = "Option<AnyValue>")]
    pub value: Option<Node>,
    /// With `value`: what must hold of it.
    #[schemars(with = "Option<Tests>")]
    pub is: Option<Node>,
    /// The deadline; may stand beside the verb instead.
    #[schemars(with = "Option<TimeOrLookup>")]
    pub within: Option<Text>,
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

words! {
    /// A type of event.
    EventType = json_schema!({ "type": "string", "pattern": "^[A-Z_]*$" });
    /// Whether such a row is in the activity log.
    HasActivity = json_schema!({ "enum": [true, false, "restart_context"] });
    /// States of a container.
    ContainerStates = json_schema!({ "anyOf": [
        { "enum": STATES },
        { "type": "array", "items": { "enum": STATES } },
    ] });
    /// Volume → whether it is there.
    VolumeStates = json_schema!({
        "type": "object",
        "propertyNames": { "enum": VOLUMES },
        "additionalProperties": { "enum": ["present", "absent"] },
    });
}

/// Exactly one subject.
fn one_subject() -> Vec<Value> {
    SUBJECTS.iter().map(|(subject, _)| json!({ "required": [subject] })).collect()
}

impl VerbSpec for Expect {
    const HELP: Help = Help {
        keyword: "expect",
        group: Group::Assertions,
        meaning: "Asserts something about the platform: a row, an environment, an activity row, an event, a container, a value.",
        example: "- expect: { env_of: ws, satisfies: provider, stable: true }",
        names: Names::None,
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RawExpect>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawExpect = check.read(node);
        let subjects: Vec<&(&str, &[&str])> =
            SUBJECTS.iter().filter(|(subject, _)| node.get(subject).is_some()).collect();
        let (subject, fields) = match subjects.as_slice() {
            [one] => **one,
            [] => {
                if !matches!(node.kind, Kind::Map(_)) || !check.has_errors() {
                    let subjects = SUBJECTS.map(|(subject, _)| format!("`{subject}`"));
                    let hint = format!("name one of {}", subjects.join(", "));
                    check.error(
                        "expect-subject",
                        span,
                        "nothing is named here to assert something of",
                        "here",
                        hint,
                    );
                }
                return None;
            }
            [_, (second, _), ..] => {
                let span = node.entry(second).map_or(span, |(key, _)| key.span);
                let hint = "make two steps of it".to_owned();
                check.error(
                    "expect-subject",
                    span,
                    "one step asserts something of one subject",
                    "a second one",
                    hint,
                );
                return None;
            }
        };
        for (key, _) in node.entries() {
            let word = key.text.as_str();
            let known = SUBJECTS.iter().any(|(_, f)| f.contains(&word));
            if known && !fields.contains(&word) {
                let message = format!("`{word}` says nothing of `{subject}`");
                let hint = if fields.is_empty() {
                    format!("`{subject}` stands alone")
                } else {
                    did_you_mean(word, fields.iter().copied())
                };
                check.error("unknown-field", key.span, message, "here", hint);
            }
        }
        check.expect_of(subject, &raw, node, span)
    }

    fn title(&self) -> String {
        match self {
            Expect::Row { workspace, .. } => format!("expect row of {}", workspace.name),
            Expect::Env { workspace, .. } => format!("expect env of {}", workspace.name),
            Expect::Activity { workspace, .. } => format!("expect activity of {}", workspace.name),
            Expect::Event { workspace, event } => format!("expect {event} of {}", workspace.name),
            Expect::Value { .. } => "expect value".to_owned(),
            Expect::Gone { workspace } => format!("expect {} gone", workspace.name),
            Expect::Container(expect) => format!("expect container of {}", expect.workspace.name),
        }
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(REQUEST)
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        match self {
            Expect::Row { workspace, .. }
            | Expect::Env { workspace, .. }
            | Expect::Activity { workspace, .. }
            | Expect::Event { workspace, .. }
            | Expect::Gone { workspace }
            | Expect::Container(ContainerExpect { workspace, .. }) => vec![workspace],
            Expect::Value { .. } => Vec::new(),
        }
    }
}

impl Check<'_> {
    fn expect_of(&mut self, subject: &str, raw: &RawExpect, node: &Node, span: Span) -> Option<Expect> {
        Some(match subject {
            "row_of" => {
                let workspace = self.workspace(raw.row_of.as_ref()?);
                let json = self.json_tests(raw.json.as_ref());
                if raw.json.is_none() {
                    self.required(None, "row_of", "json", span, "for example `json: {$.status: online}`");
                }
                Expect::Row { workspace, json }
            }
            "env_of" => self.expect_env(raw, span)?,
            "activity_of" => self.expect_activity(raw)?,
            "event_of" => {
                let workspace = self.workspace(raw.event_of.as_ref()?);
                let hint = "for example `event: WORKSPACE_ONLINE`";
                let event = self.required(raw.event.as_ref(), "event_of", "event", span, hint);
                let shouted = event.value.chars().all(|c| c.is_ascii_uppercase() || c == '_');
                if !shouted {
                    let message = format!("`{}` is not a type of event", event.value);
                    self.error("event", event.span, message, "here", hint.to_owned());
                }
                Expect::Event { workspace, event: event.value }
            }
            "container_of" => Expect::Container(self.expect_container(raw, span)?),
            "gone" => Expect::Gone { workspace: self.workspace(raw.gone.as_ref()?) },
            _ => {
                let left = self.value(node.get("value")?);
                let is = match node.get("is") {
                    Some(is) => self.matchers(is),
                    None => {
                        self.required(None, "value", "is", span, "for example `is: {contains: x}`");
                        Vec::new()
                    }
                };
                Expect::Value { left, is }
            }
        })
    }

    fn expect_env(&mut self, raw: &RawExpect, span: Span) -> Option<Expect> {
        let workspace = self.workspace(raw.env_of.as_ref()?);
        if let Some(what) = &raw.satisfies {
            self.word(what, &["provider"], "a set of rules");
        }
        let mut vars = Vec::new();
        for (key, value) in self.entries(raw.vars.as_ref()) {
            self.plain_name(&Text { value: key.text.clone(), span: key.span });
            vars.push((key.text, self.matchers(&value)));
        }
        let satisfies_provider = raw.satisfies.is_some();
        let stable = raw.stable.unwrap_or_default();
        if !satisfies_provider && !stable && vars.is_empty() && !self.has_errors() {
            let hint = "for example `satisfies: provider`, `stable: true`, `vars: {NAME: {exists: true}}`";
            self.required(None, "env_of", "satisfies`, `stable` or `vars", span, hint);
        }
        if stable && !self.had_edge(&workspace.name) {
            let message = format!("nothing before this step gives `{}` a new environment", workspace.name);
            self.error("new-instance", span, message, "`stable` compares with the one before", None);
        }
        Some(Expect::Env { workspace, satisfies_provider, stable, vars })
    }

    fn expect_container(&mut self, raw: &RawExpect, span: Span) -> Option<ContainerExpect> {
        let workspace = self.workspace(raw.container_of.as_ref()?);
        let states = self.texts(raw.state.as_ref());
        for state in &states {
            self.word(state, &STATES, "a state of a container");
        }
        if let Some(what) = &raw.satisfies {
            self.word(what, &["contract"], "a set of rules for containers");
        }
        let mut volumes = Vec::new();
        for (key, value) in self.entries(raw.volumes.as_ref()) {
            self.word(&Text { value: key.text.clone(), span: key.span }, &VOLUMES, "a volume of a workspace");
            let is = self.text_of(&value);
            self.word(&is, &["present", "absent"], "how a volume can be");
            volumes.push((key.text, is.value == "present"));
        }
        let expect = ContainerExpect {
            workspace,
            states: states.iter().map(|s| s.value.clone()).collect(),
            contract: raw.satisfies.is_some(),
            json: self.json_tests(raw.json.as_ref()),
            volumes,
        };
        let absent = states.iter().find(|s| s.value == "absent");
        if let Some(absent) = absent.filter(|_| expect.contract || !expect.json.is_empty()) {
            let message = "nothing else can hold of a container that is not there";
            self.error("expect-absent", absent.span, message, "`absent` leaves `volumes` only", None);
        }
        if !expect.contract && [expect.states.len(), expect.json.len(), expect.volumes.len()] == [0; 3] {
            let hint = "for example `state: running`, `satisfies: contract`, `volumes: {configs: absent}`";
            self.required(None, "container_of", "state`, `satisfies`, `json` or `volumes", span, hint);
        }
        Some(expect)
    }

    fn expect_activity(&mut self, raw: &RawExpect) -> Option<Expect> {
        let workspace = self.workspace(raw.activity_of.as_ref()?);
        let mut row = ActivityRow::default();
        let mut has = true;
        if let Some(node) = &raw.has {
            match &node.kind {
                Kind::Bool(flag) => has = *flag,
                Kind::Text(word) if word == "restart_context" => row.restart_context = true,
                _ => {
                    let hint = "write `true`, `false` or `restart_context`".to_owned();
                    self.error("unknown-word", node.span, "this is not a kind of activity", "here", hint);
                }
            }
        }
        let mut owned = |text: &Option<Text>| {
            let text = text.as_ref()?;
            self.plain_name(text);
            Some(text.value.clone())
        };
        row.kind = owned(&raw.kind);
        row.method = owned(&raw.method);
        row.status = owned(&raw.status);
        row.source = raw.source.as_ref().map(|text| match text.value.as_str() {
            "none" => ActivitySource::None,
            _ => ActivitySource::Workspace(self.workspace(text)),
        });
        row.text = self.template_of(raw.text.as_ref());
        Some(Expect::Activity { workspace, row, has })
    }
}
