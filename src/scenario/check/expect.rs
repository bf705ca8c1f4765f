//! `expect:`, one subject at a time.

use crate::scenario::model::{ActivityRow, ActivitySource, ContainerExpect, Expect};
use crate::scenario::raw::expect::RawExpect;
use crate::scenario::raw::values::Text;
use crate::source::{Span, did_you_mean};
use crate::yaml::{Kind, Node};

use super::Check;

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

impl Check<'_> {
    pub(super) fn expect(&mut self, node: &Node, span: Span) -> Option<Expect> {
        let raw: RawExpect = self.read(node);
        let subjects: Vec<&(&str, &[&str])> =
            SUBJECTS.iter().filter(|(subject, _)| node.get(subject).is_some()).collect();
        let (subject, fields) = match subjects.as_slice() {
            [one] => **one,
            [] => {
                if !matches!(node.kind, Kind::Map(_)) || !self.has_errors() {
                    let subjects = SUBJECTS.map(|(subject, _)| format!("`{subject}`"));
                    let hint = format!("name one of {}", subjects.join(", "));
                    self.error(
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
                self.error(
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
                self.error("unknown-field", key.span, message, "here", hint);
            }
        }
        self.expect_of(subject, &raw, node, span)
    }

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
                    let message = format!("`{}` is no type of event", event.value);
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
                    self.error("unknown-word", node.span, "this is no kind of activity", "here", hint);
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
