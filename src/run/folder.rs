//! The folder of a run: `runs/<run-id>/`, locked while the run lives.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::event::{EventKind, read_events};

/// An error with its path and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {error}", path.display())]
pub struct FolderError {
    doing: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl FolderError {
    /// The system's kind of refusal.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

/// The folder of a run that lives; the lock ends with the process, however it ends.
#[derive(Debug)]
pub struct RunFolder {
    /// `<runs-dir>/<run-id>`.
    pub path: PathBuf,
    /// The run's id.
    pub run: String,
    _lock: File,
}

impl RunFolder {
    /// Makes and locks a folder for a new run.
    ///
    /// # Errors
    /// A read-only or full disk, a path that is a file.
    pub fn create(runs: &Path, run: &str) -> Result<RunFolder, FolderError> {
        let path = runs.join(run);
        let fail = |doing, path: &Path| {
            let path = path.to_owned();
            move |error| FolderError { doing, path, error }
        };
        fs::create_dir_all(&path).map_err(fail("make the folder", &path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(fail("make", &lock_path))?;
        lock.lock().map_err(fail("lock", &lock_path))?;
        Ok(RunFolder { path, run: run.to_owned(), _lock: lock })
    }
}

impl RunFolder {
    /// Locks the folder of a run that ended, to write to its log again.
    ///
    /// # Errors
    /// Somebody else holds the lock, or the system refuses.
    pub fn reopen(path: &Path) -> Result<RunFolder, FolderError> {
        let lock_path = path.join("lock");
        let fail = |doing| {
            let path = lock_path.clone();
            move |error| FolderError { doing, path, error }
        };
        let lock = File::create(&lock_path).map_err(fail("open"))?;
        lock.try_lock().map_err(|e| fail("lock")(e.into()))?;
        let run = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(RunFolder { path: path.to_owned(), run, _lock: lock })
    }
}

/// Whether a run still lives: somebody holds its lock.
pub(crate) fn is_live(folder: &Path) -> bool {
    match File::open(folder.join("lock")) {
        Ok(lock) => matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// Folder of runs that a command made on the side. It lies deeper than [`list`] looks: none of them is `last`, is listed
/// or counts for what is kept.
pub(crate) const ASIDE: &str = "reproduced";

/// What of a run's name tells the second in which it began.
const STAMP: usize = "20261121-131553".len();

/// All run folders, oldest first. Names tell seconds only: of those of one second the log that was written last is the
/// newest.
pub(crate) fn list(runs: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(runs) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| p.join("events.jsonl").is_file())
        .collect();
    folders.sort_by_cached_key(|folder| {
        let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let second: String = name.chars().take(STAMP).collect();
        let written = fs::metadata(folder.join("events.jsonl")).and_then(|m| m.modified()).ok();
        (second, written, name)
    });
    folders
}

/// Why a person's words mean no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRun {
    /// There is none at all.
    #[error("there is no run in {}", .0.display())]
    None(PathBuf),
    /// None is called so.
    #[error("no run `{wanted}` in {}; the newest are: {newest}", runs.display())]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Where.
        runs: PathBuf,
        /// Names of the newest.
        newest: String,
    },
    /// There is such a file or folder, and it is something else.
    #[error("{} is not a run: it is neither a folder with an events.jsonl, nor such a file, nor a packed run", .0.display())]
    Other(PathBuf),
    /// Several begin so.
    #[error("`{wanted}` means {count} runs: {names}")]
    Many {
        /// What was asked for.
        wanted: String,
        /// How many.
        count: usize,
        /// Their names.
        names: String,
    },
}

/// The folder that a person means: a path, a run id, a unique beginning of one, or `last`.
///
/// # Errors
/// What there is instead.
pub(crate) fn find(runs: &Path, wanted: &str) -> Result<PathBuf, NoRun> {
    let direct = Path::new(wanted);
    if direct.join("events.jsonl").is_file() || (direct.is_file() && wanted.ends_with(".jsonl")) {
        return Ok(direct.to_owned());
    }
    let folders = list(runs);
    let name = |p: &PathBuf| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if wanted == "last" {
        return folders.last().cloned().ok_or_else(|| NoRun::None(runs.to_owned()));
    }
    let hits: Vec<&PathBuf> = folders.iter().filter(|p| name(p).contains(wanted)).collect();
    match hits.as_slice() {
        [one] => Ok((*one).clone()),
        [] if direct.exists() => Err(NoRun::Other(direct.to_owned())),
        [] => {
            let newest: Vec<String> = folders.iter().rev().take(5).map(name).collect();
            Err(NoRun::Unknown {
                wanted: wanted.to_owned(),
                runs: runs.to_owned(),
                newest: if newest.is_empty() { "none".to_owned() } else { newest.join(", ") },
            })
        }
        many => Err(NoRun::Many {
            wanted: wanted.to_owned(),
            count: many.len(),
            names: many.iter().map(|p| name(p)).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// Removes the oldest runs beyond `keep`; never one that lives or still owns something, nor one that is `named` where reds
/// are remembered: these are not counted. Names tell seconds only, so the run that has just ended is said to be the newest.
pub(crate) fn prune(runs: &Path, keep: usize, newest: &Path, named: &BTreeSet<String>) {
    let mut folders = list(runs);
    folders.retain(|folder| {
        let name = folder.file_name().map(|name| name.to_string_lossy());
        folder == newest || !name.is_some_and(|name| named.contains(name.as_ref()))
    });
    folders.sort_by_key(|folder| folder.file_name() == newest.file_name());
    let excess = folders.len().saturating_sub(keep);
    for folder in folders.into_iter().take(excess) {
        if !is_live(&folder) && owns_nothing(&folder) {
            // A folder that cannot be removed is tried again by the next run.
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

fn owns_nothing(folder: &Path) -> bool {
    let mut open = BTreeSet::new();
    let read = read_events(folder, |event| match event.event {
        EventKind::Intent(intent) => {
            open.insert(intent.resource);
        }
        EventKind::Released(released) => {
            open.remove(&released.resource);
        }
        _ => {}
    });
    read.is_ok() && open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Intent, Log, Released};
    use crate::redact::Redactor;

    #[test]
    fn a_live_run_and_one_that_owns_something_are_never_pruned() {
        let runs = tempfile::tempdir().unwrap();
        let live = RunFolder::create(runs.path(), "1-live").unwrap();
        Log::create(&live.path, Redactor::new()).unwrap();
        let owing = RunFolder::create(runs.path(), "2-owing").unwrap();
        let log = Log::create(&owing.path, Redactor::new()).unwrap();
        log.emit(EventKind::Intent(Intent { resource: "r1".into(), ..Intent::default() }));
        drop(owing);
        let done = RunFolder::create(runs.path(), "3-done").unwrap();
        let log = Log::create(&done.path, Redactor::new()).unwrap();
        log.emit(EventKind::Intent(Intent { resource: "r1".into(), ..Intent::default() }));
        log.emit(EventKind::Released(Released { resource: "r1".into(), ..Released::default() }));
        drop(done);
        // Of two in one second the name of the later one may come first.
        let ended = RunFolder::create(runs.path(), "0-ended").unwrap();
        Log::create(&ended.path, Redactor::new()).unwrap();
        let newest = ended.path.clone();
        drop(ended);
        let remembered = BTreeSet::from(["4-remembered".to_owned()]);
        let of_a_red = RunFolder::create(runs.path(), "4-remembered").unwrap();
        Log::create(&of_a_red.path, Redactor::new()).unwrap();
        drop(of_a_red);
        prune(runs.path(), 1, &newest, &remembered);
        let kept = ["0-ended", "1-live", "2-owing", "4-remembered"].map(|name| runs.path().join(name));
        assert_eq!(list(runs.path()), kept);
        prune(runs.path(), 0, &newest, &BTreeSet::new());
        let left: Vec<PathBuf> = list(runs.path());
        assert_eq!(left, [runs.path().join("1-live"), runs.path().join("2-owing")]);
        assert!(is_live(&left[0]) && !is_live(&left[1]));
        assert_eq!(find(runs.path(), "last"), Ok(left[1].clone()));
        assert_eq!(find(runs.path(), "live"), Ok(left[0].clone()));
        assert!(find(runs.path(), "nope").unwrap_err().to_string().contains("2-owing"));
    }
}
