//! From a YAML tree to a catalogue: every mistake is collected, with its place.

use regex::Regex;

use crate::models::catalogue::{Arm, Listed, Protocol, Provider, Runtime};
use crate::source::{Problem, SourceFile, Span, did_you_mean};
use crate::yaml::{Key, Node};

const TOP_KEYS: [&str; 3] = ["schema_version", "providers", "runtimes"];
const PROVIDER_KEYS: [&str; 16] = [
    "name",
    "display_name",
    "vendor_logo",
    "protocol",
    "auth_mode",
    "base_url_template",
    "base_url_anthropic",
    "endpoint_vars",
    "wire_model_prefix",
    "auth_env",
    "auth_token_env",
    "model_prefix_match",
    "model_aliases",
    "deprecated",
    "upstream_vendor",
    "thinking_policy",
];
const RUNTIME_KEYS: [&str; 2] = ["display_name", "providers"];
const ARM_KEYS: [&str; 2] = ["name", "models"];

/// Reads and remembers what was wrong.
pub(crate) struct Reader<'s> {
    source: &'s SourceFile,
    errors: Vec<Problem>,
    notes: Vec<Problem>,
}

impl<'s> Reader<'s> {
    /// For one file.
    pub(crate) fn new(source: &'s SourceFile) -> Self {
        Reader { source, errors: Vec::new(), notes: Vec::new() }
    }

    /// Errors in order of their places, then warnings.
    pub(crate) fn finish(mut self) -> (Vec<Problem>, Vec<Problem>) {
        self.errors.sort_by_key(|problem| problem.labels.first().map(|(span, _)| span.start));
        (self.errors, self.notes)
    }

    /// Everything that could be read; trustworthy only when there were no errors.
    pub(crate) fn catalogue(&mut self, tree: &Node) -> Option<(Vec<Provider>, Vec<Runtime>)> {
        if tree.entries().is_empty() {
            self.error(
                "shape",
                tree.span,
                format!("a catalogue is a mapping with `providers`, this is {}", tree.what()),
            );
            return None;
        }
        self.unknown_keys(tree, &TOP_KEYS, "a catalogue");
        self.schema_version(tree);
        let (providers, names) = self.providers(tree)?;
        let runtimes = self.runtimes(tree, &names);
        Some((providers, runtimes))
    }

    fn schema_version(&mut self, tree: &Node) {
        match tree.get("schema_version") {
            Some(version) if version.scalar() == Some("1") => {}
            Some(version) => {
                let found = version.scalar().unwrap_or(version.what()).to_owned();
                self.error(
                    "schema-version",
                    version.span,
                    format!("schema_version is {found}; only 1 is known"),
                );
            }
            None => self.error("schema-version", tree.span, "schema_version is missing; it must be 1".into()),
        }
    }

    fn providers(&mut self, tree: &Node) -> Option<(Vec<Provider>, Vec<String>)> {
        let Some(list) = tree.entry("providers") else {
            self.error("missing-field", tree.span, "`providers` is missing".into());
            return None;
        };
        if list.1.items().is_empty() {
            let message = format!("`providers` must be a list that is not empty, this is {}", list.1.what());
            self.error("no-providers", list.0.span, message);
        }
        let mut providers: Vec<Provider> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut seen: Vec<(String, Span)> = Vec::new();
        let mut vendors: Vec<(String, Span)> = Vec::new();
        for item in list.1.items() {
            if let Some(name) = item.get("name")
                && let Some(text) = name.text()
            {
                self.once(&mut seen, text, name.span, "duplicate-provider", "provider");
                names.push(text.to_owned());
            }
            if let Some(vendor) = item.get("upstream_vendor")
                && let Some(text) = vendor.text()
            {
                self.once(&mut vendors, text, vendor.span, "duplicate-vendor", "upstream_vendor");
            }
            if let Some(provider) = self.provider(item) {
                providers.push(provider);
            }
        }
        Some((providers, names))
    }

    fn provider(&mut self, item: &Node) -> Option<Provider> {
        self.unknown_keys(item, &PROVIDER_KEYS, "a provider");
        let before = self.errors.len();
        let name = self.required(item, "name");
        let display_name = self.required(item, "display_name");
        let protocol = self.required(item, "protocol").and_then(|(text, span)| match text.as_str() {
            "openai" => Some(Protocol::Openai),
            "anthropic" => Some(Protocol::Anthropic),
            _ => {
                self.errors.push(
                    Problem::error("catalogue::bad-protocol", format!("no protocol is called `{text}`"))
                        .at(self.source, span, "unknown")
                        .hint(did_you_mean(&text, ["openai", "anthropic"])),
                );
                None
            }
        });
        let auth_mode = self.required(item, "auth_mode");
        let pattern =
            self.required(item, "model_prefix_match").and_then(|(text, span)| match Regex::new(&text) {
                Ok(regex) => Some((regex, span)),
                Err(error) => {
                    let why = error.to_string();
                    let why = why.lines().last().unwrap_or("not a regular expression").trim().to_owned();
                    self.errors.push(
                        Problem::error("catalogue::bad-pattern", format!("`{text}` does not compile: {why}"))
                            .at(self.source, span, "bad pattern"),
                    );
                    None
                }
            });
        let auth_env = self.names(item, "auth_env");
        if let Some(entry) = item.entry("auth_env") {
            if auth_env.is_empty() {
                self.error("missing-field", entry.0.span, "`auth_env` needs at least one name".into());
            }
        } else {
            self.error("missing-field", item.span, format!("`auth_env` is missing{}", of(&name)));
        }
        let auth_token_env = self.optional(item, "auth_token_env");
        let base_url_template = self.optional(item, "base_url_template");
        let base_url_anthropic = self.optional(item, "base_url_anthropic");
        let upstream_vendor = self.optional(item, "upstream_vendor");
        self.optional(item, "vendor_logo");
        self.optional(item, "wire_model_prefix");
        self.optional(item, "thinking_policy");
        let model_aliases = self.names(item, "model_aliases");
        let deprecated = match item.get("deprecated").map(|node| (node.scalar(), node.span)) {
            Some((Some("true"), _)) => true,
            Some((Some("false"), _)) | None => false,
            Some((_, span)) => {
                self.error("bad-type", span, "`deprecated` is true or false".into());
                false
            }
        };
        if self.errors.len() > before {
            return None;
        }
        let (name, span) = name?;
        let (pattern, pattern_span) = pattern?;
        Some(Provider {
            name,
            display_name: display_name?.0,
            protocol: protocol?,
            auth_mode: auth_mode?.0,
            auth_env,
            auth_token_env,
            base_url_template,
            base_url_anthropic,
            pattern,
            upstream_vendor,
            model_aliases,
            deprecated,
            span,
            pattern_span,
        })
    }

    fn runtimes(&mut self, tree: &Node, names: &[String]) -> Vec<Runtime> {
        let Some(list) = tree.entry("runtimes") else {
            self.error("missing-field", tree.span, "`runtimes` is missing".into());
            return Vec::new();
        };
        if list.1.entries().is_empty() {
            let message =
                format!("`runtimes` must be a mapping that is not empty, this is {}", list.1.what());
            self.error("no-runtimes", list.0.span, message);
        }
        list.1.entries().iter().map(|entry| self.runtime(entry, names)).collect()
    }

    fn runtime(&mut self, entry: &(Key, Node), names: &[String]) -> Runtime {
        self.unknown_keys(&entry.1, &RUNTIME_KEYS, "a runtime");
        let arms = entry.1.get("providers").map(Node::items).unwrap_or_default();
        if arms.is_empty() {
            self.error("no-arms", entry.0.span, format!("runtime `{}` has no providers", entry.0.text));
        }
        let mut seen = Vec::new();
        let mut read = Vec::new();
        for arm in arms {
            self.unknown_keys(arm, &ARM_KEYS, "an arm");
            let models = self.listed(arm);
            let Some((name, span)) = self.required(arm, "name") else { continue };
            let what = format!("arm of runtime `{}`:", entry.0.text);
            self.once(&mut seen, &name, span, "duplicate-arm", &what);
            match names.iter().position(|known| *known == name) {
                Some(provider) => read.push(Arm { provider, models, span }),
                None => self.errors.push(
                    Problem::error("catalogue::dangling-provider", format!("no provider is called `{name}`"))
                        .at(self.source, span, "dangling")
                        .hint(did_you_mean(&name, names.iter().map(String::as_str))),
                ),
            }
        }
        Runtime {
            name: entry.0.text.clone(),
            display_name: self.optional(&entry.1, "display_name"),
            arms: read,
            span: entry.0.span,
        }
    }

    fn listed(&mut self, arm: &Node) -> Vec<Listed> {
        let Some(models) = arm.get("models") else { return Vec::new() };
        if !models.is_null() && models.items().is_empty() && models.what() != "a list" {
            self.error(
                "bad-type",
                models.span,
                format!("`models` is a list of ids, this is {}", models.what()),
            );
        }
        let mut listed: Vec<Listed> = Vec::new();
        for model in models.items() {
            match model.text() {
                Some(id) if listed.iter().any(|known| known.id == id) => self.notes.push(
                    Problem::warning(
                        "catalogue::duplicate-model",
                        format!("`{id}` is listed twice in one arm"),
                    )
                    .at(self.source, model.span, "again"),
                ),
                Some(id) => listed.push(Listed { id: id.to_owned(), span: model.span }),
                None => {
                    self.error(
                        "bad-type",
                        model.span,
                        format!("a model id is a text, this is {}", model.what()),
                    );
                }
            }
        }
        listed
    }

    fn required(&mut self, item: &Node, key: &str) -> Option<(String, Span)> {
        match item.get(key) {
            Some(node) => match node.text() {
                Some(text) if !text.trim().is_empty() => Some((text.to_owned(), node.span)),
                Some(_) => {
                    self.error("missing-field", node.span, format!("`{key}` is empty"));
                    None
                }
                None => {
                    self.error("bad-type", node.span, format!("`{key}` is a text, this is {}", node.what()));
                    None
                }
            },
            None => {
                let name = item.get("name").and_then(|n| n.text().map(|t| (t.to_owned(), n.span)));
                let span = name.as_ref().map_or(item.span, |(_, span)| *span);
                self.error("missing-field", span, format!("`{key}` is missing{}", of(&name)));
                None
            }
        }
    }

    fn optional(&mut self, item: &Node, key: &str) -> Option<String> {
        let node = item.get(key)?;
        match node.text() {
            Some(text) => Some(text.to_owned()).filter(|text| !text.is_empty()),
            None if node.is_null() => None,
            None => {
                self.error(
                    "bad-type",
                    node.span,
                    format!("`{key}` is a text or null, this is {}", node.what()),
                );
                None
            }
        }
    }

    fn names(&mut self, item: &Node, key: &str) -> Vec<String> {
        let Some(node) = item.get(key) else { return Vec::new() };
        if node.what() != "a list" && !node.is_null() {
            self.error("bad-type", node.span, format!("`{key}` is a list of names, this is {}", node.what()));
        }
        let mut names = Vec::new();
        for name in node.items() {
            match name.text() {
                Some(text) if !text.trim().is_empty() => names.push(text.to_owned()),
                _ => self.error(
                    "bad-type",
                    name.span,
                    format!("a name in `{key}` is a text that is not empty"),
                ),
            }
        }
        names
    }

    fn once(&mut self, seen: &mut Vec<(String, Span)>, name: &str, span: Span, code: &str, what: &str) {
        if let Some((_, first)) = seen.iter().find(|(known, _)| known == name) {
            self.errors.push(
                Problem::error(format!("catalogue::{code}"), format!("{what} `{name}` is there twice"))
                    .at(self.source, span, "again")
                    .at(self.source, *first, "first"),
            );
        } else {
            seen.push((name.to_owned(), span));
        }
    }

    fn unknown_keys(&mut self, node: &Node, known: &[&str], what: &str) {
        for entry in node.entries().iter().filter(|entry| !known.contains(&entry.0.text.as_str())) {
            self.notes.push(
                Problem::warning("catalogue::unknown-key", format!("{what} has no key `{}`", entry.0.text))
                    .at(self.source, entry.0.span, "read past, as the platform does")
                    .hint(did_you_mean(&entry.0.text, known.iter().copied())),
            );
        }
    }

    fn error(&mut self, code: &str, span: Span, message: String) {
        self.errors.push(Problem::error(format!("catalogue::{code}"), message).at(self.source, span, "here"));
    }
}

fn of(name: &Option<(String, Span)>) -> String {
    name.as_ref().map(|(name, _)| format!(" in `{name}`")).unwrap_or_default()
}
