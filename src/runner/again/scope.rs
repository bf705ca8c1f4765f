//! What `${…}` finds in a log.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::decision::Lack;
use super::told::Told;
use crate::redact;
use crate::runner::scope::{Locals, dig};
use crate::scenario::template::Scope;

/// The scope of one recorded step.
pub(super) struct RecordedScope<'a> {
    told: &'a Told,
    locals: Locals,
    lacks: Mutex<Option<Lack>>,
}

impl<'a> RecordedScope<'a> {
    /// Of a step with the items of enclosing `foreach`es.
    pub(super) fn new(told: &'a Told, locals: Locals) -> Self {
        RecordedScope { told, locals, lacks: Mutex::new(None) }
    }

    /// The first thing that was looked up and is not in the log.
    pub(super) fn lack(&self) -> Option<Lack> {
        self.lacks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lacks(&self, lack: Lack) {
        self.lacks.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(lack);
    }

    fn find(&self, path: &[String]) -> Option<Value> {
        let (first, rest) = path.split_first()?;
        let field = rest.first().map(String::as_str);
        match (first.as_str(), field) {
            ("inputs", Some(name)) => return self.told.inputs.get(name).cloned(),
            ("matrix", Some(name)) => return self.told.matrix.get(name).map(|v| json!(v)),
            ("run", Some("id")) => return Some(json!(self.told.run)),
            ("target", Some("base_url")) => return Some(json!(self.told.base_url)),
            ("run" | "target", _) => return None,
            _ => {}
        }
        if let Some(value) = self.locals.get(first) {
            return dig(value, rest);
        }
        if let Some(workspace) = self.told.workspaces.get(first) {
            let last = workspace.seen.last();
            return match field? {
                "id" => Some(json!(workspace.id)),
                "url" => last.map(|seen| json!(seen.url)),
                "status" => last.and_then(|seen| seen.status.as_ref()).map(|s| json!(s.to_string())),
                _ => None,
            };
        }
        dig(self.told.captures.get(first)?, rest)
    }
}

impl Scope for RecordedScope<'_> {
    fn lookup(&self, path: &[String]) -> Option<Value> {
        let found = self.find(path);
        match &found {
            None => self.lacks(Lack::Value(path.join("."))),
            Some(value) if redact::is_marked(&value.to_string()) => self.lacks(Lack::Redacted),
            Some(_) => {}
        }
        found
    }

    fn random(&self) -> u64 {
        self.lacks(Lack::Random);
        0
    }
}
