//! `org:` another organisation at the control plane of the target.

use serde_json::{Value, json};

use crate::clock::{self, Instant};
use crate::domain::time;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::scenario::model::Org;
use crate::targets::saas::{Behind, Made, Maker, NotGone, purge_early};

/// Runs the step.
pub(super) async fn run(context: &ScenarioContext, verb: &Org, step: &StepRun) -> StepResult {
    let Some(behind) = context.run.target.behind.clone() else {
        let text = "`org` needs a target with a control plane: say `needs: [org]`";
        return Err(Failure::of(FailureKind::Config, text));
    };
    match verb {
        Org::Make { alias } => {
            let maker = Maker { api: &behind.api, pattern: &behind.pattern };
            let work = maker.make(&behind.settings, &behind.http, &behind.desk);
            let made = while_the_step_lasts(context, step, work).await?;
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
            purged(context, step, &behind, &made).await
        }
    }
}

fn slug_of(org: &Value) -> Option<String> {
    org.get("slug")?.as_str().map(str::to_owned)
}

async fn purged(context: &ScenarioContext, step: &StepRun, behind: &Behind, made: &Made) -> StepResult {
    let (began, rules) = (Instant::now(), behind.settings.purge());
    let work = purge_early(&behind.api, made, &behind.desk, rules);
    let Err(why) = while_the_step_lasts(context, step, work).await? else { return Ok(Passed::with("gone")) };
    let (took, limit) = (time::show(began.elapsed()), time::show(rules.limit));
    let kind = match &why {
        NotGone::Remains(_) => FailureKind::Product,
        NotGone::Unproven(_) => FailureKind::Environment,
    };
    Err(Failure::of(kind, format!("the organisation {}: {why} (after {took}, limit {limit})", made.slug)))
}

/// What a control plane is asked for is dropped when the step ends: the ledger of organisations has what may be there, and
/// the end of the run purges it.
async fn while_the_step_lasts<T>(
    context: &ScenarioContext,
    step: &StepRun,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let out_of_time =
        || Failure::of(FailureKind::Environment, "the organisation took longer than its step may");
    tokio::select! {
        biased;
        done = clock::timeout_at(step.deadline, work) => done.map_err(|_| out_of_time()),
        () = context.stop.cancelled() => Err(Failure::of(FailureKind::Cancelled, "interrupted")),
    }
}
