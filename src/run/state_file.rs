//! The file of `--state`: read when a run begins, written when it ends, locked in between.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::scenario::remembered::Remembered;

/// How a file that a user names is read: bounded, and only what is a file.
pub(crate) type Text<'a> = dyn Fn(&Path) -> io::Result<String> + 'a;

/// Why a run cannot have its state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another run has it.
    #[error("another run uses {}: {}", path.display(), holder.as_ref().map_or_else(|| "it does not say which".to_owned(), Holder::told))]
    Locked {
        /// The file.
        path: PathBuf,
        /// Who says so.
        holder: Option<Holder>,
    },
    /// The file is not what it must be.
    #[error("cannot use {}: {why}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {error}", path.display())]
    Io {
        /// The verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
}

/// Who has the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its run.
    pub run: String,
    /// Its process.
    pub pid: u32,
    /// Since when, RFC 3339.
    pub since: String,
}

impl Holder {
    fn told(&self) -> String {
        format!("run {}, process {}, since {}", self.run, self.pid, self.since)
    }
}

/// The state of a run that lives. The lock ends with the process, however it ends.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    lock: File,
    /// What earlier runs saw.
    pub remembered: Remembered,
}

impl StateFile {
    /// Locks and reads it; a file that is not there is an empty state. The lock is beside the file, because the file
    /// itself is replaced.
    ///
    /// # Errors
    /// Another run has it, it is not a state file, or nothing can be written where it is.
    pub(crate) fn open(path: &Path, holder: &Holder, text: &Text<'_>) -> Result<StateFile, StateError> {
        // What a link points to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            let why = format!("there is no folder {}", folder.display());
            return Err(StateError::Bad { path, why });
        }
        let lock_path = beside(&path, "lock");
        let io = |doing, path: &Path| {
            let path = path.to_owned();
            move |error| StateError::Io { doing, path, error }
        };
        let open = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&lock_path);
        let mut lock = open.map_err(io("make", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Who cannot be read is not named.
                let _ = lock.take(1 << 16).read_to_string(&mut text);
                return Err(StateError::Locked { path, holder: serde_json::from_str(&text).ok() });
            }
            Err(TryLockError::Error(error)) => return Err(io("lock", &lock_path)(error)),
        }
        let who = serde_json::to_string(holder).unwrap_or_default();
        lock.set_len(0).and_then(|()| lock.write_all(who.as_bytes())).map_err(io("write", &lock_path))?;
        let remembered = read(&path, text)?;
        // The end of a run is too late to learn that nothing can be written.
        let new = beside(&path, "new");
        File::create(&new).and_then(|_| fs::remove_file(&new)).map_err(io("write", &new))?;
        Ok(StateFile { path, lock, remembered })
    }

    /// Replaces the file: whoever reads it sees the old one or the new one, whole.
    ///
    /// # Errors
    /// A full or read-only disk; the old file is as it was.
    pub(crate) fn write(&self) -> Result<(), StateError> {
        let new = beside(&self.path, "new");
        let text = self.remembered.text().map_err(io::Error::from);
        let write = |text: String| {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.path)
        };
        text.and_then(write).map_err(|error| {
            // What is half written helps nobody.
            let _ = fs::remove_file(&new);
            StateError::Io { doing: "write", path: self.path.clone(), error }
        })
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        // A name that stays there would only be that of a run that is over.
        let _ = self.lock.set_len(0);
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

fn read(path: &Path, text: &Text<'_>) -> Result<Remembered, StateError> {
    let bad = |why: String| StateError::Bad { path: path.to_owned(), why };
    if fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(Remembered::default());
    }
    Remembered::parse(&text(path).map_err(|e| bad(e.to_string()))?).map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::red::Identity;
    use crate::scenario::remembered::Sighting;

    fn holder(run: &str) -> Holder {
        Holder { run: run.into(), pid: 7, since: "2026-11-21T12:00:00Z".into() }
    }

    #[test]
    fn one_at_a_time_and_the_next_finds_what_the_last_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mut first = StateFile::open(&path, &holder("r1"), &|path| fs::read_to_string(path)).unwrap();
        let error =
            StateFile::open(&path, &holder("r2"), &|path| fs::read_to_string(path)).unwrap_err().to_string();
        assert!(error.contains("run r1, process 7, since 2026-11-21T12:00:00Z"), "{error}");
        assert!(!path.exists(), "the state is written at the end only");
        let identity = Identity { fingerprint: "a/await-ws/m".into(), former: "a/1/m".into() };
        let red = Sighting::Red { scenario: "a".into(), red: identity.clone(), mechanism: "m".into() };
        first.remembered.learn("r1", "t1", &[red]);
        first.write().unwrap();
        drop(first);
        let second = StateFile::open(&path, &holder("r2"), &|path| fs::read_to_string(path)).unwrap();
        assert_eq!(second.remembered.find(&identity).map(|r| r.count), Some(1));
        assert!(!beside(&path, "new").exists());
    }

    #[test]
    fn what_cannot_be_used_is_said_before_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken");
        fs::write(&broken, "[").unwrap();
        for (path, why) in [
            (folder.path().join("none/state"), "there is no folder"),
            (broken, "it is not a state file"),
            (folder.path().to_owned(), "directory"),
        ] {
            let error = StateFile::open(&path, &holder("r"), &|path| fs::read_to_string(path)).unwrap_err();
            assert!(matches!(error, StateError::Bad { .. }) && error.to_string().contains(why), "{error}");
        }
    }
}
