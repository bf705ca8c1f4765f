//! A situation as a file: what somebody set, where it goes, what should be found.

use std::collections::BTreeMap;

use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::models::contradictions::{Situation, TargetKind};
use crate::models::dispatch::Script;
use crate::models::situation::SET;
use crate::models::yaml;
use crate::source::{Problem, SourceFile, did_you_mean};
use crate::yaml::Node;

const KEYS: [&str; 11] = [
    "title",
    "script",
    "env",
    "create",
    "deferred",
    "global_secrets",
    "billing_override",
    "left_at_restart",
    "also_runtimes",
    "target",
    "allowlist",
];
const CREATE_KEYS: [&str; 5] = ["runtime", "template", "model", "external", "secrets"];

/// A file that was read.
#[derive(Clone, Debug)]
pub struct SituationFile {
    /// One line for people.
    pub title: String,
    /// What was set.
    pub situation: Situation,
    /// What the platform accepts.
    pub allowlist: Allowlist,
    /// `C1 error`, in order; from `expect.findings`.
    pub findings: Vec<String>,
    /// In the words of [`crate::models::situation::Fate::words`]; from `expect.outcome`.
    pub outcome: String,
}

/// Reads a situation. Unknown keys and values are errors with their places.
pub fn parse(catalogue: &Catalogue, file: &SourceFile) -> Result<SituationFile, Vec<Problem>> {
    let tree = yaml::parse(file).map_err(|problem| vec![*problem])?;
    let mut reader = Reader { file, problems: Vec::new(), situation: Situation::default() };
    let read = reader.read(catalogue, &tree);
    if reader.problems.is_empty() { Ok(read) } else { Err(reader.problems) }
}

struct Reader<'f> {
    file: &'f SourceFile,
    problems: Vec<Problem>,
    situation: Situation,
}

impl Reader<'_> {
    fn read(&mut self, catalogue: &Catalogue, tree: &Node) -> SituationFile {
        self.known(tree, &[&KEYS[..], &["expect"]].concat());
        self.environment(catalogue, tree);
        self.create(tree);
        self.situation.script = self.word(tree, "script", &SCRIPTS);
        self.situation.deferred = self.list(tree, "deferred").into_iter().collect();
        self.situation.global_secrets = self.list(tree, "global_secrets").into_iter().collect();
        self.situation.also_runtimes = self.list(tree, "also_runtimes");
        self.situation.billing_override = self.word(tree, "billing_override", &MODES);
        if let Some(node) = tree.get("left_at_restart") {
            self.situation.left_at_restart = Some(self.list(tree, "left_at_restart").into_iter().collect());
            self.situation.place("left_at_restart", self.file, node.span);
        }
        if let Some(target) = tree.get("target") {
            self.known(target, &["kind", "proxy"]);
            self.situation.target.kind = self.word(target, "kind", &KINDS).unwrap_or_default();
            self.situation.target.proxy = self.word(target, "proxy", &[("true", true), ("false", false)]);
        }
        let allowlist = match tree.get("allowlist") {
            Some(node) if node.text() == Some("fallback") => Allowlist::fallback(),
            Some(node) if !node.items().is_empty() => {
                Allowlist::of(node.items().iter().filter_map(Node::text))
            }
            _ => Allowlist::shipped(),
        };
        let expect = tree.get("expect");
        SituationFile {
            title: tree.get("title").and_then(Node::scalar).unwrap_or_default().to_owned(),
            situation: std::mem::take(&mut self.situation),
            allowlist,
            findings: expect.map(|node| self.list(node, "findings")).unwrap_or_default(),
            outcome: expect
                .and_then(|e| e.get("outcome"))
                .and_then(Node::scalar)
                .unwrap_or_default()
                .to_owned(),
        }
    }

    fn environment(&mut self, catalogue: &Catalogue, tree: &Node) {
        let Some(env) = tree.get("env") else { return };
        let mut values = BTreeMap::new();
        for entry in env.entries() {
            values.insert(entry.0.text.clone(), entry.1.scalar().unwrap_or_default().to_owned());
            self.situation.place(&entry.0.text, self.file, entry.0.span);
        }
        self.situation.env = Situation::from_env(catalogue, &values).env;
    }

    fn create(&mut self, tree: &Node) {
        let Some(create) = tree.get("create") else { return };
        self.known(create, &CREATE_KEYS);
        let mut text = |key: &str| {
            let node = create.get(key)?;
            self.situation.place(key, self.file, node.span);
            node.scalar().map(str::to_owned)
        };
        let (runtime, template, model, external) =
            (text("runtime"), text("template"), text("model"), text("external"));
        self.situation.runtime = runtime;
        self.situation.template = template;
        self.situation.model = model;
        self.situation.external = external.as_deref() == Some("true");
        if let Some(secrets) = create.get("secrets") {
            let mut values = BTreeMap::new();
            for entry in secrets.entries() {
                self.situation.place(&format!("secrets.{}", entry.0.text), self.file, entry.0.span);
                let value = entry.1.scalar().unwrap_or_default();
                let kept = if value.is_empty() || entry.0.text == "MODEL_PROVIDER" { value } else { SET };
                values.insert(entry.0.text.clone(), kept.to_owned());
            }
            self.situation.secrets = Some(values);
        }
    }

    fn known(&mut self, node: &Node, keys: &[&str]) {
        for entry in node.entries().iter().filter(|entry| !keys.contains(&entry.0.text.as_str())) {
            self.problems.push(
                Problem::error("situation::unknown-key", format!("no key is called `{}` here", entry.0.text))
                    .at(self.file, entry.0.span, "unknown")
                    .hint(did_you_mean(&entry.0.text, keys.iter().copied())),
            );
        }
    }

    fn list(&mut self, node: &Node, key: &str) -> Vec<String> {
        let items = node.get(key).map(Node::items).unwrap_or_default();
        items.iter().filter_map(Node::scalar).map(str::to_owned).collect()
    }

    fn word<T: Copy>(&mut self, node: &Node, key: &str, words: &[(&str, T)]) -> Option<T> {
        let found = node.get(key)?;
        self.situation.place(key, self.file, found.span);
        let text = found.scalar().unwrap_or_default();
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if known.is_none() {
            self.problems.push(
                Problem::error("situation::unknown-word", format!("`{key}` cannot be `{text}`"))
                    .at(self.file, found.span, "unknown")
                    .hint(did_you_mean(text, words.iter().map(|(word, _)| *word))),
            );
        }
        known
    }
}

const SCRIPTS: [(&str, Script); 4] = [
    ("harness", Script::Harness),
    ("full-saas", Script::FullSaas),
    ("reconciler", Script::Reconciler),
    ("local-provision", Script::LocalProvision),
];

const MODES: [(&str, crate::models::billing::BillingMode); 3] = {
    use crate::models::billing::BillingMode;
    [
        ("platform_managed", BillingMode::PlatformManaged),
        ("byok", BillingMode::Byok),
        ("disabled", BillingMode::Disabled),
    ]
};

const KINDS: [(&str, TargetKind); 4] = [
    ("unknown", TargetKind::Unknown),
    ("embedded", TargetKind::Embedded),
    ("docker", TargetKind::Docker),
    ("saas", TargetKind::Saas),
];
