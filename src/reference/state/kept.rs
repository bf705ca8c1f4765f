//! What a workspace keeps for its agent and its people: chat files, memories, versioned values, files.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

/// So many things of each sort are kept for one workspace.
const EACH: usize = 500;
/// So many bytes of files are kept for one workspace (`/uploads/limits`).
const BYTES: usize = 100 << 20;

/// Of one workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    uploads: BTreeMap<String, (String, Bytes)>,
    memories: Vec<Value>,
    values: BTreeMap<String, (u64, Value)>,
    pub files: BTreeMap<String, String>,
}

impl Kept {
    /// Keeps an upload; `None` when there is no room.
    pub(crate) fn upload(&mut self, path: &str, mime: &str, bytes: Bytes) -> Option<()> {
        let used: usize = self.uploads.values().map(|(_, b)| b.len()).sum();
        if self.uploads.len() >= EACH || used + bytes.len() > BYTES {
            return None;
        }
        self.uploads.insert(path.to_owned(), (mime.to_owned(), bytes));
        Some(())
    }

    pub(crate) fn uploaded(&self, path: &str) -> Option<&(String, Bytes)> {
        self.uploads.get(path)
    }

    pub(crate) fn remember(&mut self, memory: Value) {
        if self.memories.len() == EACH {
            self.memories.remove(0);
        }
        self.memories.push(memory);
    }

    pub(crate) fn memories(&self, scope: Option<&str>) -> Vec<Value> {
        let of = |m: &&Value| scope.is_none_or(|scope| m["scope"] == scope);
        self.memories.iter().filter(of).cloned().collect()
    }

    /// Writes a value; an expected version that is not the stored one changes nothing.
    ///
    /// # Errors
    /// The stored version.
    pub(crate) fn put(&mut self, key: &str, value: Value, expected: Option<u64>) -> Result<u64, u64> {
        let stored = self.values.get(key).map_or(0, |(version, _)| *version);
        if expected.is_some_and(|expected| expected != stored) {
            return Err(stored);
        }
        if stored == 0 && self.values.len() >= EACH {
            self.values.pop_first();
        }
        self.values.insert(key.to_owned(), (stored + 1, value));
        Ok(stored + 1)
    }

    pub(crate) fn value(&self, key: &str) -> Option<Value> {
        self.values.get(key).map(|(version, value)| json!({ "key": key, "value": value, "version": version }))
    }

    pub(crate) fn drop_value(&mut self, key: &str) -> bool {
        self.values.remove(key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_version_changes_nothing() {
        let mut kept = Kept::default();
        assert_eq!(kept.put("k", json!(1), None), Ok(1));
        assert_eq!(kept.put("k", json!(2), Some(1)), Ok(2));
        assert_eq!(kept.put("k", json!(3), Some(1)), Err(2));
        assert_eq!(kept.value("k").unwrap()["value"], 2);
        assert!(kept.drop_value("k") && !kept.drop_value("k"));
        assert_eq!(kept.put("new", json!(1), Some(4)), Err(0));
    }
}
