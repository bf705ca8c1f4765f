//! `lifecycle sweep --docker`: what dead runs of ours left on an engine, by our label.

use std::collections::BTreeSet;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Shell;
use super::args::SweepArgs;
use super::failure::CliError;
use crate::docker::agent_image::Recipe;
use crate::docker::owned::{Ending, Owned};
use crate::docker::{Engine, names};
use crate::domain::ExitCode;
use crate::run::folder;
use crate::targets::{self, OpenError};

/// A kill is so long ago at most while its consequences may still show.
const JUST_NOW: Duration = Duration::from_secs(60);
/// The last event of a log is not longer.
const TAIL: u64 = 64 << 10;

/// How many were removed and how many are left.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Swept {
    pub removed: usize,
    pub left: usize,
}

/// The engine that a sweep looks at.
pub(super) async fn engine(shell: &Shell) -> Result<Engine, CliError> {
    targets::docker::engine(&shell.env.docker()).await.map_err(|e: OpenError| CliError::from(e))
}

/// Removes what one run made.
pub(super) async fn of_run(engine: &Engine, run: &str) -> Result<Vec<String>, CliError> {
    engine.remove_run(run, Ending::Killed).await.map_err(|e| CliError::from(OpenError::from(e)))
}

/// Removes what every dead run made.
pub(super) async fn all(args: &SweepArgs, shell: &Shell) -> Result<Swept, CliError> {
    let fail = |e: crate::docker::EngineError| CliError::from(OpenError::from(e));
    let engine = engine(shell).await?;
    let owned = engine.owned(None).await.map_err(fail)?;
    let mut runs: BTreeSet<String> = owned.iter().map(|o| o.run.clone()).collect();
    let network = engine.network(names::NETWORK).await.map_err(fail)?;
    runs.extend(network.and_then(|n| n.labels.get(names::RUN).cloned()));
    if !args.dry_run {
        runs.extend(just_killed(&shell.runs_dir));
    }
    let mut swept = Swept::default();
    let mut some_live = false;
    for run in runs {
        let things: Vec<&Owned> = owned.iter().filter(|o| o.run == run).collect();
        if let Some(why) = spared(&run, &things, &shell.runs_dir, args.older_than) {
            some_live |= !things.is_empty();
            shell.printer.note(&format!("{run}: {why}, left alone"))?;
            continue;
        }
        if args.dry_run {
            for thing in things {
                shell.printer.data(&format!("{run}: would remove {}", thing.what()))?;
            }
            continue;
        }
        let left = of_run(&engine, &run).await?;
        for what in &left {
            shell.printer.data(&format!("{run}: could not remove {what}"))?;
        }
        if !things.is_empty() {
            shell.printer.data(&format!(
                "{run}: removed {} things from the engine",
                things.len() - left.len().min(things.len())
            ))?;
        }
        swept.removed += things.len().saturating_sub(left.len());
        swept.left += left.len();
    }
    if !args.dry_run && !some_live {
        old_images(&engine, shell).await?;
    }
    Ok(swept)
}

/// Runs that were killed a moment ago: the engine may still be at work on what they asked for last, so that nothing of
/// theirs shows yet.
fn just_killed(runs_dir: &Path) -> impl Iterator<Item = String> {
    let killed = |folder: &PathBuf| {
        let log = folder.join("events.jsonl");
        let written = std::fs::metadata(&log).and_then(|m| m.modified()).ok();
        let recent = written.and_then(|at| at.elapsed().ok()).is_some_and(|ago| ago < JUST_NOW);
        recent && !folder::is_live(folder) && !ended(&log)
    };
    let name = |folder: PathBuf| Some(folder.file_name()?.to_string_lossy().into_owned());
    folder::list(runs_dir).into_iter().filter(killed).filter_map(name)
}

/// Whether a log's last event is its end.
fn ended(log: &Path) -> bool {
    let tail = std::fs::File::open(log).and_then(|mut file| {
        let from = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(String::from_utf8_lossy(&tail).into_owned())
    });
    tail.is_ok_and(|tail| tail.lines().last().is_some_and(|line| line.contains("\"run_finished\"")))
}

/// Why a run's things are not to be touched now.
fn spared(
    run: &str,
    things: &[&Owned],
    runs_dir: &Path,
    older_than: Option<Duration>,
) -> Option<&'static str> {
    let folder = runs_dir.join(run);
    let ended = folder.is_dir() && !folder::is_live(&folder);
    if folder::is_live(&folder) {
        return Some("lives");
    }
    if !ended {
        let owners: Vec<Option<bool>> = things.iter().map(|o| o.owner.as_ref()?.lives()).collect();
        if owners.contains(&Some(true)) {
            return Some("lives");
        }
        // Of another machine or container, or before a restart of this one: only age can tell.
        if owners.contains(&None) && older_than.is_none() {
            return Some("another machine's or container's, and nobody said --older-than");
        }
    }
    older_than.filter(|limit| age(run).is_none_or(|age| age < *limit)).map(|_| "too young")
}

/// How long ago a run began: its name says so.
fn age(run: &str) -> Option<Duration> {
    let began = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", run.get(..15)?).ok()?;
    let began = began.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Duration::try_from(crate::clock::wall().duration_since(began)).ok()
}

/// Agent images of other builds, while nobody runs.
async fn old_images(engine: &Engine, shell: &Shell) -> Result<(), CliError> {
    let Ok(Ok(recipe)) = tokio::task::spawn_blocking(Recipe::of_this_program).await else { return Ok(()) };
    for image in engine.old_agent_images(&recipe.tag).await.unwrap_or_default() {
        if engine.remove_image(&image).await {
            shell.printer.data(&format!("removed the image {image} of another build"))?;
        }
    }
    Ok(())
}

/// A run whose platform lived in its process and is gone with it: only the engine knows more.
pub(super) async fn went_with_its_platform(shell: &Shell, run: &str) -> Result<(), CliError> {
    let left = of_run(&engine(shell).await?, run).await?;
    if left.is_empty() { Ok(()) } else { Err(CliError::new(ExitCode::Leak, left.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_name_says_how_old_it_is() {
        assert!(age("20200101-000000-0a1b2c3d").unwrap() > Duration::from_secs(86_400));
        assert_eq!(age("nonsense"), None);
        assert_eq!(age("20269999-000000-x"), None);
    }
}
