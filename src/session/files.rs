//! Files that a user names: read bounded, and only what is a file or a pipe that was handed over.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::failure::SessionError;
use super::unreadable::{MAX_FILE, ReadError};
use crate::source::SourceFile;

fn at(why: ReadError, path: &Path) -> SessionError {
    SessionError::Unreadable { path: path.to_owned(), why }
}

/// Reads one text file, bounded.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn read(path: &Path) -> Result<SourceFile, SessionError> {
    let text = utf8(path).map_err(|why| at(why, path))?;
    Ok(SourceFile::new(path.display().to_string(), text))
}

/// The bytes of a file, bounded.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, SessionError> {
    content(path).map_err(|why| at(why, path))
}

/// A file of `--ca-cert`.
///
/// # Errors
/// It cannot be read, or holds no certificate.
pub(crate) fn certificates(path: &Path) -> Result<Vec<u8>, SessionError> {
    let pem = bytes(path)?;
    match crate::http::certificates_in(&pem) {
        Ok(1..) => Ok(pem),
        Ok(0) | Err(_) => Err(SessionError::NoCertificate(path.to_owned())),
    }
}

fn utf8(path: &Path) -> Result<String, ReadError> {
    String::from_utf8(content(path)?).map_err(|e| ReadError::NotText(e.utf8_error().valid_up_to()))
}

fn content(path: &Path) -> Result<Vec<u8>, ReadError> {
    // Before it is opened: whoever opens a pipe that nobody writes to waits for ever.
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(ReadError::Folder);
    }
    if !metadata.is_file() && !is_handed_over(path) {
        return Err(ReadError::NotRegular);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(ReadError::TooLarge);
    }
    Ok(bytes)
}

/// Whether a log, however large, can be read from its end.
///
/// # Errors
/// It is no file, or nobody may read it.
pub(crate) fn readable(path: &Path) -> Result<(), SessionError> {
    let opened = || match fs::metadata(path)?.is_file() {
        true => Ok(File::open(path).map(drop)?),
        false => Err(ReadError::NotRegular),
    };
    opened().map_err(|why: ReadError| at(why, path))
}

/// A text, for whoever tells its place by itself.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    utf8(path).map_err(|why| match why {
        ReadError::Io(error) => error,
        other => io::Error::other(other),
    })
}

/// `/dev/stdin`, and what a shell makes of `<(…)`.
fn is_handed_over(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// Without a leading `./`: reports name files as a forge finds them.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    match path.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
        _ => path.to_owned(),
    }
}

/// A file, or every `.yaml` of a folder that may hold scenarios, sorted.
///
/// # Errors
/// What cannot be read.
pub(crate) fn walk(path: &Path) -> Result<Vec<SourceFile>, SessionError> {
    let is_profile = |file: &&PathBuf| file.parent().is_some_and(|folder| folder.ends_with("profiles"));
    let below = |file: &&PathBuf| !path.is_dir() || path.ends_with("profiles") || !is_profile(file);
    find(path)?.iter().filter(below).map(|path| read(path)).collect()
}

/// Folders of other programs: what is in them is nobody's own file.
const NOT_OURS: [&str; 3] = [".git", "target", "node_modules"];

/// A file, or every `.yaml` below a folder, sorted; a folder that is reached twice is looked at once.
///
/// # Errors
/// A folder that cannot be read.
pub(crate) fn find(path: &Path) -> Result<Vec<PathBuf>, SessionError> {
    if !path.is_dir() {
        return Ok(vec![tidy(path)]);
    }
    let mut files = Vec::new();
    let mut folders = vec![tidy(path)];
    let mut seen: HashSet<PathBuf> = HashSet::new();
    while let Some(folder) = folders.pop() {
        let cannot = |e: io::Error| at(ReadError::Io(e), &folder);
        if !seen.insert(folder.canonicalize().map_err(cannot)?) {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(cannot)? {
            let path = tidy(&entry.map_err(cannot)?.path());
            let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
            if path.is_dir() && NOT_OURS.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if yaml {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
