//! The container of a workspace, on an engine that is the server's.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::context::ScenarioContext;
use crate::clock::Instant;
use crate::docker::{Container, Engine, EngineError, ErrorKind};
use crate::domain::Status;
use crate::platform::record;

/// The row is read within this.
const READ: Duration = Duration::from_secs(5);

/// The container; `Ok(None)` when there is none.
///
/// # Errors
/// What the engine says, or that it does not hold the server's containers ([`ErrorKind::Elsewhere`]): nothing of this
/// run was ever seen there, and the row is online.
pub async fn of_workspace(
    context: &ScenarioContext,
    engine: &Engine,
    id: &str,
    deadline: Instant,
) -> Result<Option<Container>, EngineError> {
    let found = engine.of_workspace(id).await?;
    let proven = &context.run.engine_proven;
    if found.is_some() {
        proven.store(true, Ordering::Relaxed);
    }
    if proven.load(Ordering::Relaxed) {
        return Ok(found);
    }
    let elsewhere = |why: String| Err(EngineError::new(ErrorKind::Elsewhere, why));
    let bound = deadline.min(Instant::now() + READ);
    let row = match context.run.api.client.send(&context.run.api.read(id), bound).await {
        Ok(answer) => answer.json,
        Err(error) => {
            return elsewhere(format!(
                "it has no container here, and its row cannot be read: {}",
                error.text
            ));
        }
    };
    if row.as_ref().and_then(record::status) != Some(Status::Online) {
        return Ok(None);
    }
    elsewhere(
        "it is online and has no container here: this engine does not hold the server's containers (look at \
         DOCKER_HOST and contexts, or run without --docker)"
            .to_owned(),
    )
}
