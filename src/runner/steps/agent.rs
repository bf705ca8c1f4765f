//! The harness as an agent: register, heartbeat, inbox.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::answer;
use super::await_status::known;
use super::identity::auth_of;
use super::inbox_wrong::{self, message_id};
use super::last_look::LastLook;
use crate::clock::{self, Instant};
use crate::event::EventKind;
use crate::platform::ask::{Asker, Outcome};
use crate::platform::filing::Unrecorded;
use crate::platform::{policy, record};
use crate::run::wait::pause;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::scope::StepScope;
use crate::runner::workspace::Workspace;
use crate::scenario::model::{Heartbeat, Inbox, Register};

/// `register:` (contract §6.1).
pub(super) async fn register(
    context: &ScenarioContext,
    verb: &Register,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias =
        verb.alias.clone().or_else(|| verb.workspace.as_ref().map(|w| w.name.clone())).unwrap_or_default();
    let id = match &verb.workspace {
        Some(workspace) => known(context, &workspace.name)?.id,
        None => crate::chance::uuid().to_string(),
    };
    let fresh = verb.workspace.is_none();
    let resource = fresh.then(|| {
        // A register with an unknown id makes a workspace whose name is that id (contract §4.1).
        let resource = context.run.ledger.intend("workspace", &id, Some(&context.name), false);
        context.run.ledger.own(&resource, &id, &id);
        resource
    });
    let mut body = Map::new();
    body.insert("id".into(), json!(id));
    let card = match &verb.card {
        Some(card) => card.render(scope)?,
        None => json!({ "name": alias, "description": "an agent of the lifecycle harness", "skills": [] }),
    };
    body.insert("agent_card".into(), card);
    for (field, template) in [("delivery_mode", &verb.delivery_mode), ("url", &verb.url)] {
        if let Some(template) = template {
            body.insert(field.into(), json!(template.render(scope)?));
        }
    }
    for (field, value) in &verb.body {
        let value = value.render(scope)?;
        // A null takes a field away, to send what is incomplete on purpose.
        if value.is_null() {
            body.remove(field);
        } else {
            body.insert(field.clone(), value);
        }
    }
    let default = if fresh { crate::platform::Auth::Anonymous } else { context.own_auth(&alias) };
    let auth = auth_of(context, verb.identity.as_ref(), default, scope)?;
    let request = context.run.api.json("POST", "/registry/register", &auth, Value::Object(body));
    let answer = context
        .mutate(step, "register", request)
        .await
        .map_err(|e| Failure::transport("register", &e).about(&alias))?;
    if let Some(resource) = resource {
        if answer.is_success() {
            let workspace = Workspace {
                alias: alias.clone(),
                id: id.clone(),
                name: id.clone(),
                resource,
                runtime: "claude-code".into(),
                edge_name: "register".into(),
                ..Workspace::default()
            };
            context.run.poller.track(&id);
            context.state().workspaces.insert(alias.clone(), workspace);
        } else if answer::refused(&answer) {
            context.run.ledger.release(&resource, "never made", None);
        }
    }
    if let Some(token) = answer.json.as_ref().filter(|_| answer.is_success()).and_then(record::auth_token) {
        let token = context.secret("auth_token", token);
        context.update(&alias, |w| w.token = Some(token));
    }
    if verb.answer.is_default() {
        answer::succeeded("register", &answer, &[200], Some(("status", &["registered"])))
            .map_err(|f| f.about(&alias))?;
    } else {
        answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(&alias))?;
    }
    Ok(Passed::with(answer::describe(&answer)))
}

/// `heartbeat:` once, in the background, or its end.
pub(super) async fn heartbeat(
    context: &ScenarioContext,
    verb: &Heartbeat,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    if verb.stop {
        let beating = context.state().beating.remove(alias);
        beating.iter().for_each(tokio_util::sync::CancellationToken::cancel);
        return Ok(Passed::with(if beating.is_some() { "stopped" } else { "there was none" }));
    }
    let mut body = Map::new();
    body.insert("workspace_id".into(), json!(workspace.id));
    for (field, value) in &verb.body {
        body.insert(field.clone(), value.render(scope)?);
    }
    let auth = auth_of(context, verb.identity.as_ref(), context.own_auth(alias), scope)?;
    let request = context.run.api.json("POST", "/registry/heartbeat", &auth, Value::Object(body));
    let answer = context.mutate(step, "heartbeat", request.clone()).await;
    let answer = answer.map_err(|e| Failure::transport("heartbeat", &e).about(alias))?;
    if verb.answer.is_default() {
        answer::succeeded("heartbeat", &answer, &[200], None).map_err(|f| f.about(alias))?;
    } else {
        answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
    }
    if let Some(every) = verb.every {
        let stop = context.background.child_token();
        if let Some(old) = context.state().beating.insert(alias.clone(), stop.clone()) {
            old.cancel();
        }
        let every = context.run.api.scale.shorten(every).max(Duration::from_millis(20));
        let api = context.run.api.clone();
        let (log, scenario, alias) = (context.run.log.clone(), context.name.to_string(), alias.clone());
        tokio::spawn(async move {
            let mut said = false;
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = clock::sleep(every) => {}
                }
                let asker =
                    Asker::new(&api, Arc::new(Unrecorded), Instant::now() + policy::HEARTBEAT.attempt);
                let trouble = match asker.ask("heartbeat", request.clone(), &policy::HEARTBEAT).await {
                    Outcome::Answer(answer) if answer.is_success() => None,
                    other => Some(other.said()),
                };
                if let Some(text) = trouble.filter(|_| !std::mem::replace(&mut said, true)) {
                    let text = format!("a background heartbeat of {alias}: {text}");
                    log.emit(EventKind::Warning { scenario: Some(scenario.clone()), text });
                }
            }
        });
    }
    Ok(Passed::with(answer.status.to_string()))
}

/// `inbox:` what a poll-mode agent finds (contract §7.4). Rows of `notify` are no messages.
pub(super) async fn inbox(
    context: &ScenarioContext,
    verb: &Inbox,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let since = verb.since.as_ref().map(|s| s.render(scope)).transpose()?;
    let mut query = "type=a2a_receive&limit=500".to_owned();
    if let Some(since) = &since {
        query.push_str(&format!("&since_id={}", crate::platform::segment(since)));
    }
    let wanted: Option<Vec<String>> = verb
        .texts
        .as_ref()
        .map(|texts| texts.iter().map(|t| t.render(scope)).collect::<Result<_, _>>())
        .transpose()?;
    let at_least = wanted.as_ref().map_or(verb.at_least, Vec::len);
    let began = Instant::now();
    let mut last = LastLook::default();
    loop {
        let request = context.run.api.activity(&workspace.id, &query, &context.own_auth(alias));
        let looked = Instant::now();
        let answer = context
            .fetch(step, "inbox", request)
            .await
            .map_err(|e| last.of(Failure::transport("inbox", &e), looked, step.deadline).about(alias))?;
        if !verb.answer.is_default() {
            answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
            return Ok(Passed::with(answer::describe(&answer)));
        }
        answer::succeeded("inbox", &answer, &[200], None).map_err(|f| f.about(alias))?;
        let Some(mut rows) = record::list(answer.json.as_ref()).map(<[Value]>::to_vec) else {
            let text = format!("inbox: wanted a list, got {}", answer::describe(&answer));
            return Err(answer::unwanted(&answer, text).about(alias));
        };
        // Without a cursor the newest come first.
        if since.is_none() {
            rows.reverse();
        }
        let mut seen = BTreeSet::new();
        let messages: Vec<&Value> = rows
            .iter()
            .filter(|row| {
                record::text(row, "method") != "notify" && seen.insert(record::text(row, "id").to_owned())
            })
            .collect();
        let texts: Vec<String> = messages.iter().map(|row| record::message_text(row)).collect();
        let problem = || {
            let known = context.workspace(alias).unwrap_or_default();
            let inbox = inbox_wrong::Inbox {
                rows: &messages,
                since: since.as_deref(),
                texts: wanted.as_deref().map(|wanted| (wanted, &texts[..])),
                shown: &known.shown,
                queued: &known.queued,
            };
            inbox.problem()
        };
        if messages.len() >= at_least {
            if let Some(wanted) = wanted.as_ref().filter(|w| **w != texts) {
                let failure = Failure::product(format!("wanted the messages {wanted:?}, got {texts:?}"));
                return Err(Failure { inbox: problem(), ..failure }.about(alias));
            }
            let shown: Vec<(String, String)> = messages
                .iter()
                .map(|row| (record::text(row, "id").to_owned(), message_id(row).to_owned()))
                .collect();
            context.update(alias, |w| {
                let fresh = shown.into_iter().filter(|one| !w.shown.contains(one)).collect::<Vec<_>>();
                w.shown.extend(fresh);
            });
            if let Some(name) = &verb.cursor {
                let cursor =
                    rows.last().map(|row| record::text(row, "id").to_owned()).or(since).unwrap_or_default();
                context.state().captures.insert(name.clone(), json!(cursor));
            }
            return Ok(Passed::with(format!("{} messages", texts.len())));
        }
        let out_of_time = Instant::now() >= step.deadline;
        let kind = if context.stop.is_cancelled() { FailureKind::Cancelled } else { FailureKind::Product };
        let few = Failure::of(kind, format!("wanted {at_least} messages, got {}", messages.len()));
        let few = Failure { inbox: problem(), ..few };
        let few = last.of(few, looked, step.deadline);
        if out_of_time || context.stop.is_cancelled() {
            return Err(few.about(alias));
        }
        context.pause(pause(began.elapsed())).await;
    }
}
