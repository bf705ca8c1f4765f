//! Runs from wherever they are kept: folders of runs, and what a forge hands out, unpacked or not.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::archive::{self, ArchiveError, LOG};
use super::failure::SessionError;
use super::recorded;
use crate::report::RunState;
use crate::run::folder::ASIDE;

/// An artifact's folder, its `runs`, a run: nobody nests them deeper.
const DEPTH: usize = 4;

/// A run that is kept somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Its folder.
    Folder(PathBuf),
    /// One log of a zip.
    Zipped {
        /// The zip.
        file: PathBuf,
        /// The log in it.
        log: String,
    },
    /// Its log, packed.
    Packed(PathBuf),
}

impl Kept {
    /// What it is called: names of runs begin with the time.
    pub(crate) fn name(&self) -> String {
        let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = match self {
            Kept::Folder(path) | Kept::Packed(path) => last(path),
            // A log at the top of a zip bears the name of the zip.
            Kept::Zipped { file, log } => Path::new(log).parent().and_then(last).or_else(|| last(file)),
        };
        name.unwrap_or_default()
    }

    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        match self {
            Kept::Folder(path) | Kept::Packed(path) => path.display().to_string(),
            Kept::Zipped { file, log } => format!("{}: {log}", file.display()),
        }
    }

    /// What its log says; what is unpacked for it is removed again.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(&self, temp: &Path) -> Result<RunState, SessionError> {
        let unpacked = match self {
            Kept::Folder(path) => return recorded::state(path),
            Kept::Zipped { file, log } => archive::take(file, log, temp),
            Kept::Packed(path) => archive::unpack(path, temp),
        };
        let unpacked = unpacked.map_err(|why| SessionError::Packed { name: self.place(), why })?;
        recorded::state(unpacked.folder())
    }
}

/// Every run at a path: itself, in a folder, in folders of a folder, in packed files of these.
pub(crate) fn at(path: &Path) -> Vec<Kept> {
    let mut found = Vec::new();
    gather(path, 0, &mut found);
    found
}

fn gather(path: &Path, depth: usize, found: &mut Vec<Kept>) {
    if path.join(LOG).is_file() {
        return found.push(Kept::Folder(path.to_owned()));
    }
    if path.is_file() {
        return packed(path, found);
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    let mut inside: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    inside.sort();
    for one in inside {
        // Runs about a run are not runs of their own, and a link may lead anywhere.
        let aside = one.file_name().is_some_and(|name| name == ASIDE);
        if !aside && !one.is_symlink() && (depth < DEPTH || one.is_file()) {
            gather(&one, depth + 1, found);
        }
    }
}

fn packed(path: &Path, found: &mut Vec<Kept>) {
    let named = |end: &str| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end));
    if named(".jsonl.gz") && archive::is_packed(path) {
        return found.push(Kept::Packed(path.to_owned()));
    }
    let mut head = [0; 4];
    let zip =
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && archive::is_zip(&head);
    if !zip {
        return;
    }
    match archive::logs(path) {
        Ok(logs) => found.extend(logs.into_iter().map(|log| Kept::Zipped { file: path.to_owned(), log })),
        Err(ArchiveError::NoLog) => {}
        // Whoever reads it is told why it cannot be read.
        Err(_) => found.push(Kept::Packed(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    #[test]
    fn runs_are_found_in_artifacts_unpacked_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let at_path = |name: &str| dir.path().join(name);
        for folder in ["plain/1", "one/runs/2", "two/.lifecycle/runs/3", "one/runs/2/reproduced/9"] {
            fs::create_dir_all(at_path(folder)).unwrap();
            fs::write(at_path(folder).join(LOG), "{}").unwrap();
        }
        let mut zip = ZipWriter::new(File::create(at_path("4.zip")).unwrap());
        for name in ["runs/4a/events.jsonl", "runs/4b/events.jsonl", "report.html"] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(b"{}").unwrap();
        }
        zip.finish().unwrap();
        let mut gz = GzEncoder::new(File::create(at_path("5.jsonl.gz")).unwrap(), Compression::fast());
        gz.write_all(b"{}").unwrap();
        gz.finish().unwrap();
        fs::write(at_path("state.json"), "{}").unwrap();
        let mut names: Vec<String> = at(dir.path()).iter().map(Kept::name).collect();
        names.sort();
        assert_eq!(names, ["1", "2", "3", "4a", "4b", "5.jsonl.gz"]);
        assert_eq!(at(&at_path("4.zip")).len(), 2);
        assert!(at(&at_path("state.json")).is_empty() && at(&at_path("none")).is_empty());
    }
}
