//! An agent that takes all the memory that its container may have.

use std::time::Duration;

use super::core::Core;

/// A message with this text, to an agent that is a process of its own, makes it take all its memory.
pub(super) const TAKE_ALL: &str = "lifecycle: take all memory";
/// Between the answer to that and the taking, in contract time.
pub(super) const PAUSE: Duration = Duration::from_secs(3);
const PIECE: usize = 16 << 20;
/// A limit above this is none: the machine itself would suffer.
const MOST: u64 = 8 << 30;
/// Swap may hold as much again before the kernel ends the process.
const BEYOND: u64 = 2;

/// The limit of the container that this process is in; `None`: there is none, or none that is small.
fn limit() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let text = files.iter().find_map(|path| std::fs::read_to_string(path).ok())?;
    text.trim().parse().ok().filter(|limit| *limit <= MOST)
}

/// Takes memory until the kernel ends the process; says why it did not.
pub(super) async fn take_all(core: &Core) -> String {
    let Some(limit) = limit() else {
        return "there is no limit of memory here: nothing is taken".to_owned();
    };
    core.say(&format!("taking all of {} MiB", limit >> 20));
    let taken = tokio::task::spawn_blocking(move || {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        // Written to, or the kernel would not count it.
        while (pieces.len() * PIECE) as u64 <= limit * BEYOND {
            pieces.push(vec![1; PIECE]);
        }
        std::hint::black_box(&pieces).len() * PIECE
    });
    match crate::clock::timeout(Duration::from_secs(60), taken).await {
        Ok(Ok(bytes)) => format!("{} MiB were taken, and the kernel bore it", bytes >> 20),
        _ => "taking memory took too long".to_owned(),
    }
}
