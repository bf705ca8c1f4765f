//! Whose credentials a step uses.

use crate::platform::Auth;
use crate::runner::context::ScenarioContext;
use crate::runner::outcome::Failure;
use crate::runner::scope::StepScope;
use crate::scenario::model::{Identity, WorkspaceRef};

/// Whose credentials an identity means; the workspace's own by default.
///
/// # Errors
/// A template that cannot be rendered.
pub(super) fn auth_of(
    context: &ScenarioContext,
    identity: Option<&Identity>,
    default: Auth,
    scope: &StepScope<'_>,
) -> Result<Auth, Failure> {
    Ok(match identity {
        None => default,
        Some(Identity::Admin) => Auth::Admin,
        Some(Identity::Anonymous) => Auth::Anonymous,
        Some(Identity::Workspace(WorkspaceRef { name, .. })) => context.own_auth(name),
        Some(Identity::Bearer(template)) => {
            let bearer = template.render(scope)?;
            Auth::Bearer(context.secret("bearer", &bearer), "a bearer of the step".into())
        }
    })
}
