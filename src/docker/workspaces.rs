//! The container and the volumes of a workspace: by its id, which must be one, and never somebody else's.

use super::volumes::Volume;
use super::{Container, Engine, EngineError, ErrorKind, names};

/// What was found under a workspace's names, and stays.
pub(crate) fn foreign(container: &str) -> String {
    format!("container {container} is somebody else's, not touched")
}

/// An id makes names of containers and volumes: `1` or `..` would make somebody else's.
fn is_id(id: &str) -> Result<(), EngineError> {
    if names::is_workspace(id) {
        return Ok(());
    }
    let what =
        format!("{id:?} is not an id of a workspace (a UUID): nothing on the engine is looked for by it");
    Err(EngineError::new(ErrorKind::BadSettings, what))
}

/// One that merely bears a workspace's name is nobody's of ours.
fn is_the_platforms(container: &Container) -> bool {
    [names::MANAGED, names::RUN].iter().any(|label| container.labels.contains_key(*label))
}

impl Engine {
    /// The container of a workspace.
    ///
    /// # Errors
    /// The id is none, somebody else's container bears the name ([`ErrorKind::Foreign`]), or the engine refuses.
    pub async fn of_workspace(&self, id: &str) -> Result<Option<Container>, EngineError> {
        is_id(id)?;
        match self.inspect(&names::container(id)).await? {
            Some(container) if !is_the_platforms(&container) => {
                Err(EngineError::new(ErrorKind::Foreign, foreign(&container.name)))
            }
            Some(found) => Ok(Some(found)),
            // Older servers gave a part of the id (contract §9); only a label tells theirs from anybody's.
            None => match names::legacy(id) {
                Some(older) => Ok(self.inspect(&older).await?.filter(is_the_platforms)),
                None => Ok(None),
            },
        }
    }

    /// The volumes of a workspace that there are.
    ///
    /// # Errors
    /// The id is none, or the engine refuses.
    pub async fn volumes_of_workspace(&self, id: &str) -> Result<Vec<Volume>, EngineError> {
        is_id(id)?;
        self.volumes_named(&names::volumes(id)).await
    }

    /// Removes the container and the volumes of a workspace; gives what is somebody else's and stays.
    ///
    /// # Errors
    /// The id is none, or the engine refuses.
    pub async fn remove_workspace(&self, id: &str) -> Result<Option<String>, EngineError> {
        let stays = match self.of_workspace(id).await {
            Ok(Some(container)) => {
                self.remove(&container.id).await?;
                None
            }
            Ok(None) => None,
            Err(foreign) if foreign.kind == ErrorKind::Foreign => Some(foreign.what),
            Err(error) => return Err(error),
        };
        for volume in self.volumes_of_workspace(id).await? {
            match self.remove_volume(&volume.name).await {
                // Whoever took the name may use it.
                Err(used) if used.kind == ErrorKind::Conflict && stays.is_some() => {}
                other => _ = other?,
            }
        }
        Ok(stays)
    }
}
