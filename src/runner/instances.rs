//! Instances as the control plane of the target shows them.

use super::context::{ScenarioContext, StepRun};
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
