//! Lifecycle requests: each asserts the response and the stored row.

use std::time::Duration;

use serde_json::{Value, json};

use super::await_status::{known, plain, reach};
use super::before_edge::{baseline, instance_before, remember_activity};
use super::identity::auth_of;
use super::{answer, container, flow, instance_ends};
use crate::clock::Instant;
use crate::domain::Status;
use crate::event::EventKind;
use crate::http::{Request, Response};
use crate::platform::row::Row;
use crate::platform::{Auth, message, record};
use crate::run::instance::Baseline;
use crate::run::look::Seen;
use crate::run::wait::{self, Verdict};
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::scope::{Locals, StepScope};
use crate::runner::workspace::Workspace;
use crate::runner::{cleanup, environment, instances};
use crate::scenario::model::{Edge, Exec, PartKey, Terminate, Wake};
use crate::scenario::template::Template;
use crate::targets::saas::Behind;

/// The row leaves its old state within this.
const LEAVES: Duration = Duration::from_secs(10);
/// Between two deletes of what the platform is busy with.
const AGAIN: Duration = Duration::from_millis(500);

/// A lifecycle request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EdgeKind {
    /// `POST restart`.
    Restart,
    /// `POST pause`.
    Pause,
    /// `POST resume`.
    Resume,
    /// `POST hibernate`.
    Hibernate,
}

impl EdgeKind {
    fn path(self) -> &'static str {
        match self {
            EdgeKind::Restart => "restart",
            EdgeKind::Pause => "pause",
            EdgeKind::Resume => "resume",
            EdgeKind::Hibernate => "hibernate",
        }
    }

    /// `status` of a 200 (contract §5).
    fn answers(self) -> &'static [&'static str] {
        match self {
            EdgeKind::Restart => &["provisioning", "noop"],
            EdgeKind::Pause => &["paused"],
            EdgeKind::Resume => &["provisioning"],
            EdgeKind::Hibernate => &["hibernated"],
        }
    }

    /// What the row must become; a resting state is there when the answer is.
    fn rests_in(self) -> Option<Status> {
        match self {
            EdgeKind::Pause => Some(Status::Paused),
            EdgeKind::Hibernate => Some(Status::Hibernated),
            EdgeKind::Restart | EdgeKind::Resume => None,
        }
    }
}

/// Runs restart, pause, resume or hibernate.
pub(super) async fn run(
    context: &ScenarioContext,
    kind: EdgeKind,
    verb: &Edge,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let auth = auth_of(context, verb.identity.as_ref(), context.own_auth(alias), scope)?;
    let mut body = serde_json::Map::new();
    if verb.reset {
        body.insert("reset".into(), json!(true));
    }
    for (field, value) in &verb.body {
        body.insert(field.clone(), value.render(scope)?);
    }
    let mut query = Vec::new();
    if verb.force {
        query.push("force=true");
    }
    if verb.cascade {
        query.push("cascade=true");
    }
    let baseline = baseline(context, &workspace, step).await;
    remember_activity(context, alias, step).await;
    let reprovisions = matches!(kind, EdgeKind::Restart | EdgeKind::Resume);
    let body = (kind == EdgeKind::Restart || !body.is_empty()).then_some(Value::Object(body));
    let request = context.run.api.edge(&workspace.id, kind.path(), &query, body, &auth);
    let edge_at = Instant::now();
    let answer = context
        .mutate(step, kind.path(), request)
        .await
        .map_err(|e| Failure::transport(kind.path(), &e).about(alias))?;
    took_along(context, &workspace, &answer);
    if !verb.answer.is_default() {
        answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
        if answer.status != 200 {
            context.run.ledger.settle(&workspace.id, true);
            return Ok(Passed::with(format!("refused as it should be: {}", answer::describe(&answer))));
        }
    } else {
        answer::succeeded(kind.path(), &answer, &[200], Some(("status", kind.answers())))
            .map_err(|f| f.about(alias))?;
    }
    let said = answer.json.as_ref().map(|b| record::text(b, "status").to_owned()).unwrap_or_default();
    if said == "noop" {
        if !restarts_elsewhere(&workspace) {
            let text = format!(
                "{} answered 200 noop: nothing was restarted, and the instances of {alias} are the platform's to restart",
                kind.path()
            );
            return Err(Failure::product(text).about(alias));
        }
        context.run.ledger.settle(&workspace.id, true);
        return Ok(Passed::with("200 noop: the platform does not restart agents that live elsewhere"));
    }
    if reprovisions {
        let baseline = Baseline { edge_at: Some(edge_at), ..baseline };
        context.update(alias, |w| w.begin_edge(kind.path(), baseline));
        return restarted_row(context, alias, &answer, step).await;
    }
    if let Some(rest) = kind.rests_in() {
        let reached = reach(context, alias, plain(context, &[rest], false), false, step).await;
        let passed = reached.map_err(|f| f.about(alias))?;
        let ended = instance_ends::after(context, &workspace, &baseline, kind.path(), step).await?;
        return Ok(Passed { message: format!("200, and the row is {said}{ended}"), ..passed });
    }
    Ok(Passed::with(answer::describe(&answer)))
}

/// Whether the platform has nothing to restart: the agent lives elsewhere, or is none (contract §8.1).
fn restarts_elsewhere(workspace: &Workspace) -> bool {
    !workspace.managed || workspace.runtime == "mock"
}

/// After a 200 to restart or resume the row must have left its old state: `provisioning`, or already
/// another instance. What cannot be told apart here is left to the `await` that follows.
async fn restarted_row(
    context: &ScenarioContext,
    alias: &str,
    answer: &Response,
    step: &StepRun,
) -> StepResult {
    let workspace = known(context, alias)?;
    let until = (Instant::now() + LEAVES).min(step.deadline);
    let before = &workspace.baseline;
    let mut watch = context.run.poller.watch(&workspace.id);
    let left = wait::until(
        &mut watch,
        until,
        &context.stop,
        |view| {
            let row = match view.seen() {
                Some(Seen::Record(row)) => row,
                Some(Seen::Gone { status, text } | Seen::Refused { status, text }) => {
                    return Verdict::NotYet(format!("{status}: {text}"));
                }
                _ => {
                    return Verdict::NotYet(
                        view.error().unwrap_or_else(|| "nothing was seen yet".to_owned()),
                    );
                }
            };
            context.observe(alias, row, if view.woken { "event" } else { "poll" });
            let status = row.status();
            let url = row.url();
            let old_and_older = !before.at_rest
                && matches!(status, Some(Status::Online | Status::Degraded))
                && !url.is_empty()
                && url == before.url
                && before.uptime.zip(row.uptime()).is_none_or(|(old, new)| new >= old);
            let status = status.map(|s| s.to_string()).unwrap_or_default();
            if matches!(row.status(), Some(Status::Paused | Status::Hibernated)) || old_and_older {
                let at = if url.is_empty() { "no URL" } else { url };
                return Verdict::NotYet(format!("the row is still {status} at {at}"));
            }
            Verdict::Ready(status)
        },
        |_, _, _| {},
    )
    .await;
    let edge = &workspace.edge_name;
    match left {
        Ok((status, stats)) => {
            context.update(alias, |w| w.looked(&stats));
            Ok(Passed::with(format!("{}, and the row is {status}", answer.status)))
        }
        Err(error) => {
            let last = error.last.clone();
            let failure = Failure::wait(&format!("{alias} to leave its old state"), error);
            let message = match failure.kind {
                FailureKind::Product => format!("{edge} answered {}, but {last}", answer.status),
                _ => format!("{edge} answered {}; {}", answer.status, failure.message),
            };
            Err(Failure { message, has_own_words: true, ..failure }.about(alias))
        }
    }
}

/// `delete:` response, row, and the list.
pub(super) async fn delete(
    context: &ScenarioContext,
    verb: &Edge,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let auth = auth_of(context, verb.identity.as_ref(), Auth::Admin, scope)?;
    let name = stored_name(context, &workspace, step).await.unwrap_or_else(|| workspace.name.clone());
    let (instance, unseen) = instance_before(context, &workspace, step).await;
    let baseline = Baseline { instance, unseen, ..Baseline::default() };
    keep_off(context, &workspace, step).await.map_err(|f| f.about(alias))?;
    let query: &[&str] = if verb.purge { &["purge=true"] } else { &[] };
    let mut request = context.run.api.delete(&workspace.id, &name, query);
    let as_auth = context.run.api.request("DELETE", "/", &auth);
    (request.bearer, request.identity) = (as_auth.bearer, as_auth.identity);
    let answer = ask_to_delete(context, alias, request, verb.answer.is_default(), step).await?;
    took_along(context, &workspace, &answer);
    if !verb.answer.is_default() {
        answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
        if !answer.is_success() {
            return Ok(Passed::with(format!("refused as it should be: {}", answer::describe(&answer))));
        }
    } else {
        // What is only taken in is done when the row is gone.
        let words: &[&str] = &["removed", "purged"];
        let field = (answer.status != 202).then_some(("status", words));
        answer::succeeded("delete", &answer, &[200, 202], field).map_err(|f| f.about(alias))?;
    }
    let reached = reach(context, alias, plain(context, &[Status::Removed], false), false, step).await;
    reached.map_err(|f| f.about(alias))?;
    context.update(alias, |w| w.gone = true);
    let ended = instance_ends::after(context, &workspace, &baseline, "delete", step).await?;
    Ok(Passed::with(format!("{}, and the row is gone{ended}", answer.status)))
}

/// What hangs under a workspace that is about to go, and is somebody else's, goes with it on a server that asks nobody.
async fn keep_off(context: &ScenarioContext, workspace: &Workspace, step: &StepRun) -> Result<(), Failure> {
    let list = context.fetch(step, "who hangs under it", context.run.api.list()).await;
    let list = list.map_err(|e| Failure::transport("who hangs under it", &e))?;
    let found = cleanup::strangers_below(&context.run, &workspace.id, &list).map_err(|why| {
        Failure::of(
            FailureKind::Environment,
            format!("whether somebody else's hang under it is not known: {why}"),
        )
    })?;
    match found.as_slice() {
        [] => Ok(()),
        found => Err(Failure::of(
            FailureKind::Config,
            format!(
                "{} of somebody else hang under it, and would be deleted with it: {}",
                found.len(),
                found.join(", ")
            ),
        )),
    }
}

/// What an answer says was done to more than the workspace and what the scenario made below it.
fn took_along(context: &ScenarioContext, workspace: &Workspace, answer: &Response) {
    const COUNTS: [(&str, u64); 4] =
        [("paused_count", 1), ("resumed_count", 1), ("hibernated_count", 1), ("cascade_deleted", 0)];
    let count = |name: &str| answer.json.as_ref().and_then(|body| body.get(name)).and_then(Value::as_u64);
    let below = {
        let state = context.state();
        let mut ids = vec![workspace.id.clone()];
        let mut at = 0;
        while let Some(id) = ids.get(at).cloned() {
            let child = |w: &&Workspace| w.parent_id.as_ref() == Some(&id) && !ids.contains(&w.id);
            let found: Vec<String> = state.workspaces.values().filter(child).map(|w| w.id.clone()).collect();
            ids.extend(found);
            at += 1;
        }
        ids.len() as u64 - 1
    };
    for (name, own) in COUNTS {
        let Some(count) = count(name).filter(|count| *count > below + own) else { continue };
        let text = format!(
            "{}: the answer says `{name}: {count}`, and the scenario has {below} below it: what was taken along may be \
             somebody else's",
            workspace.alias
        );
        context.run.log.emit(EventKind::Warning { scenario: Some(context.name.to_string()), text });
    }
}

/// Sends a delete. While an operation of the platform's own is under way it is answered 409 without a reason that lasts,
/// such as workspaces below it, and may be asked again.
async fn ask_to_delete(
    context: &ScenarioContext,
    alias: &str,
    request: Request,
    patient: bool,
    step: &StepRun,
) -> Result<Response, Failure> {
    let mut busy = 0;
    loop {
        let answer = context
            .mutate(step, "delete", request.clone())
            .await
            .map_err(|e| Failure::transport("delete", &e).about(alias))?;
        let again = patient
            && answer.status == 409
            && !record::names_others(answer.json.as_ref())
            && !context.stop.is_cancelled()
            && Instant::now() + AGAIN < step.deadline;
        if !again {
            if busy > 0 && answer.status != 409 {
                context.run.log.emit(EventKind::Warning {
                    scenario: Some(context.name.to_string()),
                    text: format!(
                        "the delete of {alias} was answered 409 {}, and then {}",
                        times(busy),
                        answer.status
                    ),
                });
            }
            return Ok(answer);
        }
        busy += 1;
        context.pause(AGAIN).await;
    }
}

fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

/// The name as the platform stores it; it may have renamed the workspace (contract §13 #19).
pub(super) async fn stored_name(
    context: &ScenarioContext,
    workspace: &Workspace,
    step: &StepRun,
) -> Option<String> {
    let answer = context.fetch(step, "read the name back", context.run.api.read(&workspace.id)).await.ok()?;
    let name = record::text(answer.json.as_ref()?, "name").to_owned();
    (!name.is_empty()).then_some(name)
}

/// `wake:` a message to a hibernated workspace answers that it wakes; then it must come online by a new instance.
pub(super) async fn wake(context: &ScenarioContext, verb: &Wake, step: &StepRun) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    remember_activity(context, alias, step).await;
    let baseline = baseline(context, &workspace, step).await;
    let id = crate::chance::uuid().to_string();
    let body = message(&id, "message/send", "wake up", PartKey::Kind, false, json!({}));
    let request =
        context.run.api.json("POST", &format!("/workspaces/{}/a2a", workspace.id), &Auth::Admin, body);
    context.run.ledger.disturb(&workspace.id, false);
    let answer = context
        .fetch(step, "wake", request)
        .await
        .map_err(|e| Failure::transport("wake", &e).about(alias))?;
    let waking = answer.json.as_ref().and_then(|b| b.get("waking")).and_then(Value::as_bool).unwrap_or(false);
    if !(answer.is_success() || waking) {
        let text = format!("wake: wanted an answer or `waking`, got {}", answer::describe(&answer));
        return Err(answer::unwanted(&answer, text).about(alias));
    }
    context.update(alias, |w| w.begin_edge("wake", baseline));
    // The platform announces when it will be awake; four times that, on its own clock, is enough.
    let announced = answer.retry_after().unwrap_or(Duration::from_secs(15));
    let mut wanted = plain(context, &[Status::Online], true);
    wanted.tolerate.insert(Status::Hibernated, announced * 4);
    reach(context, alias, wanted, workspace.managed, step).await.map_err(|f| f.about(alias))
}

/// `terminate:` stops the instance behind the platform's back; needs a target whose instances can be reached.
pub(super) async fn terminate(context: &ScenarioContext, verb: &Terminate, step: &StepRun) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    if let Some(behind) = context.run.target.behind.clone() {
        return terminate_at_control_plane(context, &behind, &workspace, step).await;
    }
    if !environment::in_reach(&context.run.target) {
        let text = format!(
            "`terminate: {alias}` needs a target whose instances can be reached: say `needs: [instances]`"
        );
        return Err(Failure::of(FailureKind::Config, text));
    }
    remember_activity(context, alias, step).await;
    let baseline = baseline(context, &workspace, step).await;
    context.run.ledger.disturb(&workspace.id, true);
    if let Some(engine) = context.run.target.engine.clone() {
        container::act(context, &engine, &workspace, "remove").await?;
        context.update(alias, |w| w.begin_edge("terminate", baseline));
        return Ok(Passed::with("stopped behind the platform's back"));
    }
    let request = context.run.api.stop_instance(&workspace.id);
    let answer = context.mutate(step, "terminate", request).await;
    let answer = answer.map_err(|e| Failure::transport("terminate", &e).about(alias))?;
    if answer.status != 200 {
        let text = format!("the instance of {alias} could not be stopped: {}", answer::describe(&answer));
        return Err(Failure::of(FailureKind::Environment, text).about(alias));
    }
    context.update(alias, |w| w.begin_edge("terminate", baseline));
    Ok(Passed::with("stopped behind the platform's back"))
}

/// Ends the instance of a workspace through the control plane, which does not tell the platform.
async fn terminate_at_control_plane(
    context: &ScenarioContext,
    behind: &Behind,
    workspace: &Workspace,
    step: &StepRun,
) -> StepResult {
    let alias = &workspace.alias;
    let environment = |text: String| Failure::of(FailureKind::Environment, text).about(alias);
    remember_activity(context, alias, step).await;
    let before = baseline(context, workspace, step).await;
    let found = instances::of_workspace(context, behind, &workspace.id, step).await;
    let found = found.map_err(|error| environment(error.text))?;
    let instance = found.or_else(|| before.instance.clone());
    if let Some(command) = &behind.settings.terminate {
        context.run.ledger.disturb(&workspace.id, true);
        let words = [
            ("{instance}", instance.clone().unwrap_or_default()),
            ("{workspace}", workspace.id.clone()),
            ("{org}", behind.org.slug.clone()),
        ];
        if instance.is_none() && command.iter().any(|word| word.contains(words[0].0)) {
            return Err(environment(format!("the control plane shows no running instance of {alias}")));
        }
        by_command(context, command, &words, step).await.map_err(|failure| failure.about(alias))?;
    } else {
        let none = || environment(format!("the control plane shows no running instance of {alias}"));
        let instance = instance.as_ref().ok_or_else(none)?;
        context.run.ledger.disturb(&workspace.id, true);
        let request = behind.api.terminate(instance);
        let answer = context.mutate(step, "terminate", request).await;
        let answer = answer.map_err(|e| Failure::transport("terminate", &e).about(alias))?;
        if !answer.is_success() {
            let said = answer::describe(&answer);
            return Err(environment(format!("the instance {instance} of {alias} was not ended: {said}")));
        }
    }
    context.update(alias, |w| w.begin_edge("terminate", before));
    let instance = instance.unwrap_or_else(|| format!("the instance of {alias}"));
    Ok(Passed::with(format!("{instance} ended behind the platform's back")))
}

/// Ends an instance by the command that the environment names: a cloud's own, with the environment at hand.
async fn by_command(
    context: &ScenarioContext,
    command: &[String],
    words: &[(&str, String)],
    step: &StepRun,
) -> Result<(), Failure> {
    let filled =
        |word: &String| words.iter().fold(word.clone(), |word, (name, value)| word.replace(name, value));
    let exec = Exec {
        argv: command.iter().map(|word| Template::literal(filled(word))).collect(),
        env: context.run.env.iter().map(|(name, value)| (name.clone(), Template::literal(value))).collect(),
        stdin: None,
        code: 0,
        stdout: Vec::new(),
        capture: None,
    };
    let scope = StepScope { context, locals: &Locals::default() };
    match flow::exec(context, &exec, step, &scope).await {
        Ok(_) => Ok(()),
        Err(failure) if matches!(failure.kind, FailureKind::Cancelled) => Err(failure),
        Err(failure) => Err(Failure { kind: FailureKind::Environment, ..failure }),
    }
}
