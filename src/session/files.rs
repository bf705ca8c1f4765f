//! Files that a user names: read bounded, and only what is a file or a pipe that was handed over.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::failure::SessionError;
use crate::source::SourceFile;

/// Files larger than this are none of ours.
const MAX_FILE: u64 = 4 << 20;

/// Why a file that was named cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A folder.
    #[error("it is a directory")]
    Folder,
    /// A socket, a device, a pipe that nobody handed over.
    #[error("it is not a regular file")]
    NotRegular,
    /// Larger than anything that is ours.
    #[error("it has more than {MAX_FILE} bytes")]
    TooLarge,
    /// No text.
    #[error("it is not UTF-8 text (byte {0})")]
    NotText(usize),
}

impl ReadError {
    fn at(self, path: &Path) -> SessionError {
        SessionError::Unreadable { path: path.to_owned(), why: self }
    }
}

/// Reads one text file, bounded.
///
/// # Errors
/// Why it cannot be read.
pub fn read(path: &Path) -> Result<SourceFile, SessionError> {
    let text = utf8(path).map_err(|why| why.at(path))?;
    Ok(SourceFile::new(path.display().to_string(), text))
}

/// The bytes of a file, bounded.
///
/// # Errors
/// Why it cannot be read.
pub fn bytes(path: &Path) -> Result<Vec<u8>, SessionError> {
    content(path).map_err(|why| why.at(path))
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
pub fn readable(path: &Path) -> Result<(), SessionError> {
    let opened = || match fs::metadata(path)?.is_file() {
        true => Ok(File::open(path).map(drop)?),
        false => Err(ReadError::NotRegular),
    };
    opened().map_err(|why: ReadError| why.at(path))
}

/// A text, for whoever tells its place by itself.
///
/// # Errors
/// Why it cannot be read.
pub fn text(path: &Path) -> io::Result<String> {
    utf8(path).map_err(|why| match why {
        ReadError::Io(error) => error,
        other => io::Error::other(other),
    })
}

/// `/dev/stdin`, and what a shell makes of `<(…)`.
fn is_handed_over(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// A file, or every `.yaml` of a folder, sorted; a folder that is reached twice is read once.
///
/// # Errors
/// What cannot be read.
pub fn walk(path: &Path) -> Result<Vec<SourceFile>, SessionError> {
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    let mut seen: HashSet<PathBuf> = HashSet::new();
    while let Some(folder) = folders.pop() {
        let cannot = |e: io::Error| ReadError::Io(e).at(&folder);
        if !seen.insert(folder.canonicalize().map_err(cannot)?) {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
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
