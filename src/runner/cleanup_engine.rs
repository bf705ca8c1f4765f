//! What a deleted workspace still has on the engine.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cleanup_gone::{Gone, Seen, Stays};
use super::evidence::container::WINDOW;
use crate::clock::{self, Instant};
use crate::docker::{Engine, ErrorKind, names};

/// What cannot be removed for this long stays.
const STUCK: Duration = Duration::from_secs(10);
/// An engine whose calls are not answered for so long is not asked any more.
const SILENT: Duration = Duration::from_secs(40);
/// What does not answer by the end of a clean-up has so much longer to say why.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Where the things of a workspace are looked for, and until when.
pub(super) struct Place<'a> {
    pub(super) engine: &'a Engine,
    pub(super) id: &'a str,
    pub(super) deadline: Instant,
}

/// What an engine still has of a workspace whose row cannot be removed: the words for what went.
pub(super) async fn strip(engine: &Engine, id: &str, deadline: Instant) -> Result<Option<String>, Stays> {
    let seen = Place { engine, id, deadline }.look(None).await?;
    Ok(seen.gone.left_by_platform)
}

pub(super) fn together(all: BTreeSet<String>) -> Option<String> {
    let text = all.into_iter().collect::<Vec<_>>().join("; ");
    (!text.is_empty()).then_some(text)
}

/// Whether the engine remembers a container of a workspace.
pub(super) async fn had_one(engine: &Engine, id: &str) -> bool {
    engine.events(&names::container(id), WINDOW).await.is_ok_and(|events| !events.is_empty())
}

impl Place<'_> {
    /// Removes what is there, and answers in time.
    pub(super) async fn look(&self, left: Option<String>) -> Result<Seen, Stays> {
        tokio::select! {
            biased;
            seen = self.remove(left) => seen,
            () = clock::sleep_until(self.deadline + LAST_WORD) => {
                Err(Stays::Engine("the engine did not say in time what is left of it".to_owned()))
            }
        }
    }

    /// The container and the volumes that bear the workspace's id: what is there now, nobody else removes
    /// any more (contract L1, L2).
    async fn remove(&self, left: Option<String>) -> Result<Seen, Stays> {
        let Place { engine, id, deadline } = *self;
        let began = Instant::now();
        let mut found: BTreeSet<String> = left.into_iter().collect();
        let mut seen = false;
        loop {
            let (mut there, mut stuck, mut silent) = (false, String::new(), false);
            let (container, foreign) = match engine.of_workspace(id).await {
                Ok(container) => (container.filter(|c| c.status != "removing"), None),
                Err(error) if error.kind == ErrorKind::Foreign => (None, Some(error.what)),
                Err(error) => {
                    // One call that is not answered says nothing: a busy engine answers the next.
                    (stuck, silent) = (error.what, true);
                    (None, None)
                }
            };
            if let Some(container) = container {
                (there, seen) = (true, true);
                found.insert(format!(
                    "container {} was {} after the delete (contract L1)",
                    container.name, container.status
                ));
                stuck = engine.remove(&container.id).await.err().map(|e| e.what).unwrap_or_default();
            }
            let volumes = match engine.volumes_of_workspace(id).await {
                Ok(volumes) => volumes,
                Err(error) => {
                    (stuck, silent) = (error.what, true);
                    Vec::new()
                }
            };
            for volume in volumes {
                let text = format!("volume {} (contract L2)", volume.name);
                match engine.remove_volume(&volume.name).await {
                    // Whoever took the name may use it.
                    Err(used) if used.kind == ErrorKind::Conflict && foreign.is_some() => continue,
                    Err(error) => stuck = error.what,
                    Ok(_) => {}
                }
                there = true;
                found.insert(text);
            }
            let now = Instant::now();
            if !there && !silent {
                return Ok(Seen { gone: Gone { foreign, ..Gone::left(together(found)) }, instance: seen });
            }
            // What was removed just now is looked for again, however long a busy engine took over it.
            let patience = if silent { SILENT } else { STUCK };
            if now >= deadline || (!stuck.is_empty() && now >= began + patience) {
                return Err(Stays::Engine(stuck));
            }
            if !stuck.is_empty() {
                clock::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
