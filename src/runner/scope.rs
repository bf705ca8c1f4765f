//! What `${…}` finds while a scenario runs.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use indexmap::IndexMap;
use regex::{Captures, Regex};
use serde_json::{Value, json};

use super::context::ScenarioContext;
use crate::scenario::need::Need;
use crate::scenario::template::Scope;

/// Values that only some steps see: the item of a `foreach`.
pub(crate) type Locals = IndexMap<String, Value>;

/// The scope of one step.
pub(crate) struct StepScope<'a> {
    /// The scenario.
    pub context: &'a ScenarioContext,
    /// Items of enclosing `foreach`es.
    pub locals: &'a Locals,
}

/// A lookup; what calls a function is none.
static LOOKUP: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$\{([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)\}").ok());

impl StepScope<'_> {
    /// A text with the values that it looks up, for people; empty when it looks up none that can be shown.
    pub(crate) fn filled(&self, text: &str) -> String {
        let Some(lookup) = LOOKUP.as_ref().filter(|_| text.contains("${")) else { return String::new() };
        let filled = lookup.replace_all(text, |found: &Captures<'_>| {
            let path: Vec<String> = found[1].split('.').map(str::to_owned).collect();
            let secret = path.iter().any(|word| crate::redact::is_credential_field(word))
                || (path.first().is_some_and(|first| first == "inputs")
                    && path
                        .get(1)
                        .and_then(|name| self.context.scenario.inputs.get(name))
                        .is_some_and(|i| i.secret));
            let value = if secret { None } else { self.lookup(&path) };
            match value {
                Some(Value::String(text)) => text,
                Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                _ => found[0].to_owned(),
            }
        });
        if filled == text { String::new() } else { filled.into_owned() }
    }
}

impl Scope for StepScope<'_> {
    fn lookup(&self, path: &[String]) -> Option<Value> {
        let (first, rest) = path.split_first()?;
        let field = rest.first().map(String::as_str);
        let context = self.context;
        match (first.as_str(), field) {
            ("inputs", Some(name)) => return context.inputs.get(name).cloned(),
            ("matrix", Some(name)) => return context.matrix.get(name).map(|v| json!(v)),
            ("run", Some("id")) => return Some(json!(context.run.run)),
            ("run", Some("tail")) => return Some(json!(context.run.tail)),
            ("run", Some("root")) => {
                return context.run.root.lock().ok().and_then(|root| root.clone()).map(|id| json!(id));
            }
            ("target", Some("base_url")) => return Some(json!(context.run.api.base_url)),
            // Empty where there is no control plane: a lookup in a branch that does not run is no error.
            ("target", Some("control_plane")) => {
                let behind = context.run.target.behind.as_ref();
                return Some(json!(behind.map(|b| b.api.base_url.clone()).unwrap_or_default()));
            }
            ("target", Some("control_plane_token")) => {
                let token = context.run.target.behind.as_ref().and_then(|b| b.api.token.as_ref());
                return Some(json!(token.map(|t| t.expose().to_owned()).unwrap_or_default()));
            }
            ("target", Some("org")) => return Some(json!(context.run.api.org.clone().unwrap_or_default())),
            ("target", Some("slug")) => {
                let behind = context.run.target.behind.as_ref();
                return Some(json!(behind.map(|b| b.org.slug.clone()).unwrap_or_default()));
            }
            ("target", Some(word)) => {
                return Some(json!(context.run.target.offers(Need::named(word)?)));
            }
            _ => {}
        }
        if let Some(value) = self.locals.get(first) {
            return dig(value, rest);
        }
        let state = context.state();
        if let Some(workspace) = state.workspaces.get(first) {
            return Some(match field? {
                "id" => json!(workspace.id),
                "name" => json!(workspace.name),
                "token" => json!(workspace.token.as_ref().map(|t| t.expose().to_owned()).unwrap_or_default()),
                "url" => json!(workspace.seen.as_ref().map(|(_, url)| url.clone()).unwrap_or_default()),
                "status" => json!(workspace.seen.as_ref().map(|(s, _)| s.to_string()).unwrap_or_default()),
                "runtime" => json!(workspace.runtime),
                "model" => json!(workspace.model),
                "provider" => json!(workspace.provider),
                "parent_id" => json!(workspace.parent_id),
                _ => return None,
            });
        }
        dig(state.captures.get(first)?, rest)
    }

    fn random(&self) -> u64 {
        // SplitMix64 over (seed, scenario, draw): the same seed gives the same names offline.
        let draw = self.context.state().drawn.fetch_add(1, Ordering::Relaxed);
        let name =
            self.context.name.bytes().fold(0u64, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        let mut z =
            (self.context.run.seed ^ name).wrapping_add((draw + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

pub(super) fn dig(value: &Value, path: &[String]) -> Option<Value> {
    let mut value = value;
    for key in path {
        value = match value {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?)?,
            other => other.get(key)?,
        };
    }
    Some(value.clone())
}
