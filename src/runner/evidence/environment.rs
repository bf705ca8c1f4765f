//! The environment of the instance: by the rules, and beside the one before the last edge.

use std::collections::BTreeMap;

use serde_json::json;

use super::asked::{EACH, EvidenceError, Found, KEPT, get};
use crate::clock::Instant;
use crate::event::EnvVar;
use crate::platform::{Auth, record, segment};
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::environment::{self, Environment, Unread};
use crate::runner::workspace::Workspace;

/// The environment now against the rules and against the one before the last edge.
pub(super) async fn env(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
    let step = StepRun::new("evidence", Instant::now() + EACH - KEPT);
    let (instance, now, unread) = match environment::read(context, &workspace.id, &step).await {
        Ok(Some(found)) => described(context, workspace, found),
        Ok(None) => {
            // Between an old instance and a new one there is none: the row is asked on both sides of a second look.
            let before = row_status(context, workspace).await;
            match environment::read(context, &workspace.id, &step).await.map_err(EvidenceError::other)? {
                Some(found) => described(context, workspace, found),
                None => return Ok(no_instance(before, row_status(context, workspace).await)),
            }
        }
        // What a step has read since the last edge is what it judged.
        Err(why) => match &workspace.env {
            Some((instance, vars)) => (instance.clone(), vars.clone(), Some(why)),
            None => return Err(EvidenceError::other(why)),
        },
    };
    let mut lines = vec![format!(
        "instance {instance} (before the {}: {})",
        workspace.edge_name,
        workspace.baseline.instance.as_deref().unwrap_or("none")
    )];
    lines.extend(unread.map(|why| format!("as the step read it; a look after the failure: {why}")));
    lines.extend(now.values().filter(|v| v.ok == Some(false)).map(|v| {
        let is = if v.set { v.value.as_str() } else { "unset" };
        format!(
            "{}: {is}, expected {} ({})",
            v.name,
            v.expected.as_deref().unwrap_or("?"),
            v.rule.as_deref().unwrap_or("?")
        )
    }));
    let before = workspace.env_before.as_ref();
    let difference = before.map(|before| environment::difference(before, &now)).unwrap_or_default();
    lines.extend(difference.iter().map(|line| format!("over the {}: {line}", workspace.edge_name)));
    Ok(Found {
        lines,
        data: json!({
            "instance": instance, "after": now, "before": before, "difference": difference,
            "right_before": (workspace.edge > 0 && !workspace.env_right.is_empty()).then_some(&workspace.env_right),
        }),
    })
}

/// An environment that was read just now: its instance, and its variables by name.
fn described(
    context: &ScenarioContext,
    workspace: &Workspace,
    found: Environment,
) -> (String, BTreeMap<String, EnvVar>, Option<Unread>) {
    let vars = environment::describe(context, workspace, &found);
    (found.instance, vars.into_iter().map(|v| (v.name.clone(), v)).collect(), None)
}

/// No instance, and what the row said around that look; `status` only where it stood still.
fn no_instance(before: Result<String, EvidenceError>, after: Result<String, EvidenceError>) -> Found {
    let (line, data) = match (before, after) {
        (Ok(before), Ok(after)) if before == after => (
            format!("there is no instance, and the row says {after}"),
            json!({ "instance": null, "status": after }),
        ),
        (Ok(before), Ok(after)) => (
            format!("there is no instance at this moment: the row goes from {before} to {after}"),
            json!({ "instance": null }),
        ),
        (Err(why), _) | (_, Err(why)) => {
            let row = match &why {
                why if why.is_gone() => format!("workspace not found ({why})"),
                why => format!("the row: {why}"),
            };
            (format!("no instance; {row}"), json!({ "instance": null }))
        }
    };
    Found { lines: vec![line], data }
}

async fn row_status(context: &ScenarioContext, workspace: &Workspace) -> Result<String, EvidenceError> {
    let path = format!("/workspaces/{}?include_removed=true", segment(&workspace.id));
    let request = context.run.api.request("GET", &path, &Auth::Admin);
    let row = get(context, "evidence: row beside the instance", request).await?;
    Ok(record::text(&row, "status").to_owned())
}
