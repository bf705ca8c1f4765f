//! One process of this machine at a time: for what is looked at first and changed after.

use std::fs::File;

/// Held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Held {
    _file: Option<File>,
}

/// Waits for the lock. A temporary folder that cannot be written to is no reason to stop.
pub async fn machine() -> Held {
    let take = || {
        let path = std::env::temp_dir().join("lifecycle-docker.lock");
        let file = File::options().create(true).append(true).open(path).ok()?;
        file.lock().ok()?;
        Some(file)
    };
    Held { _file: tokio::task::spawn_blocking(take).await.ok().flatten() }
}
