//! Instances as the control plane of the target shows them.

use super::context::{ScenarioContext, StepRun};
use super::environment;
use crate::http::TransportError;
use crate::platform::control_plane::running_instance;
use crate::targets::saas::Behind;

/// The running instance of a workspace; `Ok(None)` when there is none, or the control plane shows none.
///
/// # Errors
/// Why it could not be read.
pub(super) async fn of_workspace(
    context: &ScenarioContext,
    behind: &Behind,
    workspace: &str,
    step: &StepRun,
) -> Result<Option<String>, TransportError> {
    let request = behind.api.instances(&behind.org.slug);
    let answer = context.fetch(step, "instances of the organisation", request).await?;
    if !answer.is_success() {
        return Ok(None);
    }
    Ok(answer.json.as_ref().and_then(|body| running_instance(body, workspace)))
}

/// The same, wherever the target shows instances; `Ok(None)` too where it shows none at all.
///
/// # Errors
/// Why nobody can see whether there is one, in words.
pub(super) async fn in_sight(
    context: &ScenarioContext,
    workspace: &str,
    step: &StepRun,
) -> Result<Option<String>, String> {
    let target = &context.run.target;
    if environment::in_reach(target) {
        let read = environment::read(context, workspace, step).await;
        return read.map(|found| found.map(|e| e.instance)).map_err(|why| why.to_string());
    }
    match &target.behind {
        Some(behind) => of_workspace(context, behind, workspace, step).await.map_err(|e| e.text),
        None => Ok(None),
    }
}
