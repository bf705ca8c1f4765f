//! What is read before an edge: the instance that it replaces, and the rows of the activity log.

use serde_json::{Value, json};

use crate::clock::Instant;
use crate::platform::row::Row;
use crate::platform::segment;
use crate::platform::{Auth, record};
use crate::run::instance::{Baseline, came_online, stored_id};
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::workspace::Workspace;
use crate::runner::{environment, instances};
use crate::scenario::model::{Expect, Scenario, Verb, walk};

/// What is known of an instance before an edge.
pub(super) async fn baseline(context: &ScenarioContext, workspace: &Workspace, step: &StepRun) -> Baseline {
    let row = context
        .fetch(step, "read before the edge", context.run.api.read(&workspace.id))
        .await
        .ok()
        .and_then(|a| a.json);
    if let Some(row) = &row {
        context.observe(&workspace.alias, row, "poll");
    }
    let seen = match environment::in_reach(&context.run.target) && workspace.managed {
        true => environment::remember(context, &workspace.alias, step).await,
        false => Ok(None),
    };
    let seen = match (seen.map_err(|why| why.to_string()), &context.run.target.behind) {
        (Ok(None), Some(behind)) if workspace.managed => {
            let instance = instances::of_workspace(context, behind, &workspace.id, step).await;
            let known = instance
                .map(|i| i.map(|instance| environment::Environment { instance, ..Default::default() }));
            known.map_err(|error| error.text)
        }
        (seen, _) => seen,
    };
    // Of a workspace at rest the last instance is the old one: whoever wakes it must get another.
    let last = || workspace.env.as_ref().map(|(instance, _)| instance.clone()).or(workspace.instance.clone());
    let (instance, unseen) = match seen {
        Ok(seen) => (seen.map(|e| e.instance).or_else(last), None),
        // What was read before is the old one; nobody knows of anything that came since.
        Err(why) => (last(), Some(why)),
    };
    let url = row.as_ref().map(|row| row.url());
    let at_rest = url.is_some_and(str::is_empty);
    let url = url.filter(|url| !url.is_empty()).unwrap_or(&workspace.address);
    let uptime = row.as_ref().and_then(|row| row.uptime());
    let now = context.workspace(&workspace.alias).unwrap_or_default();
    let uptime = uptime.filter(|_| !now.ageless);
    let known = now.uptime.filter(|(known, _)| Some(*known) == uptime);
    let stream_since = context.run.poller.stream_since();
    let stored = match stream_since.is_none() && workspace.managed {
        true => stored(context, workspace, "events before the edge", step).await,
        false => None,
    };
    Baseline {
        instance: instance.filter(|i| !i.is_empty()),
        unseen,
        url: url.to_owned(),
        at_rest,
        identity: row
            .as_ref()
            .map(|r| json!({ "runtime": r.runtime(), "parent_id": r.parent() }))
            .unwrap_or_default(),
        uptime,
        age: known.zip(uptime).map(|((_, since), uptime)| {
            let known = context.run.api.scale.lengthen(since.elapsed()).as_secs();
            uptime.saturating_add(i64::try_from(known).unwrap_or_default())
        }),
        edge_at: Some(Instant::now()),
        stream_since,
        stored: stored.map(|rows| rows.iter().map(stored_id).collect()),
    }
}

/// The events that the platform has stored of a workspace, newest first.
async fn stored(
    context: &ScenarioContext,
    workspace: &Workspace,
    purpose: &str,
    step: &StepRun,
) -> Option<Vec<Value>> {
    let path = format!("/events/{}", segment(&workspace.id));
    let request = context.run.api.request("GET", &path, &Auth::Admin);
    let answer = context.look(step, purpose, request).await.ok().filter(|answer| answer.status == 200)?;
    record::list(answer.json.as_ref()).map(<[Value]>::to_vec)
}

/// Whether the platform has stored since the edge that the workspace came up, where no stream told of it.
pub(super) async fn is_stored(context: &ScenarioContext, workspace: &Workspace, step: &StepRun) -> bool {
    let Some(before) = &workspace.baseline.stored else { return false };
    let rows = stored(context, workspace, "events since the edge", step).await;
    rows.is_some_and(|rows| came_online(before, &rows))
}

/// The instance of a workspace that is about to go, or why nobody can see whether it has one.
pub(super) async fn instance_before(
    context: &ScenarioContext,
    workspace: &Workspace,
    step: &StepRun,
) -> (Option<String>, Option<String>) {
    if !workspace.managed {
        return (None, None);
    }
    match instances::in_sight(context, &workspace.id, step).await {
        Ok(instance) => (instance.filter(|i| !i.is_empty()), None),
        Err(why) => (None, Some(why)),
    }
}

/// Rows of the activity log before an edge, so that a later `expect` takes none of them for new.
pub(super) async fn remember_activity(context: &ScenarioContext, alias: &str, step: &StepRun) {
    if !reads_activity(&context.scenario, alias) {
        return;
    }
    let Some(workspace) = context.workspace(alias) else { return };
    let request = context.run.api.activity(&workspace.id, "limit=500", &context.own_auth(alias));
    let answer = context.fetch(step, "activity before the edge", request).await;
    let rows = answer.as_ref().ok().filter(|a| a.status == 200).and_then(|a| a.json.as_ref()?.as_array());
    context.update(alias, |w| {
        w.activity_unknown = rows.is_none();
        if let Some(rows) = rows {
            w.activity_before = rows.iter().map(|row| record::text(row, "id").to_owned()).collect();
            w.activity_for = w.edge + 1;
        }
    });
}

/// Whether a scenario asserts the activity log of a workspace, so that edges remember what was there.
pub(super) fn reads_activity(scenario: &Scenario, alias: &str) -> bool {
    walk(&scenario.steps).chain(walk(&scenario.finally)).any(|step| match &step.verb {
        Verb::Expect(expect) => {
            matches!(&**expect, Expect::Activity { workspace, .. } if workspace.name == alias)
        }
        _ => false,
    })
}
