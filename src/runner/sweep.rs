//! The removal of what an earlier run left: once more by name, then by its ledger, then what came back since.

use std::time::Duration;

use futures_util::future::join_all;

use super::cleanup::{clean, remove_workspace};
use super::cleanup_gone::Gone;
use super::cleanup_late::{self, Eye};
use super::cleanup_look::{Looked, look};
use super::context::RunContext;
use super::twins;
use crate::clock::Instant;
use crate::domain::Status;
use crate::platform::row::Row;
use crate::run::ledger::Entry;

/// One sweep of one run may not take longer.
const BUDGET: Duration = Duration::from_secs(300);
/// What came back after an earlier removal is looked for within this.
const LOOK_BACK: Duration = Duration::from_secs(20);

/// What a sweep found of what an earlier clean-up had removed.
#[derive(Debug, Default)]
pub struct Back {
    /// So much was removed again.
    pub removed: usize,
    /// So much came back and stays.
    pub left: usize,
    /// For people.
    pub lines: Vec<String>,
}

/// Removes what is still owed, and what came back of `watched`, which an earlier clean-up removed.
pub async fn sweep(run: &RunContext, watched: &[Entry]) -> Back {
    if !run.ledger.all_open().is_empty() {
        twins::look(run, Instant::now() + BUDGET).await;
    }
    clean(run, run.ledger.all_open(), Instant::now() + BUDGET, "sweep").await;
    look_back(run, watched, Instant::now() + LOOK_BACK).await
}

/// What became of one resource that was looked for again.
enum Again {
    Nothing,
    Removed(String),
    Stays(String),
    Told(String),
}

/// Removes what of an earlier run came back after its removal, or comes back yet; a line for each.
async fn look_back(run: &RunContext, watched: &[Entry], deadline: Instant) -> Back {
    let looks = watched.iter().map(|entry| again(run, entry, deadline));
    let mut back = Back::default();
    for (entry, found) in watched.iter().zip(join_all(looks).await) {
        let what = format!("{} {}", entry.name, entry.id.as_deref().unwrap_or_default());
        back.lines.push(match found {
            Again::Nothing => continue,
            Again::Removed(how) => {
                back.removed += 1;
                format!("removed what came back of {what} ({how})")
            }
            Again::Stays(why) => {
                back.left += 1;
                format!("could not remove what came back of {what}: {why}; `lifecycle sweep` looks again")
            }
            Again::Told(told) => format!("{what}: {told}"),
        });
    }
    back
}

async fn again(run: &RunContext, entry: &Entry, deadline: Instant) -> Again {
    let Some(id) = entry.id.as_deref() else { return Again::Nothing };
    let row = look(run, id, "look for what came back", deadline).await;
    let there = matches!(&row, Looked::There(row) if row.status() != Some(Status::Removed));
    let gone = match Eye::of(run, entry) {
        _ if there => remove_workspace(run, entry, id, deadline).await.map(|gone| {
            let row = "its row came back".to_owned();
            Gone { left_by_platform: gone.left_by_platform.or(Some(row)), ..gone }
        }),
        Some(eye) => cleanup_late::verify_again(run, eye, entry, id, deadline).await,
        None => return Again::Nothing,
    };
    let gone = match gone {
        Ok(gone) => cleanup_late::came(run, entry, gone, deadline).await,
        stays => stays,
    };
    match gone {
        Ok(Gone { left_by_platform: Some(what), .. }) => Again::Removed(what),
        Ok(Gone { told: Some(what), .. }) => Again::Told(what),
        Ok(_) => Again::Nothing,
        Err(why) if there => Again::Stays(why.to_string()),
        Err(why) => Again::Told(format!("whether it came back is not known: {why}")),
    }
}
