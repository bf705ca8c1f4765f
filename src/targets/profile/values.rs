//! What templates of a profile look up. Values of secrets are in here: nothing of it is `Debug`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::model::{Part, Profile};
use crate::redact::is_credential_field;
use crate::scenario::template::{Scope, Template};

/// Names and values.
#[derive(Clone, Default)]
pub struct Values {
    /// By dotted path.
    known: BTreeMap<String, String>,
    /// Variables of our own environment; empty ones are unset.
    env: BTreeMap<String, String>,
}

impl Values {
    /// With nothing but the environment.
    pub fn new(env: &BTreeMap<String, String>) -> Values {
        Values { known: BTreeMap::new(), env: env.clone() }
    }

    /// What can be shown before anything is started: every value that is not known yet is a word for it.
    pub fn foreseen(profile: &Profile, env: &BTreeMap<String, String>) -> Values {
        let mut values = Values::new(env);
        for (name, value) in &mut values.env {
            if is_credential_field(name) {
                *value = format!("<redacted:{name}>");
            }
        }
        for name in &profile.ports {
            values.set(&format!("ports.{name}"), format!("<port {name}>"));
        }
        for name in &profile.secrets {
            values.set(&format!("secrets.{name}"), format!("<secret {name}>"));
        }
        for name in &profile.folders {
            values.set(&format!("folders.{name}"), format!("<folder {name}>"));
        }
        if let Some(network) = &profile.network {
            values.set("network.name", network);
            values.set("network.gateway", format!("<gateway of {network}>"));
        }
        values.set("run.id", "<run>");
        values.set("program", "lifecycle");
        values
    }

    /// Sets a value.
    pub fn set(&mut self, path: &str, value: impl Into<String>) {
        self.known.insert(path.to_owned(), value.into());
    }

    /// A value.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.known.get(path).map(String::as_str)
    }

    /// Whether nothing that comes later changes a text: everything that it looks up is known, or a variable.
    pub fn settles(&self, template: &Template) -> bool {
        template.paths().iter().all(|path| {
            path.first().is_some_and(|root| root == "env") || self.known.contains_key(&path.join("."))
        })
    }

    /// A variable that is set.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The variable that says where a part is already, and what it says.
    pub fn given<'v>(&'v self, part: &'v Part) -> Option<(&'v str, &'v str)> {
        part.given.iter().find_map(|name| Some((name.as_str(), self.variable(name)?)))
    }

    /// Where a part answers.
    pub fn set_url(&mut self, part: &str, url: String) {
        let path = if part == super::model::SERVER {
            "server.url".to_owned()
        } else {
            format!("services.{part}.url")
        };
        self.known.insert(path, url);
    }
}

impl Scope for Values {
    fn lookup(&self, path: &[String]) -> Option<Value> {
        match path {
            [root, name] if root == "env" => self.variable(name).map(|v| Value::String(v.to_owned())),
            _ => self.known.get(&path.join(".")).map(|v| Value::String(v.clone())),
        }
    }

    fn random(&self) -> u64 {
        crate::chance::random()
    }
}
