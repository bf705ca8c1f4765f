//! `expect:` the stored row, the environment, the activity log, the event stream, absence.

use std::time::Duration;

use serde_json::Value;

use super::await_status::known;
use super::expect_fits;
use super::last_look::LastLook;
use super::look::{Look, unseen};
use crate::clock::{self, Instant};
use crate::domain::Status;
use crate::event::EnvVar;
use crate::platform::record;
use crate::run::wait::pause;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::environment;
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::scope::StepScope;
use crate::runner::workspace::Workspace;
use crate::scenario::model::{ActivityRow, ActivitySource, Expect, Matcher};

/// Runs the step: looks again until it holds or the step's time is over.
pub(super) async fn run(
    context: &ScenarioContext,
    verb: &Expect,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let began = Instant::now();
    let mut last = LastLook::default();
    loop {
        let looked = Instant::now();
        let look = match verb {
            Expect::Row { workspace, json } => row(context, &workspace.name, json, step, scope).await?,
            Expect::Env { workspace, satisfies_provider, stable, vars } => {
                let wanted = EnvWanted { provider: *satisfies_provider, stable: *stable, vars };
                env(context, &workspace.name, &wanted, step, scope).await?
            }
            Expect::Activity { workspace, row, has } => {
                activity(context, &workspace.name, row, *has, step, scope).await?
            }
            Expect::Event { workspace, event } => event_seen(context, &workspace.name, event)?,
            Expect::Value { left, is } => expect_fits::value(&left.render(scope)?, is, scope),
            Expect::Gone { workspace } => gone(context, &workspace.name, step).await?,
            Expect::Container(wanted) => super::expect_container::look(context, wanted, step, scope).await?,
        };
        let failure = match look {
            Look::Right(passed) => return Ok(passed),
            Look::NotYet(failure) => failure,
        };
        let failure = last.of(failure, looked, step.deadline);
        let once =
            matches!(verb, Expect::Value { .. }) || matches!(verb, Expect::Activity { has: false, .. });
        if once || Instant::now() >= step.deadline || context.stop.is_cancelled() {
            return Err(failure);
        }
        let pause = pause(began.elapsed()).max(Duration::from_millis(20));
        tokio::select! {
            biased;
            () = context.stop.cancelled() => {}
            () = clock::sleep_until((Instant::now() + pause).min(step.deadline)) => {}
        }
    }
}

/// The stored row: the single read, completed by the admin list, because each hides fields.
async fn row(
    context: &ScenarioContext,
    alias: &str,
    json: &[(crate::scenario::model::JsonPath, Vec<Matcher>)],
    step: &StepRun,
    scope: &StepScope<'_>,
) -> Result<Look, Failure> {
    let workspace = known(context, alias)?;
    let stored = match stored_row(context, &workspace, step).await {
        Ok(stored) => stored,
        Err(failure) => return Ok(Look::NotYet(failure.about(alias))),
    };
    context.observe(alias, &stored.merged, "poll");
    Ok(expect_fits::row(alias, json, stored, scope))
}

/// Single read and admin list, merged.
async fn stored_row(
    context: &ScenarioContext,
    workspace: &Workspace,
    step: &StepRun,
) -> Result<expect_fits::Stored, Failure> {
    let answer = context.look(step, "read the row", context.run.api.read(&workspace.id)).await;
    let answer = answer.map_err(|e| Failure::transport("read the row", &e))?;
    let single = expect_fits::single(&answer, &workspace.id)?;
    let listed = context.row_of_list(step, &workspace.id).await;
    let (list, row) = listed.map_err(|e| Failure::transport("read the list", &e))?;
    Ok(expect_fits::stored(single, &list, row))
}

struct EnvWanted<'a> {
    provider: bool,
    stable: bool,
    vars: &'a [(String, Vec<Matcher>)],
}

/// The environment of the new instance: an old or absent one is "not yet"; online is not required.
async fn env(
    context: &ScenarioContext,
    alias: &str,
    wanted: &EnvWanted<'_>,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> Result<Look, Failure> {
    let workspace = known(context, alias)?;
    let not_yet = |kind, text: String| Look::NotYet(Failure::of(kind, text).about(alias));
    let found = match environment::read(context, &workspace.id, step).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            return Ok(not_yet(
                FailureKind::Product,
                format!("{alias} has no instance whose environment could be read"),
            ));
        }
        Err(why) => {
            return Ok(not_yet(FailureKind::Environment, format!("the environment of {alias}: {why}")));
        }
    };
    if let Some(why) = &workspace.baseline.unseen
        && !workspace.baseline.holds(&found.instance)
    {
        return Err(unseen(&workspace, why));
    }
    let old = workspace.baseline.holds(&found.instance);
    context.run.ledger.unfinished(&workspace.id, old);
    if old {
        let text = format!("{alias} still runs the instance from before the {}", workspace.edge_name);
        return Ok(not_yet(FailureKind::Product, text));
    }
    let already = workspace.env.as_ref().is_some_and(|(instance, _)| *instance == found.instance);
    let vars = if already { Vec::new() } else { environment::describe(context, &workspace, &found) };
    let vars: std::collections::BTreeMap<String, EnvVar> = match (already, workspace.env.clone()) {
        (true, Some((_, vars))) => vars,
        _ => vars.into_iter().map(|v| (v.name.clone(), v)).collect(),
    };
    context.update(alias, |w| w.env = Some((found.instance.clone(), vars.clone())));
    let mut wrong = Vec::new();
    if wanted.provider {
        wrong.extend(expect_fits::unlike_rules(vars.values()));
        if let Some(abort) = environment::projection(context, &workspace).abort {
            wrong.push(format!("the rules expect no instance at all: {}", abort.message));
        }
    }
    if wanted.stable
        && let Some(before) = &workspace.env_before
    {
        let unexplained = environment::unexplained(before, &vars);
        wrong.extend(
            unexplained.into_iter().map(|line| format!("changed over the {}: {line}", workspace.edge_name)),
        );
    }
    for (name, matchers) in wanted.vars {
        let value = found.vars.get(name).map(|v| Value::String(v.clone()));
        for matcher in matchers {
            if let Err(mismatch) = matcher.check(value.as_ref(), scope) {
                wrong.push(context.run.log.redactor().text(&format!("{name}: {mismatch}")).into_owned());
            }
        }
    }
    let mut lines = wrong.into_iter();
    match lines.next() {
        None => Ok(Look::Right(Passed::with(format!("{} variables of {}", vars.len(), found.instance)))),
        // The environment of an instance never changes: looking again could only hide it.
        Some(first) => {
            let count = lines.len();
            let more = if count > 0 { format!(" (and {count} more)") } else { String::new() };
            let text = format!("environment of {alias} after {}: {first}{more}", workspace.edge_name);
            Err(Failure::product(text).details(lines).about(alias))
        }
    }
}

async fn activity(
    context: &ScenarioContext,
    alias: &str,
    wanted: &ActivityRow,
    has: bool,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> Result<Look, Failure> {
    let workspace = known(context, alias)?;
    let request = context.run.api.activity(&workspace.id, "limit=500", &context.own_auth(alias));
    let rows = match context.look(step, "activity", request).await {
        Ok(answer) if answer.status == 200 && record::list(answer.json.as_ref()).is_some() => {
            record::list(answer.json.as_ref()).unwrap_or_default().to_vec()
        }
        Ok(answer) => {
            return Ok(Look::NotYet(
                super::answer::unwanted(
                    &answer,
                    format!("activity of {alias}: {}", super::answer::describe(&answer)),
                )
                .about(alias),
            ));
        }
        Err(error) => return Ok(Look::NotYet(Failure::transport("activity", &error).about(alias))),
    };
    let text = wanted.text.as_ref().map(|t| t.render(scope)).transpose()?;
    let source = match &wanted.source {
        Some(ActivitySource::Workspace(of)) => context.workspace(&of.name).map(|w| w.id),
        _ => None,
    };
    let log = expect_fits::ActivityLog {
        alias,
        rows: &rows,
        before: &workspace.activity_before,
        unknown: workspace.activity_unknown,
        edge: &workspace.edge_name,
    };
    expect_fits::activity(&log, wanted, has, text.as_deref(), source.as_deref())
}

fn event_seen(context: &ScenarioContext, alias: &str, event: &str) -> Result<Look, Failure> {
    let workspace = known(context, alias)?;
    let since = workspace.baseline.edge_at.or(workspace.edge_at).unwrap_or_else(Instant::now);
    let events = context.run.poller.events_since(&workspace.id, since);
    if events.iter().any(|e| e.kind == event) {
        return Ok(Look::Right(Passed::default()));
    }
    let kinds: Vec<&str> = events.iter().map(|e| e.kind.as_str()).collect();
    let text = format!(
        "no {event} of {alias} on the stream since the {}; seen: {}",
        workspace.edge_name,
        if kinds.is_empty() { "nothing".into() } else { kinds.join(", ") }
    );
    Ok(Look::NotYet(Failure::product(text).about(alias)))
}

/// Gone: the single read says so and the list does not have it.
async fn gone(context: &ScenarioContext, alias: &str, step: &StepRun) -> Result<Look, Failure> {
    let workspace = known(context, alias)?;
    let unseen = |what: &str, error| Ok(Look::NotYet(Failure::transport(what, error).about(alias)));
    let single = context.look(step, "read the row", context.run.api.read(&workspace.id)).await;
    let single = match single {
        Ok(single) => single,
        Err(error) => return unseen("read the row", &error),
    };
    if let Some(failure) = expect_fits::still_there(alias, &single) {
        return Ok(Look::NotYet(failure));
    }
    let list = match context.look(step, "read the list", context.run.api.list()).await {
        Ok(list) => list,
        Err(error) => return unseen("read the list", &error),
    };
    if let Some(failure) = expect_fits::still_listed(alias, &workspace.id, &list) {
        return Ok(Look::NotYet(failure));
    }
    let observed = serde_json::json!({ "status": Status::Removed, "url": "" });
    context.observe(alias, &observed, "poll");
    Ok(Look::Right(Passed::with(format!("{} and not in the list", single.status))))
}
