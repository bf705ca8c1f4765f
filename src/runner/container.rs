//! The container of a workspace, on an engine that is the server's.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::context::ScenarioContext;
use super::workspace::Workspace;
use crate::clock::Instant;
use crate::docker::{Container, Engine, EngineError, ErrorKind};
use crate::domain::Status;
use crate::platform::ask::{Asker, Outcome};
use crate::platform::filing::Unrecorded;
use crate::platform::policy;
use crate::platform::row::Row;

/// The container; `Ok(None)` when there is none.
///
/// # Errors
/// What the engine says, or that it does not hold the server's containers ([`ErrorKind::Elsewhere`]): nothing of this
/// run was ever seen there, and the row is online.
pub(super) async fn of_workspace(
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
    let asker =
        Asker { stop: Some(&context.stop), ..Asker::new(&context.run.api, Arc::new(Unrecorded), deadline) };
    let row = match asker.ask("read the row", context.run.api.read(id), &policy::LOOK).await {
        Outcome::Answer(answer) => answer.json,
        other => {
            let why = other.said();
            return elsewhere(format!("it has no container here, and its row cannot be read: {why}"));
        }
    };
    if row.as_ref().and_then(Row::status) != Some(Status::Online) {
        return Ok(None);
    }
    elsewhere(
        "it is online and has no container here: this engine does not hold the server's containers (look at \
         DOCKER_HOST and contexts, or run without --docker)"
            .to_owned(),
    )
}

/// How often the engine started a workspace's container again by itself.
pub(super) async fn restarts(context: &ScenarioContext, workspace: &Workspace) -> Option<i64> {
    shown(context, workspace).await.map(|container| container.restarts)
}

/// What the engine shows of a workspace that its row calls up, and that a row does not show.
pub(super) async fn unlike_its_row(
    context: &ScenarioContext,
    workspace: &Workspace,
    before: i64,
) -> Vec<String> {
    let Some(container) = shown(context, workspace).await else { return Vec::new() };
    let again = container.restarts - before;
    let restarted = (again > 0).then(|| format!("the engine started its container again, {again} times"));
    let state = &container.status;
    let stands = (state != "running").then(|| format!("its container is {state}"));
    restarted.into_iter().chain(stands).collect()
}

async fn shown(context: &ScenarioContext, workspace: &Workspace) -> Option<Container> {
    let engine = context.run.target.engine.as_ref().filter(|_| workspace.managed)?;
    engine.of_workspace(&workspace.id).await.ok()?
}
