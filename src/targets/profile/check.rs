//! Raw → checked: every mistake of a profile, each with its place, in one go.

mod part;

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;

use super::model::{Profile, SERVER, Tag};
use super::raw::{RawProfile, RawTag};
use crate::behaviour::Edition;
use crate::domain::time;
use crate::scenario::decode;
use crate::scenario::model::Gate;
use crate::scenario::need::Need;
use crate::scenario::raw::values::Text;
use crate::scenario::template::Template;
use crate::source::{Level, Problem, SourceFile, Span, did_you_mean};
use crate::targets::Answers;
use crate::yaml::{self, Aliases, Key, Kind, Node, Reading};

/// A profile is a page.
const READING: Reading = Reading {
    code: "profile",
    max_nodes: 5_000,
    max_aliases: 100,
    max_bytes: 1 << 18,
    aliases: Aliases::Used,
};

/// What came of reading a profile file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The profile; none when there is an error.
    pub profile: Option<Profile>,
    /// Errors and warnings, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Reads and checks a profile.
pub fn load(source: &SourceFile) -> Loaded {
    let mut problems = Vec::new();
    let node = yaml::parse(source, &READING, &mut problems);
    let mut check = Check { source, problems, known: Known::default() };
    let profile = node.and_then(|node| check.document(&node));
    let mut problems = check.problems;
    problems.sort_by_key(|p| p.labels.first().map_or(0, |(span, _)| span.start));
    let profile = profile.filter(|_| problems.iter().all(|p| p.level != Level::Error));
    Loaded { profile, problems }
}

/// Names that templates can look up.
#[derive(Default)]
struct Known {
    ports: Vec<String>,
    secrets: Vec<String>,
    folders: Vec<String>,
    network: bool,
    /// Services with an address, above the place at hand.
    services: Vec<String>,
    server: bool,
}

struct Check<'a> {
    source: &'a SourceFile,
    problems: Vec<Problem>,
    known: Known,
}

impl Check<'_> {
    fn document(&mut self, node: &Node) -> Option<Profile> {
        if !matches!(node.kind, Kind::Map(_)) {
            let message = format!("a profile file is a mapping, not {}", node.what());
            self.error(
                "document",
                node.span,
                message,
                Some("a profile is `profile: name` and `server: {…}`"),
            );
            return None;
        }
        let raw: RawProfile = self.read(node);
        let top = Span { start: node.span.start, len: 0 };
        let name = raw.profile.clone().unwrap_or_default();
        if raw.profile.is_none() && node.get("profile").is_none() {
            self.error(
                "missing-field",
                top,
                "a profile needs `profile`, its name",
                Some("for example `profile: local`"),
            );
        } else if raw.profile.is_some() && !is_name(&name.value) {
            let message = format!("`{}` is not a name of a profile", name.value);
            self.error("name", name.span, message, Some("lower-case words with dashes, for example `local`"));
        }
        self.known = Known {
            ports: self.names(raw.ports.as_ref(), "port"),
            secrets: self.names(raw.secrets.as_ref(), "secret"),
            folders: self.names(raw.folders.as_ref(), "folder"),
            network: raw.network.is_some(),
            ..Known::default()
        };
        let images = self.images(raw.images.as_ref());
        let mut parts = Vec::new();
        for (key, value) in self.entries(raw.services.as_ref()) {
            if !is_name(&key.text) || key.text == SERVER {
                let message = format!("`{}` is not a name of a service", key.text);
                self.error(
                    "name",
                    key.span,
                    message,
                    Some("lower-case words with dashes; `server` stands for itself"),
                );
            }
            parts.push(self.part(&key.text, key.span, &value));
        }
        if let (Some(server), Some((key, _))) = (&raw.server, node.entry(SERVER)) {
            parts.push(self.part(SERVER, key.span, server));
        }
        let makes_organisation = raw.target.is_some();
        if let Some(target) = &raw.target {
            if target.value != "saas" {
                let message = format!("`{}` is not a target of a profile", target.value);
                self.error(
                    "target",
                    target.span,
                    message,
                    Some("`target: saas`, or a `server`, or a `base_url`"),
                );
            } else if raw.server.is_some() || raw.base_url.is_some() {
                let message = "there is a `target: saas` and a server of one's own";
                self.error("address-twice", target.span, message, Some("leave one of them out"));
            }
        }
        if let (Some(prefix), false) = (&raw.org_prefix, makes_organisation) {
            let message = "`org_prefix` is for `target: saas`";
            self.error("target", prefix.span, message, Some("leave it out"));
        }
        if let Some(prefix) = &raw.org_prefix
            && let Err(why) = crate::targets::saas::slug::check(&prefix.value)
        {
            self.error("name", prefix.span, why.to_string(), None);
        }
        match (&raw.server, &raw.base_url) {
            (None, None) if makes_organisation => {}
            (Some(_), Some(url)) => {
                let hint = "of a server that is started, the address is `server: {url: …}`";
                self.error("address-twice", url.span, "there is a `server` and a `base_url`", Some(hint));
            }
            (None, None) if absent(node, SERVER) && absent(node, "base_url") => {
                let hint =
                    "`server: {command: […], url: …}` starts one, `base_url: http://…` names one that runs";
                self.error("missing-field", top, "a profile needs `server` or `base_url`", Some(hint));
            }
            _ => {}
        }
        let profile = Profile {
            name: name.value,
            summary: raw.summary.map(|t| t.value).unwrap_or_default(),
            makes_organisation,
            org_prefix: raw.org_prefix.as_ref().map(|t| t.value.clone()),
            base_url: self.template_of(raw.base_url.as_ref()),
            admin_token: self.template_of(raw.admin_token.as_ref()),
            org: self.template_of(raw.org.as_ref()),
            provider: self.template_of(raw.provider.as_ref()),
            containers: raw.containers.unwrap_or_default(),
            answers: self.answers(raw.answers.as_ref()),
            edition: self.edition(raw.edition.as_ref()),
            expect_build: raw.expect_build.as_ref().map(|text| text.value.clone()),
            drift: raw.drift.unwrap_or_default(),
            declares: self.declares(raw.declares.as_ref()),
            run: self.texts(raw.run.as_ref()).into_iter().map(|t| t.value).collect(),
            inputs: self.templates(raw.inputs.as_ref()),
            gates: self.gates(raw.gates.as_ref()),
            needs_env: self.variables(raw.needs_env.as_ref()),
            ports: std::mem::take(&mut self.known.ports),
            secrets: std::mem::take(&mut self.known.secrets),
            folders: std::mem::take(&mut self.known.folders),
            network: raw.network.map(|t| t.value),
            images,
            parts,
            source: self.source.clone(),
        };
        Some(profile)
    }

    fn images(&mut self, node: Option<&Node>) -> Vec<Tag> {
        let nodes: Vec<Node> = node.map(Node::one_or_many).unwrap_or_default().into_iter().cloned().collect();
        let mut tags = Vec::new();
        for node in nodes {
            let raw: RawTag = self.read(&node);
            if let (Some(image), Some(tag)) = (&raw.image, &raw.tag) {
                tags.push(Tag { image: self.template(image), tag: self.template(tag) });
            } else if matches!(node.kind, Kind::Map(_)) {
                self.error(
                    "missing-field",
                    node.span,
                    "a further name of an image needs `image` and `tag`",
                    None,
                );
            }
        }
        tags
    }

    fn answers(&mut self, text: Option<&Text>) -> Option<Answers> {
        let text = text?;
        let words = [("known", Answers::Known), ("stub", Answers::Stub), ("none", Answers::None)];
        let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, answers)| *answers);
        if found.is_none() {
            let message = format!("`{}` is nothing that agents can answer", text.value);
            self.error(
                "unknown-word",
                text.span,
                message,
                Some(&did_you_mean(&text.value, words.map(|w| w.0))),
            );
        }
        found
    }

    fn edition(&mut self, text: Option<&Text>) -> Option<Edition> {
        let text = text?;
        let found = Edition::named(&text.value);
        if found.is_none() {
            let message = format!("no edition is called `{}`", text.value);
            let hint = did_you_mean(&text.value, Edition::ALL.map(Edition::as_str));
            self.error("unknown-word", text.span, message, Some(&hint));
        }
        found
    }

    fn declares(&mut self, node: Option<&Node>) -> BTreeMap<Need, bool> {
        let mut declared = BTreeMap::new();
        for (key, value) in self.entries(node) {
            let capability = Need::named(&key.text);
            if capability.is_none() {
                let hint = Need::hint(&key.text);
                self.error(
                    "unknown-capability",
                    key.span,
                    format!("no target offers `{}`", key.text),
                    Some(&hint),
                );
            }
            match (capability, &value.kind) {
                (Some(capability), Kind::Bool(there)) => {
                    declared.insert(capability, *there);
                }
                (Some(_), _) => {
                    let message = format!("`true` or `false` is expected here, not {}", value.what());
                    self.error("wrong-type", value.span, message, None);
                }
                _ => {}
            }
        }
        declared
    }

    fn gates(&mut self, node: Option<&Node>) -> IndexMap<String, Gate> {
        let mut gates = IndexMap::new();
        for (key, value) in self.entries(node) {
            match value.as_text().as_deref() {
                Some("advisory") => drop(gates.insert(key.text, Gate::Advisory)),
                Some("required") => drop(gates.insert(key.text, Gate::Required)),
                other => {
                    let hint = did_you_mean(other.unwrap_or_default(), ["advisory", "required"]);
                    self.error("unknown-word", value.span, "this is not a gate", Some(&hint));
                }
            }
        }
        gates
    }

    /// Names of variables of the environment.
    fn variables(&mut self, node: Option<&Node>) -> Vec<String> {
        let mut names = Vec::new();
        for text in self.texts(node) {
            if is_variable(&text.value) {
                names.push(text.value);
            } else {
                let message = format!("`{}` is not a name of a variable", text.value);
                self.error("variable", text.span, message, Some("letters, digits and `_`"));
            }
        }
        names
    }

    fn names(&mut self, node: Option<&Node>, what: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for text in self.texts(node) {
            if !is_name(&text.value.replace('_', "-")) {
                let message = format!("`{}` is not a name of a {what}", text.value);
                self.error("name", text.span, message, Some("lower-case words with dashes"));
            } else if names.contains(&text.value) {
                self.error(
                    "name-twice",
                    text.span,
                    format!("the {what} `{}` stands here twice", text.value),
                    None,
                );
            } else {
                names.push(text.value);
            }
        }
        names
    }

    /// A text with lookups; every name in it must be known here.
    fn template(&mut self, text: &Text) -> Template {
        match Template::parse(&text.value, text.span) {
            Ok(template) => {
                let paths: Vec<Vec<String>> = template.paths().into_iter().map(<[String]>::to_vec).collect();
                for path in paths {
                    self.path(&path, text.span);
                }
                template
            }
            Err(wrong) => {
                self.error("template", text.span, wrong.message, wrong.hint.as_deref());
                Template::literal("")
            }
        }
    }

    fn path(&mut self, path: &[String], span: Span) {
        const ROOTS: [&str; 8] =
            ["env", "folders", "network", "ports", "program", "run", "secrets", "services"];
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let written = words.join(".");
        let known = |names: &[String], name: &str| names.iter().any(|n| n == name);
        let declared = |names: &[String], name: &str, what: &str| {
            (!known(names, name)).then(|| match names.len() {
                0 => what.to_owned(),
                _ => format!("{what}; {}", did_you_mean(name, names.iter().map(String::as_str))),
            })
        };
        let wrong = match words.as_slice() {
            ["program"] | ["run", "id"] => None,
            ["server", "url"] if self.known.server => None,
            ["env", name] => (!is_variable(name)).then(|| "a name of a variable".to_owned()),
            ["ports", name] => declared(&self.known.ports, name, "write its name under `ports`"),
            ["secrets", name] => declared(&self.known.secrets, name, "write its name under `secrets`"),
            ["folders", name] => declared(&self.known.folders, name, "write its name under `folders`"),
            ["network", "name" | "gateway"] if self.known.network => None,
            ["network", "name" | "gateway"] => Some("name it: `network: molecule-core-net`".to_owned()),
            ["network", _] => Some("there are `network.name` and `network.gateway`".to_owned()),
            ["services", name, "url"] => {
                declared(&self.known.services, name, "only services above with a `url` can be looked up")
            }
            [first, ..] => Some(did_you_mean(first, ROOTS)),
            [] => None,
        };
        if let Some(hint) = wrong {
            self.error("unknown-name", span, format!("`${{{written}}}` is not known here"), Some(&hint));
        }
    }

    fn template_of(&mut self, text: Option<&Text>) -> Option<Template> {
        text.map(|text| self.template(text))
    }

    fn templates(&mut self, node: Option<&Node>) -> IndexMap<String, Template> {
        let entries = self.entries(node);
        let mut map = IndexMap::new();
        for (key, value) in entries {
            let text = self.text_of(&value);
            map.insert(key.text, self.template(&text));
        }
        map
    }

    fn text_of(&mut self, node: &Node) -> Text {
        let value = node.as_text().unwrap_or_else(|| {
            self.error(
                "wrong-type",
                node.span,
                format!("a text is expected here, not {}", node.what()),
                None,
            );
            String::new()
        });
        Text { value, span: node.span }
    }

    fn texts(&mut self, node: Option<&Node>) -> Vec<Text> {
        let nodes = node.map(Node::one_or_many).unwrap_or_default();
        nodes.into_iter().map(|node| self.text_of(node)).collect()
    }

    fn entries(&mut self, node: Option<&Node>) -> Vec<(Key, Node)> {
        match node {
            None => Vec::new(),
            Some(Node { kind: Kind::Map(entries), .. }) => entries.clone(),
            Some(node) => {
                let message = format!("a mapping is expected here, not {}", node.what());
                self.error("wrong-type", node.span, message, None);
                Vec::new()
            }
        }
    }

    fn duration(&mut self, text: Option<&Text>, default: Duration) -> Duration {
        let Some(text) = text else { return default };
        time::parse(&text.value).unwrap_or_else(|why| {
            self.error("duration", text.span, why.to_string(), None);
            default
        })
    }

    fn read<T: for<'de> Deserialize<'de> + Default>(&mut self, node: &Node) -> T {
        let mut errors = Vec::new();
        let value = decode::decode(node, &mut errors);
        for error in errors {
            let span = error.span.unwrap_or(node.span);
            self.error(error.code, span, error.message, error.hint.as_deref());
        }
        value.unwrap_or_default()
    }

    fn error(&mut self, code: &str, span: Span, message: impl Into<String>, hint: Option<&str>) {
        let problem = Problem::error(format!("profile::{code}"), message).at(self.source, span, "here");
        let problem = Problem { hint: hint.map(str::to_owned), ..problem };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// A key without a value is as good as none.
fn absent(node: &Node, key: &str) -> bool {
    node.get(key).is_none_or(|value| matches!(value.kind, Kind::Null))
}

/// Lower-case words with dashes.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 40
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
