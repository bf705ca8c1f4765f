//! Why a file that was named cannot be used.

use std::io;

/// Files larger than this are none of ours.
pub(super) const MAX_FILE: u64 = 4 << 20;

/// The kinds of it.
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
