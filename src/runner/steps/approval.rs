//! A request that waits for an approval: the decision, and the request once more.

use serde_json::json;

use super::answer;
use crate::http::{Payload, Request, Response};
use crate::platform::{Auth, record, segment};
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::Failure;
use crate::runner::scope::StepScope;
use crate::scenario::verbs::http::Approval;

/// The approval that an answer waits for.
pub(super) fn waits_for(answer: &Response) -> Option<String> {
    let body = answer.json.as_ref()?;
    let id = record::text(body, "approval_id");
    (record::text(body, "status") == "pending_approval" && !id.is_empty()).then(|| id.to_owned())
}

/// Decides, and sends the request once more; gives what is answered then.
///
/// # Errors
/// The decision is refused, or is not answered in time, or does not help.
pub(super) async fn decide(
    context: &ScenarioContext,
    approval: &Approval,
    id: &str,
    request: Request,
    purpose: &str,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> Result<Response, Failure> {
    let workspace = approval.workspace.render(scope)?;
    let path = format!("/workspaces/{}/approvals/{}/decide", segment(&workspace), segment(id));
    let body = json!({ "decision": approval.decision, "decided_by": approval.by });
    let decision =
        Request { body: Payload::Json(body), ..context.run.api.request("POST", &path, &Auth::Admin) };
    let what = format!("decide on the approval that {purpose} waits for");
    let said = context.mutate(step, &what, decision).await;
    let said = said.map_err(|e| Failure::transport(&what, &e))?;
    if !said.is_success() {
        let text = format!(
            "{purpose} waits for the approval {id}, and `{}` was not taken: {}",
            approval.decision,
            answer::describe(&said)
        );
        return Err(answer::unwanted(&said, text));
    }
    let again = context.mutate(step, purpose, request).await;
    let again = again.map_err(|e| Failure::transport(purpose, &e))?;
    match waits_for(&again) {
        Some(next) if approval.approves() => {
            let which = if next == id { "the same approval" } else { "another one" };
            Err(Failure::product(format!(
                "{purpose} was approved ({id}) and waits for {which} when it is sent once more"
            )))
        }
        _ => Ok(again),
    }
}
