//! `lifecycle sweep`: what a profile brought up and a killed run left.

use std::path::Path;
use std::time::Duration;

use super::Shell;
use super::swept::Outcome;
use crate::clock;
use crate::docker::owned::Ending;
use crate::docker::owner::Owner;
use crate::docker::tags::Untagged;
use crate::docker::{Engine, EngineError};
use crate::domain::words::count;
use crate::event::{EventKind, Left, Log, Released};
use crate::run::ledger::{Entry, Ledger};
use crate::session::off_the_engine;
use crate::targets::profile::books;
use crate::targets::profile::error::NotEnded;
use crate::targets::profile::lane::down::remove_folder;
use crate::targets::profile::lane::folder_name;
use crate::targets::profile::process::{end_left, end_marked};

/// A process has so long between being asked and being killed.
const GRACE: Duration = Duration::from_secs(10);

/// Ends processes, then removes containers, names, shares and folders.
/// `gives_up`: what cannot be reached from here is taken for ended.
pub(crate) async fn parts(shell: &Shell, path: &Path, log: &Log, parts: &[Entry], gives_up: bool) -> Outcome {
    let run = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let engine = engine(shell).await;
    let mut outcome = Outcome::default();
    for entry in parts {
        let done = match entry.kind.as_str() {
            books::PROCESS => process(entry, &run, gives_up).await,
            books::FOLDER => folder(entry, &run),
            books::TEARDOWN if gives_up => Ok("is given up".to_owned()),
            books::TEARDOWN => Err(Stays::ByHand(entry.id.clone().unwrap_or_default())),
            _ => match &engine {
                Ok(engine) => on_the_engine(engine, entry, &run).await,
                Err(why) => Err(Stays::NoEngine(why.what.clone())),
            },
        };
        let what = format!("{} {}", entry.kind, entry.name);
        match done {
            Ok(how) => {
                outcome.removed += 1;
                outcome.lines.push(format!("{what}: {how}"));
                log.emit(EventKind::Released(Released {
                    resource: entry.resource.clone(),
                    by: "sweep".to_owned(),
                    left_by_platform: None,
                }));
            }
            Err(why) => {
                outcome.left += 1;
                outcome.lines.push(format!("{what} is left: {why}"));
                log.emit(EventKind::Left(Left {
                    resource: entry.resource.clone(),
                    kind: entry.kind.clone(),
                    id: entry.id.clone(),
                    name: entry.name.clone(),
                    reason: why.to_string(),
                }));
            }
        }
    }
    // Whoever left its group still carries the mark.
    let marked = end_marked(&run, clock::sleep(GRACE)).await;
    outcome.removed += marked.ended;
    outcome.left += marked.left.len();
    let refuse = |owner: &Owner| format!("process {} is left: it refuses to be killed", owner.pid());
    outcome.lines.extend(marked.left.iter().map(refuse));
    outcome
}

/// What the platform had goes with a server that a profile brought up: nobody has its token, and its database
/// goes too. What it had on the engine is removed by its id.
pub(crate) async fn with_its_server(
    shell: &Shell,
    ledger: &Ledger,
    entries: &[Entry],
    mut outcome: Outcome,
) -> Outcome {
    if entries.is_empty() {
        return outcome;
    }
    let engine = engine(shell).await.ok();
    let mut gone = 0;
    for entry in entries {
        match off_the_engine(engine.as_ref(), entry).await {
            Ok(foreign) => {
                gone += 1;
                outcome.lines.extend(foreign.map(|what| format!("{}: {what}", entry.name)));
                ledger.release(&entry.resource, "sweep", None);
            }
            Err(why) => {
                outcome.left += 1;
                outcome.lines.push(format!("{} {} is left: {}", entry.kind, entry.name, why.what));
                ledger.leave(&entry.resource, &why.what);
            }
        }
    }
    outcome.removed += gone;
    outcome.lines.push(format!("{} went with their server", count(gone, "resource")));
    outcome
}

/// Why a part stays.
#[derive(Debug, thiserror::Error)]
enum Stays {
    /// The engine refused, or is not there.
    #[error("{}", .0.what)]
    Engine(#[from] EngineError),
    #[error("{0}")]
    NoEngine(String),
    #[error("it ran on another machine or in another container: --older-than gives it up")]
    Elsewhere,
    #[error("a sweep runs no commands of a log: type it, then sweep with --older-than 1s: {0}")]
    ByHand(String),
    #[error("it refuses to be killed")]
    Unkillable,
    #[error(transparent)]
    Process(#[from] NotEnded),
    #[error(transparent)]
    Folder(#[from] std::io::Error),
    #[error("it is not called as this run calls its folders")]
    NotOurFolder,
    #[error("nobody knows which image it was given to: docker rmi {0}")]
    UnknownImage(String),
    #[error("{}", .0.join("; "))]
    OnTheEngine(Vec<String>),
}

async fn engine(shell: &Shell) -> Result<Engine, EngineError> {
    let engine = shell.env.docker().connect()?;
    engine.ping().await?;
    Ok(engine)
}

/// The process of the ledger, and whatever else of the run carries its mark.
async fn process(entry: &Entry, run: &str, gives_up: bool) -> Result<String, Stays> {
    let known = entry.id.as_deref().and_then(Owner::parse);
    match &known {
        Some(owner) if owner.is_of_an_earlier_boot() => return Ok("had ended".to_owned()),
        Some(owner) if owner.lives().is_none() && gives_up => return Ok("is out of reach".to_owned()),
        Some(owner) if owner.lives().is_none() => {
            return Err(Stays::Elsewhere);
        }
        _ => {}
    }
    let mut ended = 0;
    if let Some(owner) = &known {
        ended += usize::from(end_left(owner, GRACE).await?);
    }
    // Killed between its start and the ledger's line about it, only the mark tells.
    if known.is_none() {
        let marked = end_marked(run, clock::sleep(GRACE)).await;
        if !marked.left.is_empty() {
            return Err(Stays::Unkillable);
        }
        ended += marked.ended;
    }
    Ok(if ended > 0 { "stopped".to_owned() } else { "had ended".to_owned() })
}

fn folder(entry: &Entry, run: &str) -> Result<String, Stays> {
    let path = Path::new(&entry.name);
    if path.file_name().is_none_or(|name| *name != *folder_name(run)) {
        return Err(Stays::NotOurFolder);
    }
    remove_folder(path)?;
    Ok("removed".to_owned())
}

async fn on_the_engine(engine: &Engine, entry: &Entry, run: &str) -> Result<String, Stays> {
    if entry.kind == books::IMAGE_TAG {
        let image = entry.id.as_deref().ok_or_else(|| Stays::UnknownImage(entry.name.clone()))?;
        let how = match engine.untag(&entry.name, image).await? {
            Untagged::Removed => "removed",
            Untagged::WasGone => "was gone",
            Untagged::SomebodyElses => "is somebody else's by now, left alone",
        };
        return Ok(how.to_owned());
    }
    // Containers and the share in the network bear the run's label.
    let left = engine.remove_run(run, Ending::Killed).await?;
    if left.is_empty() { Ok("removed".to_owned()) } else { Err(Stays::OnTheEngine(left)) }
}
