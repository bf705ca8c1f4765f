//! A mechanism's file: small, strict, every error with its place.

use regex::Regex;

use super::condition::{Condition, Match, Test, Truth};
use super::facts::{self, Shape};
use super::template::Template;
use crate::event::{Class, Red};
use crate::models::yaml;
use crate::source::{Problem, SourceFile, Span, did_you_mean};
use crate::yaml::{Key, Kind, Node};

/// The layers, bottom up: a broken lower one makes everything above it fail too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// This process and the machine that it runs on.
    Machine,
    /// Connections and names.
    Network,
    /// Certificates.
    Tls,
    /// The control plane of a SaaS server.
    ControlPlane,
    /// The workspace-server as a whole.
    Server,
    /// The credentials that this tool was given.
    Credentials,
    /// What `POST /workspaces` refuses.
    Create,
    /// From the accepted create to a started instance.
    Provision,
    /// From a started instance to an agent that speaks.
    Boot,
    /// The agent's registration.
    Register,
    /// What keeps a running workspace online, and edges that nobody carries out.
    Liveness,
    /// The environment that the provider needs.
    Projection,
    /// The model's provider.
    Provider,
    /// The message and its answer.
    Reply,
    /// Removal.
    CleanUp,
}

impl Layer {
    /// All of them, bottom up.
    pub const ALL: [Layer; 15] = [
        Layer::Machine,
        Layer::Network,
        Layer::Tls,
        Layer::ControlPlane,
        Layer::Server,
        Layer::Credentials,
        Layer::Create,
        Layer::Provision,
        Layer::Boot,
        Layer::Register,
        Layer::Liveness,
        Layer::Projection,
        Layer::Provider,
        Layer::Reply,
        Layer::CleanUp,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Machine => "machine",
            Layer::Network => "network",
            Layer::Tls => "tls",
            Layer::ControlPlane => "control-plane",
            Layer::Server => "server",
            Layer::Credentials => "credentials",
            Layer::Create => "create",
            Layer::Provision => "provision",
            Layer::Boot => "boot",
            Layer::Register => "register",
            Layer::Liveness => "liveness",
            Layer::Projection => "projection",
            Layer::Provider => "provider",
            Layer::Reply => "reply",
            Layer::CleanUp => "clean-up",
        }
    }
}

/// The classes as they are written.
pub(crate) const CLASSES: [(&str, Class); 5] = [
    ("product", Class::Product),
    ("config", Class::Config),
    ("infra", Class::Infra),
    ("provider", Class::Provider),
    ("harness", Class::Harness),
];

/// A cause that is ruled out when its conditions hold.
#[derive(Clone, Debug)]
pub struct RulesOut {
    /// What is ruled out, and by what.
    pub text: Template,
    /// Only then.
    pub when: Vec<Condition>,
}

/// Reds that a mechanism can have made.
#[derive(Clone, Debug)]
pub struct Explains {
    /// Any of these.
    pub reds: Vec<Red>,
    /// Only while all of this is known to hold.
    pub when: Vec<Condition>,
}

/// One cause.
#[derive(Clone, Debug)]
pub struct Mechanism {
    /// Its name: also its file's.
    pub name: String,
    /// Where it breaks.
    pub layer: Layer,
    /// Who has to act.
    pub class: Class,
    /// One sentence.
    pub summary: Template,
    /// The reds that it can have made; where it only holds it is also seen.
    pub explains: Vec<Explains>,
    /// When it holds.
    pub matches: Match,
    /// What to quote.
    pub evidence: Vec<Template>,
    /// What it rules out.
    pub rules_out: Vec<RulesOut>,
    /// What a fix looks like.
    pub fix_shape: Template,
    /// Who is responsible.
    pub part: String,
    /// Where it is tracked.
    pub issue: Option<String>,
    /// Only named when no other mechanism of its layer matches.
    pub fallback: bool,
    /// It describes the red more than it explains it: it yields to every cause, whatever the layer.
    pub yields: bool,
    /// The sentence that it looks for was read in the platform's code and never seen.
    pub never_seen: bool,
    /// The fact that tells two reds of this mechanism apart.
    pub fingerprint_field: Option<String>,
    /// Its file.
    pub source: SourceFile,
    /// Its name in the file.
    pub span: Span,
}

const KEYS: [&str; 15] = [
    "mechanism",
    "layer",
    "class",
    "summary",
    "explains",
    "match",
    "evidence",
    "rules_out",
    "fix_shape",
    "part",
    "issue",
    "fallback",
    "yields",
    "never_seen",
    "fingerprint_field",
];

/// Reads a file.
///
/// # Errors
/// All problems of it at once.
pub(crate) fn parse(source: &SourceFile) -> Result<Mechanism, Vec<Problem>> {
    let root = yaml::parse(source).map_err(|p| vec![*p])?;
    let mut reader = Reader { source, problems: Vec::new() };
    let mechanism = reader.mechanism(&root);
    if reader.problems.is_empty() { mechanism.ok_or_else(Vec::new) } else { Err(reader.problems) }
}

struct Reader<'a> {
    source: &'a SourceFile,
    problems: Vec<Problem>,
}

impl Mechanism {
    /// Whether it can have made this red.
    pub fn can_make(&self, red: Red, facts: &super::facts::Facts) -> bool {
        let fits =
            |e: &Explains| e.reds.contains(&red) && e.when.iter().all(|c| c.check(facts) == Truth::True);
        self.explains.iter().any(fits)
    }
}

impl Reader<'_> {
    fn say(&mut self, code: &str, text: String, span: Span, label: &str, hint: String) {
        let problem = Problem::error(format!("mechanism::{code}"), text).at(self.source, span, label);
        self.problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    fn mechanism(&mut self, root: &Node) -> Option<Mechanism> {
        if !matches!(root.kind, Kind::Map(_)) {
            self.say("shape", "a mechanism is a mapping".into(), root.span, root.what(), String::new());
            return None;
        }
        for entry in root.entries() {
            if !KEYS.contains(&entry.0.text.as_str()) {
                let text = format!("no key is called `{}`", entry.0.text);
                self.say("unknown-key", text, entry.0.span, "here", did_you_mean(&entry.0.text, KEYS));
            }
        }
        let name = self.required(root, "mechanism")?;
        let span = root.get("mechanism").map(|n| n.span).unwrap_or_default();
        if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            let text = format!("`{name}` is not a name: lower-case letters, digits and `-`");
            self.say("name", text, span, "here", String::new());
        }
        let layer = self.choice(root, "layer", &Layer::ALL.map(|l| (l.as_str(), l)));
        let class = self.choice(root, "class", &CLASSES);
        let summary = self.template(root, "summary");
        let fix_shape = self.template(root, "fix_shape");
        let part = self.required(root, "part");
        let matches = match root.get("match") {
            Some(node) => self.matches(node),
            None => {
                let text = "the key `match` is missing".to_owned();
                self.say(
                    "missing",
                    text,
                    span,
                    "of this mechanism",
                    "say by what evidence it is known".into(),
                );
                Match::default()
            }
        };
        let evidence = self.evidence(root, span);
        let rules_out = root.get("rules_out").map(|n| self.rules_out(n)).unwrap_or_default();
        let issue = root.get("issue").and_then(|n| self.scalar(n, "issue"));
        let explains = self.explains(root, span);
        let fallback = self.flag(root, "fallback");
        let yields = self.flag(root, "yields");
        let never_seen = self.flag(root, "never_seen");
        let field = root.get("fingerprint_field").and_then(|n| self.scalar(n, "fingerprint_field"));
        if let Some(field) = &field {
            let at = root.get("fingerprint_field").map(|n| n.span).unwrap_or_default();
            self.fact(field, at);
        }
        Some(Mechanism {
            name,
            layer: layer?,
            class: class?,
            summary: summary?,
            explains,
            matches,
            evidence,
            rules_out,
            fix_shape: fix_shape?,
            part: part?,
            issue,
            fallback,
            yields,
            never_seen,
            fingerprint_field: field,
            source: self.source.clone(),
            span,
        })
    }

    fn flag(&mut self, root: &Node, key: &str) -> bool {
        match root.get(key).map(|n| (&n.kind, n)) {
            None => false,
            Some((Kind::Bool(is), _)) => *is,
            Some((_, node)) => {
                let text = format!("`{key}` is true or false");
                self.say("shape", text, node.span, node.what(), String::new());
                false
            }
        }
    }

    /// A name, a list of names, and items of `red` and `when`.
    fn explains(&mut self, root: &Node, span: Span) -> Vec<Explains> {
        let Some(node) = root.get("explains") else {
            let text = "the key `explains` is missing".to_owned();
            let names: Vec<&str> = Red::ALL.iter().map(|(name, ..)| *name).collect();
            let hint = format!("say which reds it can have made: {}", names.join(", "));
            self.say("missing", text, span, "of this mechanism", hint);
            return Vec::new();
        };
        let items = if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() };
        let mut explains = Vec::new();
        for item in items {
            let (reds, when) = match &item.kind {
                Kind::Map(_) => {
                    for entry in item.entries() {
                        if !["red", "when"].contains(&entry.0.text.as_str()) {
                            let text = format!("no key is called `{}`", entry.0.text);
                            let hint = did_you_mean(&entry.0.text, ["red", "when"]);
                            self.say("unknown-key", text, entry.0.span, "here", hint);
                        }
                    }
                    let reds = item.get("red").map(|n| self.reds(n)).unwrap_or_default();
                    if item.get("red").is_none() {
                        let text = "an item of `explains` is a red, or `red` and `when`".to_owned();
                        self.say("shape", text, item.span, item.what(), String::new());
                    }
                    (reds, item.get("when").map(|n| self.group(n)).unwrap_or_default())
                }
                _ => (self.reds(item), Vec::new()),
            };
            explains.push(Explains { reds, when });
        }
        explains
    }

    fn reds(&mut self, node: &Node) -> Vec<Red> {
        let names = self.values(node).unwrap_or_default();
        let mut reds = Vec::new();
        for name in names {
            match Red::ALL.iter().find(|(known, ..)| *known == name) {
                Some((_, red, _)) => reds.push(*red),
                None => {
                    let hint = did_you_mean(&name, Red::ALL.iter().map(|(known, ..)| *known));
                    self.say("unknown-red", format!("no red is called `{name}`"), node.span, "here", hint);
                }
            }
        }
        reds
    }

    fn scalar(&mut self, node: &Node, key: &str) -> Option<String> {
        match node.scalar() {
            Some(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => {
                let text = format!("`{key}` is one line of text");
                self.say("shape", text, node.span, node.what(), String::new());
                None
            }
        }
    }

    fn required(&mut self, root: &Node, key: &str) -> Option<String> {
        match root.get(key) {
            Some(node) => self.scalar(node, key),
            None => {
                let span = root.entries().first().map(|e| e.0.span).unwrap_or_default();
                self.say("missing", format!("the key `{key}` is missing"), span, "in here", String::new());
                None
            }
        }
    }

    fn choice<T: Copy>(&mut self, root: &Node, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.required(root, key)?;
        let found = choices.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let span = root.get(key).map(|n| n.span).unwrap_or_default();
            let hint = did_you_mean(&text, choices.iter().map(|(name, _)| *name));
            self.say("unknown-value", format!("no {key} is called `{text}`"), span, "here", hint);
        }
        found.map(|(_, value)| *value)
    }

    fn template(&mut self, root: &Node, key: &str) -> Option<Template> {
        let text = self.required(root, key)?;
        let span = root.get(key).map(|n| n.span).unwrap_or_default();
        self.template_at(&text, span)
    }

    fn template_at(&mut self, text: &str, span: Span) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => Some(template),
            Err(why) => {
                self.say("template", why.to_string(), span, "in this text", String::new());
                None
            }
        }
    }

    fn evidence(&mut self, root: &Node, span: Span) -> Vec<Template> {
        let items = root.get("evidence").map(Node::items).unwrap_or_default();
        if items.is_empty() {
            let text = "`evidence` is a list of texts, and not empty".to_owned();
            self.say("missing", text, span, "of this mechanism", "quote what decides".into());
        }
        items
            .iter()
            .filter_map(|node| {
                let text = self.scalar(node, "evidence")?;
                self.template_at(&text, node.span)
            })
            .collect()
    }

    fn rules_out(&mut self, node: &Node) -> Vec<RulesOut> {
        let mut list = Vec::new();
        for item in node.items() {
            let (text, when) = match &item.kind {
                Kind::Text(text) => (Some(text.clone()), Vec::new()),
                _ => {
                    for entry in item.entries() {
                        if !["text", "when"].contains(&entry.0.text.as_str()) {
                            let text = format!("no key is called `{}`", entry.0.text);
                            let hint = did_you_mean(&entry.0.text, ["text", "when"]);
                            self.say("unknown-key", text, entry.0.span, "here", hint);
                        }
                    }
                    let text = match item.get("text") {
                        Some(node) => self.scalar(node, "text"),
                        None => {
                            let text = "an item of `rules_out` is a text, or `text` and `when`".to_owned();
                            self.say("shape", text, item.span, item.what(), String::new());
                            None
                        }
                    };
                    (text, item.get("when").map(|n| self.group(n)).unwrap_or_default())
                }
            };
            if let Some(text) = text.and_then(|t| self.template_at(&t, item.span)) {
                list.push(RulesOut { text, when });
            }
        }
        list
    }

    fn matches(&mut self, node: &Node) -> Match {
        let mut matches = Match::default();
        if !matches!(node.kind, Kind::Map(_)) {
            let text = "`match` is a mapping of `all`, `any`, `none` and `unless`".to_owned();
            self.say("shape", text, node.span, node.what(), String::new());
        }
        for entry in node.entries() {
            match entry.0.text.as_str() {
                "all" => matches.all = self.group(&entry.1),
                "any" => matches.any = self.groups(entry),
                "none" => matches.none = self.groups(entry),
                "unless" => matches.unless = self.groups(entry),
                other => {
                    let hint = did_you_mean(other, ["all", "any", "none", "unless"]);
                    let text = format!("`match` has no key `{other}`");
                    self.say("unknown-key", text, entry.0.span, "here", hint);
                }
            }
        }
        matches
    }

    fn groups(&mut self, entry: &(Key, Node)) -> Vec<Vec<Condition>> {
        if entry.1.items().is_empty() {
            let text = format!("`{}` is a list of groups of conditions", entry.0.text);
            self.say("shape", text, entry.1.span, entry.1.what(), String::new());
        }
        entry.1.items().iter().map(|item| self.group(item)).collect()
    }

    /// Conditions that hold together: `fact: test`, maps of facts one level deeper.
    fn group(&mut self, node: &Node) -> Vec<Condition> {
        if node.entries().is_empty() {
            let text = "a group is a mapping of facts to tests".to_owned();
            self.say("shape", text, node.span, node.what(), String::new());
        }
        let mut conditions = Vec::new();
        for entry in node.entries() {
            let is_map = facts::VOCABULARY.iter().any(|f| f.name == entry.0.text && f.shape == Shape::Map);
            if is_map && matches!(entry.1.kind, Kind::Map(_)) {
                for below in entry.1.entries() {
                    let fact = format!("{}.{}", entry.0.text, below.0.text);
                    self.condition(&fact, below, &mut conditions);
                }
            } else {
                self.condition(&entry.0.text, entry, &mut conditions);
            }
        }
        conditions
    }

    /// Whether there is such a fact, said where it is written.
    fn fact(&mut self, fact: &str, span: Span) -> bool {
        match facts::find(fact) {
            Ok(_) => true,
            Err(unknown) => {
                self.say("unknown-fact", format!("`{fact}` is not a fact"), span, "here", unknown.near);
                false
            }
        }
    }

    fn condition(&mut self, fact: &str, entry: &(Key, Node), into: &mut Vec<Condition>) {
        if !self.fact(fact, entry.0.span) {
            return;
        }
        let mut push = |test| into.push(Condition { fact: fact.to_owned(), test, span: entry.0.span });
        match &entry.1.kind {
            Kind::Map(tests) => {
                for test in tests {
                    if let Some(test) = self.test(test) {
                        push(test);
                    }
                }
            }
            _ => {
                if let Some(values) = self.values(&entry.1) {
                    push(Test::Is(values));
                }
            }
        }
        let info = facts::find(fact).ok().filter(|i| !i.values.is_empty());
        if let (Some(info), Some(last)) = (info, into.last())
            && let Test::Is(values) | Test::Not(values) = &last.test
            && let Some(wrong) = values.iter().find(|v| !info.values.contains(&v.as_str()))
        {
            let hint = did_you_mean(wrong, info.values.iter().copied());
            let text = format!("`{fact}` is never `{wrong}`");
            self.say("never", text, entry.1.span, "cannot match", hint);
        }
    }

    fn test(&mut self, entry: &(Key, Node)) -> Option<Test> {
        const TESTS: [&str; 8] =
            ["is", "not", "contains", "lacks", "matches", "at_least", "at_most", "empty"];
        let node = &entry.1;
        match entry.0.text.as_str() {
            "is" => self.values(node).map(Test::Is),
            "not" => self.values(node).map(Test::Not),
            "contains" => self.values(node).map(Test::Contains),
            "lacks" => self.values(node).map(Test::Lacks),
            "matches" => {
                let text = self.scalar(node, "matches")?;
                match Regex::new(&text) {
                    Ok(regex) => Some(Test::Matches(Box::new(regex))),
                    Err(error) => {
                        let text = format!("no regular expression: {error}");
                        self.say("regex", text, node.span, "here", String::new());
                        None
                    }
                }
            }
            "at_least" | "at_most" => match node.scalar().and_then(|t| t.parse::<f64>().ok()) {
                Some(number) if entry.0.text == "at_least" => Some(Test::AtLeast(number)),
                Some(number) => Some(Test::AtMost(number)),
                None => {
                    let text = format!("`{}` is a number", entry.0.text);
                    self.say("shape", text, node.span, node.what(), String::new());
                    None
                }
            },
            "empty" => match node.kind {
                Kind::Bool(is) => Some(Test::Empty(is)),
                _ => {
                    let text = "`empty` is true or false".to_owned();
                    self.say("shape", text, node.span, node.what(), String::new());
                    None
                }
            },
            other => {
                let text = format!("no test is called `{other}`");
                self.say("unknown-test", text, entry.0.span, "here", did_you_mean(other, TESTS));
                None
            }
        }
    }

    /// One text or a list of them.
    fn values(&mut self, node: &Node) -> Option<Vec<String>> {
        let one = |node: &Node| match &node.kind {
            Kind::Text(text) if text.is_empty() => Some(String::new()),
            _ => node.scalar().map(str::to_owned),
        };
        let values: Option<Vec<String>> = match &node.kind {
            Kind::List(items) if !items.is_empty() => items.iter().map(one).collect(),
            _ => one(node).map(|text| vec![text]),
        };
        if values.is_none() {
            let text = "a test compares with a text or a list of texts".to_owned();
            self.say("shape", text, node.span, node.what(), String::new());
        }
        values
    }
}
