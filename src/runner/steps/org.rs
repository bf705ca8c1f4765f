//! `org:` another organisation at the control plane of the target.

use serde_json::{Value, json};

use crate::clock;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::scenario::model::Org;
use crate::targets::saas::{Behind, Made, Maker, purge};

/// Runs the step.
pub(super) async fn run(context: &ScenarioContext, verb: &Org, step: &StepRun) -> StepResult {
    let Some(behind) = context.run.target.behind.clone() else {
        let text = "`org` needs a target with a control plane: say `needs: [org]`";
        return Err(Failure::of(FailureKind::Config, text));
    };
    let out_of_time =
        || Failure::of(FailureKind::Environment, "the organisation took longer than its step may");
    match verb {
        Org::Make { alias } => {
            // What was asked for is in the ledger: whatever comes of it is purged when the run ends.
            let maker = Maker { api: &behind.api, pattern: &behind.pattern };
            let work = maker.make(&behind.settings, &behind.http, &behind.desk);
            let made = tokio::select! {
                biased;
                made = clock::timeout_at(step.deadline, work) => made.map_err(|_| out_of_time())?,
                () = context.stop.cancelled() => return Err(Failure::of(FailureKind::Cancelled, "interrupted")),
            };
            let org = made.map_err(|e| Failure::of(FailureKind::Environment, e.what).details(e.check))?;
            let value = json!({
                "url": org.base_url,
                "id": org.id,
                "slug": org.slug,
                "token": org.admin_token.expose(),
            });
            context.state().captures.insert(alias.clone(), value);
            Ok(Passed::with(format!("{} at {}", org.slug, org.base_url)))
        }
        Org::Purge { alias } => {
            let slug = context.state().captures.get(alias).and_then(slug_of);
            let made = slug.and_then(|slug| behind.desk.open().into_iter().find(|made| made.slug == slug));
            let Some(made) = made else {
                let text = format!("`{alias}` is not an organisation of this scenario, or is purged already");
                return Err(Failure::of(FailureKind::Config, text));
            };
            match purged(context, &behind, made).await? {
                None => Ok(Passed::with("gone")),
                Some(left) => Err(Failure::product(left)),
            }
        }
    }
}

fn slug_of(org: &Value) -> Option<String> {
    org.get("slug")?.as_str().map(str::to_owned)
}

async fn purged(context: &ScenarioContext, behind: &Behind, made: Made) -> Result<Option<String>, Failure> {
    let own = behind.clone();
    let rules = own.settings.purge();
    let work = context.mutations.run(async move { purge(&own.api, &made, &own.desk, rules).await });
    work.await.map_err(|panic| Failure::of(FailureKind::Harness, panic.to_string()))
}
