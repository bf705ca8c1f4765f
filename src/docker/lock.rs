//! One process of this machine at a time: for what is looked at first and changed after.

use std::fs::{File, TryLockError};
use std::time::Duration;

use crate::clock;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// Held until it is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct Held {
    _file: Option<File>,
}

/// Waits for the lock; who does not want to wait any longer drops it. A temporary folder that cannot be written to is
/// no reason to stop.
pub(crate) async fn machine() -> Held {
    let path = std::env::temp_dir().join("lifecycle-docker.lock");
    let Ok(file) = File::options().create(true).append(true).open(path) else { return Held { _file: None } };
    loop {
        match file.try_lock() {
            Ok(()) => return Held { _file: Some(file) },
            // A thread that waits in the system cannot be told to stop.
            Err(TryLockError::WouldBlock) => clock::sleep(PAUSE).await,
            Err(TryLockError::Error(_)) => return Held { _file: None },
        }
    }
}
