//! Where an agent finds its files: a volume in memory, or a folder.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The config volume of an embedded agent; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigFiles(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl ConfigFiles {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a file of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// Adds or replaces files; empty ones go.
    pub(crate) fn write(&self, files: BTreeMap<String, Vec<u8>>) {
        let mut all = self.lock();
        all.extend(files);
        all.retain(|_, content| !content.is_empty());
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn read(&self, name: &str) -> Option<String> {
        self.lock().get(name).map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned())
    }
}

/// Where an agent finds its files.
#[derive(Clone, Debug)]
pub(super) enum Config {
    Memory(ConfigFiles),
    Directory(PathBuf),
}

impl Config {
    pub(super) async fn read(&self, name: &str) -> Option<String> {
        let text = match self {
            Config::Memory(files) => files.read(name)?,
            Config::Directory(path) => {
                tokio::fs::read_to_string(path.join(name)).await.ok()?.trim().to_owned()
            }
        };
        (!text.is_empty()).then_some(text)
    }
}
