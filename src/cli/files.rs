//! Files that a user names: read bounded, and only what is a file or a pipe that was handed over.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::failure::CliError;
use crate::domain::ExitCode;
use crate::source::SourceFile;

/// Files larger than this are none of ours.
const MAX_FILE: u64 = 4 << 20;

/// Reads one text file, bounded.
pub(crate) fn read(path: &Path) -> Result<SourceFile, CliError> {
    let text = String::from_utf8(bytes(path)?).map_err(|e| {
        let why = format!("it is no UTF-8 text (byte {})", e.utf8_error().valid_up_to());
        cannot_read(path, &why)
    })?;
    Ok(SourceFile::new(path.display().to_string(), text))
}

/// The bytes of a file, bounded.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    content(path).map_err(|why| cannot_read(path, &why))
}

/// The same, with the reason alone.
fn content(path: &Path) -> Result<Vec<u8>, String> {
    let bad = |e: std::io::Error| e.to_string();
    // Before it is opened: whoever opens a pipe that nobody writes to waits for ever.
    let metadata = fs::metadata(path).map_err(bad)?;
    if metadata.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if !metadata.is_file() && !is_handed_over(path) {
        return Err("it is no regular file".to_owned());
    }
    if metadata.len() > MAX_FILE {
        return Err(format!("it has {} bytes, more than {MAX_FILE}", metadata.len()));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(bad)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    Ok(bytes)
}

/// A text, for whoever tells its place by itself.
pub(crate) fn text(path: &Path) -> std::io::Result<String> {
    let bytes = content(path).map_err(std::io::Error::other)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is no UTF-8 text"))
}

fn cannot_read(path: &Path, why: &str) -> CliError {
    CliError::new(ExitCode::BadInput, format!("cannot read {}: {why}", path.display()))
}

/// `/dev/stdin`, and what a shell makes of `<(…)`.
fn is_handed_over(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// A file, or every `.yaml` of a folder, sorted; a folder that is reached twice is read once.
pub(crate) fn walk(path: &Path) -> Result<Vec<SourceFile>, CliError> {
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    let mut seen: HashSet<PathBuf> = HashSet::new();
    while let Some(folder) = folders.pop() {
        let cannot = |e: std::io::Error| cannot_read(&folder, &e.to_string());
        if !seen.insert(folder.canonicalize().map_err(cannot)?) {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(cannot)? {
            let path = entry?.path();
            let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
            if path.is_dir() && !path.ends_with("profiles") {
                folders.push(path);
            } else if yaml {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().map(PathBuf::as_path).map(read).collect()
}
