//! A run's log out of what a forge hands out: a zip, a `.jsonl.gz`, standard input.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::domain::natural::natural;
use crate::run::folder::ASIDE;

/// The log's name in a run's folder.
pub(crate) const LOG: &str = "events.jsonl";
/// No log of ours is larger; an archive that unpacks to more is a mistake or an attack.
const MOST: u64 = 2 << 30;

/// Why there is no log in it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// No zip after all.
    #[error("it is not a zip that can be read: {0}")]
    Zip(#[from] ZipError),
    /// A zip of something else.
    #[error("it holds no {LOG}")]
    NoLog,
    /// What is packed is no log.
    #[error("what it holds is not a log: unpack it and name the folder")]
    NotALog,
    /// Too much.
    #[error("it unpacks to more than {MOST} bytes")]
    TooLarge,
}

/// A log in a folder of its own, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Unpacked {
    folder: PathBuf,
    /// Of several runs in it, the one that was taken.
    pub chosen: Option<String>,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Unpacked {
    /// The folder, as that of a run.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn new(temp: &Path) -> io::Result<Unpacked> {
        let folder = temp.join(format!("lifecycle-log-{:016x}", crate::chance::random::<u64>()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Unpacked { folder, chosen: None })
    }

    fn write(&self, text: &mut dyn Read) -> Result<(), ArchiveError> {
        let mut file = File::create(self.folder.join(LOG))?;
        let written = io::copy(&mut text.take(MOST + 1), &mut file)?;
        file.flush()?;
        match written {
            0 => Err(ArchiveError::NotALog),
            n if n > MOST => Err(ArchiveError::TooLarge),
            _ => Ok(()),
        }
    }
}

/// Whether a file is packed, by its first bytes.
pub(crate) fn is_packed(path: &Path) -> bool {
    let mut head = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && (is_zip(&head) || is_gz(&head))
}

pub(super) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

fn is_gz(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

/// Takes the log out of a packed file.
///
/// # Errors
/// There is none in it, or it cannot be unpacked.
pub(crate) fn unpack(path: &Path, temp: &Path) -> Result<Unpacked, ArchiveError> {
    let mut head = [0; 4];
    File::open(path)?.read_exact(&mut head)?;
    let unpacked = Unpacked::new(temp)?;
    if is_zip(&head) { of_zip(File::open(path)?, unpacked) } else { of_gz(File::open(path)?, unpacked) }
}

/// Takes the log out of a stream: plain, or packed.
///
/// # Errors
/// As [`unpack`].
pub(crate) fn of_stream(stream: &mut dyn Read, temp: &Path) -> Result<Unpacked, ArchiveError> {
    let held = Unpacked::new(temp)?;
    held.write(stream)?;
    let file = held.folder.join(LOG);
    if is_packed(&file) { unpack(&file, temp) } else { Ok(held) }
}

fn of_gz(file: File, unpacked: Unpacked) -> Result<Unpacked, ArchiveError> {
    let mut text = MultiGzDecoder::new(file);
    let mut first = [0; 1];
    text.read_exact(&mut first)?;
    if first != *b"{" {
        return Err(ArchiveError::NotALog);
    }
    unpacked.write(&mut io::Cursor::new(first).chain(text))?;
    Ok(unpacked)
}

/// The logs of a zip, oldest run first.
///
/// # Errors
/// It is none, or holds none.
pub(crate) fn logs(path: &Path) -> Result<Vec<String>, ArchiveError> {
    logs_of(&ZipArchive::new(File::open(path)?)?)
}

/// Takes one of them out.
///
/// # Errors
/// As [`unpack`].
pub(crate) fn take(path: &Path, log: &str, temp: &Path) -> Result<Unpacked, ArchiveError> {
    let unpacked = Unpacked::new(temp)?;
    entry(&mut ZipArchive::new(File::open(path)?)?, log, &unpacked)?;
    Ok(unpacked)
}

/// Writes a log of a zip, once its size and its first byte say that it can be one.
fn entry(zip: &mut ZipArchive<File>, log: &str, unpacked: &Unpacked) -> Result<(), ArchiveError> {
    let mut text = zip.by_name(log)?;
    if text.size() > MOST {
        return Err(ArchiveError::TooLarge);
    }
    let mut first = [0; 1];
    text.read_exact(&mut first).map_err(|_| ArchiveError::NotALog)?;
    if first != *b"{" {
        return Err(ArchiveError::NotALog);
    }
    unpacked.write(&mut io::Cursor::new(first).chain(text))
}

fn logs_of(zip: &ZipArchive<File>) -> Result<Vec<String>, ArchiveError> {
    let is_log = |name: &String| name == LOG || name.ends_with(&format!("/{LOG}"));
    // A name that is no text is not that of a log.
    let names = zip.file_names().filter_map(Result::ok).map(|name| name.into_owned());
    let mut logs: Vec<String> = names.filter(is_log).collect();
    logs.sort_by(|a, b| natural(a, b));
    let aside = |name: &String| name.split('/').rev().nth(2) == Some(ASIDE);
    if !logs.iter().all(aside) {
        logs.retain(|name| !aside(name));
    }
    if logs.is_empty() { Err(ArchiveError::NoLog) } else { Ok(logs) }
}

fn of_zip(file: File, mut unpacked: Unpacked) -> Result<Unpacked, ArchiveError> {
    let mut zip = ZipArchive::new(file)?;
    let logs = logs_of(&zip)?;
    let Some(newest) = logs.last() else { return Err(ArchiveError::NoLog) };
    if logs.len() > 1 {
        unpacked.chosen = Some(newest.clone());
    }
    entry(&mut zip, newest, &unpacked)?;
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    const TEXT: &[u8] = b"{\"seq\":0}\n";

    fn zipped(names: &[&str]) -> Vec<u8> {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for name in names {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(TEXT).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn gzipped(text: &[u8]) -> Vec<u8> {
        let mut gz = GzEncoder::new(Vec::new(), Compression::default());
        gz.write_all(text).unwrap();
        gz.finish().unwrap()
    }

    #[test]
    fn a_log_is_taken_out_of_whatever_holds_it() {
        let temp = tempfile::tempdir().unwrap();
        for (bytes, chosen) in [
            (TEXT.to_vec(), None),
            (gzipped(TEXT), None),
            (zipped(&["events.jsonl", "report.html"]), None),
            (zipped(&["runs/a/events.jsonl"]), None),
            (zipped(&["runs/2/events.jsonl", "runs/10/events.jsonl"]), Some("runs/10/events.jsonl")),
            (zipped(&["runs/2/events.jsonl", "runs/2/reproduced/3/events.jsonl"]), None),
            (zipped(&["reproduced/3/events.jsonl"]), None),
        ] {
            let unpacked = of_stream(&mut bytes.as_slice(), temp.path()).unwrap();
            assert_eq!(fs::read(unpacked.folder().join(LOG)).unwrap(), TEXT);
            assert_eq!(unpacked.chosen.as_deref(), chosen);
        }
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "nothing stays");
    }

    #[test]
    fn what_holds_no_log_is_told() {
        let temp = tempfile::tempdir().unwrap();
        for (bytes, says) in [
            (zipped(&["a.txt"]), "no events.jsonl"),
            (gzipped(b"not a log"), "not a log"),
            (b"PK\x03\x04rubbish".to_vec(), "not a zip"),
        ] {
            let error = of_stream(&mut bytes.as_slice(), temp.path()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "nothing stays");
    }
}
